// SPDX-License-Identifier: MIT
// rtl/parts/multiply_add.v for Gowin's GW5A, whose DSP blocks Yosys does not infer: its ports, parameters and latency.
//
//   sum = sum_in + a·b
//
// Operands and product lie in the block's own registers, and the block adds; the sum is a register of the fabric, as
// the open packer leaves the block's last register out.
`default_nettype none
module multiply_add #(
    parameter A_BITS = 11,
    parameter B_BITS = 27,
    parameter SUM_BITS = 41,
    parameter A_REGISTERS = 1
) (
    input  wire                       clk,
    input  wire signed [A_BITS-1:0]   a,
    input  wire signed [B_BITS-1:0]   b,
    input  wire signed [SUM_BITS-1:0] sum_in,
    output reg  signed [SUM_BITS-1:0] sum
);
    localparam SWAPPED = A_BITS > 18;
    wire signed [A_BITS-1:0] a_0;
    generate
        if (A_REGISTERS == 2) begin : waits
            reg signed [A_BITS-1:0] waiting;
            always @(posedge clk) waiting <= a;
            assign a_0 = waiting;
        end else begin : at_once
            assign a_0 = a;
        end
    endgenerate
    wire [26:0] wide;
    wire [17:0] narrow;
    generate
        if (SWAPPED) begin : swapped
            assign wide = {{(27-A_BITS){a_0[A_BITS-1]}}, a_0};
            assign narrow = {{(18-B_BITS){b[B_BITS-1]}}, b};
        end else begin : straight
            assign wide = {{(27-B_BITS){b[B_BITS-1]}}, b};
            assign narrow = {{(18-A_BITS){a_0[A_BITS-1]}}, a_0};
        end
    endgenerate
    wire [47:0] total, unused_cascade;
    wire [26:0] unused_operand;
    MULTALU27X18 #(.AREG_CLK("CLK0"), .BREG_CLK("CLK0"), .PREG_CLK("CLK0")) block (
        .A(wide), .B(narrow), .C({{(48-SUM_BITS){sum_in[SUM_BITS-1]}}, sum_in}), .D(26'd0), .SIA(27'd0), .CASI(48'd0),
        .ACCSEL(1'b0), .PSEL(1'b0), .ASEL(1'b0), .PADDSUB(1'b0), .CSEL(1'b0), .CASISEL(1'b0), .ADDSUB(2'd0),
        .CLK({1'b0, clk}), .CE(2'b01), .RESET(2'd0), .DOUT(total), .CASO(unused_cascade), .SOA(unused_operand));
    always @(posedge clk) sum <= total[SUM_BITS-1:0];

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (SUM_BITS > 48 || (SWAPPED ? A_BITS > 27 || B_BITS > 18 : B_BITS > 27)) begin : refused
            operands_must_fit_27_by_18 stop ();
        end
    endgenerate
endmodule
`default_nettype wire
