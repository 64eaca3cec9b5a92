// SPDX-License-Identifier: MIT
// Rules 1 … 3 of docs/isa.md: opcode, fields and operands of one instruction, whatever the buffers are.
//
//   fault = the first of: ILLEGAL_OPCODE; ILLEGAL_FIELD for bits or an epilogue that do not exist; ILLEGAL_OPERAND for
//   a scratchpad that does not exist; ILLEGAL_FIELD for ranges; ILLEGAL_OPERAND for the combination; NONE
//
// Precondition: the instruction is held from start to done; third = ⌊out_features / 3⌋ from 2 cycles after start
// on, row_pitch = bytes of a row of STORE or LOAD in memory from 8 on.
// Latency: done 14 cycles after start (whole heads: a division of 11 bits, one a cycle).
// Depth: a mask of one word and its OR; an 8-bit subtraction; a 17-bit subtraction.
`default_nettype none
module field_rules (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         start,
    input  wire [511:0] instruction,
    input  wire [15:0]  third,
    input  wire [18:0]  row_pitch,
    output reg          done,
    output reg  [4:0]   fault
);
`include "edgemoe_spec.vh"
    localparam DIVIDEND_BITS = 11;  // in_features / VECTOR ≤ 1024
    localparam LAST_STEP = DIVIDEND_BITS + 1;
    localparam LAST_OPCODE = STREAMING != 0 ? OPCODE_REPEAT : OPCODE_STORE;

