// SPDX-License-Identifier: MIT
// GELU by I-BERT's polynomial (Kim et al., 2021), what the ablation compares rtl/parts/gelu.v with.
//
//   g = x·(½ + ½·sgn(x)·L),  L = 1 + A·(min(|x|, C) − C)²,  A = −0.2888/2, C = 1.769·√2;  result as in rtl/parts/gelu.v
//
// A in Q.16, C in Q.GELU_FRACTION, from the bench. Two products of variables and one by a constant.
// Latency: rtl/parts/gelu.v's and one more.
`default_nettype none
module ablation_gelu_polynomial (
    clk, rst_n, valid_in, value, multiplier, shift, zero, valid_out, result
);
`include "edgemoe_spec.vh"
`include "gelu_polynomial.vh"
    localparam DISTANCE_BITS = GELU_FRACTION + 2;  // C lies below 4
    localparam SCALED_BITS = FIELD_OUTPUT_ZERO_WIDTH + 2;
    localparam signed [SCALED_BITS:0] LARGEST = (1 << (ACTIVATION_BITS - 1)) - 1;
    localparam signed [SCALED_BITS:0] SMALLEST = -(1 << (ACTIVATION_BITS - 1));
    localparam SQUARE_BITS = 2 * DISTANCE_BITS;
    localparam DOWN = 2 * GELU_FRACTION;  // of A·distance², to Q.16
    localparam [GELU_BITS-1:0] CLIP = POLYNOMIAL_CLIP;

    input  wire                                      clk;
    input  wire                                      rst_n;
    input  wire                                      valid_in;
    input  wire signed [GELU_BITS-1:0]               value;
    input  wire        [MULTIPLIER_BITS-1:0]         multiplier;
    input  wire        [5:0]                         shift;
    input  wire signed [FIELD_OUTPUT_ZERO_WIDTH-1:0] zero;
    output reg                                       valid_out;
    output reg  signed [ACTIVATION_BITS-1:0]         result;

    wire [GELU_BITS-1:0] magnitude = value < 0 ? -value : value;
    wire [GELU_BITS-1:0] gap = CLIP - magnitude;
    reg [DISTANCE_BITS-1:0] distance_1;
    reg [SQUARE_BITS-1:0] square_2;
    reg [SQUARE_BITS+15:0] missing_3;
    reg [17:0] weight_4;
    reg signed [GELU_BITS-1:0] value_1, value_2, value_3, value_4;
    reg signed [GELU_BITS+18:0] product_5;
    reg [5:1] valid;
    wire [16:0] below_one = missing_3[DOWN +: 17];  // 1 − L in Q.16
    wire [17:0] lower = {1'b0, below_one};
    always @(posedge clk) begin
        valid <= rst_n ? {valid[4:1], valid_in} : 5'd0;
        distance_1 <= magnitude > CLIP ? {DISTANCE_BITS{1'b0}} : gap[DISTANCE_BITS-1:0];
        square_2 <= distance_1 * distance_1;
        missing_3 <= square_2 * POLYNOMIAL_SCALE[15:0];
        weight_4 <= value_3 < 0 ? lower : 18'h20000 - lower;  // 1 ± L in Q.16
        product_5 <= value_4 * $signed({1'b0, weight_4});
        {value_4, value_3, value_2, value_1} <= {value_3, value_2, value_1, value};
    end

    wire scaled_valid;
    wire signed [SCALED_BITS-1:0] scaled;
    requantise #(.VALUE_BITS(GELU_BITS + 1), .MULTIPLIER_WIDTH(MULTIPLIER_BITS), .RESULT_BITS(SCALED_BITS)) scale (
        .clk(clk), .rst_n(rst_n), .valid_in(valid[5]), .value(product_5[GELU_BITS+17:17]),
        .multiplier(multiplier), .shift(shift), .valid_out(scaled_valid), .result(scaled));
    wire signed [SCALED_BITS:0] moved =
        $signed({scaled[SCALED_BITS-1], scaled}) + $signed({{3{zero[FIELD_OUTPUT_ZERO_WIDTH-1]}}, zero});
    always @(posedge clk) begin
        valid_out <= rst_n & scaled_valid;
        result <= moved > LARGEST ? LARGEST[ACTIVATION_BITS-1:0]
                : moved < SMALLEST ? SMALLEST[ACTIVATION_BITS-1:0] : moved[ACTIVATION_BITS-1:0];
    end
    wire unused = &{1'b0, gap, missing_3[DOWN-1:0], missing_3[SQUARE_BITS+15:DOWN+17], product_5};
endmodule
`default_nettype wire
