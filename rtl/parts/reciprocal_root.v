// SPDX-License-Identifier: MIT
// Reciprocal square root of a variance, by leading-zero normalising, a table and Newton steps.
//
//   1/√variance ≈ root·2^−(R + exponent + P/2),   R = RSQRT_FRACTION, P = RSQRT_MANTISSA_BITS, 2^R ≤ root ≤ 2^(R+1)
//   mantissa = variance·4^−exponent, truncated to P bits, in [2^(P−2), 2^P)
//   root₀ = T[top 8 bits of mantissa];  each step: s = root·root >> R, p = mantissa·s >> P,
//                                                 root ← root·(3·2^R − p) >> (R + 1)
//
// Precondition: variance ≥ 1. One row a cycle.
// Latency: 4 + 9·RSQRT_STEPS (normalise 3, table 1, three times operands and a product of 2): 13 in W8A8, 22 in W16A16.
// Depth: two levels of the normalising shift; a table of 256; one multiplication; an addition.
`default_nettype none
`include "require.vh"
`include "attributes.vh"
module reciprocal_root #(
    parameter VARIANCE_BITS = 68,  // even
    parameter RSQRT_MANTISSA_BITS = 16,
    parameter RSQRT_FRACTION = 15,
    parameter RSQRT_STEPS = 1,  // Newton steps
    parameter RSQRT_INDEX_BITS = 8,
    parameter RSQRT_TABLE_SIZE = 192,
    parameter RSQRT_TABLE_BITS = 16,
    parameter [RSQRT_TABLE_SIZE*RSQRT_TABLE_BITS-1:0] RSQRT_TABLE = 0  // entry 0 in the low bits
) (
    input  wire                             clk,
    input  wire                             rst_n,
    input  wire                             valid_in,
    input  wire        [VARIANCE_BITS-1:0]  variance,
    output wire                             valid_out,
    output wire        [RSQRT_FRACTION+1:0] root,
    output wire signed [6:0]                exponent
);
    localparam PAIRS = VARIANCE_BITS / 2;
    localparam P = RSQRT_MANTISSA_BITS;
    localparam R = RSQRT_FRACTION;
    localparam ROOT_BITS = R + 2;
    localparam LATENCY = 4 + 9 * RSQRT_STEPS;

    reg [LATENCY-1:0] valid;
    always @(posedge clk) valid <= rst_n ? {valid[LATENCY-2:0], valid_in} : {LATENCY{1'b0}};
    assign valid_out = valid[LATENCY-1];

    // Shift left by whole pairs of bits until the top pair is not 00, two powers of two a stage.
    function [VARIANCE_BITS+5:0] normalise;  // {pairs shifted, value}
        input [5:0] pairs;
        input [VARIANCE_BITS-1:0] value;
        input integer step;
        normalise = |(value >> (VARIANCE_BITS - 2 * step)) ? {pairs, value} : {pairs + step[5:0], value << 2 * step};
    endfunction
    // `KEEP: both shifts by 16 come before the choice between them.
    `KEEP wire above_32 = |(variance >> (VARIANCE_BITS - 64));
    wire [VARIANCE_BITS+5:0] by_16 = above_32 ? normalise(6'd0, variance, 16) : normalise(6'd32, variance << 64, 16);
    reg [VARIANCE_BITS+5:0] stage_1, stage_2;
    wire [VARIANCE_BITS+5:0] by_8 = normalise(stage_1[VARIANCE_BITS +: 6], stage_1[VARIANCE_BITS-1:0], 8);
    wire [VARIANCE_BITS+5:0] by_4 = normalise(by_8[VARIANCE_BITS +: 6], by_8[VARIANCE_BITS-1:0], 4);
    wire [VARIANCE_BITS+5:0] by_2 = normalise(stage_2[VARIANCE_BITS +: 6], stage_2[VARIANCE_BITS-1:0], 2);
    wire [VARIANCE_BITS+5:0] by_1 = normalise(by_2[VARIANCE_BITS +: 6], by_2[VARIANCE_BITS-1:0], 1);
    reg [P-1:0] mantissa_3;
    reg signed [6:0] exponent_3;

    localparam ENTRIES = 1 << RSQRT_INDEX_BITS;
    localparam FIRST = ENTRIES - RSQRT_TABLE_SIZE;  // a normalised mantissa is at least 1/4
    reg [RSQRT_TABLE_BITS-1:0] rsqrt_table [0:ENTRIES-1];
    integer entry;
    initial
        for (entry = 0; entry < ENTRIES; entry = entry + 1)
            rsqrt_table[entry] = entry < FIRST ? {RSQRT_TABLE_BITS{1'b0}}
                : RSQRT_TABLE[(entry-FIRST)*RSQRT_TABLE_BITS +: RSQRT_TABLE_BITS];

    always @(posedge clk) begin
        stage_1 <= by_16;
        stage_2 <= by_4;
        mantissa_3 <= by_1[VARIANCE_BITS-1 -: P];
        exponent_3 <= $signed(PAIRS[6:0] - {1'b0, by_1[VARIANCE_BITS +: 6]} - (P[6:0] >> 1));
    end

    wire unused_below = &{1'b0, by_1[VARIANCE_BITS-P-1:0]};

    genvar step;
    generate
        for (step = 0; step < RSQRT_STEPS; step = step + 1) begin : newton
            wire [ROOT_BITS-1:0] root_in, root_out;
            wire [P-1:0] mantissa_in;
            wire signed [6:0] exponent_in;
            reg [9*P-1:0] mantissas;      // as they pass the 9 stages of this step
            reg [62:0] exponents;
            reg [9*ROOT_BITS-1:0] roots;
            if (step == 0) begin : opening
                reg [ROOT_BITS-1:0] guess;
                reg [P-1:0] mantissa_4;
                reg signed [6:0] exponent_4;
                always @(posedge clk) begin
                    guess <= {{(ROOT_BITS-RSQRT_TABLE_BITS){1'b0}}, rsqrt_table[mantissa_3[P-1 -: RSQRT_INDEX_BITS]]};
                    mantissa_4 <= mantissa_3;
                    exponent_4 <= exponent_3;
                end
                assign root_in = guess;
                assign mantissa_in = mantissa_4;
                assign exponent_in = exponent_4;
            end else begin : chained
                assign root_in = newton[step-1].root_out;
                assign mantissa_in = newton[step-1].mantissas[8*P +: P];
                assign exponent_in = newton[step-1].exponents[62:56];
            end
            localparam WORD = R + 4;  // s < 2^(R+2) and 3·2^R − p < 2^(R+2), with a sign and a bit to spare
            reg signed [WORD-1:0] factor_1, square_4, rest_7;
            reg signed [P:0] factor_4;
            reg signed [ROOT_BITS:0] root_1, factor_7;
            wire signed [ROOT_BITS+WORD:0] root_square, root_rest;
            wire signed [P+WORD:0] product;
            multiplier #(.WIDE_BITS(ROOT_BITS + 1), .NARROW_BITS(WORD)) square_root (
                .clk(clk), .wide(root_1), .narrow(factor_1), .product(root_square));
            multiplier #(.WIDE_BITS(P + 1), .NARROW_BITS(WORD)) times_mantissa (
                .clk(clk), .wide(factor_4), .narrow(square_4), .product(product));
            multiplier #(.WIDE_BITS(ROOT_BITS + 1), .NARROW_BITS(WORD)) correct (
                .clk(clk), .wide(factor_7), .narrow(rest_7), .product(root_rest));
            always @(posedge clk) begin
                mantissas <= {mantissas[0 +: 8*P], mantissa_in};
                exponents <= {exponents[55:0], exponent_in};
                roots <= {roots[0 +: 8*ROOT_BITS], root_in};
                root_1 <= {1'b0, root_in};
                factor_1 <= {2'b00, root_in};
                factor_4 <= {1'b0, mantissas[2*P +: P]};
                square_4 <= root_square[R +: WORD];
                factor_7 <= {1'b0, roots[5*ROOT_BITS +: ROOT_BITS]};
                rest_7 <= (3 << R) - product[P +: WORD];
            end
            assign root_out = root_rest[R+1 +: ROOT_BITS];
            wire unused = &{1'b0, root_square, product, root_rest, mantissas, roots};
        end
    endgenerate
    assign root = newton[RSQRT_STEPS-1].root_out;
    assign exponent = $signed(newton[RSQRT_STEPS-1].exponents[62:56]);

    // Preconditions.
    `REQUIRE(rst_n && valid_in, variance != 0, "variance is 0")
endmodule
`default_nettype wire
