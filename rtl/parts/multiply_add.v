// SPDX-License-Identifier: MIT
// One DSP block of a chain: a product is added to what the block before it has summed.
//
//   sum = sum_in + a·b
//
// 27 × 18 and 48 bits at most are one DSP48E2 (25 × 18: one DSP48E1) with its own registers, sum_in and sum its cascade (PCIN, PCOUT).
// Latency: 3 (operands, product, sum), one more from a with A_REGISTERS 2, 1 from sum_in. Depth: none outside of the block.
`default_nettype none
(* use_dsp = "yes" *)
module multiply_add #(
    parameter A_BITS = 11,
    parameter B_BITS = 27,
    parameter SUM_BITS = 41,
    parameter A_REGISTERS = 1  // 2: the block's second one is used, too
) (
    input  wire                       clk,
    input  wire signed [A_BITS-1:0]   a,
    input  wire signed [B_BITS-1:0]   b,
    input  wire signed [SUM_BITS-1:0] sum_in,
    output reg  signed [SUM_BITS-1:0] sum
);
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
    reg signed [A_BITS-1:0] a_1;
    reg signed [B_BITS-1:0] b_1;
    reg signed [A_BITS+B_BITS-1:0] product;
    always @(posedge clk) begin
        a_1 <= a_0;
        b_1 <= b;
        product <= a_1 * b_1;
        sum <= sum_in + {{(SUM_BITS-A_BITS-B_BITS){product[A_BITS+B_BITS-1]}}, product};
    end
endmodule
`default_nettype wire
