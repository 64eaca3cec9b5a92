// SPDX-License-Identifier: MIT
// Signed product of a wide and a narrow operand, as sums of products that fit the 27 × 18 multiplier of a DSP48E2.
//
//   product = wide · narrow = Σ_i digit_i·narrow·2^(17·i),  digits of 17 bits, the last one signed with up to 18
//
// A DSP48E1 multiplies 25 × 18: of a wider narrow operand, each product takes two.
// Precondition: NARROW_BITS ≤ 28 (beyond 27, as W16A16 gives at most, a few LUTs help the DSP).
// Latency: 2 (partial products, their sum); the operands should come from registers, which move into the DSP.
// Depth: one multiplication; one addition of 1 … 3 terms.
`default_nettype none
module multiplier #(
    parameter WIDE_BITS = 32,
    parameter NARROW_BITS = 17
) (
    input  wire                                    clk,
    input  wire signed [WIDE_BITS-1:0]             wide,
    input  wire signed [NARROW_BITS-1:0]           narrow,
    output reg  signed [WIDE_BITS+NARROW_BITS-1:0] product
);
    localparam DIGITS = WIDE_BITS <= 18 ? 1 : (WIDE_BITS - 2) / 17 + 1;
    localparam TOP_BITS = WIDE_BITS - 17 * (DIGITS - 1);
    localparam PARTIAL_BITS = 18 + NARROW_BITS;
    localparam PRODUCT_BITS = WIDE_BITS + NARROW_BITS;

    wire signed [TOP_BITS-1:0] top_digit = wide[WIDE_BITS-1 -: TOP_BITS];
    reg signed [TOP_BITS+NARROW_BITS-1:0] top_partial;
    always @(posedge clk) top_partial <= top_digit * narrow;

    generate
        if (DIGITS == 1) begin : one_digit
            always @(posedge clk) product <= top_partial;
        end else begin : several_digits
            reg [(DIGITS-1)*PARTIAL_BITS-1:0] partials;
            reg signed [PRODUCT_BITS-1:0] sum;
            integer low, high;
            always @(posedge clk)
                for (low = 0; low < DIGITS - 1; low = low + 1)
                    partials[low*PARTIAL_BITS +: PARTIAL_BITS] <= $signed({1'b0, wide[17*low +: 17]}) * narrow;
            always @* begin
                sum = {{(PRODUCT_BITS-TOP_BITS-NARROW_BITS){top_partial[TOP_BITS+NARROW_BITS-1]}}, top_partial}
                    << 17 * (DIGITS - 1);
                for (high = 0; high < DIGITS - 1; high = high + 1)
                    sum = sum + ({{(PRODUCT_BITS-PARTIAL_BITS){partials[(high+1)*PARTIAL_BITS-1]}},
                                  partials[high*PARTIAL_BITS +: PARTIAL_BITS]} << 17 * high);
            end
            always @(posedge clk) product <= sum;
        end
    endgenerate

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (NARROW_BITS > 28) begin : refused
            narrow_bits_must_be_at_most_28 stop ();
        end
    endgenerate
endmodule
`default_nettype wire
