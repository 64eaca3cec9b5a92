// SPDX-License-Identifier: MIT
// The loops of a drain job: POST_ROWS rows of sums per cycle on their way to the post lanes.
//
//   for row of the pass (POST_ROWS at a time; one at a time where rows go to scattered places):
//       for member of the group:  one drain step
//
// P·V waits for the scale of its rows (scaled_rows counts rows of a lane), HEAD for room in the writer.
// Jobs come in the order of their passes; job_ready says that the sums of one more stand.
// Precondition: job_ready comes two cycles after its job or later.
// Latency: a step leaves one cycle after it is chosen; jobs follow each other without a gap when they have 3 steps or more.
// Where a step stands and whether the next job may follow are registers that are made a cycle before, so that `issue` and
// `load`, which enable all others, come early. Depth: an addition of 16 bits; a comparison.
`default_nettype none
`include "require.vh"
`include "attributes.vh"
module drain (
    clk, rst_n, job_valid, job, job_ready, job_room, scaled_rows, head_full, step_valid, step, freed_valid, freed_slots,
    all_issued
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "pass.vh"
`include "drain.vh"
    localparam ROW_SHIFT = POST_ROWS > 1 ? $clog2(POST_ROWS) : 0;

    input  wire                  clk;
    input  wire                  rst_n;
    input  wire                  job_valid;
    input  wire [JOB_BITS-1:0]   job;
    input  wire                  job_ready;
    output wire                  job_room;
    input  wire [7:0]            scaled_rows;
    input  wire                  head_full;
    output reg                   step_valid;
    output reg  [DRAIN_BITS-1:0] step;
    output reg                   freed_valid;
    output reg  [SLOT_BITS:0]    freed_slots;
    output wire                  all_issued;

    wire [JOB_BITS-1:0] front;
    wire [5:0] jobs;
    wire unused_empty, unused_full;
    `KEEP wire load;
    reg [5:0] ready_jobs;
    fifo #(.BITS(JOB_BITS), .DEPTH(JOB_QUEUE)) queue (
        .clk(clk), .rst_n(rst_n), .push(job_valid), .value(job), .pop(load), .front(front),
        .empty(unused_empty), .full(unused_full), .count(jobs));
    assign job_room = jobs < 6'd30;  // two may be on their way

    // The job that runs, and where it stands.
    reg running;
    reg [JOB_BITS-1:0] now;
    reg [15:0] row, next_row;  // absolute, of the first post row
    reg last_row;  // `row` is
    reg [7:0] token_tile;
    reg [3:0] member;
    reg [SLOT_BITS-1:0] slot_of_tile, slot;
    reg [VECTORS_BITS-1:0] vector;
    reg part;
    reg [1:0] third;
    reg [7:0] scales_used, scales_ready;
    reg loaded, may_load;  // what is known of the front is that of the job before for two cycles
    reg scales_stale;      // scales_ready does not know yet what the job before has used
    reg scaled;            // a scale for this token tile, as of one cycle ago
    reg is_context, is_head, scattered;
    reg last_member, one_member, last_step;

    wire [2:0] kind = now[PASS_KIND +: 3];
    wire [15:0] stride = scattered ? 16'd1 : POST_ROWS[15:0];
    wire [15:0] first_row = now[PASS_FIRST_ROW +: 16];
    wire [15:0] end_row = now[PASS_END_ROW +: 16];
    // Members that are sums of one output tile, to be joined; of wide tokens the last one has the results.
    wire wide = WIDE_TOKENS != 0 && now[PASS_WIDE];
    wire joined = kind == PASS_LOGITS || wide;
    wire [11:0] output_tile = now[JOB_OUTPUT_TILE +: 12] + (joined ? 12'd0 : {8'd0, member});
    `KEEP wire next_last_member = last_member ? one_member : member + 4'd2 == now[JOB_MEMBERS +: 4];
    wire last_of_tile = &(row[LANE_BITS-1:0] | (stride[LANE_BITS-1:0] - 1'b1));
    // `KEEP: one level of logic each, as they enable all others.
    `KEEP wire hindered = (is_context && !scaled) || (is_head && head_full);
    `KEEP wire issue = running && !hindered;
    wire finish = issue && last_step;
    assign load = may_load && (!running || (!hindered && last_step));
    assign all_issued = !running && jobs == 6'd0;

    reg [JOB_BITS-1:0] held;  // the front
    wire [11:0] front_vector = OUT_PARTS == 1 ? held[JOB_OUTPUT_TILE +: 12] : held[JOB_OUTPUT_TILE +: 12] >> 1;
    wire [11:0] third_vectors = {1'b0, held[PASS_DESTINATION_VECTORS +: VECTORS_BITS]};
    wire [11:0] two_thirds = third_vectors << 1;
    wire splits = held[PASS_KIND +: 3] == PASS_QKV;
    wire [1:0] front_third = !splits || front_vector < third_vectors ? 2'd0 : front_vector < two_thirds ? 2'd1 : 2'd2;
    // `KEEP: the subtractions come before the choice between them.
    `KEEP wire [11:0] past_one_third = front_vector - third_vectors;
    `KEEP wire [11:0] past_two_thirds = front_vector - two_thirds;
    wire [11:0] front_within = front_third == 2'd0 ? front_vector : front_third == 2'd1 ? past_one_third : past_two_thirds;
    wire front_part = OUT_PARTS > 1 && held[JOB_OUTPUT_TILE];
    wire [15:0] row_after_next = next_row + stride;
    `KEEP wire next_last_step = next_last_member && (last_member ? row_after_next >= end_row : last_row);
    wire any_scale = scales_ready != 8'd0;
    wire this_scale = scales_ready > token_tile;
    wire next_scale = {1'b0, scales_ready} > {1'b0, token_tile} + 9'd1;
    // Whether there is a scale next, with a step now and without.
    wire ends_scaled = last_step && is_context && now[JOB_LAST];
    `KEEP wire scaled_after = !ends_scaled && !scales_stale && (may_load && last_step ? any_scale
        : last_member && last_of_tile ? next_scale : this_scale);
    `KEEP wire scaled_still = !scales_stale && (may_load && !running ? any_scale : this_scale);
    // Where the job at the front begins, two cycles after it has come there.
    reg [15:0] new_row, new_next_row;
    reg new_last_row, new_last_step, new_part;
    reg new_context, new_head, new_scattered, new_one_member;
    reg [1:0] new_third;
    reg [VECTORS_BITS-1:0] new_vector;
    wire front_scattered = held[PASS_KIND +: 3] == PASS_WEIGHTED;
    wire [15:0] front_row = front_scattered ? held[PASS_FIRST_ROW +: 16]
        : (held[PASS_FIRST_ROW +: 16] >> ROW_SHIFT) << ROW_SHIFT;
    wire [15:0] front_next_row = front_row + (front_scattered ? 16'd1 : POST_ROWS[15:0]);
    reg [3:0] new_sums, sums_of_token;
    wire [11:0] tiles_of_job = {4'd0, now[JOB_TILES +: 8]};
    wire [11:0] slots_of_job = now[JOB_TILES +: 8] * sums_of_token;
    wire unused = &{1'b0, front_within[11], slots_of_job[11:SLOT_BITS+1], tiles_of_job[11:SLOT_BITS],
                    unused_empty, unused_full};

    always @(posedge clk) begin
        if (!rst_n) begin
            running <= 1'b0;
            ready_jobs <= 6'd0;
            scales_used <= 8'd0;
            scales_stale <= 1'b0;
            loaded <= 1'b0;
            may_load <= 1'b0;
        end else begin
            running <= load || (running && !finish);
            ready_jobs <= ready_jobs + {5'd0, job_ready} - {5'd0, loaded};  // the one loaded a cycle late, when may_load is low
            if (issue && ends_scaled) scales_used <= scales_used + now[JOB_TILES +: 8];
            scales_stale <= issue && ends_scaled;
            loaded <= load;
            may_load <= (ready_jobs != 6'd0 || job_ready) && !load && !loaded;
        end
        scaled <= issue ? scaled_after : scaled_still;
        scales_ready <= scaled_rows - scales_used;
        held <= front;
        new_context <= held[PASS_KIND +: 3] == PASS_CONTEXT;
        new_head <= held[PASS_KIND +: 3] == PASS_HEAD;
        new_scattered <= front_scattered;
        new_sums <= held[PASS_KIND +: 3] == PASS_LOGITS ? LOGIT_ROWS[3:0]
            : WIDE_TOKENS != 0 && held[PASS_WIDE] ? 4'd2 : held[PASS_MEMBERS +: 4];
        new_one_member <= held[JOB_MEMBERS +: 4] == 4'd1;
        new_row <= front_row;
        new_next_row <= front_next_row;
        new_last_row <= front_next_row >= held[PASS_END_ROW +: 16];
        new_last_step <= front_next_row >= held[PASS_END_ROW +: 16] && held[JOB_MEMBERS +: 4] == 4'd1;
        new_vector <= front_within[VECTORS_BITS-1:0] + held[PASS_DESTINATION_BASE +: VECTORS_BITS];
        new_part <= front_part;
        new_third <= front_third;
        freed_valid <= rst_n && finish;
        // Of slices, scores take the slots of a whole block, and P·V none of the ring.
        freed_slots <= SLICES == 0 || !now[PASS_SLICED] ? slots_of_job[SLOT_BITS:0]
            : is_context ? {(SLOT_BITS+1){1'b0}} : QUERY_TILES[SLOT_BITS:0];
        if (load) begin
            now <= held;
            sums_of_token <= new_sums;
            row <= new_row;
            next_row <= new_next_row;
            last_row <= new_last_row;
            is_context <= new_context;
            is_head <= new_head;
            scattered <= new_scattered;
            one_member <= new_one_member;
            last_member <= new_one_member;
            last_step <= new_last_step;
            token_tile <= 8'd0;
            member <= 4'd0;
            slot_of_tile <= held[JOB_SLOT +: SLOT_BITS];
            slot <= held[JOB_SLOT +: SLOT_BITS];
            vector <= new_vector;
            part <= new_part;
            third <= new_third;
        end else if (issue) begin
            member <= last_member ? 4'd0 : member + 4'd1;
            last_member <= next_last_member;
            last_step <= next_last_step;
            slot <= slot + tiles_of_job[SLOT_BITS-1:0];
            part <= OUT_PARTS > 1 && (wide ? part : !part);
            vector <= vector + {10'd0, !wide && (OUT_PARTS == 1 || part)};
            if (last_member) begin
                row <= next_row;
                next_row <= row_after_next;
                last_row <= row_after_next >= end_row;
                slot <= slot_of_tile;
                // Groups begin with a whole vector when they have several members, and else all rows share the part.
                part <= now[PASS_MEMBERS +: 4] == 4'd1 ? part : 1'b0;
                vector <= vector - (wide ? {VECTORS_BITS{1'b0}} : {7'd0, member >> (OUT_PARTS - 1)});
                if (last_of_tile) begin
                    token_tile <= token_tile + 8'd1;
                    slot_of_tile <= slot_of_tile + 1'b1;
                    slot <= slot_of_tile + 1'b1;
                end
            end
        end
    end

    wire [15:0] index = row - first_row;
    reg [POST_ROWS-1:0] of_pass;
    integer post_row;
    always @*
        for (post_row = 0; post_row < POST_ROWS; post_row = post_row + 1)
            of_pass[post_row] = post_row == 0 ? row >= first_row && row < end_row
                : !scattered && (row | post_row[15:0]) >= first_row && (row | post_row[15:0]) < end_row;
    always @(posedge clk) begin
        step_valid <= rst_n && issue;
        step[DRAIN_ROWS +: POST_ROWS] <= wide && !last_member ? {POST_ROWS{1'b0}} : of_pass;
        step[DRAIN_KIND +: 3] <= kind;
        step[DRAIN_LANE +: 4] <= {{(4-LANE_BITS){1'b0}}, row[LANE_BITS-1:0]};
        step[DRAIN_SLOT +: SLOT_BITS] <= slot;
        step[DRAIN_INDEX +: 16] <= index;
        step[DRAIN_ROW +: 16] <= now[PASS_DESTINATION_ROW +: 16] + index;
        step[DRAIN_VECTORS +: VECTORS_BITS] <= now[PASS_DESTINATION_VECTORS +: VECTORS_BITS];
        step[DRAIN_VECTOR +: VECTORS_BITS] <= vector;
        step[DRAIN_PART] <= part;
        step[DRAIN_THIRD +: 2] <= third;
        step[DRAIN_EXPERT +: 8] <= now[PASS_EXPERT +: 8];
        step[DRAIN_TILE +: 12] <= output_tile;
        step[DRAIN_QUERY +: 4] <= {now[PASS_BLOCK], token_tile[2:0]};
        step[DRAIN_JOB_ENDS] <= finish;
        step[DRAIN_PASS_ENDS] <= finish && now[JOB_LAST];
        step[DRAIN_FIRST] <= member == 4'd0;
        step[DRAIN_LAST] <= last_member;
    end

    // Preconditions.
`ifdef SIMULATION
    reg came;
    always @(posedge clk) came <= rst_n && job_valid;
    `REQUIRE(rst_n && job_ready, ready_jobs - {5'd0, loaded} + {5'd0, came} < jobs, "the sums of a job that has not come two cycles ago")
`endif
endmodule
`default_nettype wire
