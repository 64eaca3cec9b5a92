// SPDX-License-Identifier: MIT
// LayerNorm of LANES values of one row a cycle, given the row's sum and the reciprocal root of its variance.
//
//   n = round_shift((D·x − Σx)·root, exponent + R + P/2 − F)       in Q.NORMALISED_FRACTION = F; below 2^5, as D ≤ 1024
//   a = n·gain + offset
//   norm = saturate(round_shift(a, shift))           gate = clip(round_shift(a, gate_shift), ±WIDE_LIMIT)
//
// `part` numbers the parts of a row; channel_part asks for gains and offsets, which arrive one cycle later.
// Precondition: width D ≤ MAX_WIDTH, root ≤ 2^(ROOT_BITS−1); shift and gate_shift 1 … 60 are held while values are in
// flight.
// Latency: 18; channel_part comes 9 after part. Depth: one multiplication; an addition; see round_shift,
// layernorm_standardise.
`default_nettype none
`include "require.vh"
module layernorm_normalise #(
    parameter LANES = 32,
    parameter PART_BITS = 8,
    parameter MAX_WIDTH = 192,
    parameter RESIDUAL_BITS = 16,
    parameter ROW_SUM_BITS = 26,
    parameter ROOT_BITS = 17,
    parameter ACTIVATION_BITS = 8,
    parameter GAIN_BITS = 16,
    parameter OFFSET_BITS = 32,
    parameter NORMALISED_BITS = 18,
    parameter NORMALISED_FRACTION = 12,
    parameter RSQRT_MANTISSA_BITS = 16,
    parameter RSQRT_FRACTION = 15,
    parameter WIDE_LIMIT = 32639,
    parameter DSP_WIDE_BITS = 27
) (
    input  wire                                    clk,
    input  wire                                    rst_n,
    input  wire                                    valid_in,
    input  wire        [PART_BITS-1:0]             part,
    input  wire        [LANES*RESIDUAL_BITS-1:0]   values,
    input  wire signed [ROW_SUM_BITS-1:0]          sum,
    input  wire        [ROOT_BITS-1:0]             root,
    input  wire signed [6:0]                       exponent,
    input  wire        [10:0]                      width,
    output wire        [PART_BITS-1:0]             channel_part,
    input  wire        [LANES*GAIN_BITS-1:0]       gains,
    input  wire        [LANES*OFFSET_BITS-1:0]     offsets,
    input  wire        [5:0]                       shift,
    input  wire        [5:0]                       gate_shift,
    output wire                                    valid_out,
    output wire        [PART_BITS-1:0]             part_out,
    output wire        [LANES*ACTIVATION_BITS-1:0] norm,
    output wire        [LANES*16-1:0]              gate
);
    localparam WIDTH_BITS = ROW_SUM_BITS - RESIDUAL_BITS;
    localparam CENTRED_BITS = RESIDUAL_BITS + WIDTH_BITS + 2;
    localparam STANDARD_BITS = CENTRED_BITS + ROOT_BITS + 1;
    localparam PRODUCT_BITS = NORMALISED_BITS + GAIN_BITS;
    localparam AFFINE_BITS = (PRODUCT_BITS > OFFSET_BITS ? PRODUCT_BITS : OFFSET_BITS) + 1;
    localparam GATE_BITS = 16;  // saturation lies beyond the limit to which the gate's operand is clipped
    localparam SCALE = RSQRT_FRACTION + RSQRT_MANTISSA_BITS / 2 - NORMALISED_FRACTION;
    localparam LATENCY = 18;

    reg [LATENCY-1:0] valid;
    reg [LATENCY*PART_BITS-1:0] parts;
    reg [6*6-1:0] scales;
    wire [6:0] scale_in = exponent + SCALE[6:0];
    always @(posedge clk) begin
        valid <= rst_n ? {valid[LATENCY-2:0], valid_in} : {LATENCY{1'b0}};
        parts <= {parts[(LATENCY-1)*PART_BITS-1:0], part};
        scales <= {scales[5*6-1:0], scale_in[5:0]};
    end
    wire unused_scale = scale_in[6];  // 4 … 45
    assign valid_out = valid[LATENCY-1];
    assign part_out = parts[(LATENCY-1)*PART_BITS +: PART_BITS];
    assign channel_part = parts[8*PART_BITS +: PART_BITS];

    wire [LANES*STANDARD_BITS-1:0] standard;  // (D·x − Σx)·root, cycle 6
    layernorm_standardise #(
        .LANES(LANES), .MAX_WIDTH(MAX_WIDTH), .RESIDUAL_BITS(RESIDUAL_BITS), .ROW_SUM_BITS(ROW_SUM_BITS),
        .ROOT_BITS(ROOT_BITS), .STANDARD_BITS(STANDARD_BITS), .DSP_WIDE_BITS(DSP_WIDE_BITS)
    ) standardise (
        .clk(clk), .values(values), .sum(sum), .root(root), .width(width), .standard(standard));

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            wire signed [NORMALISED_BITS-1:0] normalised;
            wire signed [GAIN_BITS-1:0] gain = gains[lane*GAIN_BITS +: GAIN_BITS];
            reg signed [OFFSET_BITS-1:0] offset_11, offset_12;
            wire signed [AFFINE_BITS-1:0] wide_offset =
                {{(AFFINE_BITS-OFFSET_BITS){offset_12[OFFSET_BITS-1]}}, offset_12};
            wire signed [AFFINE_BITS-1:0] affine;  // cycle 13
            wire signed [ACTIVATION_BITS-1:0] rounded;
            wire signed [GATE_BITS-1:0] gate_rounded;
            reg [ACTIVATION_BITS-1:0] norm_18;
            reg [15:0] gate_18;

            round_shift #(.IN_BITS(STANDARD_BITS), .OUT_BITS(NORMALISED_BITS), .SATURATES(0)) normalise (
                .clk(clk), .value(standard[lane*STANDARD_BITS +: STANDARD_BITS]), .shift(scales[5*6 +: 6]),
                .result(normalised));
            if (GAIN_BITS <= 18 && NORMALISED_BITS <= DSP_WIDE_BITS) begin : one_block
                multiply_add #(.A_BITS(GAIN_BITS), .B_BITS(NORMALISED_BITS), .SUM_BITS(AFFINE_BITS)) apply_gain (
                    .clk(clk), .a(gain), .b(normalised), .sum_in(wide_offset), .sum(affine));
            end else begin : several_blocks
                wire signed [PRODUCT_BITS-1:0] product;
                reg signed [AFFINE_BITS-1:0] affine_13;
                multiplier #(.WIDE_BITS(NORMALISED_BITS), .NARROW_BITS(GAIN_BITS)) apply_gain (
                    .clk(clk), .wide(normalised), .narrow(gain), .product(product));
                always @(posedge clk)
                    affine_13 <= {{(AFFINE_BITS-PRODUCT_BITS){product[PRODUCT_BITS-1]}}, product} + wide_offset;
                assign affine = affine_13;
            end
            round_shift #(.IN_BITS(AFFINE_BITS), .OUT_BITS(ACTIVATION_BITS)) round_norm (
                .clk(clk), .value(affine), .shift(shift), .result(rounded));
            round_shift #(.IN_BITS(AFFINE_BITS), .OUT_BITS(GATE_BITS)) round_gate (
                .clk(clk), .value(affine), .shift(gate_shift), .result(gate_rounded));
            always @(posedge clk) begin
                offset_11 <= offsets[lane*OFFSET_BITS +: OFFSET_BITS];
                offset_12 <= offset_11;
                norm_18 <= rounded;
                gate_18 <= gate_rounded > WIDE_LIMIT ? WIDE_LIMIT[15:0]
                         : gate_rounded < -WIDE_LIMIT ? -WIDE_LIMIT[15:0] : gate_rounded[15:0];
            end
            assign norm[lane*ACTIVATION_BITS +: ACTIVATION_BITS] = norm_18;
            assign gate[lane*16 +: 16] = gate_18;
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && valid_in, {21'd0, width} <= MAX_WIDTH, "rows are wider than MAX_WIDTH")
    `REQUIRE(rst_n && valid_in, {15'd0, root} <= 1 << (ROOT_BITS - 1), "a root is above 2")
    `REQUIRE(rst_n && valid_in, shift != 0 && shift <= 60, "shift is not 1 ... 60")
endmodule
`default_nettype wire
