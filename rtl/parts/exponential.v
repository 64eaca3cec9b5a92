// SPDX-License-Identifier: MIT
// Base-2 exponential of a score below its row's maximum in whole octaves: e = exp2(t − m), unsigned.
//
//   d = m·2^F − t
//   coarse (FINE_PRODUCT = 0): e = round_shift(T[d mod 2^F], d div 2^F)                   F = SCORE_FRACTION
//   fine   (FINE_PRODUCT = 1): e = round_shift(high[d₁]·low[d₀], 16 + d div 2^F)          F = GATE_FRACTION
//
// W8A8's attention is coarse; W16A16's attention and the gate of both precisions are fine.
// Precondition: d ≥ 0, that is m ≥ ⌈t⌉, where the result is used.
// Latency: 6 in both forms (distance, tables, product 2, shift, round; the coarse form waits the product out).
// Depth: a subtraction; a table of 64; one multiplication; a barrel shift by up to 17; an incrementer.
`default_nettype none
module exponential #(
    parameter FINE_PRODUCT = 1,
    parameter T_BITS = 24,
    parameter T_FRACTION = 12,
    parameter E_BITS = 16,
    parameter FINE_HALF_BITS = 6,  // index bits of each fine table
    parameter EXP2_TABLE_BITS = 10,
    parameter [64*EXP2_TABLE_BITS-1:0] EXP2_TABLE = 0,  // entry 0 in the low bits, as in the next two
    parameter FINE_EXP2_HIGH_TABLE_BITS = 16,
    parameter [64*FINE_EXP2_HIGH_TABLE_BITS-1:0] FINE_EXP2_HIGH_TABLE = 0,
    parameter FINE_EXP2_LOW_TABLE_BITS = 17,
    parameter [64*FINE_EXP2_LOW_TABLE_BITS-1:0] FINE_EXP2_LOW_TABLE = 0
) (
    input  wire                              clk,
    input  wire                              rst_n,
    input  wire                              valid_in,
    input  wire signed [T_BITS-1:0]          score,
    input  wire signed [T_BITS-T_FRACTION:0] octave,
    output wire                              valid_out,
    output reg         [E_BITS-1:0]          result
);
    localparam OCTAVE_BITS = T_BITS - T_FRACTION + 1;
    localparam ENTRIES = 64;
    localparam SHIFT_BITS = 5;
    localparam NOTHING_LEFT = E_BITS + 1;

    wire [T_BITS:0] distance = {octave, {T_FRACTION{1'b0}}} - {score[T_BITS-1], score};
    reg [5:0] valid;
    // Two cycles of waiting, one in front of a table and one behind it: three in a row would be shift registers of LUTs.
    reg [OCTAVE_BITS-1:0] octaves, octaves_2;
    reg [T_FRACTION-1:0] fraction;
    reg [SHIFT_BITS-1:0] shift_3, shift_4;
    wire [E_BITS:0] mantissa;  // 2^(−fraction); the lowest bit is the one behind the point
    reg [E_BITS:0] shifted;

    always @(posedge clk) begin
        valid <= rst_n ? {valid[4:0], valid_in} : 6'd0;
        octaves <= distance[T_BITS:T_FRACTION];
        fraction <= distance[T_FRACTION-1:0];
        octaves_2 <= octaves;
        shift_3 <= octaves_2 < NOTHING_LEFT[OCTAVE_BITS-1:0] ? octaves_2[SHIFT_BITS-1:0] : NOTHING_LEFT[SHIFT_BITS-1:0];
        shift_4 <= shift_3;
        shifted <= mantissa >> shift_4;
        result <= shifted[E_BITS:1] + {{(E_BITS-1){1'b0}}, shifted[0]};
    end
    assign valid_out = valid[5];

    integer entry;
    generate
        if (FINE_PRODUCT != 0) begin : fine
            localparam HIGH = FINE_EXP2_HIGH_TABLE_BITS;
            localparam LOW = FINE_EXP2_LOW_TABLE_BITS;
            reg [HIGH-1:0] high_table [0:ENTRIES-1];
            reg [LOW-1:0] low_table [0:ENTRIES-1];
            initial
                for (entry = 0; entry < ENTRIES; entry = entry + 1) begin
                    high_table[entry] = FINE_EXP2_HIGH_TABLE[entry*HIGH +: HIGH];
                    low_table[entry] = FINE_EXP2_LOW_TABLE[entry*LOW +: LOW];
                end

            reg [HIGH-1:0] high_factor;
            reg [LOW-1:0] low_factor;
            reg [HIGH+LOW-1:0] product_3;
            reg [E_BITS:0] product_4;
            always @(posedge clk) begin
                high_factor <= high_table[fraction[2*FINE_HALF_BITS-1 -: FINE_HALF_BITS]];
                low_factor <= low_table[fraction[FINE_HALF_BITS-1:0]];
                product_3 <= high_factor * low_factor;
                product_4 <= product_3[15 +: E_BITS+1];  // the low factor is Q.16 and at most 1
            end
            assign mantissa = product_4;
            wire unused = &{1'b0, product_3[HIGH+LOW-1], product_3[14:0]};
        end else begin : coarse
            reg [EXP2_TABLE_BITS-1:0] exp2_table [0:ENTRIES-1];
            initial
                for (entry = 0; entry < ENTRIES; entry = entry + 1)
                    exp2_table[entry] = EXP2_TABLE[entry*EXP2_TABLE_BITS +: EXP2_TABLE_BITS];

            reg [T_FRACTION-1:0] fraction_2;
            reg [EXP2_TABLE_BITS-1:0] entry_3, entry_4;
            always @(posedge clk) begin
                fraction_2 <= fraction;
                entry_3 <= exp2_table[fraction_2];
                entry_4 <= entry_3;
            end
            assign mantissa = {entry_4, 1'b0};
        end
    endgenerate
endmodule
`default_nettype wire
