// SPDX-License-Identifier: MIT
// The rows that an instruction reads and writes, one scratchpad at a time: rules 4 and 8 of docs/isa.md look at these.
//
//   slot 0 … 2: read, 3 … 5: written; rows first … row_end − 1 of `scratchpad`, of so many features each
//
// EXPERTS has none here: what it reads is named by its queues. third = ⌊out_features / 3⌋.
// Precondition: the instruction is held, for 2 cycles before the first slot that is a third and 1 before slot 0.
// Latency: 2 from slot; 2 from the instruction to third. Depth: an 8:1 multiplexer; an addition; see third.
`default_nettype none
module accesses (
    input  wire         clk,
    input  wire [511:0] instruction,
    input  wire [2:0]   slot,
    output reg          valid,
    output reg  [3:0]   scratchpad,
    output reg  [15:0]  first,
    output reg  [16:0]  row_end,
    output reg  [15:0]  features,
    output wire [15:0]  third
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "instruction_fields.vh"
    wire wide = WIDE_TOKENS != 0 && wide_source;

    wire unused = &{1'b0, instruction};
    third of_outputs (.clk(clk), .value(out_features), .result(third));
    reg of_patch, of_layernorm, of_linear, of_attention, of_gate, of_copy, of_head, of_store, of_load, of_qkv, of_residual;
    always @(posedge clk) begin
        of_patch <= opcode == OPCODE_PATCH_EMBED[7:0];
        of_layernorm <= opcode == OPCODE_LAYERNORM[7:0];
        of_linear <= opcode == OPCODE_LINEAR[7:0];
        of_attention <= opcode == OPCODE_ATTENTION[7:0];
        of_gate <= opcode == OPCODE_GATE[7:0];
        of_copy <= opcode == OPCODE_COPY[7:0];
        of_head <= opcode == OPCODE_HEAD[7:0];
        of_store <= opcode == OPCODE_STORE[7:0];
        of_load <= STREAMING != 0 && opcode == OPCODE_LOAD[7:0];
        of_qkv <= epilogue == EPILOGUE_QKV[3:0];
        of_residual <= epilogue == EPILOGUE_RESIDUAL[3:0];
    end

    reg used;
    reg [3:0] name;
    reg [15:0] begin_row, width, count;
    reg one_more;
    always @* begin
        used = 1'b0;
        name = BUFFER_RESIDUAL[3:0];
        begin_row = slot < 3 ? source_row : destination_row;
        width = in_features;
        count = rows;
        one_more = 1'b0;
        case (1'b1)
            of_patch: begin
                used = slot == 3 || slot == 4;
                if (slot == 3) begin
                    name = BUFFER_HIDDEN[3:0];
                    begin_row = 16'd0;
                end else begin
                    width = out_features;
                    one_more = 1'b1;
                end
            end
            of_layernorm: begin
                used = slot == 0 || slot == 3 || (slot == 4 && gate_copy);
                if (slot == 3) name = BUFFER_NORM[3:0];
                if (slot == 4) name = BUFFER_GATE_INPUT[3:0];
            end
            of_linear:
                if (slot == 0) begin
                    used = 1'b1;
                    name = source;
                end else if (of_qkv) begin
                    used = slot >= 3;
                    name = slot == 3 ? BUFFER_QUERY[3:0] : slot == 4 ? BUFFER_KEY[3:0] : BUFFER_VALUE[3:0];
                    width = third;
                end else begin
                    used = slot == 3 || (slot == 1 && of_residual);
                    name = destination;
                    begin_row = destination_row;
                    width = out_features;
                end
            of_attention: begin
                used = slot <= 3;
                name = slot == 0 ? BUFFER_QUERY[3:0] : slot == 1 ? BUFFER_KEY[3:0]
                     : slot == 2 ? BUFFER_VALUE[3:0] : WIDE_TOKENS != 0 && wide_result ? BUFFER_GATE_INPUT[3:0] : BUFFER_NORM[3:0];
                begin_row = source_row;
                if (STREAMING != 0 && keys != 0 && (slot == 1 || slot == 2)) begin
                    begin_row = key_row;
                    count = keys;
                end
            end
            of_gate: begin
                used = slot <= 3;
                if (slot == 0) name = BUFFER_GATE_INPUT[3:0];
                if (slot == 1) name = BUFFER_NORM[3:0];
                if (slot == 2) begin_row = destination_row;
                if (slot == 3) begin
                    name = BUFFER_ROUTING[3:0];
                    width = {8'd0, top_k};
                end
            end
            of_copy: used = slot == 0 || slot == 3;
            of_head: begin
                used = slot == 0;
                name = wide ? BUFFER_GATE_INPUT[3:0] : BUFFER_NORM[3:0];
            end
            of_store: begin
                used = slot == 0;
                name = source;
            end
            of_load: begin
                used = slot == 3;
                name = destination;
            end
            default: used = 1'b0;
        endcase
    end

    reg used_1, one_more_1;
    reg [3:0] name_1;
    reg [15:0] begin_row_1, width_1, count_1;
    always @(posedge clk) begin
        used_1 <= used;
        name_1 <= name;
        begin_row_1 <= begin_row;
        width_1 <= width;
        count_1 <= count;
        one_more_1 <= one_more;
        valid <= used_1;
        scratchpad <= name_1;
        first <= begin_row_1;
        row_end <= {1'b0, begin_row_1} + {1'b0, STREAMING != 0 ? count_1 : rows} + {16'd0, one_more_1};
        features <= width_1;
    end
    wire unused_count = &{1'b0, count_1};
endmodule
`default_nettype wire
