// SPDX-License-Identifier: MIT
// Executes a program, one instruction at a time: rules, then fetches and passes, then until everything has been written.
//
//   legal?  → commands to stream_reader, passes to matmul, starts of row units → all quiet → commit → next
//
// LAYERNORM is done when its gains and offsets have come, and works on while the next instruction is read and checked. A
// LINEAR, GATE or HEAD that reads its rows begins beside it, in two passes over the same weights, which the weight buffer keeps
// meanwhile: first over the tiles of rows that are written when that takes the array as long as the others will take
// LAYERNORM, then over the rest. All others but STORE of ROUTING wait, and so do layers that the buffer does not hold.
// STREAMING: LOAD and STORE are handed to move_queue and done beside what follows; `blocked` holds back what they would
// disturb, and the run ends when they are done.
// A fault ends the run with its code and the instruction's index, and nothing more is started. `kind` of the sequences of
// ATTENTION and EXPERTS stands in their own modules; the rest is here: header, weights and pass of one linear layer.
// Latency: 17 cycles from an instruction's acceptance to its first command (rules 7 … 9 take 13).
`default_nettype none
`include "attributes.vh"
module sequencer (
    clk, rst_n, instruction_valid, instruction_ready, instruction_in, static_fault, index_in, past_end,
    check, check_done, check_fault, commit, instruction, index,
    fetch_room, fetch_push, fetch, header_done, header_fault, pass_room, pass_push, pass, pass_issued, compute_idle,
    start_layernorm, layernorm_busy, written_row, start_copy, move, blocked, moves_room, moves_idle, start_positions, start_patches, start_gate, note_gate, clear_queues,
    start_gather, gather_expert, rows_busy, gate_busy, lengths,
    fetch_hold, fetching, patch_command, patch_command_ready, executing, halted, fault, experts_run, segments_dropped
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "pass.vh"
`include "fetch.vh"
    localparam OUT_SHIFT = $clog2(OUT_PAR);
    localparam GROUP = LAYERNORM_LANES / VECTOR;
    localparam NARROW_SHIFT = LINE_TILES - 1;  // tiles of narrow weights per line, log2: one or two

    input  wire                      clk;
    input  wire                      rst_n;
    input  wire                      instruction_valid;
    output reg                       instruction_ready;  // state is NEXT
    input  wire [511:0]              instruction_in;
    input  wire [4:0]                static_fault;
    input  wire [31:0]               index_in;
    input  wire                      past_end;
    output reg                       check;
    input  wire                      check_done;
    input  wire [4:0]                check_fault;
    output wire                      commit;
    output reg  [511:0]              instruction;
    output reg  [31:0]               index;
    input  wire                      fetch_room;
    output wire                      fetch_push;
    output wire [FETCH_BITS-1:0]     fetch;
    input  wire                      header_done;
    input  wire [4:0]                header_fault;
    input  wire                      pass_room;
    output wire                      pass_push;
    output wire [PASS_BITS-1:0]      pass;
    input  wire                      pass_issued;
    input  wire                      compute_idle;    // no pass, tile, sum or output is on its way
    output wire                      start_layernorm;
    input  wire                      layernorm_busy;
    input  wire [15:0]               written_row;     // rows of NORM before it are written, while layernorm_busy
    output wire                      start_copy;
    output wire                      move;            // LOAD or STORE
    input  wire                      blocked;         // by moves that are not done, as of two cycles before BEGIN
    input  wire                      moves_room;
    input  wire                      moves_idle;      // all are done
    output wire                      start_positions;
    output wire                      start_patches;
    output wire                      start_gate;
    output reg                       note_gate;
    output reg                       clear_queues;
    output wire                      start_gather;
    output wire [7:0]                gather_expert;
    input  wire                      rows_busy;       // any unit that moves rows, but LAYERNORM, and LOAD and STORE of a queue
    input  wire                      gate_busy;
    input  wire [MAX_EXPERTS*16-1:0] lengths;
    output reg                       fetch_hold;
    input  wire                      fetching;
    output wire                      patch_command;
    input  wire                      patch_command_ready;
    output wire                      executing;
    output wire                      halted;          // the run is over, by HALT or by `fault`
    output reg  [4:0]                fault;
    output reg  [31:0]               experts_run;
    output reg  [31:0]               segments_dropped;

`include "instruction_fields.vh"
    wire wide = WIDE_TOKENS != 0 && wide_source;
    wire other_keys = STREAMING != 0 && keys != 0;  // than the rows of the queries
    wire [VECTORS_BITS-1:0] vectors = in_features[4 +: VECTORS_BITS];
    wire [VECTORS_BITS-1:0] out_vectors = out_features[4 +: VECTORS_BITS];
    wire [VECTORS_BITS-1:0] hidden_vectors = hidden_features[4 +: VECTORS_BITS];
    // Decoded on the way in.
    reg is_patch, is_layernorm, is_linear, is_attention, is_gate, is_experts, is_copy, is_head, is_store, is_halt;
    reg is_load, is_repeat;
    wire [7:0] opcode_in = instruction_in[FIELD_OPCODE_WORD*32 + FIELD_OPCODE_LOW +: 8];

    // Sizes in tiles and lines, ready long before they are used.
    reg [11:0] in_tiles, out_tiles, hidden_out_tiles, hidden_in_tiles;
    reg [31:0] linear_lines, up_lines, down_lines, expert_lines, gate_lines, position_lines, affine_lines;
    wire [15:0] outputs = is_gate ? {8'd0, experts} : out_features;
    wire [15:0] rounded_outputs = outputs + OUT_PAR[15:0] - 16'd1;
    function [16:0] lines_of;  // of an output tile of a linear layer
        input [11:0] input_tiles;
        input narrow;
        lines_of = CHANNEL_LINES[16:0] + (NARROW_WEIGHTS != 0 && narrow
            ? (({5'd0, input_tiles} + LINE_TILES[16:0] - 17'd1) >> NARROW_SHIFT) * NARROW_LINES[16:0]
            : {5'd0, input_tiles} * TILE_LINES[16:0]);
    endfunction
    function [31:0] payload;  // lines of the layer: one DSP
        input [11:0] output_tiles;
        input [16:0] lines;
        reg [28:0] all_lines;
        begin
            all_lines = {17'd0, output_tiles} * {12'd0, lines};
            payload = {3'd0, all_lines};
        end
    endfunction
    reg [16:0] of_inputs, of_hidden;
    wire [31:0] gate_tiles = {20'd0, in_tiles} * {20'd0, out_tiles};
    reg [16:0] position_rows;
    reg [31:0] position_values;
    wire [11:0] width_out = in_features[15:4] << (OUT_PARTS - 1);
    always @(posedge clk) begin
        in_tiles <= in_features[15:4] << (IN_PARTS - 1);
        out_tiles <= rounded_outputs[OUT_SHIFT +: 12];
        hidden_out_tiles <= hidden_features[15:4] << (OUT_PARTS - 1);
        hidden_in_tiles <= hidden_features[15:4] << (IN_PARTS - 1);
        of_inputs <= lines_of(in_tiles, narrow_weights);
        of_hidden <= lines_of(hidden_in_tiles, narrow_weights);
        linear_lines <= payload(out_tiles, of_inputs);
        up_lines <= payload(hidden_out_tiles, of_inputs);
        down_lines <= payload(width_out, of_hidden);
        expert_lines <= up_lines + down_lines;
        gate_lines <= gate_tiles * (2 * IN_PAR * OUT_PAR / STREAM_LINE_BYTES)
            + (GATE_FORMS != 0 && biased ? {20'd0, out_tiles} * CHANNEL_LINES : 32'd0);
        position_rows <= {1'b0, rows} + 17'd1;
        position_values <= {15'd0, position_rows} * {16'd0, out_features};
        position_lines <= (position_values * RESIDUAL_BYTES + STREAM_LINE_BYTES - 1) / STREAM_LINE_BYTES;
        affine_lines <= {16'd0, in_features} * CHANNEL_BYTES / STREAM_LINE_BYTES;
    end

    // One bit per state, so that what a state enables is one level behind it.
    localparam NEXT = 0, CHECK = 1, RULES = 2, BEGIN = 3, HEADER = 4, PAYLOAD = 5, PATCHES = 6, HEADER_2 = 7;
    localparam WEIGHTS = 8, PASS = 9, SETTLE = 10, QUIET = 11, SEQUENCE = 12, ENDED = 13, STATES = 14;
    reg [STATES-1:0] state;
    reg over;       // halted when all moves are done, and LAYERNORM
    assign halted = over && moves_idle && !layernorm_busy;
    reg asked;      // the header of this state has been asked for
    reg [1:0] settling;
    reg [4:0] static_fault_held;
    reg sequence_begun;
    wire attention_busy, experts_busy;
    wire [4:0] experts_fault;
    wire accept = instruction_ready && instruction_valid;
    reg has_header, has_payload, has_sequence;  // of this instruction
    // Where a run can end, each for itself: whatever ends it overrides what else the state would do.
    wire sequence_ends = sequence_begun && state[SEQUENCE] && !attention_busy && !experts_busy;
    wire stream_ends = state[NEXT] && !instruction_valid && past_end;
    wire rules_end = state[RULES] && check_done;
    reg [4:0] experts_failed;  // a cycle ago, of SETTLE now
    always @(posedge clk) experts_failed <= rst_n && sequence_ends && is_experts ? experts_fault : FAULT_NONE[4:0];
    wire header_ends = (state[HEADER] || state[HEADER_2]) && header_done;
    wire ends = stream_ends || (state[CHECK] && (static_fault_held != 5'd0 || is_halt))
        || (rules_end && check_fault != 5'd0) || experts_failed != 5'd0
        || (header_ends && header_fault != 5'd0);
    wire beside, all_written, rows_ready;
    reg second;    // of two passes, this is the other one
    reg may_pass;  // a cycle ago
    // `KEEP: each is one level of logic in front of the state's.
    `KEEP wire weights_leave = fetch_room && rows_ready;
    `KEEP wire pass_leaves = pass_room && may_pass;
    wire quiet = compute_idle && !rows_busy && !gate_busy;
    always @(posedge clk) check <= rst_n && state[CHECK] && static_fault_held == 5'd0 && !is_halt;
    reg was_quiet;  // in this state, a cycle ago
    wire settled = state[QUIET] && quiet && !was_quiet;
    assign commit = was_quiet;
    assign executing = !state[NEXT] && !state[ENDED];
    assign patch_command = state[PATCHES] && !fetching;
    assign start_patches = patch_command && patch_command_ready;
    assign start_positions = state[PAYLOAD] && is_patch && fetch_room;
    assign start_layernorm = state[PAYLOAD] && is_layernorm && fetch_room;
    wire is_move = is_store || is_load;
    wire apart = is_store && source == BUFFER_ROUTING[3:0];
    reg may_begin;  // as far as LAYERNORM goes, a cycle ago
    wire begins = state[BEGIN] && may_begin && (is_move ? moves_room : !blocked);
    assign start_copy = begins && is_copy;
    assign move = begins && is_move;
    assign start_gate = state[PASS] && is_gate && pass_leaves && !second;

    // Beside LAYERNORM: the first pass ends in front of split_row, the second begins there.
    wire from_hidden = is_patch || (is_linear && source == BUFFER_HIDDEN[3:0]);
    wire [15:0] first_row = is_patch ? 16'd0 : source_row;
    wire reads_norm = is_gate || is_head || (is_linear && !from_hidden && epilogue != EPILOGUE_RESIDUAL[3:0]);
    reg [27:0] tiles, all_steps;  // of a layer; of the array for a tile of rows
    reg [15:0] steps_of_tile;
    reg [6:0] cycles_of_group;
    reg splits;  // in two passes
    wire goes_back = splits && !second;  // behind this pass, for the other one
    reg [15:0] split_row, split_offset;
    wire [15:0] whole_row;
    beside_layernorm #(
        .LANE_BITS(LANE_BITS), .LAYERNORM_LANES(LAYERNORM_LANES), .VECTOR(VECTOR), .KEPT_LINES(KEPT_LINES)
    ) norm_rows (
        .clk(clk), .start_layernorm(start_layernorm), .layernorm_busy(layernorm_busy), .written_row(written_row),
        .reads_norm(reads_norm), .rows(rows), .source_row(source_row), .destination_row(destination_row),
        .lines(is_gate ? gate_lines : linear_lines), .steps_of_tile(steps_of_tile),
        .cycles_of_group(cycles_of_group), .beside(beside), .all_written(all_written),
        .ready(rows_ready), .whole_row(whole_row));
    always @(posedge clk) begin
        may_begin <= !layernorm_busy || beside || apart;
        cycles_of_group <= vectors < GROUP ? GROUP[6:0] : vectors[6:0];
        tiles <= gate_tiles[27:0];
        all_steps <= tiles << (is_gate ? 2 * (GATE_DIGITS - 1) : {31'd0, wide});
        steps_of_tile <= |all_steps[27:16] ? 16'hFFFF : all_steps[15:0];
        second <= !instruction_ready && (second || (state[PASS] && pass_push && splits));
        may_pass <= second ? all_written : !(is_patch && rows_busy);
        if (state[WEIGHTS] && !second) begin
            splits <= !all_written;
            split_row <= whole_row;
        end
        split_offset <= split_row - first_row;
    end

    wire reads_memory = opcode_in == OPCODE_PATCH_EMBED[7:0];
    always @(posedge clk)
        fetch_hold <= rst_n && (instruction_ready ? instruction_valid && reads_memory
            : fetch_hold && !was_quiet && !state[ENDED]);
    always @(posedge clk) begin
        note_gate <= rst_n && settled && is_gate;
        clear_queues <= rst_n && settled && is_experts;
    end

    always @(posedge clk) begin
        if (accept) index <= index_in;
        if (instruction_ready) begin  // whatever comes: the accepted one is the last
            instruction <= instruction_in;
            static_fault_held <= static_fault;
            is_patch <= opcode_in == OPCODE_PATCH_EMBED[7:0];
            is_layernorm <= opcode_in == OPCODE_LAYERNORM[7:0];
            is_linear <= opcode_in == OPCODE_LINEAR[7:0];
            is_attention <= opcode_in == OPCODE_ATTENTION[7:0];
            is_gate <= opcode_in == OPCODE_GATE[7:0];
            is_experts <= opcode_in == OPCODE_EXPERTS[7:0];
            is_copy <= opcode_in == OPCODE_COPY[7:0];
            is_head <= opcode_in == OPCODE_HEAD[7:0];
            is_store <= opcode_in == OPCODE_STORE[7:0];
            is_halt <= opcode_in == OPCODE_HALT[7:0];
            is_load <= STREAMING != 0 && opcode_in == OPCODE_LOAD[7:0];
            is_repeat <= STREAMING != 0 && opcode_in == OPCODE_REPEAT[7:0];
        end
        was_quiet <= rst_n && settled;
        if (!rst_n) instruction_ready <= 1'b1;
        else if (instruction_ready) instruction_ready <= !instruction_valid && !past_end;
        else instruction_ready <= was_quiet;
        has_sequence <= is_attention || is_experts;
        has_header <= !(is_attention || is_experts || is_copy || is_move || is_repeat);
        has_payload <= is_layernorm || is_patch;
        settling <= state[SETTLE] ? settling + 2'd1 : 2'd0;
        if (!rst_n) begin
            state <= {{(STATES-1){1'b0}}, 1'b1} << NEXT;
            over <= 1'b0;
            fault <= FAULT_NONE[4:0];
            index <= 32'd0;
            asked <= 1'b0;
        end else begin
            if ((state[HEADER] || state[HEADER_2]) && fetch_room) asked <= 1'b1;
            if (header_done) asked <= 1'b0;
            state[NEXT] <= (state[NEXT] && !instruction_valid) || was_quiet;
            state[CHECK] <= state[NEXT] && instruction_valid;
            state[RULES] <= state[CHECK] || (state[RULES] && !check_done);
            state[BEGIN] <= (state[RULES] && check_done) || (state[BEGIN] && !begins);
            state[HEADER] <= (begins && has_header) || (state[HEADER] && !header_done);
            state[PAYLOAD] <= (state[HEADER] && header_done && has_payload) || (state[PAYLOAD] && !fetch_room);
            state[PATCHES] <= (state[PAYLOAD] && fetch_room && is_patch) || (state[PATCHES] && !start_patches);
            state[HEADER_2] <= start_patches || (state[HEADER_2] && !header_done);  // beside the positions
            state[WEIGHTS] <= (header_done && (state[HEADER_2] || (state[HEADER] && !has_payload)))
                || (state[WEIGHTS] && !weights_leave) || (state[PASS] && pass_leaves && goes_back);
            // The array reads a frame's patches only when all stand in HIDDEN.
            state[PASS] <= (state[WEIGHTS] && weights_leave) || (state[PASS] && !pass_leaves);
            state[SEQUENCE] <= (begins && has_sequence) || (state[SEQUENCE] && !sequence_ends);
            // Until what was started says that it is busy.
            state[SETTLE] <= (begins && !has_header && !has_sequence) || (state[PAYLOAD] && fetch_room && !is_patch)
                || (state[PASS] && pass_leaves && !goes_back) || sequence_ends
                || (state[SETTLE] && settling != 2'd3);
            state[QUIET] <= (state[SETTLE] && settling == 2'd3) || (state[QUIET] && !was_quiet);
            if (ends) begin
                state <= {{(STATES-1){1'b0}}, 1'b1} << ENDED;
                over <= 1'b1;
            end
            // NONE until the run ends.
            if (!over)
                fault <= (stream_ends ? FAULT_STREAM_END[4:0] : 5'd0) | (state[CHECK] ? static_fault_held : 5'd0)
                    | (rules_end ? check_fault : 5'd0) | experts_failed
                    | (header_ends ? header_fault : 5'd0);
        end
    end
    always @(posedge clk) sequence_begun <= state[SEQUENCE];

    wire attention_push, experts_fetch_push, experts_pass_push;
    wire [FETCH_BITS-1:0] attention_fetch, experts_fetch;
    wire [PASS_BITS-1:0] attention_pass, experts_pass;
    wire ran, dropped;
    reg ran_before, dropped_before;
    attention_sequence attention_passes (
        .clk(clk), .rst_n(rst_n), .start(begins && is_attention), .busy(attention_busy), .rows(rows),
        .source_row(source_row), .first_key(other_keys ? key_row : source_row), .keys(other_keys ? keys : rows),
        .vectors(vectors), .heads(heads), .queue_room(fetch_room && pass_room),
        .push(attention_push), .fetch(attention_fetch), .pass(attention_pass));
    experts_sequence experts_passes (
        .clk(clk), .rst_n(rst_n), .start(begins && is_experts), .busy(experts_busy), .fault(experts_fault),
        .experts(experts), .vectors(vectors), .hidden_vectors(hidden_vectors), .segment(segment),
        .wide(wide), .narrow(narrow_weights), .expert_lines(expert_lines), .lengths(lengths), .fetch_room(fetch_room), .fetch_push(experts_fetch_push),
        .fetch(experts_fetch), .header_done(header_done), .header_fault(header_fault), .pass_room(pass_room),
        .pass_push(experts_pass_push), .pass(experts_pass), .pass_issued(pass_issued), .start_gather(start_gather),
        .gather_expert(gather_expert), .gather_busy(rows_busy), .ran(ran), .dropped(dropped));
    always @(posedge clk) begin
        {ran_before, dropped_before} <= {ran, dropped};
        experts_run <= !rst_n ? 32'd0 : experts_run + {31'd0, ran_before};
        segments_dropped <= !rst_n ? 32'd0 : segments_dropped + {31'd0, dropped_before};
    end

    // One linear layer: its commands and its pass.
    wire asks_header = (state[HEADER] || state[HEADER_2]) && !asked;
    wire [FETCH_BITS-1:0] own_fetch;
    // Of the header that is asked for next, a cycle before it can be: PATCHES comes before the second one.
    reg [31:0] own_number, own_count;
    wire of_second = (state[PATCHES] || state[HEADER_2]) && !header_done;
    always @(posedge clk) begin
        own_number <= segment + {31'd0, of_second};
        own_count <= is_layernorm ? affine_lines : is_gate ? gate_lines
            : is_patch && !of_second ? position_lines : linear_lines;
    end
    wire [PASS_BITS-1:0] own_pass;
    assign own_fetch[FETCH_KIND +: 3] = asks_header ? FETCH_HEADER : state[PAYLOAD] ? FETCH_LINES
        : second ? FETCH_AGAIN : all_written ? FETCH_WEIGHTS : FETCH_KEPT;
    assign own_fetch[FETCH_NUMBER +: 32] = own_number;
    assign own_fetch[FETCH_COUNT +: 32] = own_count;
    assign own_fetch[FETCH_OUTPUT_TILES +: 12] = out_tiles;
    assign own_fetch[FETCH_INPUT_TILES +: 12] = is_gate ? in_tiles << (GATE_DIGITS - 1) : in_tiles;
    assign own_fetch[FETCH_CHANNELS] = !is_gate || (GATE_FORMS != 0 && biased);
    assign own_fetch[FETCH_NARROW] = narrow_weights;
    assign own_fetch[FETCH_MEMBERS +: 4] = 4'd1;
    assign own_fetch[FETCH_HEAD_BASE +: VECTORS_BITS] = {VECTORS_BITS{1'b0}};
    assign own_fetch[FETCH_FIRST_KEY +: 16] = 16'd0;

    wire of_qkv = is_linear && epilogue == EPILOGUE_QKV[3:0];
    wire [15:0] third;
    third of_outputs (.clk(clk), .value(out_features), .result(third));
    assign own_pass[PASS_KIND +: 3] = is_head ? PASS_HEAD : is_gate ? PASS_LOGITS : of_qkv ? PASS_QKV
        : is_linear && epilogue == EPILOGUE_GELU[3:0] ? PASS_GELU : PASS_RESIDUAL;
    assign own_pass[PASS_LEFT +: 3] = is_gate || wide ? LEFT_GATE_INPUT : from_hidden ? LEFT_HIDDEN : LEFT_NORM;
    assign own_pass[PASS_FIRST_ROW +: 16] = second ? split_row : first_row;
    assign own_pass[PASS_END_ROW +: 16] = goes_back ? split_row : first_row + rows;
    assign own_pass[PASS_LEFT_VECTORS +: VECTORS_BITS] = vectors;
    assign own_pass[PASS_LEFT_BASE +: VECTORS_BITS] = {VECTORS_BITS{1'b0}};
    assign own_pass[PASS_INPUT_TILES +: 12] = in_tiles;
    assign own_pass[PASS_OUTPUT_TILES +: 12] = out_tiles;
    assign own_pass[PASS_MEMBERS +: 4] = 4'd1;
    // Row 0 is the class token; logits and HEAD's outputs are counted from the first.
    assign own_pass[PASS_DESTINATION_ROW +: 16] = (is_gate || is_head ? 16'd0 : destination_row + {15'd0, is_patch})
        + (second ? split_offset : 16'd0);
    assign own_pass[PASS_DESTINATION_VECTORS +: VECTORS_BITS] = of_qkv ? third[4 +: VECTORS_BITS] : out_vectors;
    assign own_pass[PASS_DESTINATION_BASE +: VECTORS_BITS] = {VECTORS_BITS{1'b0}};
    assign own_pass[PASS_BLOCK] = 1'b0;
    assign own_pass[PASS_AFTER_DRAIN] = 1'b0;
    assign own_pass[PASS_EXPERT +: 8] = 8'd0;
    assign own_pass[PASS_WIDE] = wide;
    assign own_pass[PASS_BITS-1:PASS_SLICED] = {(PASS_BITS-PASS_SLICED){1'b0}};  // fields of attention

    `KEEP wire own_fetches = asks_header || state[PAYLOAD] || (state[WEIGHTS] && rows_ready);
    assign fetch_push = is_attention ? attention_push : is_experts ? experts_fetch_push : fetch_room && own_fetches;
    assign fetch = is_attention ? attention_fetch : is_experts ? experts_fetch : own_fetch;
    assign pass_push = is_attention ? attention_push : is_experts ? experts_pass_push
        : state[PASS] && pass_leaves;
    assign pass = is_attention ? attention_pass : is_experts ? experts_pass : own_pass;
    wire unused = &{1'b0, rounded_outputs, third, instruction};
endmodule
`default_nettype wire
