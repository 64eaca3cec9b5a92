// SPDX-License-Identifier: MIT
// dot_product with any products in its chain: sum_0 and sum_1 are the sums of their halves.
//
//   product_n = high_n·2^S + low_n, S = PAIR_SHIFT                                      sum_0 = Σ low_n, sum_1 = Σ high_n
//   |low_n| ≤ 1023·128, with the sign of a·w0;  high_n mod 4 = a·w1 mod 4
//
// In place of multiply_add stands a module whose products are free within these bounds, which are those of the real
// one (dot_product_proof): so no solver has to see through multiplications.
`default_nettype none
module dot_product_sums_proof #(
    parameter PAIR_SHIFT = 18
) (
    input wire                         clk,
    input wire [8*11-1:0]              activations,
    input wire [8*(PAIR_SHIFT+11)-1:0] packed_weights
);
    localparam PACKED_BITS = PAIR_SHIFT + 11;
    localparam LANES = 8;
    localparam SUM_BITS = 22;
    wire signed [SUM_BITS-1:0] sum_0, sum_1;
    dot_product #(.LANES(LANES), .PAIR_SHIFT(PAIR_SHIFT), .PACKED_BITS(PACKED_BITS)) unit (.*);

    reg [3:0] age = 0;  // cycles, up to those that fill the pipeline
    always @(posedge clk) age <= age == 4'd13 ? age : age + 4'd1;

    // The third part of a packed weight, and bits of the sign of w0, are what pack_weights makes them (packed_is_both).
    genvar n;
    generate
        for (n = 0; n < LANES; n = n + 1) begin : residues
            wire [PACKED_BITS-1:0] packed_n = packed_weights[PACKED_BITS*n +: PACKED_BITS];
            always @* assume (packed_n[PACKED_BITS-1 -: 2] == packed_n[PAIR_SHIFT +: 2] + packed_n[PAIR_SHIFT-1]
                && packed_n[7] == packed_n[PAIR_SHIFT-1]);
        end
    endgenerate

    // Products of all lanes, and their sums, as they come down the chain.
    wire signed [17:0] low [0:LANES-1];
    wire signed [18:0] high [0:LANES-1];
    wire signed [SUM_BITS+PAIR_SHIFT-1:0] chain [0:LANES-1];
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[0].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[0].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[0].multiply.sum ;
    assign low[0] = \unit.packed_pair.lanes[0].multiply.low ;
    assign high[0] = \unit.packed_pair.lanes[0].multiply.high ;
    assign chain[0] = \unit.packed_pair.lanes[0].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[1].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[1].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[1].multiply.sum ;
    assign low[1] = \unit.packed_pair.lanes[1].multiply.low ;
    assign high[1] = \unit.packed_pair.lanes[1].multiply.high ;
    assign chain[1] = \unit.packed_pair.lanes[1].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[2].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[2].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[2].multiply.sum ;
    assign low[2] = \unit.packed_pair.lanes[2].multiply.low ;
    assign high[2] = \unit.packed_pair.lanes[2].multiply.high ;
    assign chain[2] = \unit.packed_pair.lanes[2].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[3].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[3].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[3].multiply.sum ;
    assign low[3] = \unit.packed_pair.lanes[3].multiply.low ;
    assign high[3] = \unit.packed_pair.lanes[3].multiply.high ;
    assign chain[3] = \unit.packed_pair.lanes[3].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[4].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[4].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[4].multiply.sum ;
    assign low[4] = \unit.packed_pair.lanes[4].multiply.low ;
    assign high[4] = \unit.packed_pair.lanes[4].multiply.high ;
    assign chain[4] = \unit.packed_pair.lanes[4].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[5].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[5].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[5].multiply.sum ;
    assign low[5] = \unit.packed_pair.lanes[5].multiply.low ;
    assign high[5] = \unit.packed_pair.lanes[5].multiply.high ;
    assign chain[5] = \unit.packed_pair.lanes[5].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[6].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[6].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[6].multiply.sum ;
    assign low[6] = \unit.packed_pair.lanes[6].multiply.low ;
    assign high[6] = \unit.packed_pair.lanes[6].multiply.high ;
    assign chain[6] = \unit.packed_pair.lanes[6].multiply.sum ;
    (* hierconn *) wire signed [17:0] \unit.packed_pair.lanes[7].multiply.low ;
    (* hierconn *) wire signed [18:0] \unit.packed_pair.lanes[7].multiply.high ;
    (* hierconn *) wire signed [SUM_BITS+PAIR_SHIFT-1:0] \unit.packed_pair.lanes[7].multiply.sum ;
    assign low[7] = \unit.packed_pair.lanes[7].multiply.low ;
    assign high[7] = \unit.packed_pair.lanes[7].multiply.high ;
    assign chain[7] = \unit.packed_pair.lanes[7].multiply.sum ;
    reg signed [SUM_BITS-1:0] lows [0:LANES];
    reg signed [SUM_BITS-1:0] highs [0:LANES];
    wire [LANES-1:0] both, bounded;
    generate
        for (n = 0; n < LANES; n = n + 1) begin : sums
            always @(posedge clk) begin
                lows[n] <= (n == 0 ? 22'sd0 : lows[n == 0 ? 0 : n-1]) + low[n];
                highs[n] <= (n == 0 ? 22'sd0 : highs[n == 0 ? 0 : n-1]) + high[n];
            end
            assign both[n] = age < n + 2 || chain[n] == (highs[n] <<< PAIR_SHIFT) + lows[n];
            assign bounded[n] = age < n + 2 || (lows[n] >= -130944 * (n + 1) && lows[n] <= 130944 * (n + 1));
        end
    endgenerate
    always @(posedge clk) begin
        lows[LANES] <= lows[LANES-1];
        highs[LANES] <= highs[LANES-1];
        chain_is_both: assert (&both);
        chain_is_bounded: assert (&bounded);
        if (age == 4'd13) sums_are_exact: assert (sum_0 == $past(lows[LANES]) && sum_1 == $past(highs[LANES]));
    end
endmodule
`default_nettype wire
