// SPDX-License-Identifier: MIT
// The loops of a pass: one step of the array per cycle.
//
//   for group of output tiles, for input tile, for member of the group (gate: for digit of the right tile):   one tile
//       for token tile (gate and wide tokens: for digit of the left operand):                                 one step
//
// The next pass is made ready while one runs. A step waits for: its right tile (tile_coming counts tiles that stand in the
// queue 9 cycles later at the latest; tile_done leaves 7 cycles after a tile's last step, when the queue may drop it);
// room in the ring of sums; and at the start of a pass for what it reads: everything drained (AFTER_DRAIN), or the scores
// of its block.
// Slices of attention: scores go round in the lower half of the ring, QUERY_TILES slots a group, so that they leave P·V
// alone, whose sums grow from slice to slice in the upper half, one of two blocks in each quarter. Its job leaves with the
// last slice.
// A group's drain job leaves with its last step; job_ready follows when all lanes have their sums.
// Precondition: a group has fewer than SLOTS sums.
// Where a step stands in its loops (`tile_opens` … `last_step`) and whether it may go (`may_begin`, `tile_ready`,
// `group_fits`) are registers, made a cycle before, so that `go`, which enables all others, is two levels of logic.
// Depth: a comparison and a counter; one small multiplication while a pass is made ready.
`default_nettype none
`include "require.vh"
`include "attributes.vh"
module matmul_steps (
    clk, rst_n, pass_valid, pass_ready, pass, first_key, end_key,
    tile_coming, tile_done, step, job_valid, job, job_ready, job_room, freed_valid, freed_slots,
    job_written, scores_done, contexts_done, pass_issued, busy, waits_for_tile, waits_for_room
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "step.vh"
`include "pass.vh"
    localparam READ_PARTS = OUT_PAR / IN_PAR;
    localparam IN_SHIFT = $clog2(IN_PAR);
    localparam READ_SHIFT = $clog2(READ_PARTS);  // input tiles per output tile, log2

    input  wire                 clk;
    input  wire                 rst_n;
    input  wire                 pass_valid;
    output wire                 pass_ready;
    input  wire [PASS_BITS-1:0] pass;
    input  wire [15:0]          first_key;
    input  wire [15:0]          end_key;
    input  wire                 tile_coming;
    output wire                 tile_done;
    output reg  [STEP_BITS-1:0] step;
    output reg                  job_valid;
    output reg  [JOB_BITS-1:0]  job;
    output wire                 job_ready;
    input  wire                 job_room;
    input  wire                 freed_valid;
    input  wire [SLOT_BITS:0]   freed_slots;
    input  wire                 job_written;
    input  wire [7:0]           scores_done;
    input  wire [7:0]           contexts_done;
    output reg                  pass_issued;
    output wire                 busy;
    output wire                 waits_for_tile;
    output wire                 waits_for_room;

    // Making a pass ready: its token tiles, slots per group, depth of its first row.
    reg [1:0] preparing;  // 0 empty, 1 and 2 being computed, 3 ready
    reg prepares;  // not empty; beside it because what tells that enables all of `next`
    reg [PASS_BITS-1:0] next;
    reg [15:0] next_first_tile;
    reg [7:0] next_tiles;
    reg [SLOT_BITS:0] next_slots;
    reg [DEPTH_BITS-1:0] next_depth;
    reg next_one_tile, next_gate, next_two_digits, next_context, next_free;
    reg next_last, next_one_member, next_one_input;
    reg [11:0] next_before_last;
    reg next_sliced, next_goes_on, next_unfinished;
    wire [15:0] next_first_key = SLICES != 0 ? next[PASS_FIRST_KEY +: 16] : first_key;
    reg [3:0] next_group_members;
    wire [3:0] next_members = next[PASS_MEMBERS +: 4];
    wire [11:0] next_following = next[PASS_OUTPUT_TILES +: 12];
    wire [15:0] last_row = next[PASS_END_ROW +: 16] - 16'd1;
    wire [15:0] span = (last_row >> LANE_BITS) - next_first_tile;
    reg [26:0] first_depth;
    reg [3:0] next_sums;
    wire [11:0] slots_of_group = next_tiles * next_sums;  // sums of a token × token tiles
    wire load;
    wire prepared = preparing == 2'd3;
    assign pass_ready = preparing == 2'd0;
    always @(posedge clk) begin
        if (!rst_n) preparing <= 2'd0;
        else case (preparing)
            2'd0: preparing <= {1'b0, pass_valid};
            2'd3: preparing <= load ? 2'd0 : 2'd3;
            default: preparing <= preparing + 2'd1;
        endcase
        prepares <= rst_n && (preparing == 2'd0 ? pass_valid : preparing != 2'd3 || !load);
        if (preparing == 2'd0) begin
            next <= pass;
            next_first_tile <= pass[PASS_FIRST_ROW +: 16] >> LANE_BITS;
        end
        first_depth <= next_first_tile * next[PASS_LEFT_VECTORS +: VECTORS_BITS];
        next_sums <= next[PASS_KIND +: 3] == PASS_LOGITS ? LOGIT_ROWS[3:0]
            : WIDE_TOKENS != 0 && next[PASS_WIDE] ? 4'd2 : next[PASS_MEMBERS +: 4];
        next_tiles <= span[7:0] + 8'd1;
        next_slots <= SLICES == 0 || !next[PASS_SLICED] ? slots_of_group[SLOT_BITS:0]
            : next[PASS_KIND +: 3] == PASS_CONTEXT ? {(SLOT_BITS+1){1'b0}} : QUERY_TILES[SLOT_BITS:0];
        next_sliced <= SLICES != 0 && next[PASS_SLICED];
        next_goes_on <= SLICES != 0 && next[PASS_KIND +: 3] == PASS_CONTEXT && next[PASS_GOES_ON];
        next_unfinished <= SLICES != 0 && next[PASS_UNFINISHED];
        next_depth <= first_depth[15:0] + {5'd0, next[PASS_LEFT_BASE +: VECTORS_BITS]};
        next_one_tile <= span[7:0] == 8'd0;
        next_gate <= next[PASS_KIND +: 3] == PASS_LOGITS && GATE_DIGITS == 2;
        next_two_digits <= (next[PASS_KIND +: 3] == PASS_LOGITS && GATE_DIGITS == 2)
            || (WIDE_TOKENS != 0 && next[PASS_WIDE]);
        next_context <= next[PASS_KIND +: 3] == PASS_CONTEXT;
        next_free <= (next[PASS_KIND +: 3] != PASS_CONTEXT || (SLICES != 0 && next[PASS_GOES_ON])) && !next[PASS_AFTER_DRAIN];
        next_last <= next_following <= {8'd0, next_members};
        next_group_members <= next_following <= {8'd0, next_members} ? next_following[3:0] : next_members;
        next_one_member <= next_group_members == 4'd1;
        next_one_input <= next[PASS_INPUT_TILES +: 12] == 12'd1;
        next_before_last <= next[PASS_INPUT_TILES +: 12] - 12'd2;
    end
    wire unused_bits = &{1'b0, span[15:8], first_depth[26:16], slots_of_group[11:SLOT_BITS+1]};

    // The pass that runs.
    reg running;
    reg [PASS_BITS-1:0] now;
    reg [7:0] tiles;
    reg [SLOT_BITS:0] group_slots;
    reg [DEPTH_BITS-1:0] base_depth, depth, column;
    reg [7:0] token_tile;
    reg low_digit, second_tile, part;
    reg [3:0] member;
    reg [11:0] input_tile, output_tile;
    reg [11:0] tiles_left;     // output tiles from this group on
    reg [3:0] group_members;
    reg last_group;
    reg [15:0] key_base;
    reg [SLOT_BITS-1:0] base_slot, slot;
    reg begun;  // the pass has had its first step
    reg sliced, unfinished;
    reg goes_on;  // P·V, not its first slice
    reg [SLOT_BITS-1:0] context_slot;  // P·V of slices: its first slot
    reg gate, is_context;
    reg two_digits;  // of the left operand
    reg one_tile, one_member, one_input;
    reg [11:0] inputs_before_last;  // input tiles − 2
    reg token_ends, last_token, last_member, last_input;         // of the step that is next
    reg tile_opens, tile_closes, input_closes, group_opens, group_closes, last_step;

    wire [11:0] wide_tiles = {4'd0, tiles};
    wire [SLOT_BITS-1:0] tile_slots = wide_tiles[SLOT_BITS-1:0];
    wire unused_tiles = &{1'b0, wide_tiles[11:SLOT_BITS]};
    wire [SLOT_BITS-1:0] one_slot = {{(SLOT_BITS-1){1'b0}}, 1'b1};
    wire [SLOT_BITS-1:0] slot_step = !two_digits ? one_slot : low_digit ? one_slot - tile_slots : tile_slots;
    wire [VECTORS_BITS-1:0] left_vectors = now[PASS_LEFT_VECTORS +: VECTORS_BITS];

    // Slots of slices.
    localparam QUERY_SHIFT = $clog2(QUERY_TILES);
    function [SLOT_BITS-1:0] of_slices;  // a place for a group of scores
        input [SLOT_BITS-2-QUERY_SHIFT:0] any;
        of_slices = {1'b0, any, {QUERY_SHIFT{1'b0}}};
    endfunction
    wire [SLOT_BITS-1:0] next_context_slot = {1'b1, next[PASS_BLOCK], {(SLOT_BITS-2){1'b0}}};
    wire [SLOT_BITS-1:0] first_slot = SLICES != 0 && sliced && is_context ? context_slot : base_slot;
    wire [SLOT_BITS-1:0] behind_slot = base_slot + group_slots[SLOT_BITS-1:0];
    wire [SLOT_BITS-1:0] following_slot = SLICES != 0 && sliced ? of_slices(behind_slot[SLOT_BITS-2:QUERY_SHIFT]) : behind_slot;

    wire [SLOT_BITS-1:0] entered = of_slices(base_slot[SLOT_BITS-2:QUERY_SHIFT]);
    wire [SLOT_BITS-1:0] entered_behind = of_slices(following_slot[SLOT_BITS-2:QUERY_SHIFT]);

    // Of the group that follows.
    wire [3:0] members = now[PASS_MEMBERS +: 4];
    wire [11:0] following = tiles_left - {8'd0, members};
    // Against tiles_left itself, so that nothing waits for the subtraction.
    `KEEP wire following_last = {1'b0, tiles_left} <= {8'd0, members, 1'b0};
    wire [3:0] following_members = following_last ? following[3:0] : members;
    `KEEP wire following_one = following_last ? tiles_left[3:0] == members + 4'd1 : members == 4'd1;
    // Of the step that follows this one in its pass.
    wire last_token_after = !token_ends ? last_token : last_token ? one_tile : token_tile + 8'd2 == tiles;
    wire last_member_after = group_closes ? following_one
        : !tile_closes || gate ? last_member : last_member ? one_member : member + 4'd2 == group_members;
    wire last_input_after = !input_closes ? last_input
        : last_input ? one_input : input_tile == inputs_before_last;
    wire tile_closes_after = last_token_after && (!two_digits || !low_digit);
    wire input_closes_after = tile_closes_after && last_member_after && (!gate || (tile_closes ? !second_tile : second_tile));
    wire group_closes_after = input_closes_after && last_input_after;

    // Of the first step of the next pass.
    wire first_closes = next_one_tile && !next_two_digits;
    wire first_closes_input = first_closes && next_one_member && !next_gate;
    wire first_closes_group = first_closes_input && next_one_input;

    // What a step waits for.
    reg [7:0] tiles_waiting;
    reg [SLOT_BITS:0] used;
    reg [7:0] contexts_begun;
    reg [7:0] undrained;  // groups whose sums have been made and whose results have not all been written, a cycle late
    reg tile_ready;  // tiles_waiting is not 0
    reg group_fits;  // slots and a place for its job, as of one cycle ago, and not in the cycle after a group has begun
    reg unhindered;  // the pass has begun, or waits for nothing
    reg may_begin;   // unhindered, or what it waits for was there one cycle ago
    wire [SLOT_BITS:0] freed = freed_valid ? freed_slots : {(SLOT_BITS+1){1'b0}};
    localparam HALF = SLOTS / 2;
    wire [SLOT_BITS:0] room = (sliced ? HALF[SLOT_BITS:0] : SLOTS[SLOT_BITS:0]) + freed;
    wire [SLOT_BITS:0] next_room = (next_sliced ? HALF[SLOT_BITS:0] : SLOTS[SLOT_BITS:0]) + freed;
    wire fits = used + group_slots <= room;
    wire next_fits = used + next_slots <= next_room;
    wire [7:0] contexts_running = contexts_begun - contexts_done;
    wire [11:0] made = now[PASS_INPUT_TILES +: 12] - ({4'd0, undrained} << READ_SHIFT);
    wire some_made = {4'd0, undrained} << READ_SHIFT < now[PASS_INPUT_TILES +: 12];
    wire this_made = !job_valid && some_made && input_tile < made;
    wire next_made = !job_valid && some_made && input_tile + 12'd1 < made;
    wire tile_ok = !tile_opens || tile_ready;
    wire room_ok = !group_opens || group_fits;
    `KEEP wire unblocked = tile_ok && room_ok && may_begin;  // one level, then one for each of the two that enable all others
    wire issue = running && unblocked;
    wire loads = prepared && (!running || last_step);  // the next pass, if there is anything to do
    wire starts = prepared && !running;  // nothing runs before it
    wire go = issue || starts;
    assign load = prepared && (!running || (unblocked && last_step));
    // Another P·V may begin, but not in the cycle after one has begun; an expert's second layer has what its first group
    // reads next.
    wire opens_context = is_context && !begun && !goes_on;
    wire context_ready = scores_done != contexts_begun && contexts_running < 8'd2;
    wire may_start = next_free || (next_context && context_ready && !(running && opens_context));
    wire may_go_on = unhindered || (is_context ? context_ready : this_made);
    wire may_follow = unhindered || is_context || group_closes || (input_closes ? next_made : this_made);
    wire [SLOT_BITS:0] used_after = used - freed;
    assign waits_for_tile = running && may_begin && !tile_ok;
    assign waits_for_room = running && tile_ok && !(room_ok && may_begin);
    assign busy = running || prepares;

    wire last_part = is_context ? (READ_PARTS == 1 || part) : (IN_PARTS == 1 || part);
    always @(posedge clk) begin
        pass_issued <= rst_n && issue && last_step;
        if (!rst_n) begin
            running <= 1'b0;
            used <= {(SLOT_BITS+1){1'b0}};
            tiles_waiting <= 8'd0;
            contexts_begun <= 8'd0;
            undrained <= 8'd0;
            tile_ready <= 1'b0;
            group_fits <= 1'b0;
        end else begin
            if (go) running <= loads || !last_step;
            used <= issue && group_opens ? used_after + group_slots : used_after;
            group_fits <= !(issue && group_opens) && (load ? next_fits : fits) && job_room;
            tiles_waiting <= tiles_waiting + {7'd0, tile_coming} - {7'd0, issue && tile_opens};
            tile_ready <= tile_coming || |tiles_waiting[7:1] || (tiles_waiting[0] && !(issue && tile_opens));
            contexts_begun <= contexts_begun + {7'd0, issue && opens_context};
            undrained <= undrained + {7'd0, job_valid} - {7'd0, job_written};
        end
        may_begin <= load ? may_start : issue ? may_follow : may_go_on;
        if (go) begin
            unhindered <= loads ? next_free : unhindered || is_context || group_closes;
            token_ends <= loads ? !next_two_digits : !two_digits || !low_digit;
            last_token <= loads ? next_one_tile : last_token_after;
            last_member <= loads ? next_one_member : last_member_after;
            last_input <= loads ? next_one_input : last_input_after;
            tile_opens <= loads || tile_closes;
            group_opens <= loads || group_closes;
            tile_closes <= loads ? first_closes : tile_closes_after;
            input_closes <= loads ? first_closes_input : input_closes_after;
            group_closes <= loads ? first_closes_group : group_closes_after;
            last_step <= loads ? first_closes_group && next_last
                : group_closes_after && (group_closes ? following_last : last_group);
        end
        if (starts || (issue && group_closes)) begin
            tiles_left <= loads ? next_following : following;
            last_group <= loads ? next_last : following_last;
            group_members <= loads ? next_group_members : following_members;
            one_member <= loads ? next_one_member : following_one;
        end
        if (starts || (issue && token_ends))
            depth <= loads ? next_depth : group_closes ? base_depth
                : tile_closes ? base_depth + column + {{(DEPTH_BITS-1){1'b0}}, input_closes && last_part}
                : depth + {5'd0, left_vectors};
        if (starts || (issue && input_closes))
            key_base <= loads ? (next_first_key >> IN_SHIFT) << IN_SHIFT
                : group_closes ? (first_key >> IN_SHIFT) << IN_SHIFT : key_base + IN_PAR[15:0];
        if (load) begin
            gate <= next_gate;
            two_digits <= next_two_digits;
            is_context <= next_context;
            one_tile <= next_one_tile;
            one_input <= next_one_input;
            inputs_before_last <= next_before_last;
            now <= next;
            begun <= 1'b0;
            sliced <= next_sliced;
            goes_on <= next_goes_on;
            unfinished <= next_unfinished;
            context_slot <= next_context_slot;
            tiles <= next_tiles;
            group_slots <= next_slots;
            base_depth <= next_depth;
            column <= SLICES != 0 && next_context ? {4'd0, next[PASS_FIRST_WORD +: 12]} : {DEPTH_BITS{1'b0}};
            part <= READ_PARTS > 1 && next_context && next_first_key[IN_SHIFT];
            token_tile <= 8'd0;
            low_digit <= 1'b0;
            second_tile <= 1'b0;
            member <= 4'd0;
            input_tile <= 12'd0;
            output_tile <= SLICES == 0 || next_context ? 12'd0 : next[PASS_FIRST_WORD +: 12];
        end else if (issue) begin
            begun <= 1'b1;
            low_digit <= two_digits && !low_digit;
            if (token_ends) begin
                token_tile <= tile_closes ? 8'd0 : token_tile + 8'd1;
                if (tile_closes) begin
                    second_tile <= gate && !second_tile;
                    if (!gate) member <= last_member ? 4'd0 : member + 4'd1;
                end
            end
            if (input_closes) begin
                input_tile <= last_input ? 12'd0 : input_tile + 12'd1;
                part <= !last_part;
                if (last_part) column <= column + 1'b1;
            end
            if (group_closes) begin
                output_tile <= output_tile + {8'd0, now[PASS_MEMBERS +: 4]};
                part <= READ_PARTS > 1 && is_context && first_key[IN_SHIFT];  // a slice has one group
                column <= {DEPTH_BITS{1'b0}};
            end
        end
        // Sums of a group stand in a row of the ring: member by member, token tile by token tile. The gate's "members"
        // are products of two high digits, of a high and a low one, of two low ones, those of wide tokens of high and of
        // low ones: a tile's steps go back and forth.
        // Slices: see above.
        if (!rst_n) begin
            base_slot <= {SLOT_BITS{1'b0}};
            slot <= {SLOT_BITS{1'b0}};
        end else begin
            if (issue) begin
                slot <= slot + slot_step;
                if (tile_closes && (gate || last_member))
                    slot <= first_slot + (gate && !second_tile ? tile_slots : {SLOT_BITS{1'b0}});
                if (group_closes) begin
                    slot <= following_slot;
                    base_slot <= following_slot;
                end
            end
            if (SLICES != 0 && load && next_sliced) begin
                base_slot <= issue ? entered_behind : entered;
                slot <= next_context ? next_context_slot : issue ? entered_behind : entered;
            end
        end
    end

    wire [IN_PAR-1:0] mask;
    key_mask #(.KEYS(IN_PAR)) of_task (.base(key_base), .first_key(first_key), .end_key(end_key), .mask(mask));

    wire group_leaves = issue && group_closes && !(is_context && unfinished);  // its sums are for the drain
    always @(posedge clk) begin
        step[STEP_VALID] <= rst_n && issue;
        step[STEP_FIRST] <= input_tile == 12'd0 && !goes_on && (!second_tile || low_digit);
        step[STEP_LOW_DIGIT] <= low_digit;
        step[STEP_EXPONENTIAL] <= is_context;
        step[STEP_FIRST_KEYS] <= input_tile == 12'd0 && !goes_on;
        // Only the first sweep sums and divides: Σe is the same in all sweeps of a block.
        step[STEP_SUMMED] <= member == 4'd0 && output_tile == 12'd0;
        step[STEP_LAST_KEYS] <= last_input && !unfinished;
        step[STEP_PART] <= part;
        step[STEP_LEFT +: 3] <= now[PASS_LEFT +: 3];
        step[STEP_SLOT +: SLOT_BITS] <= slot;
        step[STEP_DEPTH +: DEPTH_BITS] <= depth;
        step[STEP_SCORE +: SCORE_ADDRESS_BITS] <= {now[PASS_BLOCK], token_tile[2:0], column[KEY_WORD_BITS-1:0]};
        step[STEP_MASK +: IN_PAR] <= mask;
        job_valid <= rst_n && group_leaves;
        job <= {last_group && !unfinished, gate ? LOGIT_ROWS[3:0] : two_digits ? 4'd2 : group_members, output_tile, tiles,
                first_slot, now};
    end

    reg [7:0] closing;
    reg [JOB_DELAY-1:0] finishing;
    always @(posedge clk) begin
        closing <= rst_n ? {closing[6:0], issue && tile_closes} : 8'd0;
        finishing <= rst_n ? {finishing[JOB_DELAY-2:0], group_leaves} : {JOB_DELAY{1'b0}};
    end
    assign tile_done = closing[7];
    assign job_ready = finishing[JOB_DELAY-1];

    // Preconditions.
    `REQUIRE(rst_n && load, next_slots < SLOTS, "a group has too many sums")
endmodule
`default_nettype wire
