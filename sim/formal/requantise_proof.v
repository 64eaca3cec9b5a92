// SPDX-License-Identifier: MIT
// requantise against its formula, for every value, multiplier and shift of the precondition.
//
//   product = value·multiplier, by a digit of 26 bits and pairs of bits above it
//                                                               partials_are_exact, product_is_their_sum
//   result = saturate(round_shift(product, shift))              rounds_the_product, with the shift of the same value
`default_nettype none
module requantise_proof #(
    parameter VALUE_BITS = 32,
    parameter MULTIPLIER_WIDTH = 16,
    parameter RESULT_BITS = 20
) (
    input wire                         clk,
    input wire                         valid_in,
    input wire signed [VALUE_BITS-1:0] value,
    input wire [MULTIPLIER_WIDTH-1:0]  multiplier,
    input wire [5:0]                   shift
);
    localparam PRODUCT_BITS = VALUE_BITS + MULTIPLIER_WIDTH + 1;
    localparam LOW_DIGIT = 26;  // what a DSP48E2's wide port holds beside a sign
    localparam LOW_BITS = LOW_DIGIT + MULTIPLIER_WIDTH + 2;
    localparam TOP_BITS = PRODUCT_BITS - LOW_DIGIT;
    localparam TERM_BITS = MULTIPLIER_WIDTH + 3;
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire valid_out;
    wire signed [RESULT_BITS-1:0] result;
    requantise #(.VALUE_BITS(VALUE_BITS), .MULTIPLIER_WIDTH(MULTIPLIER_WIDTH), .RESULT_BITS(RESULT_BITS)) unit (.*);
    reg [3:0] cycle = 0;
    always @(posedge clk) cycle <= cycle + (cycle != 15);

    (* hierconn *) wire signed [PRODUCT_BITS-1:0] \unit.product ;
    (* hierconn *) wire [3*TERM_BITS-1:0] \unit.split_value.multiply.top_in_luts.terms ;
    (* hierconn *) wire [LOW_BITS-1:0] \unit.split_value.multiply.several_digits.partials ;
    wire signed [LOW_BITS-1:0] low = \unit.split_value.multiply.several_digits.partials ;
    wire [3*TERM_BITS-1:0] terms = \unit.split_value.multiply.top_in_luts.terms ;
    wire signed [MULTIPLIER_WIDTH:0] factor = {1'b0, multiplier};
    wire signed [LOW_DIGIT:0] low_digit = {1'b0, value[LOW_DIGIT-1:0]};
    wire signed [LOW_BITS-1:0] low_exact = low_digit * factor;
    // The pairs of bits above the digit, the last one signed: 3 is −1 there, and 2 is −2.
    wire [1:0] pair_0 = value[LOW_DIGIT +: 2];
    wire [1:0] pair_1 = value[LOW_DIGIT+2 +: 2];
    wire [1:0] pair_2 = value[LOW_DIGIT+4 +: 2];
    wire signed [TERM_BITS-1:0] once = factor, twice = once <<< 1, thrice = once + twice;
    wire signed [TERM_BITS-1:0] exact_0 = pair_0 == 3 ? thrice : pair_0 == 2 ? twice : pair_0 == 1 ? once : 0;
    wire signed [TERM_BITS-1:0] exact_1 = pair_1 == 3 ? thrice : pair_1 == 2 ? twice : pair_1 == 1 ? once : 0;
    wire signed [TERM_BITS-1:0] exact_2 = pair_2 == 3 ? -once : pair_2 == 2 ? -twice : pair_2 == 1 ? once : 0;
    wire signed [TERM_BITS-1:0] term_0 = terms[0 +: TERM_BITS];
    wire signed [TERM_BITS-1:0] term_1 = terms[TERM_BITS +: TERM_BITS];
    wire signed [TERM_BITS-1:0] term_2 = terms[2*TERM_BITS +: TERM_BITS];
    // Modulo 2^TOP_BITS, which the product of these bits and the multiplier fits.
    wire signed [TOP_BITS-1:0] top = term_0 + (term_1 <<< 2) + (term_2 <<< 4);
    wire signed [PRODUCT_BITS-1:0] sum = (top <<< LOW_DIGIT) + low;

    // The formula, for the product there is and the shift of its value.
    reg [5:0] shift_1, shift_2, shift_3;
    wire signed [PRODUCT_BITS:0] half = shift_3 == 0 ? 0 : {{PRODUCT_BITS{1'b0}}, 1'b1} << (shift_3 - 6'd1);
    wire signed [PRODUCT_BITS:0] exact =
        shift_3 > PRODUCT_BITS ? 0 : $signed({\unit.product [PRODUCT_BITS-1], \unit.product } + half) >>> shift_3;
    localparam signed [PRODUCT_BITS:0] MOST = {{(PRODUCT_BITS-RESULT_BITS+2){1'b0}}, {(RESULT_BITS-1){1'b1}}};
    wire signed [RESULT_BITS-1:0] expected = exact > MOST ? MOST : exact < -MOST - 1 ? -MOST - 1 : exact;
    always @(posedge clk) begin
        {shift_1, shift_2, shift_3} <= {shift, shift_1, shift_2};
        assume (shift <= 6'd60);
        if (cycle >= 2) partials_are_exact: assert (
            low == $past(low_exact, 2) && terms == {$past(exact_2, 2), $past(exact_1, 2), $past(exact_0, 2)});
        if (cycle >= 1) product_is_their_sum: assert (\unit.product == $past(sum));
        if (cycle >= 7) rounds_the_product: assert (result == $past(expected, 4));
        if (cycle >= 8) valid_follows: assert (valid_out == $past(valid_in, 7));
    end
endmodule
`default_nettype wire
