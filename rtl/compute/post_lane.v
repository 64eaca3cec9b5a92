// SPDX-License-Identifier: MIT
// One post lane: a sum of the array through every epilogue; the pass decides which result is used.
//
//   y = saturate(round_shift((256·high + sum + bias)·factor, shift)),  RESIDUAL_BITS + GUARD_BITS wide
//   activation, score, head = y saturated further, wide = y within ±WIDE_LIMIT or 0;  gelu = GELU epilogue of y
//   residual_out = saturate(residual + round_shift(y·weight, SCORE_WEIGHT_BITS + (guarded ? GUARD_BITS : 0)))
// RESIDUAL has weight 2^SCORE_WEIGHT_BITS and is not guarded, score-weighted experts have the score and are. A lane without
// WEIGHS is for the first of them alone, and needs no multiplication there. Others weigh with the requantiser of GELU, which
// `weighs` takes from it: a sum is for one or the other.
//
// high is the sum of high digits where tokens are wide; JOINED_BITS is then wider than ACCUMULATOR_BITS, and else high and
// wide are 0.
// Cycles, sum, high and bias arriving in 0: factor, shift 1; activation, score, head, wide 9; weighs, weight, guarded 13;
// residual 20; residual_out, gelu 21. Depth: see requantise, gelu; an addition of JOINED_BITS, three terms if wide.
`default_nettype none
module post_lane #(
    parameter ACCUMULATOR_BITS = 32,
    parameter JOINED_BITS = 32,
    parameter WIDE_LIMIT = 32639,
    parameter DSP_WIDE_BITS = 27,
    parameter FACTOR_BITS = 16,
    parameter MULTIPLIER_BITS = 16,
    parameter SCORE_WEIGHT_BITS = 16,
    parameter GUARD_BITS = 4,
    parameter WEIGHS = 1,
    parameter ACTIVATION_BITS = 8,
    parameter SCORE_BITS = 16,
    parameter OUTPUT_BITS = 16,
    parameter RESIDUAL_BITS = 16,
    parameter ZERO_BITS = 16,
    parameter FINE = 0,  // see gelu
    parameter GELU_BITS = 18,
    parameter GELU_FRACTION = 10,
    parameter GELU_STEP_BITS = 6,  // entries of δ per unit, log2
    parameter GELU_TABLES = 1,  // activation functions, 1, 2 or 4
    parameter DELTA_ENTRIES = 256,  // of each table
    parameter GELU_DELTA_TABLE_BITS = 8,
    parameter [GELU_TABLES*(DELTA_ENTRIES+FINE)*GELU_DELTA_TABLE_BITS-1:0] GELU_DELTA_TABLE = 0  // δ, entry 0 lowest
) (
    input  wire                               clk,
    input  wire                               rst_n,
    input  wire signed [ACCUMULATOR_BITS-1:0] sum,
    input  wire signed [ACCUMULATOR_BITS-1:0] high,
    input  wire signed [ACCUMULATOR_BITS-1:0] bias,
    input  wire        [FACTOR_BITS-1:0]      factor,
    input  wire        [5:0]                  shift,
    input  wire        [1:0]                  gelu_activation,
    input  wire        [MULTIPLIER_BITS-1:0]  gelu_multiplier,
    input  wire        [5:0]                  gelu_shift,
    input  wire signed [ZERO_BITS-1:0]        gelu_zero,
    input  wire                               weighs,
    input  wire        [SCORE_WEIGHT_BITS:0]  weight,
    input  wire                               guarded,
    input  wire signed [RESIDUAL_BITS-1:0]    residual,
    output reg  signed [ACTIVATION_BITS-1:0]  activation,
    output reg  signed [SCORE_BITS-1:0]       score,
    output reg  signed [OUTPUT_BITS-1:0]      head,
    output reg  signed [15:0]                 wide,
    output wire signed [ACTIVATION_BITS-1:0]  gelu_out,
    output reg  signed [RESIDUAL_BITS-1:0]    residual_out
);
    localparam POST_BITS = RESIDUAL_BITS + GUARD_BITS;  // the widest that any epilogue keeps
    localparam UPDATE_BITS = RESIDUAL_BITS + 2;

    reg signed [JOINED_BITS-1:0] value_1;
    wire signed [POST_BITS-1:0] y_8;
    wire [1:0] unused_valid;
    generate
        if (JOINED_BITS > ACCUMULATOR_BITS) begin : joined
            localparam MORE = JOINED_BITS - ACCUMULATOR_BITS;
            always @(posedge clk)
                value_1 <= {{MORE{sum[ACCUMULATOR_BITS-1]}}, sum} + {{MORE{bias[ACCUMULATOR_BITS-1]}}, bias}
                    + {high, {MORE{1'b0}}};
            always @(posedge clk)
                wide <= y_8 > WIDE_LIMIT ? WIDE_LIMIT[15:0] : y_8 < -WIDE_LIMIT ? -WIDE_LIMIT[15:0] : y_8[15:0];
        end else begin : whole
            always @(posedge clk) value_1 <= sum + bias;
            always @(posedge clk) wide <= 16'd0;
            wire unused_high = &{1'b0, high};
        end
    endgenerate
    requantise #(
        .VALUE_BITS(JOINED_BITS), .MULTIPLIER_WIDTH(FACTOR_BITS), .RESULT_BITS(POST_BITS), .DSP_WIDE_BITS(DSP_WIDE_BITS)
    ) scale (
        .clk(clk), .rst_n(rst_n), .valid_in(1'b1), .value(value_1), .multiplier(factor), .shift(shift),
        .valid_out(unused_valid[0]), .result(y_8));

    // Saturation to BITS bits: all bits from the sign of the result upwards are alike.
    wire fits_activation = &y_8[POST_BITS-1:ACTIVATION_BITS-1] | ~|y_8[POST_BITS-1:ACTIVATION_BITS-1];
    wire fits_score = &y_8[POST_BITS-1:SCORE_BITS-1] | ~|y_8[POST_BITS-1:SCORE_BITS-1];
    wire fits_head = &y_8[POST_BITS-1:OUTPUT_BITS-1] | ~|y_8[POST_BITS-1:OUTPUT_BITS-1];
    wire fits_gelu = &y_8[POST_BITS-1:GELU_BITS-1] | ~|y_8[POST_BITS-1:GELU_BITS-1];
    wire negative = y_8[POST_BITS-1];
    reg signed [GELU_BITS-1:0] gelu_9;
    always @(posedge clk) begin
        activation <= fits_activation ? y_8[ACTIVATION_BITS-1:0] : {negative, {(ACTIVATION_BITS-1){!negative}}};
        score <= fits_score ? y_8[SCORE_BITS-1:0] : {negative, {(SCORE_BITS-1){!negative}}};
        head <= fits_head ? y_8[OUTPUT_BITS-1:0] : {negative, {(OUTPUT_BITS-1){!negative}}};
        gelu_9 <= fits_gelu ? y_8[GELU_BITS-1:0] : {negative, {(GELU_BITS-1){!negative}}};
    end
    wire signed [POST_BITS-1:0] y_13;
    wire signed [UPDATE_BITS-1:0] weighed_20;
    wire [5:0] weight_shift = SCORE_WEIGHT_BITS[5:0] + (guarded ? GUARD_BITS[5:0] : 6'd0);
    gelu #(
        .FINE(FINE), .ACTIVATION_BITS(ACTIVATION_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS), .ZERO_BITS(ZERO_BITS),
        .GELU_BITS(GELU_BITS), .GELU_FRACTION(GELU_FRACTION), .GELU_STEP_BITS(GELU_STEP_BITS),
        .GELU_TABLES(GELU_TABLES), .DELTA_ENTRIES(DELTA_ENTRIES), .GELU_DELTA_TABLE_BITS(GELU_DELTA_TABLE_BITS),
        .GELU_DELTA_TABLE(GELU_DELTA_TABLE), .SHARES(WEIGHS), .LENT_BITS(POST_BITS),
        .LENT_MULTIPLIER_BITS(SCORE_WEIGHT_BITS + 1), .LENT_RESULT_BITS(UPDATE_BITS)
    ) activate (
        .clk(clk), .rst_n(rst_n), .valid_in(1'b1), .value(gelu_9), .activation(gelu_activation),
        .multiplier(gelu_multiplier), .shift(gelu_shift), .zero(gelu_zero), .lend(weighs), .lent_value(y_13),
        .lent_multiplier(weight), .lent_shift(weight_shift), .lent_result(weighed_20), .valid_out(unused_valid[1]), .result(gelu_out));

    wire signed [UPDATE_BITS-1:0] update_20;
    generate
        if (WEIGHS != 0) begin : weighed
            reg [5*POST_BITS-1:0] waiting;  // cycles 9 … 13, the youngest in the low bits
            always @(posedge clk) waiting <= {waiting[4*POST_BITS-1:0], y_8};
            assign y_13 = waiting[4*POST_BITS +: POST_BITS];
            assign update_20 = weighed_20;
        end else begin : as_it_is
            wire fits_update = &y_8[POST_BITS-1:UPDATE_BITS-1] | ~|y_8[POST_BITS-1:UPDATE_BITS-1];
            reg [12*UPDATE_BITS-1:0] updates;  // cycles 9 … 20, the youngest in the low bits
            always @(posedge clk)
                updates <= {updates[11*UPDATE_BITS-1:0],
                            fits_update ? y_8[UPDATE_BITS-1:0] : {negative, {(UPDATE_BITS-1){!negative}}}};
            assign y_13 = {POST_BITS{1'b0}};
            assign update_20 = updates[11*UPDATE_BITS +: UPDATE_BITS];
            wire unused_weighed = &{1'b0, weighed_20};
        end
    endgenerate
    wire signed [UPDATE_BITS:0] updated = {update_20[UPDATE_BITS-1], update_20}
        + {{(UPDATE_BITS+1-RESIDUAL_BITS){residual[RESIDUAL_BITS-1]}}, residual};
    wire fits_residual = &updated[UPDATE_BITS:RESIDUAL_BITS-1] | ~|updated[UPDATE_BITS:RESIDUAL_BITS-1];
    always @(posedge clk)
        residual_out <= fits_residual ? updated[RESIDUAL_BITS-1:0]
            : {updated[UPDATE_BITS], {(RESIDUAL_BITS-1){!updated[UPDATE_BITS]}}};
    wire unused = &{1'b0, unused_valid};
endmodule
`default_nettype wire
