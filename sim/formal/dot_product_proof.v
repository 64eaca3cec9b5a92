// SPDX-License-Identifier: MIT
// dot_product behind pack_weights: each lane adds the exact product of its operands to the chain.
//
//   packed = w1·2^S + w0, beside w1 mod 4,  S = PAIR_SHIFT                         packed_is_both
//   P_n = P_(n−1) + a·packed = P_(n−1) + (a·w1)·2^S + a·w0                         product_is_exact, chain_adds_up
//
// What follows for the sums of both halves is proved in dot_product_sums_proof. Lanes are alike.
`default_nettype none
module dot_product_proof #(
    parameter LANES = 8,
    parameter PAIR_SHIFT = 18
) (
    input wire                clk,
    input wire [LANES*11-1:0] activations,
    input wire [LANES*8-1:0]  weights_0,
    input wire [LANES*8-1:0]  weights_1
);
    localparam SUM_BITS = 19 + $clog2(LANES);
    localparam PAIR_BITS = PAIR_SHIFT + 9;
    localparam PACKED_BITS = PAIR_BITS + 2;
    wire [LANES*PACKED_BITS-1:0] packed_weights;
    pack_weights #(.LANES(LANES), .PAIR_SHIFT(PAIR_SHIFT), .PACKED_BITS(PACKED_BITS)) pack (.*);
    wire signed [SUM_BITS-1:0] sum_0, sum_1;
    dot_product #(.LANES(LANES), .PAIR_SHIFT(PAIR_SHIFT), .PACKED_BITS(PACKED_BITS)) unit (.*);
    reg filled = 0;  // the registers that a step begins with have been written
    always @(posedge clk) filled <= 1;

    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[2].multiply.sum ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[3].multiply.sum ;
    (* hierconn *) wire signed [PAIR_BITS+10:0] \unit.packed_pair.lanes[3].multiply.product ;
    (* hierconn *) wire signed [10:0] \unit.packed_pair.lanes[3].multiply.a_1 ;
    (* hierconn *) wire signed [PAIR_BITS-1:0] \unit.packed_pair.lanes[3].multiply.b_1 ;
    wire [PACKED_BITS-1:0] packed_3 = packed_weights[3*PACKED_BITS +: PACKED_BITS];
    wire signed [7:0] weight_0 = weights_0[3*8 +: 8];
    wire signed [7:0] weight_1 = weights_1[3*8 +: 8];
    wire signed [PAIR_BITS-1:0] both = (weight_1 <<< PAIR_SHIFT) + weight_0;
    wire signed [PAIR_BITS+10:0] exact = \unit.packed_pair.lanes[3].multiply.a_1 * \unit.packed_pair.lanes[3].multiply.b_1 ;
    wire signed [SUM_BITS+PAIR_SHIFT-1:0] next =
        \unit.packed_pair.lanes[2].multiply.sum + \unit.packed_pair.lanes[3].multiply.product ;
    always @(posedge clk)
        if (filled) begin
            packed_is_both: assert (packed_3 == $past({weight_1[1:0], both}));
            operands_arrive: assert (\unit.packed_pair.lanes[3].multiply.a_1 == $past($signed(activations[3*11 +: 11]))
                && \unit.packed_pair.lanes[3].multiply.b_1 == $past(packed_3[PAIR_BITS-1:0]));
            product_is_exact: assert (\unit.packed_pair.lanes[3].multiply.product == $past(exact));
            chain_adds_up: assert (\unit.packed_pair.lanes[3].multiply.sum == $past(next));
        end
endmodule
`default_nettype wire