`include "instruction_fields.vh"
    wire wide = WIDE_TOKENS != 0 && wide_source;

    function whole_vectors;  // a multiple of VECTOR between VECTOR and MAX_FEATURES
        input [15:0] count;
        whole_vectors = count != 0 && count[3:0] == 0 && count <= MAX_FEATURES[15:0];
    endfunction

    // Bits outside the opcode's fields: one flag a word.
    wire [3:0] known_opcode = opcode[3:0] <= LAST_OPCODE[3:0] ? opcode[3:0] : 4'd0;
    wire [511:0] allowed = INSTRUCTION_MASK[512*known_opcode +: 512];
    reg [15:0] unused_bits;
    integer word;
    always @(posedge clk)
        for (word = 0; word < 16; word = word + 1)
            unused_bits[word] <= |(instruction[32*word +: 32] & ~allowed[32*word +: 32]);

    // |source_row − destination_row| ≥ rows, in two cycles.
    reg [15:0] distance;
    reg disjoint;
    always @(posedge clk) begin
        distance <= source_row >= destination_row ? source_row - destination_row : destination_row - source_row;
        disjoint <= distance >= rows;
    end

    // in_features / VECTOR by heads, one bit of the quotient a cycle; only the remainder matters.
    reg [3:0] step;
    reg busy;
    reg [DIVIDEND_BITS-1:0] dividend;
    reg [7:0] remainder;
    wire [8:0] extended = {remainder, dividend[DIVIDEND_BITS-1]};
    wire [8:0] reduced = extended - {1'b0, heads};
    wire fits = extended >= {1'b0, heads};
    wire unused = &{1'b0, instruction, reduced[8], row_pitch};
    always @(posedge clk) begin
        if (!rst_n) busy <= 1'b0;
        else if (start) busy <= 1'b1;
        else if (step == LAST_STEP[3:0]) busy <= 1'b0;
        step <= start ? 4'd0 : step + 4'd1;
        if (start) begin
            dividend <= in_features[4 +: DIVIDEND_BITS];
            remainder <= 8'd0;
        end else if (step < DIVIDEND_BITS[3:0]) begin
            dividend <= dividend << 1;
            remainder <= fits ? reduced[7:0] : extended[7:0];
        end
    end

    // Ranges that every opcode has, and those of one opcode.
    wire of_routing = opcode == OPCODE_STORE[7:0] && source == BUFFER_ROUTING[3:0];
    reg [31:0] expected_segments;
    always @(posedge clk)
        case (opcode)
            OPCODE_PATCH_EMBED[7:0]: expected_segments <= 32'd2;
            OPCODE_LAYERNORM[7:0], OPCODE_LINEAR[7:0], OPCODE_GATE[7:0], OPCODE_HEAD[7:0]: expected_segments <= 32'd1;
            OPCODE_EXPERTS[7:0]: expected_segments <= {24'd0, experts};
            default: expected_segments <= 32'd0;
        endcase
    reg own_ranges;
    wire grid_unused = output_multiplier == 0 && output_shift == 0 && output_zero == 0 && activation == 0;
    always @* begin
        own_ranges = 1'b1;
        case (opcode)
            OPCODE_PATCH_EMBED[7:0]:
                own_ranges = whole_vectors(out_features);
            OPCODE_LAYERNORM[7:0]:
                own_ranges = shift != 0 && epsilon != 0 && (gate_copy & ~residual_copy) == (output_shift != 0)
                    && (gate_copy | ~residual_copy);
            OPCODE_LINEAR[7:0]:
                own_ranges = (epilogue == EPILOGUE_GELU[3:0] || grid_unused)
                    && (epilogue == EPILOGUE_QKV[3:0]
                        ? whole_vectors(third) && {1'b0, third} + {third, 1'b0} == {1'b0, out_features}
                        : whole_vectors(out_features));
            OPCODE_ATTENTION[7:0]:
                own_ranges = heads != 0 && remainder == 0 && output_shift <= MAX_ATTENTION_OUTPUT_SHIFT[7:0]
                    && (keys != 0 || key_row == 0);
            OPCODE_GATE[7:0]:
                own_ranges = top_k != 0 && top_k <= experts;
            OPCODE_EXPERTS[7:0]:
                own_ranges = experts != 0 && whole_vectors(hidden_features);
            OPCODE_COPY[7:0]: own_ranges = disjoint;
            OPCODE_STORE[7:0]: own_ranges = !of_routing || pitch == 0;
            OPCODE_HEAD[7:0]:
                own_ranges = out_features != 0 && out_features <= MAX_FEATURES[15:0];
            default: own_ranges = 1'b1;
        endcase
    end

    // Combination of buffers.
    wire [3:0] tokens = wide ? BUFFER_GATE_INPUT[3:0] : BUFFER_NORM[3:0];
    reg operands;
    always @* begin
        operands = 1'b1;
        if (opcode == OPCODE_STORE[7:0]) operands = source != BUFFER_NONE[3:0];
        if (opcode == OPCODE_LOAD[7:0]) operands = destination != BUFFER_NONE[3:0] && destination <= BUFFER_VALUE[3:0];
        if (opcode == OPCODE_LINEAR[7:0])
            case (epilogue)
                EPILOGUE_QKV[3:0]: operands = source == tokens && destination == BUFFER_QUERY[3:0];
                EPILOGUE_GELU[3:0]: operands = source == tokens && destination == BUFFER_HIDDEN[3:0];
                EPILOGUE_RESIDUAL[3:0]:
                    operands = (source == tokens || (source == BUFFER_HIDDEN[3:0] && !wide))
                        && destination == BUFFER_RESIDUAL[3:0];
                default: operands = 1'b0;
            endcase
    end

    wire of_repeat = opcode == OPCODE_REPEAT[7:0];
    reg ranges_kept, segments_kept, own_kept, operands_kept;
    always @(posedge clk) begin
        ranges_kept <= (rows != 0 || opcode == OPCODE_EXPERTS[7:0])
            && (of_routing ? in_features != 0 : whole_vectors(in_features) || of_repeat)
            && shift <= MAX_SHIFT[7:0] && output_shift <= MAX_SHIFT[7:0]
            && (STREAMING == 0 || pitch == 0 || {pitch, 4'd0} >= {1'b0, row_pitch});
        segments_kept <= of_repeat ? segments != 0 : segments == expected_segments;
        own_kept <= own_ranges;
        operands_kept <= operands;
        done <= rst_n & busy & ~start & step == LAST_STEP[3:0];
        fault <= opcode > LAST_OPCODE[7:0] ? FAULT_ILLEGAL_OPCODE[4:0]
            : |unused_bits || epilogue > EPILOGUE_RESIDUAL[3:0] ? FAULT_ILLEGAL_FIELD[4:0]
            : source > BUFFER_ROUTING[3:0] || destination > BUFFER_ROUTING[3:0] ? FAULT_ILLEGAL_OPERAND[4:0]
            : opcode == OPCODE_HALT[7:0] ? FAULT_NONE[4:0]
            : !(ranges_kept && segments_kept && own_kept) ? FAULT_ILLEGAL_FIELD[4:0]
            : !operands_kept ? FAULT_ILLEGAL_OPERAND[4:0] : FAULT_NONE[4:0];
    end
endmodule
`default_nettype wire
