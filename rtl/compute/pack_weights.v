// SPDX-License-Identifier: MIT
// Weights of two output channels as dot_product wants them; packed once, broadcast to all tokens of the array.
//
//   W8A8:   packed[i] = {weight_1[i] mod 4, weight_1[i]·2^PAIR_SHIFT + weight_0[i]}
//   W16A16: packed[i] = {weight_1[i], weight_0[i]}
//
// Latency: 1. Depth: an 8-bit decrement (where weight_0 is negative).
`default_nettype none
module pack_weights #(
    parameter LANES = 16,
    parameter WEIGHT_BITS = 8,
    parameter PAIR_SHIFT = 18,
    parameter PACKED_BITS = 29,
    parameter FINE = 0  // 1: W16A16
) (
    input  wire                         clk,
    input  wire [LANES*WEIGHT_BITS-1:0] weights_0,
    input  wire [LANES*WEIGHT_BITS-1:0] weights_1,
    output reg  [LANES*PACKED_BITS-1:0] packed_weights
);
    integer lane;
    generate
        if (FINE != 0) begin : side_by_side
            always @(posedge clk)
                for (lane = 0; lane < LANES; lane = lane + 1)
                    packed_weights[lane*PACKED_BITS +: PACKED_BITS] <=
                        {weights_1[lane*WEIGHT_BITS +: WEIGHT_BITS], weights_0[lane*WEIGHT_BITS +: WEIGHT_BITS]};
        end else begin : added
            /* verilator lint_off BLKSEQ */  // names for parts of the inputs, no state
            reg signed [WEIGHT_BITS-1:0] low, high;
            always @(posedge clk)
                for (lane = 0; lane < LANES; lane = lane + 1) begin
                    low = weights_0[lane*WEIGHT_BITS +: WEIGHT_BITS];
                    high = weights_1[lane*WEIGHT_BITS +: WEIGHT_BITS];
                    packed_weights[lane*PACKED_BITS +: PACKED_BITS] <=
                        {high[1:0], {high[WEIGHT_BITS-1], high} - {{WEIGHT_BITS{1'b0}}, low[WEIGHT_BITS-1]},
                         {(PAIR_SHIFT-WEIGHT_BITS){low[WEIGHT_BITS-1]}}, low};
                end
            /* verilator lint_on BLKSEQ */
        end
    endgenerate
endmodule
`default_nettype wire
