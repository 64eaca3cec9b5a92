// SPDX-License-Identifier: MIT
// Signed product of a wide and a narrow operand, as sums of products that fit the multiplier of one DSP block each.
//
//   product = wide · narrow = Σ_i digit_i·narrow·2^(DIGIT_BITS·i),  the last digit signed, all others not
//
// A narrow operand of up to 18 bits leaves the block's wide port, DSP_WIDE_BITS, to the digits; a wider one has that port,
// and digits are of 17 bits. A last digit of at most LUT_BITS bits takes LUTs: Σ_j ±(0 … 3)·narrow·4^j, the last pair of
// its bits signed, so that 32 bits times 17 are one DSP48E2.
// A DSP48E1 multiplies 25 × 18: of a wider narrow operand, each product takes two.
// Precondition: NARROW_BITS ≤ 28 (beyond 27, as W16A16 gives at most, a few LUTs help the DSP).
// Latency: 2 (partial products, their sum); the operands should come from registers, which move into the DSP.
// Depth: one multiplication; one addition of 1 … 4 terms.
`default_nettype none
module multiplier #(
    parameter WIDE_BITS = 32,
    parameter NARROW_BITS = 17,
    parameter DSP_WIDE_BITS = 27
) (
    input  wire                                    clk,
    input  wire signed [WIDE_BITS-1:0]             wide,
    input  wire signed [NARROW_BITS-1:0]           narrow,
    output reg  signed [WIDE_BITS+NARROW_BITS-1:0] product
);
    localparam LUT_BITS = 6;
    localparam PORT_BITS = NARROW_BITS <= 18 ? DSP_WIDE_BITS : 18;
    localparam DIGIT_BITS = PORT_BITS - 1;
    localparam DIGITS = WIDE_BITS <= PORT_BITS ? 1 : (WIDE_BITS - 2) / DIGIT_BITS + 1;
    localparam TOP_BITS = WIDE_BITS - DIGIT_BITS * (DIGITS - 1);
    localparam TOP_PARTIAL_BITS = TOP_BITS + NARROW_BITS;
    localparam PARTIAL_BITS = PORT_BITS + NARROW_BITS;
    localparam PRODUCT_BITS = WIDE_BITS + NARROW_BITS;

    wire signed [TOP_BITS-1:0] top_digit = wide[WIDE_BITS-1 -: TOP_BITS];
    wire [TOP_PARTIAL_BITS-1:0] top_partial;
    generate
        if (DIGITS > 1 && TOP_BITS <= LUT_BITS) begin : top_in_luts
            localparam PAIRS = (TOP_BITS + 1) / 2;
            localparam TERM_BITS = NARROW_BITS + 2;
            wire [2*PAIRS:0] bits = {{(2*PAIRS+1-TOP_BITS){top_digit[TOP_BITS-1]}}, top_digit};  // one more than is used
            wire [TERM_BITS-1:0] once = {{2{narrow[NARROW_BITS-1]}}, narrow};
            wire [TERM_BITS-1:0] twice = {narrow[NARROW_BITS-1], narrow, 1'b0};
            reg [PAIRS*TERM_BITS-1:0] terms;
            reg [TOP_PARTIAL_BITS:0] sum;  // one bit more than is used
            integer pair, term;
            always @(posedge clk) begin
                for (pair = 0; pair < PAIRS - 1; pair = pair + 1)
                    terms[pair*TERM_BITS +: TERM_BITS] <=
                        ({TERM_BITS{bits[2*pair]}} & once) + ({TERM_BITS{bits[2*pair+1]}} & twice);
                terms[(PAIRS-1)*TERM_BITS +: TERM_BITS] <=
                    ({TERM_BITS{bits[2*PAIRS-2]}} & once) - ({TERM_BITS{bits[2*PAIRS-1]}} & twice);
            end
            always @* begin
                sum = {(TOP_PARTIAL_BITS+1){1'b0}};
                for (term = 0; term < PAIRS; term = term + 1)
                    sum = sum + ({{(TOP_BITS-1){terms[(term+1)*TERM_BITS-1]}}, terms[term*TERM_BITS +: TERM_BITS]} << 2 * term);
            end
            assign top_partial = sum[TOP_PARTIAL_BITS-1:0];
            wire unused = &{1'b0, bits[2*PAIRS], sum[TOP_PARTIAL_BITS]};
        end else begin : top_in_dsp
            reg signed [TOP_PARTIAL_BITS-1:0] registered;
            always @(posedge clk) registered <= top_digit * narrow;
            assign top_partial = registered;
        end
    endgenerate

    generate
        if (DIGITS == 1) begin : one_digit
            always @(posedge clk) product <= top_partial;
        end else begin : several_digits
            reg [(DIGITS-1)*PARTIAL_BITS-1:0] partials;
            reg [PRODUCT_BITS-1:0] sum;
            integer low, high;
            always @(posedge clk)
                for (low = 0; low < DIGITS - 1; low = low + 1)
                    partials[low*PARTIAL_BITS +: PARTIAL_BITS] <=
                        $signed({1'b0, wide[DIGIT_BITS*low +: DIGIT_BITS]}) * narrow;
            always @* begin
                sum = {{(PRODUCT_BITS-TOP_PARTIAL_BITS){top_partial[TOP_PARTIAL_BITS-1]}}, top_partial}
                    << DIGIT_BITS * (DIGITS - 1);
                for (high = 0; high < DIGITS - 1; high = high + 1)
                    sum = sum + ({{(PRODUCT_BITS-PARTIAL_BITS){partials[(high+1)*PARTIAL_BITS-1]}},
                                  partials[high*PARTIAL_BITS +: PARTIAL_BITS]} << DIGIT_BITS * high);
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
