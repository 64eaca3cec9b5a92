// SPDX-License-Identifier: MIT
// Stands for multiply_add in dot_product_sums_proof: a product with free halves, of which a sign and two bits are known.
`default_nettype none
module multiply_add #(
    parameter A_BITS = 11,
    parameter B_BITS = 27,
    parameter SUM_BITS = 41
) (
    input  wire                       clk,
    input  wire signed [A_BITS-1:0]   a,
    input  wire signed [B_BITS-1:0]   b,
    input  wire signed [SUM_BITS-1:0] sum_in,
    output reg  signed [SUM_BITS-1:0] sum
);
    localparam PAIR_SHIFT = B_BITS - 9;
    (* anyseq *) wire signed [17:0] any_low;
    (* anyseq *) wire signed [18:0] any_high;
    reg signed [17:0] low;
    reg signed [18:0] high;
    reg [1:0] residue;
    reg falls;
    wire [1:0] weight = b[PAIR_SHIFT +: 2] + b[PAIR_SHIFT-1];
    always @* begin
        assume (any_low >= -18'sd130944 && any_low <= 18'sd130944);  // 1023·128
        assume (falls ? any_low <= 18'sd0 : any_low >= 18'sd0);
        assume (any_high >= -19'sd130944 && any_high <= 19'sd130944);
        assume (any_high[1:0] == residue);
    end
    wire signed [SUM_BITS-1:0] product = (high <<< PAIR_SHIFT) + low;
    always @(posedge clk) begin
        residue <= a[1:0] * weight;
        falls <= a[A_BITS-1] ^ b[PAIR_SHIFT-1];
        low <= any_low;
        high <= any_high;
        sum <= sum_in + product;
    end
endmodule
`default_nettype wire
