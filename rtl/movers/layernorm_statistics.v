// SPDX-License-Identifier: MIT
// Σx and Σx² of a row that arrives LANES values a cycle.
//
//   sum = Σ x,  squares = Σ x²   over all parts from `first` to `last`
//
// Rows may follow each other without a gap. Precondition: lanes beyond the end of a row are 0; a row has at most
// 2^(ROW_SUM_BITS − RESIDUAL_BITS) values; LANES a multiple of 4.
// Squares that fit a DSP block are added up four at a time in a chain of them (multiply_add).
// Latency: 9 from the last part (chain of four 6, sums of sixteen, sum of those, row); with wider squares 7 (operands,
// squares 2, sums of four, sums of sixteen, sum of those, row). Depth: see multiplier; two additions.
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
    localparam CHAINED = RESIDUAL_BITS <= 18;
    localparam STAGES = CHAINED ? 8 : 6;  // in front of the row

    // Registers of this module alone, last stage first (see dot_product); signed operands extend by sign.
    /* verilator lint_off BLKSEQ */
    /* verilator lint_off WIDTHEXPAND */
    reg signed [RESIDUAL_BITS-1:0] value_1 [0:LANES-1];
    reg signed [RESIDUAL_BITS-1:0] value_2 [0:LANES-1];
    reg signed [RESIDUAL_BITS-1:0] value_3 [0:LANES-1];
    reg signed [ROW_SUM_BITS-1:0] sum_4 [0:FOURS-1];
    reg signed [ROW_SUM_BITS-1:0] sum_5 [0:SIXTEENS-1];
    reg signed [ROW_SUM_BITS-1:0] sum_6, sum_7, sum_8;
    reg signed [ROW_SUM_BITS-1:0] part_sum;
    wire [ROW_SQUARES_BITS-1:0] squares_of_four [0:FOURS-1];
    reg [ROW_SQUARES_BITS-1:0] squares_of_sixteen [0:SIXTEENS-1];
    reg [ROW_SQUARES_BITS-1:0] part_squares;
    integer lane, four, sixteen;
    reg [STAGES:1] valid, opens, closes;  // of the part in each stage
    always @(posedge clk) begin
        valid <= rst_n ? {valid[STAGES-1:1], valid_in} : {STAGES{1'b0}};
        opens <= {opens[STAGES-1:1], first};
        closes <= {closes[STAGES-1:1], last};
        valid_out <= rst_n & valid[STAGES] & closes[STAGES];
        part_sum = CHAINED ? sum_8 : sum_6;
        if (valid[STAGES]) begin
            sum <= opens[STAGES] ? part_sum : sum + part_sum;
            squares <= opens[STAGES] ? part_squares : squares + part_squares;
        end
        sum_8 <= sum_7;
        sum_7 <= sum_6;
        sum_6 = 0;
        part_squares = 0;
        for (sixteen = 0; sixteen < SIXTEENS; sixteen = sixteen + 1) begin
            sum_6 = sum_6 + sum_5[sixteen];
            part_squares = part_squares + squares_of_sixteen[sixteen];
            sum_5[sixteen] = 0;
            squares_of_sixteen[sixteen] = 0;
            for (four = 4 * sixteen; four < 4 * sixteen + 4 && four < FOURS; four = four + 1) begin
                sum_5[sixteen] = sum_5[sixteen] + sum_4[four];
                squares_of_sixteen[sixteen] = squares_of_sixteen[sixteen] + squares_of_four[four];
            end
        end
        for (four = 0; four < FOURS; four = four + 1) begin
            sum_4[four] = 0;
            for (lane = 4 * four; lane < 4 * four + 4; lane = lane + 1) sum_4[four] = sum_4[four] + value_3[lane];
        end
        for (lane = 0; lane < LANES; lane = lane + 1) begin
            value_3[lane] <= value_2[lane];  // also read by other modules, as the next two
            value_2[lane] <= value_1[lane];
            value_1[lane] <= values[lane*RESIDUAL_BITS +: RESIDUAL_BITS];
        end
    end
    /* verilator lint_on WIDTHEXPAND */
    /* verilator lint_on BLKSEQ */

    genvar f, n;
    generate
        for (f = 0; f < FOURS; f = f + 1) begin : squaring
            if (CHAINED) begin : chain  // lane n of the four comes n cycles late, which is what the registers of Σx are for
                wire [4*RESIDUAL_BITS-1:0] late = {
                    value_3[4*f+3], value_2[4*f+2], value_1[4*f+1], values[4*f*RESIDUAL_BITS +: RESIDUAL_BITS]};
                wire [5*ROW_SQUARES_BITS-1:0] chained;
                assign chained[ROW_SQUARES_BITS-1:0] = {ROW_SQUARES_BITS{1'b0}};
                for (n = 0; n < 4; n = n + 1) begin : lanes
                    multiply_add #(.A_BITS(RESIDUAL_BITS), .B_BITS(RESIDUAL_BITS), .SUM_BITS(ROW_SQUARES_BITS)) square (
                        .clk(clk), .a(late[n*RESIDUAL_BITS +: RESIDUAL_BITS]),
                        .b(late[n*RESIDUAL_BITS +: RESIDUAL_BITS]),
                        .sum_in(chained[n*ROW_SQUARES_BITS +: ROW_SQUARES_BITS]),
                        .sum(chained[(n+1)*ROW_SQUARES_BITS +: ROW_SQUARES_BITS]));
                end
                assign squares_of_four[f] = chained[4*ROW_SQUARES_BITS +: ROW_SQUARES_BITS];
            end else begin : apart
                wire [4*ROW_SQUARES_BITS-1:0] squares_3;
                reg [ROW_SQUARES_BITS-1:0] squares_4;
                for (n = 0; n < 4; n = n + 1) begin : lanes
                    wire signed [2*RESIDUAL_BITS-1:0] product;
                    wire unused = &{1'b0, product[2*RESIDUAL_BITS-1:SQUARE_BITS]};
                    multiplier #(.WIDE_BITS(RESIDUAL_BITS), .NARROW_BITS(RESIDUAL_BITS)) square (
                        .clk(clk), .wide(value_1[4*f+n]), .narrow(value_1[4*f+n]), .product(product));
                    assign squares_3[n*ROW_SQUARES_BITS +: ROW_SQUARES_BITS] =
                        {{(ROW_SQUARES_BITS-SQUARE_BITS){1'b0}}, product[SQUARE_BITS-1:0]};
                end
                always @(posedge clk)
                    squares_4 <= (squares_3[0 +: ROW_SQUARES_BITS] + squares_3[ROW_SQUARES_BITS +: ROW_SQUARES_BITS])
                        + (squares_3[2*ROW_SQUARES_BITS +: ROW_SQUARES_BITS]
                           + squares_3[3*ROW_SQUARES_BITS +: ROW_SQUARES_BITS]);
                assign squares_of_four[f] = squares_4;
            end
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
