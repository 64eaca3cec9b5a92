// SPDX-License-Identifier: MIT
// Σx and Σx² of a row that arrives LANES values a cycle.
//
//   sum = Σ x,  squares = Σ x²   over all parts from `first` to `last`
//
// Rows may follow each other without a gap. Precondition: lanes beyond the end of a row are 0; a row has at most
// 2^(ROW_SUM_BITS − RESIDUAL_BITS) values; LANES a multiple of 4.
// Latency: 7 from the last part (operands, squares 2, sums of four, sums of sixteen, sum of those, row).
// Depth: see multiplier; two additions.
`default_nettype none
module layernorm_statistics #(
    parameter LANES = 32,
    parameter RESIDUAL_BITS = 16,
    parameter ROW_SUM_BITS = 26,
    parameter ROW_SQUARES_BITS = 41
) (
    input  wire                                  clk,
    input  wire                                  rst_n,
    input  wire                                  valid_in,
    input  wire                                  first,
    input  wire                                  last,
    input  wire        [LANES*RESIDUAL_BITS-1:0] values,
    output reg                                   valid_out,
    output reg  signed [ROW_SUM_BITS-1:0]        sum,
    output reg         [ROW_SQUARES_BITS-1:0]    squares
);
    localparam SQUARE_BITS = 2 * RESIDUAL_BITS - 1;
    localparam FOURS = LANES / 4;
    localparam SIXTEENS = (FOURS + 3) / 4;

    // Registers of this module alone, last stage first (see dot_product); signed operands extend by sign.
    /* verilator lint_off BLKSEQ */
    /* verilator lint_off WIDTHEXPAND */
    reg signed [RESIDUAL_BITS-1:0] value_1 [0:LANES-1];
    reg signed [RESIDUAL_BITS-1:0] value_2 [0:LANES-1];
    reg signed [RESIDUAL_BITS-1:0] value_3 [0:LANES-1];
    wire [SQUARE_BITS-1:0] square_3 [0:LANES-1];
    reg signed [ROW_SUM_BITS-1:0] sum_4 [0:FOURS-1];
    reg signed [ROW_SUM_BITS-1:0] sum_5 [0:SIXTEENS-1];
    reg signed [ROW_SUM_BITS-1:0] sum_6;
    reg [ROW_SQUARES_BITS-1:0] squares_4 [0:FOURS-1];
    reg [ROW_SQUARES_BITS-1:0] squares_5 [0:SIXTEENS-1];
    reg [ROW_SQUARES_BITS-1:0] squares_6;
    integer lane, four, sixteen;
    reg [6:1] valid, opens, closes;  // of the part in each stage
    always @(posedge clk) begin
        valid <= rst_n ? {valid[5:1], valid_in} : 6'd0;
        opens <= {opens[5:1], first};
        closes <= {closes[5:1], last};
        valid_out <= rst_n & valid[6] & closes[6];
        if (valid[6]) begin
            sum <= opens[6] ? sum_6 : sum + sum_6;
            squares <= opens[6] ? squares_6 : squares + squares_6;
        end
        sum_6 = 0;
        squares_6 = 0;
        for (sixteen = 0; sixteen < SIXTEENS; sixteen = sixteen + 1) begin
            sum_6 = sum_6 + sum_5[sixteen];
            squares_6 = squares_6 + squares_5[sixteen];
            sum_5[sixteen] = 0;
            squares_5[sixteen] = 0;
            for (four = 4 * sixteen; four < 4 * sixteen + 4 && four < FOURS; four = four + 1) begin
                sum_5[sixteen] = sum_5[sixteen] + sum_4[four];
                squares_5[sixteen] = squares_5[sixteen] + squares_4[four];
            end
        end
        for (four = 0; four < FOURS; four = four + 1) begin
            sum_4[four] = 0;
            squares_4[four] = 0;
            for (lane = 4 * four; lane < 4 * four + 4; lane = lane + 1) begin
                sum_4[four] = sum_4[four] + value_3[lane];
                squares_4[four] = squares_4[four] + square_3[lane];
            end
        end
        for (lane = 0; lane < LANES; lane = lane + 1) begin
            value_3[lane] = value_2[lane];
            value_2[lane] = value_1[lane];
            value_1[lane] <= values[lane*RESIDUAL_BITS +: RESIDUAL_BITS];  // also read by other modules
        end
    end
    /* verilator lint_on WIDTHEXPAND */
    /* verilator lint_on BLKSEQ */

    genvar n;
    generate
        for (n = 0; n < LANES; n = n + 1) begin : squaring
            wire signed [2*RESIDUAL_BITS-1:0] product;
            wire unused = &{1'b0, product[2*RESIDUAL_BITS-1:SQUARE_BITS]};
            multiplier #(.WIDE_BITS(RESIDUAL_BITS), .NARROW_BITS(RESIDUAL_BITS)) square (
                .clk(clk), .wide(value_1[n]), .narrow(value_1[n]), .product(product));
            assign square_3[n] = product[SQUARE_BITS-1:0];
        end
    endgenerate

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (LANES % 4 != 0) begin : refused
            lanes_must_be_a_multiple_of_4 stop ();
        end
    endgenerate
endmodule
`default_nettype wire
