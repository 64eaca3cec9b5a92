// SPDX-License-Identifier: MIT
// The ring of sums as matmul_steps fills it: no sum is begun over one that waits to be drained, whatever the passes are
// and however late groups are drained, in their order, each with the slots that it was given.
`default_nettype none
module matmul_steps_proof (
    input wire         clk,
    input wire         pass_valid,
    input wire [15:0]  first_key,
    input wire [15:0]  end_key,
    input wire         tile_coming,
    input wire         job_room,
    input wire         freed_valid,
    input wire         job_written,
    input wire [7:0]   scores_done,
    input wire [7:0]   contexts_done,
    input wire [191:0] any_pass
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "step.vh"
`include "pass.vh"
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire [PASS_BITS-1:0] pass = any_pass[PASS_BITS-1:0];
    wire pass_ready, tile_done, job_valid, job_ready, pass_issued, busy, waits_for_tile, waits_for_room;
    wire [STEP_BITS-1:0] step;
    wire [JOB_BITS-1:0] job;

    // Groups whose job has come and which are not drained, oldest first: how many slots each was given.
    reg [SLOT_BITS:0] given [0:7];
    reg [3:0] groups;
    wire [SLOT_BITS:0] freed_slots = given[0];
    matmul_steps unit (.*);

    // Passes: rows, tiles and members that the ring has room for.
    wire [15:0] rows = pass[PASS_END_ROW +: 16] - 16'd1 - pass[PASS_FIRST_ROW +: 16];
    wire [3:0] sums = pass[PASS_KIND +: 3] == PASS_LOGITS ? LOGIT_ROWS
        : WIDE_TOKENS != 0 && pass[PASS_WIDE] ? 4'd2 : pass[PASS_MEMBERS +: 4];
    wire [15:0] last_tile = (pass[PASS_END_ROW +: 16] - 16'd1) >> LANE_BITS;
    wire [15:0] tiles = last_tile - (pass[PASS_FIRST_ROW +: 16] >> LANE_BITS) + 16'd1;
    always @(posedge clk) begin
        if (pass_valid)
            assume (pass[PASS_END_ROW +: 16] > pass[PASS_FIRST_ROW +: 16] && rows < 16'd16 && pass[PASS_MEMBERS +: 4] != 0
                && pass[PASS_MEMBERS +: 4] <= 4 && pass[PASS_INPUT_TILES +: 12] != 0 && pass[PASS_INPUT_TILES +: 12] <= 2
                && pass[PASS_OUTPUT_TILES +: 12] != 0 && pass[PASS_OUTPUT_TILES +: 12] <= 4
                && ((pass[PASS_KIND +: 3] != PASS_LOGITS && !(WIDE_TOKENS != 0 && pass[PASS_WIDE]))
                    || pass[PASS_MEMBERS +: 4] == 1) && tiles * sums <= SLOTS
                // Slices, whose P·V grows over several passes, are left to sim/compute/matmul_bench.py.
                && !pass[PASS_SLICED] && !pass[PASS_GOES_ON] && !pass[PASS_UNFINISHED]);
        if (freed_valid) assume (rst_n && groups != 0);
    end

    // Any one slot: free, growing, or waiting to be drained.
    (* anyconst *) reg [SLOT_BITS-1:0] slot;
    reg growing, waiting;
    reg [SLOT_BITS-1:0] front;  // first slot of the oldest group that is not drained
    wire steps = step[STEP_VALID] && step[STEP_SLOT +: SLOT_BITS] == slot;
    wire [SLOT_BITS:0] job_slots = job[JOB_TILES +: 8]
        * (job[PASS_KIND +: 3] == PASS_LOGITS ? LOGIT_ROWS
           : WIDE_TOKENS != 0 && job[PASS_WIDE] ? 4'd2 : job[PASS_MEMBERS +: 4]);
    wire [SLOT_BITS-1:0] place_in_job = slot - job[JOB_SLOT +: SLOT_BITS];
    wire [SLOT_BITS-1:0] place_in_front = slot - front;
    wire in_job = {1'b0, place_in_job} < job_slots;
    wire drained = freed_valid && {1'b0, place_in_front} < freed_slots;
    reg [7:0] arrived, dropped;
    reg [SLOT_BITS-1:0] next_base;
    integer i;
    always @(posedge clk)
        if (!rst_n) begin
            growing <= 0;
            waiting <= 0;
            groups <= 0;
            front <= 0;
            next_base <= 0;
            arrived <= 0;
            dropped <= 0;
        end else begin
            growing <= (growing || steps) && !job_valid;
            waiting <= job_valid && (growing || steps) ? 1'b1 : waiting && !drained;
            groups <= groups + job_valid - freed_valid;
            if (freed_valid) front <= front + freed_slots[SLOT_BITS-1:0];
            if (job_valid) next_base <= next_base + job_slots[SLOT_BITS-1:0];
            arrived <= arrived + tile_coming;
            dropped <= dropped + tile_done;
            for (i = 0; i < 8; i = i + 1)
                if (freed_valid && i + 1 < groups) given[i] <= i == 7 ? given[i] : given[i+1];
                else if (job_valid && i + freed_valid == groups) given[i] <= job_slots;
        end
    always @(posedge clk)
        if (rst_n) begin
            if (steps && step[STEP_FIRST]) begin
                nothing_over_an_undrained_sum: assert (!waiting);
            end
            if (steps && !growing) a_sum_begins_with_first: assert (step[STEP_FIRST]);
            if (job_valid && (growing || steps)) sums_lie_in_their_job: assert (in_job);
            if (job_valid) jobs_in_a_row: assert (job[JOB_SLOT +: SLOT_BITS] == next_base);
            if (tile_done) tiles_after_they_came: assert (dropped != arrived);
            never_more_than_the_ring: assert (used <= SLOTS);
        end
    (* hierconn *) wire [SLOT_BITS:0] \unit.used ;
    wire [SLOT_BITS:0] used = \unit.used ;
endmodule
`default_nettype wire
