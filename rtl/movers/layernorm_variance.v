// SPDX-License-Identifier: MIT
// The variance of a row in exact integers.
//
//   variance = D·Σx² − (Σx)² + ε          at least 1, up to 67 bits
//
// (Σx)² comes from the two halves of |Σx|, three products that fit a DSP48E2 each.
// Precondition: width D ≤ 2^WIDTH_BITS = 1024 and epsilon ≥ 1 are held while rows are in flight.
// Latency: 5 (operands, products, their sums, difference, ε). Depth: one multiplication; additions of up to 68 bits.
`default_nettype none
`include "require.vh"
module layernorm_variance #(
    parameter RESIDUAL_BITS = 16,
    parameter ROW_SUM_BITS = 26,
    parameter ROW_SQUARES_BITS = 41,
    parameter VARIANCE_BITS = 68
) (
    input  wire                              clk,
    input  wire                              rst_n,
    input  wire                              valid_in,
    input  wire        [10:0]                width,
    input  wire signed [ROW_SUM_BITS-1:0]    sum,
    input  wire        [ROW_SQUARES_BITS-1:0] squares,
    input  wire        [63:0]                epsilon,
    output wire                              valid_out,
    output reg         [VARIANCE_BITS-1:0]   variance
);
    localparam WIDTH_BITS = ROW_SUM_BITS - RESIDUAL_BITS;
    localparam SCALED_BITS = ROW_SQUARES_BITS + WIDTH_BITS + 3;

    reg [4:0] valid;
    reg signed [ROW_SQUARES_BITS:0] squares_1;
    reg [33:0] magnitude_1;
    wire [ROW_SUM_BITS-1:0] magnitude = sum < 0 ? -sum : sum;
    wire signed [SCALED_BITS-1:0] scaled;
    wire [VARIANCE_BITS+3:0] positive = {{(VARIANCE_BITS+4-SCALED_BITS){1'b0}}, scaled};  // below 2^67
    reg [33:0] high_square, cross_product, low_square;
    reg [VARIANCE_BITS-1:0] square_3, difference;

    multiplier #(.WIDE_BITS(ROW_SQUARES_BITS + 1), .NARROW_BITS(WIDTH_BITS + 2)) scale (
        .clk(clk), .wide(squares_1), .narrow($signed({1'b0, width})), .product(scaled));

    always @(posedge clk) begin
        valid <= rst_n ? {valid[3:0], valid_in} : 5'd0;
        squares_1 <= {1'b0, squares};
        magnitude_1 <= {{(34-ROW_SUM_BITS){1'b0}}, magnitude};
        high_square <= magnitude_1[33:17] * magnitude_1[33:17];
        cross_product <= magnitude_1[33:17] * magnitude_1[16:0];
        low_square <= magnitude_1[16:0] * magnitude_1[16:0];
        square_3 <= {high_square, low_square} + {16'd0, cross_product, 18'd0};
        difference <= positive[VARIANCE_BITS-1:0] - square_3;
        variance <= difference + {4'd0, epsilon};
    end
    assign valid_out = valid[4];
    wire unused = &{1'b0, positive[VARIANCE_BITS+3:VARIANCE_BITS]};

    // Preconditions.
    `REQUIRE(rst_n && valid_in, {21'd0, width} <= 1 << WIDTH_BITS, "width is above that of the sums")
    `REQUIRE(rst_n && valid_in, epsilon != 0, "epsilon is 0")
endmodule
`default_nettype wire
