// SPDX-License-Identifier: MIT
// requantise against its formula, for every value, multiplier and shift of the precondition.
//
//   product = value·multiplier, by digits of 17 bits            partials_are_exact, product_is_their_sum
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
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire valid_out;
    wire signed [RESULT_BITS-1:0] result;
    requantise #(.VALUE_BITS(VALUE_BITS), .MULTIPLIER_WIDTH(MULTIPLIER_WIDTH), .RESULT_BITS(RESULT_BITS)) unit (.*);
    reg [3:0] cycle = 0;
    always @(posedge clk) cycle <= cycle + (cycle != 15);

    (* hierconn *) wire signed [PRODUCT_BITS-1:0] \unit.product ;
    (* hierconn *) wire [VALUE_BITS-17+MULTIPLIER_WIDTH:0] \unit.split_value.multiply.top_partial ;
    (* hierconn *) wire [MULTIPLIER_WIDTH+18:0] \unit.split_value.multiply.several_digits.partials ;
    wire signed [MULTIPLIER_WIDTH+18:0] low = \unit.split_value.multiply.several_digits.partials ;
    wire signed [VALUE_BITS-17+MULTIPLIER_WIDTH:0] top = \unit.split_value.multiply.top_partial ;
    wire signed [MULTIPLIER_WIDTH:0] factor = {1'b0, multiplier};
    wire signed [17:0] low_digit = {1'b0, value[16:0]};
    wire signed [VALUE_BITS-18:0] top_digit = value[VALUE_BITS-1:17];
    wire signed [MULTIPLIER_WIDTH+18:0] low_exact = low_digit * factor;
    wire signed [VALUE_BITS-17+MULTIPLIER_WIDTH:0] top_exact = top_digit * factor;
    wire signed [PRODUCT_BITS-1:0] sum = (top <<< 17) + low;

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
        if (cycle >= 2) partials_are_exact: assert (low == $past(low_exact, 2) && top == $past(top_exact, 2));
        if (cycle >= 1) product_is_their_sum: assert (\unit.product == $past(sum));
        if (cycle >= 7) rounds_the_product: assert (result == $past(expected, 4));
        if (cycle >= 8) valid_follows: assert (valid_out == $past(valid_in, 7));
    end
endmodule
`default_nettype wire
