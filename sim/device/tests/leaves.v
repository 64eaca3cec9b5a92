// SPDX-License-Identifier: MIT
// Arithmetic units beside each other, for tests that map arrays through one of them: the harness of leaves.cpp drives it.
`default_nettype none
module edgemoe_top (
    input  wire               clk,
    input  wire               rst_n,
    // requantise: a result per width
    input  wire               requantise_valid,
    input  wire signed [47:0] value,
    input  wire        [15:0] multiplier,
    input  wire        [5:0]  shift,
    output wire               requantised_valid,
    output wire signed [63:0] requantised [0:7],
    // gelu, on the grid of multiplier, shift and zero
    input  wire               gelu_valid,
    input  wire        [1:0]  gelu_activation,
    input  wire signed [15:0] zero,
    output wire               gelu_done,
    output wire signed [63:0] gelu_result,
    // reciprocal
    input  wire               reciprocal_start,
    input  wire        [27:0] total,
    output wire               reciprocal_done,
    output wire        [31:0] inverse,
    output wire        [31:0] length,
    // softmax: scores of the keys of one query in words, then the same keys' exponentials
    input  wire               write_valid,
    input  wire               write_first,
    input  wire        [15:0] word,
    input  wire signed [31:0] scores [0:15],
    input  wire        [15:0] write_mask,
    input  wire        [15:0] read_word,
    input  wire        [15:0] read_part,
    input  wire        [15:0] read_mask,
    output wire        [31:0] exponentials [0:15],
    output wire        [7:0]  keys_read,
    output wire        [7:0]  keys_written,
    output wire        [7:0]  sweep_cycles
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
    genvar n;
    generate
        for (n = 0; n < 8; n = n + 1) begin : widths
            localparam BITS = n == 0 ? 8 : n == 1 ? 16 : n == 2 ? 18 : n == 3 ? 20 : n == 4 ? 24 : n == 5 ? 28
                : n == 6 ? 48 : 60;
            wire signed [BITS-1:0] result;
            wire valid;
            requantise #(.VALUE_BITS(48), .MULTIPLIER_WIDTH(16), .RESULT_BITS(BITS)) unit (
                .clk(clk), .rst_n(rst_n), .valid_in(requantise_valid), .value(value), .multiplier(multiplier),
                .shift(shift), .valid_out(valid), .result(result));
            assign requantised[n] = result;
        end
    endgenerate
    assign requantised_valid = widths[0].valid;

    wire signed [ACTIVATION_BITS-1:0] activation;
    assign gelu_result = activation;
    gelu #(
        .FINE(FINE), .ACTIVATION_BITS(ACTIVATION_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS),
        .ZERO_BITS(FIELD_OUTPUT_ZERO_WIDTH), .GELU_BITS(GELU_BITS), .GELU_FRACTION(GELU_FRACTION),
        .GELU_STEP_BITS(GELU_STEP_BITS), .GELU_TABLES(GELU_TABLES), .DELTA_ENTRIES(DELTA_ENTRIES), .GELU_DELTA_TABLE_BITS(GELU_DELTA_TABLE_BITS),
        .GELU_DELTA_TABLE(GELU_DELTA_TABLE)
    ) activations (
        .clk(clk), .rst_n(rst_n), .valid_in(gelu_valid), .value(value[GELU_BITS-1:0]), .activation(gelu_activation),
        .multiplier(multiplier), .shift(shift), .zero(zero), .valid_out(gelu_done), .result(activation));

    wire [RECIPROCAL_BITS-1:0] quotient;
    wire [4:0] bit_length;
    assign inverse = quotient;
    assign length = bit_length;
    reciprocal #(.TOTAL_BITS(28), .RECIPROCAL_BITS(RECIPROCAL_BITS)) divide (
        .clk(clk), .rst_n(rst_n), .start(reciprocal_start), .ready(), .total(total), .done(reciprocal_done),
        .result(quotient), .length(bit_length));

    assign keys_read = IN_PAR;
    assign keys_written = OUT_PAR;
    assign sweep_cycles = SWEEP_LATENCY;
    wire [OUT_PAR*SCORE_BITS-1:0] word_scores;
    wire [IN_PAR*EXPONENTIAL_BITS-1:0] made;
    generate
        for (n = 0; n < OUT_PAR; n = n + 1) begin : written
            assign word_scores[n*SCORE_BITS +: SCORE_BITS] = scores[n][SCORE_BITS-1:0];
        end
        for (n = 0; n < 16; n = n + 1) begin : read
            if (n < IN_PAR) assign exponentials[n] = made[n*EXPONENTIAL_BITS +: EXPONENTIAL_BITS];
            else assign exponentials[n] = 32'd0;
        end
    endgenerate
    softmax #(
        .OUT_PAR(OUT_PAR), .IN_PAR(IN_PAR), .SCORE_BITS(SCORE_BITS), .SCORE_FRACTION(SCORE_FRACTION),
        .EXPONENTIAL_BITS(EXPONENTIAL_BITS), .SCORE_ADDRESS_BITS(SCORE_ADDRESS_BITS), .QUERY_BITS(QUERY_BITS),
        .TOTAL_BITS(TOTAL_BITS), .RECIPROCAL_BITS(RECIPROCAL_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS),
        .FACTOR_BITS(FACTOR_BITS), .FINE(FINE), .EXP2_TABLE_BITS(EXP2_TABLE_BITS), .EXP2_TABLE(EXP2_TABLE),
        .FINE_EXP2_HIGH_TABLE_BITS(FINE_EXP2_HIGH_TABLE_BITS), .FINE_EXP2_HIGH_TABLE(FINE_EXP2_HIGH_TABLE),
        .FINE_EXP2_LOW_TABLE_BITS(FINE_EXP2_LOW_TABLE_BITS), .FINE_EXP2_LOW_TABLE(FINE_EXP2_LOW_TABLE)
    ) weights (
        .clk(clk), .rst_n(rst_n), .write_valid(write_valid), .write_first(write_first),
        .write_address(word[SCORE_ADDRESS_BITS-1:0]), .write_scores(word_scores), .write_mask(write_mask[OUT_PAR-1:0]),
        .read_address(read_word[SCORE_ADDRESS_BITS-1:0]), .read_part(read_part[0]), .step_valid(1'b0),
        .step_summed(1'b0), .step_first(1'b0), .step_last(1'b0), .step_query(4'd0), .step_mask(read_mask[IN_PAR-1:0]),
        .exponentials(made), .output_multiplier(16'd0), .output_shift(6'd0), .scale_query(4'd0), .scale_factor(),
        .scale_shift(), .scaled_rows());
endmodule
`default_nettype wire
