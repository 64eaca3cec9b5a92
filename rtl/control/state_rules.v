// SPDX-License-Identifier: MIT
// Rules 7 … 9 of docs/isa.md: one legal instruction against the state of the run.
//
//   7: segment = next segment, where the instruction consumes any; where parts are streamed again, see stream_plan
//   8: every row read is valid with these features, every write overwrites or extends without a gap; GATE's destination
//      begins at or after the end of the last one's
//   9: EXPERTS finds no queue beyond its experts, the longest one fits HIDDEN, and the rows they name are still valid
//
// State: valid rows and features of each scratchpad, the next segment. The check already works out what the instruction
// will make valid; `commit` takes that over, and EXPERTS leaves HIDDEN without valid rows.
// Precondition: the instruction is held from check to done; one check per instruction, then at most one commit, before
// the next check, at the earliest a cycle before it. The queue summary stands still from check to done.
// Latency: done, with fault, 13 cycles after check; begin_run 1, commit 2.
// Depth: a 16:1 multiplexer and a 16-bit comparison; one multiplication; a 32-bit comparison.
`default_nettype none
`include "require.vh"
module state_rules (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         begin_run,
    input  wire         check,
    input  wire [511:0] instruction,
    input  wire [15:0]  longest,  // entries of the longest queue
    input  wire [8:0]   queues_end,  // one past the last expert that has entries, 0: none has
    input  wire [15:0]  source_end,  // one past the last row of NORM that an entry names, at least 1
    input  wire [15:0]  destination_end,  // one past the last row of RESIDUAL
    output reg          done,
    output reg  [4:0]   fault,
    input  wire         commit,
    input  wire [63:0]  stream_lines,
    output wire         part_push,
    output wire [57:0]  part_end_line,
    output wire [15:0]  part_times,
    output wire         begin_stream,
    output wire         range_begin,
    output wire [63:0]  range_lines,
    output wire         closes_part,
    output wire [31:0]  last_segment,
    // Rows that the instruction touches, one scratchpad a cycle between check and done.
    output wire         access,
    output wire         access_writes,
    output wire [3:0]   access_scratchpad,
    output wire [15:0]  access_row,
    output wire [16:0]  access_row_end,
    output wire [15:0]  access_width
);
`include "edgemoe_spec.vh"
    localparam FIRST_SLOT = 1;
    localparam FIRST_CHECK = FIRST_SLOT + 3;  // slot 0 is compared here
    localparam LAST_STEP = FIRST_CHECK + 7;
    localparam [16:0] TILE_MASK = TOKEN_PAR - 1;
    localparam [32:0] HIDDEN_ROOM = HIDDEN_ELEMENTS;

`include "instruction_fields.vh"
    wire wide = WIDE_TOKENS != 0 && wide_source;
    wire is_experts = opcode == OPCODE_EXPERTS[7:0];
    wire is_gate = opcode == OPCODE_GATE[7:0];

    reg busy;
    reg [4:0] step;
    always @(posedge clk) begin
        if (!rst_n || begin_run) busy <= 1'b0;
        else if (check) busy <= 1'b1;
        else if (step == LAST_STEP[4:0]) busy <= 1'b0;
        step <= check ? 5'd0 : step + 5'd1;
    end

    // Rule 7. The number advances whatever the later rules say: a fault ends the run.
    wire [4:0] segment_fault;
    generate
        if (STREAMING != 0) begin : parts
            stream_plan plan (
                .clk(clk), .rst_n(rst_n), .begin_run(begin_run), .check(check), .commit(commit),
                .repeats(opcode == OPCODE_REPEAT[7:0]), .times(rows), .segment(segment), .segments(segments),
                .end_line(address[63:6]), .stream_lines(stream_lines), .fault(segment_fault), .part_push(part_push),
                .part_end_line(part_end_line), .part_times(part_times), .begin_stream(begin_stream),
                .range_begin(range_begin), .range_lines(range_lines), .closes(closes_part),
                .last_segment(last_segment));
        end else begin : whole
            reg [31:0] next_segment;
            reg wrong_segment;
            always @(posedge clk)
                if (begin_run) begin
                    next_segment <= 32'd0;
                end else if (check) begin
                    wrong_segment <= segments != 0 && segment != next_segment;
                    next_segment <= next_segment + segments;
                end
            assign segment_fault = wrong_segment ? FAULT_SEGMENT_MISMATCH[4:0] : FAULT_NONE[4:0];
            assign {part_push, part_end_line, part_times, begin_stream, range_begin, closes_part, last_segment} = 0;
            assign range_lines = stream_lines;
        end
    endgenerate

    // Rule 8: one access after the other; what is valid now, the comparison, what will be valid.
    wire access_valid;
    wire [3:0] access_buffer;
    wire [15:0] access_first, access_features, third;
    wire [16:0] access_end;
    reg [4:0] slot;  // step − FIRST_SLOT
    always @(posedge clk) slot <= check ? 5'd0 - FIRST_SLOT[4:0] : slot + 5'd1;
    wire unused = &{1'b0, instruction, third, slot[4:3]};
    accesses rows_of (.clk(clk), .instruction(instruction), .slot(slot[2:0]), .valid(access_valid),
                      .scratchpad(access_buffer), .first(access_first), .row_end(access_end),
                      .features(access_features), .third(third));

    reg [16*16-1:0] valid_rows, valid_features;  // by the number of the scratchpad
    reg used, same_features;
    reg [3:0] scratchpad;
    reg [15:0] first, features, held_rows;
    reg [16:0] row_end;
    always @(posedge clk) begin
        used <= access_valid;
        scratchpad <= access_buffer;
        first <= access_first;
        row_end <= access_end;
        features <= access_features;
        held_rows <= valid_rows[16*access_buffer +: 16];
        same_features <= valid_features[16*access_buffer +: 16] == access_features;
    end

    wire [15:0] already = same_features ? held_rows : 16'd0;
    wire reading = step < FIRST_CHECK[4:0] + 5'd3;
    wire in_slots = busy && step >= FIRST_CHECK[4:0] && step < FIRST_CHECK[4:0] + 5'd6;
    assign access = in_slots && used;
    assign access_writes = !reading;
    assign {access_scratchpad, access_row, access_row_end, access_width} = {scratchpad, first, row_end, features};
    wire forbidden = reading ? row_end > {1'b0, already} : first > already;
    reg bad_access;
    reg [2:0] mark;
    reg [3*4-1:0] mark_scratchpad;
    reg [3*16-1:0] mark_rows, mark_features;
    always @(posedge clk)
        if (check) begin
            bad_access <= 1'b0;
            mark <= 3'd0;
        end else if (in_slots) begin
            if (used && forbidden) bad_access <= 1'b1;
            if (!reading) begin  // the writes pass in order; the first one ends in the low bits
                mark <= {used, mark[2:1]};
                mark_scratchpad <= {scratchpad, mark_scratchpad[11:4]};
                mark_rows <= {row_end > {1'b0, already} ? row_end[15:0] : already, mark_rows[47:16]};
                mark_features <= {features, mark_features[47:16]};
            end
        end

    // Which mark each scratchpad takes over stands long before the commit: marks move in a check alone.
    reg empties_hidden, committing;
    reg [3*16-1:0] takes;
    integer pad, write;
    always @(posedge clk) begin
        if (check) empties_hidden <= is_experts;
        committing <= commit;
        for (pad = 0; pad < 16; pad = pad + 1) begin
            for (write = 0; write < 3; write = write + 1) begin
                takes[3*pad+write] <= mark[write] && mark_scratchpad[4*write +: 4] == pad[3:0];
                if (committing && takes[3*pad+write]) begin
                    valid_rows[16*pad +: 16] <= mark_rows[16*write +: 16];
                    valid_features[16*pad +: 16] <= mark_features[16*write +: 16];
                end
            end
            if (committing && empties_hidden && pad == BUFFER_HIDDEN) valid_rows[16*pad +: 16] <= 16'd0;
        end
        if (!rst_n || begin_run) valid_rows <= {16*16{1'b0}};
    end

    // The rest of rule 8, and rule 9; inputs stand still, so these only have to be there before the last step.
    reg out_of_order, beyond, hidden_too_small, source_gone, destination_gone;
    reg [15:0] token_rows, residual_rows;
    wire [3:0] tokens = wide ? BUFFER_GATE_INPUT[3:0] : BUFFER_NORM[3:0];
    reg [16:0] whole_longest;
    reg [32:0] product;
    wire [15:0] wanted_rows = destination_end == 0 ? 16'd1 : destination_end;
    always @(posedge clk) begin
        out_of_order <= is_gate && destination_row < destination_end;
        beyond <= is_experts && queues_end > {1'b0, experts};
        whole_longest <= ({1'b0, longest} + TILE_MASK) & ~TILE_MASK;
        product <= whole_longest * hidden_features;
        hidden_too_small <= is_experts && product > HIDDEN_ROOM;
        token_rows <= valid_features[16*tokens +: 16] == in_features ? valid_rows[16*tokens +: 16] : 16'd0;
        residual_rows <=
            valid_features[16*BUFFER_RESIDUAL +: 16] == in_features ? valid_rows[16*BUFFER_RESIDUAL +: 16] : 16'd0;
        source_gone <= is_experts && source_end > token_rows;
        destination_gone <= is_experts && wanted_rows > residual_rows;
        done <= rst_n & busy & ~check & ~begin_run & step == LAST_STEP[4:0];
        fault <= segment_fault != FAULT_NONE[4:0] ? segment_fault
            : bad_access || out_of_order || beyond ? FAULT_ILLEGAL_OPERAND[4:0]
            : hidden_too_small ? FAULT_BUFFER_RANGE[4:0]
            : source_gone || destination_gone ? FAULT_ILLEGAL_OPERAND[4:0] : FAULT_NONE[4:0];
    end

    // Preconditions.
    `REQUIRE(rst_n && check, !busy, "check before the last one is done")
endmodule
`default_nettype wire
