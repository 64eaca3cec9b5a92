// SPDX-License-Identifier: MIT
// dot_product behind pack_weights: both sums are exact for all weights and all activations of the precondition.
//
//   Σ a·w0 and Σ a·w1, since       packed = w1·2^18 + w0                          packed_is_both
//                                  p = a·packed = (a·w1)·2^18 + a·w0              product_is_exact, distributive law
//                                  p[17:0] = a·w0;  p[36:18] + p[17] = a·w1       halves_come_apart, as |a·w0| < 2^17
//                                  group: four of each added up, but for the borrowed 1 of the last lane, which follows
//                                                                                 groups_are_exact
//                                  sums: groups and their borrowed ones           sums_are_exact
// One step at a time, as no solver sees through eight multiplications at once. Lanes, and groups, are alike.
`default_nettype none
module dot_product_proof #(
    parameter LANES = 16
) (
    input wire                clk,
    input wire [LANES*11-1:0] activations,
    input wire [LANES*8-1:0]  weights_0,
    input wire [LANES*8-1:0]  weights_1
);
    localparam SUM_BITS = 19 + $clog2(LANES);
    wire [LANES*27-1:0] packed_weights;
    pack_weights #(.LANES(LANES)) pack (.*);
    wire signed [SUM_BITS-1:0] sum_0, sum_1;
    dot_product #(.LANES(LANES)) unit (.*);
    reg filled = 0;  // the registers that a step begins with have been written
    always @(posedge clk) filled <= 1;

    // Products of the last lane of the first group.
    (* hierconn *) wire signed [36:0] \unit.packed_pair.groups[0].product[0] ;
    (* hierconn *) wire signed [36:0] \unit.packed_pair.groups[0].product[1] ;
    (* hierconn *) wire signed [36:0] \unit.packed_pair.groups[0].product[2] ;
    (* hierconn *) wire signed [36:0] \unit.packed_pair.groups[0].product[3] ;
    (* hierconn *) wire signed [10:0] \unit.packed_pair.groups[0].activation[3] ;
    (* hierconn *) wire signed [26:0] \unit.packed_pair.groups[0].packed_weight[3] ;
    wire signed [36:0] p_0 = \unit.packed_pair.groups[0].product[0] ;
    wire signed [36:0] p_1 = \unit.packed_pair.groups[0].product[1] ;
    wire signed [36:0] p_2 = \unit.packed_pair.groups[0].product[2] ;
    wire signed [36:0] p_3 = \unit.packed_pair.groups[0].product[3] ;
    wire signed [26:0] packed_3 = packed_weights[3*27 +: 27];
    wire signed [7:0] weight_0 = weights_0[3*8 +: 8];
    wire signed [7:0] weight_1 = weights_1[3*8 +: 8];
    wire signed [26:0] both = (weight_1 <<< 18) + weight_0;
    (* anyseq *) wire signed [17:0] product_0;
    (* anyseq *) wire signed [18:0] product_1;
    wire signed [36:0] joined = (product_1 <<< 18) + product_0;
    wire in_bounds = product_0 >= -18'sd130944 && product_0 <= 18'sd130944;  // 1023·128
    wire signed [36:0] exact = \unit.packed_pair.groups[0].activation[3] * \unit.packed_pair.groups[0].packed_weight[3] ;
    always @(posedge clk)
        if (filled) begin
            packed_is_both: assert (packed_3 == $past(both));
            operands_arrive: assert (\unit.packed_pair.groups[0].activation[3] == $past($signed(activations[3*11 +: 11]))
                && \unit.packed_pair.groups[0].packed_weight[3] == $past(packed_3));
            product_is_exact: assert (p_3 == $past(exact));
            if (in_bounds && p_3 == joined)
                halves_come_apart: assert ($signed(p_3[17:0]) == product_0
                                           && $signed(p_3[36:18]) + $signed({1'b0, p_3[17]}) == product_1);
        end

    // Sums of the first group: of the low halves; of the high ones with all borrowed ones but the last lane's.
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[0].low ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[0].high ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[1].low ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[1].high ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[2].low ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[2].high ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[3].low ;
    (* hierconn *) wire signed [SUM_BITS-1:0] \unit.packed_pair.groups[3].high ;
    (* hierconn *) wire [3:0] \unit.packed_pair.carry ;
    wire signed [SUM_BITS-1:0] low = ($signed(p_0[17:0]) + $signed(p_1[17:0]))
        + ($signed(p_2[17:0]) + $signed(p_3[17:0]));
    wire signed [SUM_BITS-1:0] high = (upper(p_0[36:18]) + upper(p_1[36:18]) + borrowed(p_0[17]))
        + (upper(p_2[36:18]) + upper(p_3[36:18]) + borrowed(p_1[17])) + borrowed(p_2[17]);
    wire [3:0] carry = \unit.packed_pair.carry ;
    wire signed [SUM_BITS-1:0] low_all =
        (\unit.packed_pair.groups[0].low + \unit.packed_pair.groups[1].low )
        + (\unit.packed_pair.groups[2].low + \unit.packed_pair.groups[3].low );
    wire signed [SUM_BITS-1:0] high_all =
        (\unit.packed_pair.groups[0].high + \unit.packed_pair.groups[1].high + borrowed(carry[0]))
        + (\unit.packed_pair.groups[2].high + \unit.packed_pair.groups[3].high + borrowed(carry[2]))
        + borrowed(carry[1]) + borrowed(carry[3]);
    function signed [SUM_BITS-1:0] upper;
        input signed [18:0] half;
        upper = half;
    endfunction
    function signed [SUM_BITS-1:0] borrowed;
        input one;
        borrowed = {{(SUM_BITS-1){1'b0}}, one};
    endfunction
    always @(posedge clk)
        if (filled) begin
            groups_are_exact: assert (\unit.packed_pair.groups[0].low == $past(low)
                && \unit.packed_pair.groups[0].high == $past(high) && carry[0] == $past(p_3[17]));
            sums_are_exact: assert (sum_0 == $past(low_all) && sum_1 == $past(high_all));
        end
endmodule
`default_nettype wire
