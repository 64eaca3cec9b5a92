// SPDX-License-Identifier: MIT
// Passes of ATTENTION: scores of one block of queries, then P·V of the block before it, so that the array has scores to make
// while the last maxima of a block are on their way.
//
//   for n in 0 … blocks, for slice s of the keys:
//       scores(n, s) if n < blocks;  context(n − 1, s) if n > 0                      blocks of all heads, heads outermost
//
// There is one slice, of all keys, unless they are more than SLICED_WORDS words of scores and the post lanes take scores
// more slowly than the array makes them (fewer input tiles than SLICED_INPUTS): then a slice is SLICE_WORDS words, aligned,
// and the lanes are behind by less than the ring of sums holds when they take the scores of one slice beside its P·V.
// A block is QUERY_TILES aligned tiles of TOKEN_PAR rows; all of them meet rows first_key … first_key + keys − 1. Fields are held from start to the end.
// Latency: about vectors/heads cycles to find the width of a head; then a pass a cycle while the queues have room.
`default_nettype none
module attention_sequence (
    clk, rst_n, start, busy, rows, source_row, first_key, keys, vectors, heads, queue_room, push, fetch, pass
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "pass.vh"
`include "fetch.vh"
    localparam IN_SHIFT = $clog2(IN_PAR);
    localparam OUT_SHIFT = $clog2(OUT_PAR);
    localparam BLOCK_ROWS = QUERY_TILES * TOKEN_PAR;

    input  wire                    clk;
    input  wire                    rst_n;
    input  wire                    start;
    output wire                    busy;
    input  wire [15:0]             rows;
    input  wire [15:0]             source_row;
    input  wire [15:0]             first_key;
    input  wire [15:0]             keys;
    input  wire [VECTORS_BITS-1:0] vectors;
    input  wire [7:0]              heads;
    input  wire                    queue_room;
    output wire                    push;
    output wire [FETCH_BITS-1:0]   fetch;
    output wire [PASS_BITS-1:0]    pass;

    localparam [1:0] IDLE = 0, WIDTH = 1, SCORES = 2, CONTEXT = 3;
    reg [1:0] state;
    reg [VECTORS_BITS-1:0] head_vectors, counted;
    reg [15:0] end_row, last_key;
    reg [15:0] first_row, block_end;  // rows of the task from here on, and where the block of them ends, aligned
    reg [15:0] slice_key;  // first key of the slice
    reg [11:0] slice_word;
    reg sliced, settled;
    reg reaches_end;  // a slice that begins here; a cycle late, as the next one
    reg [15:0] next_key;
    reg [VECTORS_BITS-1:0] head_base;
    reg block;       // which half of the score rows this block takes
    reg none_left, none_before;
    // The block before, whose P·V follows.
    reg [15:0] before_first, before_end;
    reg [VECTORS_BITS-1:0] before_base;

    wire [15:0] pass_end = block_end < end_row ? block_end : end_row;
    wire many_keys = (last_key >> OUT_SHIFT) - (first_key >> OUT_SHIFT) >= SLICED_WORDS[15:0];
    wire last_slice = SLICES == 0 || !sliced || reaches_end;
    wire [15:0] first_of_slice = SLICES == 0 ? first_key : slice_key;
    wire [15:0] last_of_slice = last_slice ? last_key : next_key - 16'd1;
    wire [15:0] key_tiles = (last_of_slice >> OUT_SHIFT) - (first_of_slice >> OUT_SHIFT) + 16'd1;
    wire [15:0] value_tiles = (last_of_slice >> IN_SHIFT) - (first_of_slice >> IN_SHIFT) + 16'd1;
    wire [15:0] slice_end = ((slice_key >> OUT_SHIFT) + SLICE_WORDS[15:0]) << OUT_SHIFT;
    wire [11:0] width_in = IN_PARTS == 1 ? {1'b0, head_vectors} : {head_vectors, 1'b0};
    wire [11:0] width_out = OUT_PARTS == 1 ? {1'b0, head_vectors} : {head_vectors, 1'b0};
    wire [3:0] members = width_out < CONTEXT_MEMBERS[11:0] ? width_out[3:0] : CONTEXT_MEMBERS[3:0];
    wire last_block = block_end >= end_row;
    wire last_head = head_base + head_vectors == vectors;
    wire of_context = state == CONTEXT;
    assign busy = state != IDLE;
    wire ready = queue_room && settled;
    assign push = ready && ((state == SCORES && !none_left) || (of_context && !none_before));
    wire [15:0] first_block_end = ((source_row >> LANE_BITS) << LANE_BITS) + BLOCK_ROWS[15:0];
    wire unused = &{1'b0, key_tiles[15:12], value_tiles[15:12]};

    always @(posedge clk) begin
        if (!rst_n) state <= IDLE;
        else case (state)
            IDLE: if (start) state <= WIDTH;
            WIDTH: if (counted + {3'd0, heads} >= vectors) state <= SCORES;
            SCORES: if (none_left || ready) state <= CONTEXT;
            default: if (none_before || ready) state <= none_left && last_slice ? IDLE : SCORES;
        endcase
        // Where the slice ends stands a cycle after where it begins.
        settled <= !(sliced && state == CONTEXT && (none_before || ready));
        reaches_end <= last_key < slice_end;
        next_key <= slice_end;
        if (state == WIDTH)
            sliced <= SLICES != 0 && many_keys && width_in < SLICED_INPUTS[11:0] && width_out <= SLICED_OUTPUTS[11:0];
        case (state)
            IDLE: begin
                head_vectors <= {{(VECTORS_BITS-1){1'b0}}, 1'b1};
                counted <= {VECTORS_BITS{1'b0}};
                end_row <= source_row + rows;
                last_key <= first_key + keys - 16'd1;
                first_row <= source_row;
                block_end <= first_block_end;
                head_base <= {VECTORS_BITS{1'b0}};
                block <= 1'b0;
                none_left <= 1'b0;
                none_before <= 1'b1;
                slice_key <= first_key;
                slice_word <= 12'd0;
            end
            WIDTH: if (counted + {3'd0, heads} < vectors) begin
                counted <= counted + {3'd0, heads};
                head_vectors <= head_vectors + {{(VECTORS_BITS-1){1'b0}}, 1'b1};
            end
            SCORES: ;
            default: if ((none_before || ready) && !last_slice) begin
                slice_key <= next_key;
                slice_word <= slice_word + SLICE_WORDS[11:0];
            end else if (none_before || ready) begin
                slice_key <= first_key;
                slice_word <= 12'd0;
                // The block whose scores were just asked for becomes the one before.
                before_first <= first_row;
                before_end <= pass_end;
                before_base <= head_base;
                none_before <= 1'b0;
                block <= !block;
                first_row <= last_block ? source_row : block_end;
                block_end <= last_block ? first_block_end : block_end + BLOCK_ROWS[15:0];
                if (last_block) head_base <= head_base + head_vectors;
                if (last_block && last_head) none_left <= 1'b1;
            end
        endcase
    end

    assign pass[PASS_KIND +: 3] = of_context ? PASS_CONTEXT : PASS_SCORES;
    assign pass[PASS_LEFT +: 3] = of_context ? LEFT_EXPONENTIALS : LEFT_QUERY;
    assign pass[PASS_FIRST_ROW +: 16] = of_context ? before_first : first_row;
    assign pass[PASS_END_ROW +: 16] = of_context ? before_end : pass_end;
    assign pass[PASS_LEFT_VECTORS +: VECTORS_BITS] = of_context ? {VECTORS_BITS{1'b0}} : vectors;
    assign pass[PASS_LEFT_BASE +: VECTORS_BITS] = of_context ? {VECTORS_BITS{1'b0}} : head_base;
    assign pass[PASS_INPUT_TILES +: 12] = of_context ? value_tiles[11:0] : width_in;
    assign pass[PASS_OUTPUT_TILES +: 12] = of_context ? width_out : key_tiles[11:0];
    assign pass[PASS_MEMBERS +: 4] = of_context ? members : 4'd1;
    assign pass[PASS_DESTINATION_ROW +: 16] = before_first;
    assign pass[PASS_DESTINATION_VECTORS +: VECTORS_BITS] = vectors;
    assign pass[PASS_DESTINATION_BASE +: VECTORS_BITS] = before_base;
    assign pass[PASS_BLOCK] = of_context ? !block : block;
    assign pass[PASS_AFTER_DRAIN] = 1'b0;
    assign pass[PASS_EXPERT +: 8] = 8'd0;
    assign pass[PASS_WIDE] = 1'b0;
    assign pass[PASS_SLICED] = SLICES != 0 && sliced;
    assign pass[PASS_FIRST_KEY +: 16] = first_of_slice;
    assign pass[PASS_FIRST_WORD +: 12] = SLICES != 0 ? slice_word : 12'd0;
    assign pass[PASS_GOES_ON] = SLICES != 0 && slice_word != 12'd0;
    assign pass[PASS_UNFINISHED] = !last_slice;

    assign fetch[FETCH_KIND +: 3] = of_context ? FETCH_VALUES : FETCH_KEYS;
    assign fetch[FETCH_NUMBER +: 32] = 32'd0;
    assign fetch[FETCH_COUNT +: 32] = 32'd0;
    assign fetch[FETCH_OUTPUT_TILES +: 12] = of_context ? width_out : key_tiles[11:0];
    assign fetch[FETCH_INPUT_TILES +: 12] = of_context ? value_tiles[11:0] : width_in;
    assign fetch[FETCH_CHANNELS] = 1'b0;
    assign fetch[FETCH_NARROW] = 1'b0;
    assign fetch[FETCH_MEMBERS +: 4] = members;
    assign fetch[FETCH_HEAD_BASE +: VECTORS_BITS] = of_context ? before_base : head_base;
    assign fetch[FETCH_FIRST_KEY +: 16] = first_of_slice;
endmodule
`default_nettype wire
