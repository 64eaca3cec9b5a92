// SPDX-License-Identifier: MIT
// Signed product of a wide and a narrow operand, as sums of products that fit the multiplier of one DSP block.
//
//   product = wide · narrow = Σ_i digit_i·narrow·2^(DIGIT_BITS·i),  the last digit signed
//
// Digits have 24 bits where the narrow operand fits the 18-bit port, so that with their sign they fit the wide one, 27
// bits of a DSP48E2 and 25 of a DSP48E1; else 17, and a DSP48E1 takes two blocks for each product. A last digit of few
// bits beside digits of 24 is multiplied in LUTs, by Booth rows: two of its bits choose −2, −1, 0, 1 or 2 times the narrow
// operand.
// Precondition: NARROW_BITS ≤ 28 (beyond 27, as W16A16 gives at most, a few LUTs help the DSP).
// Latency: 2 (partial products, their sum); the operands should come from registers, which move into the DSP.
// Depth: one multiplication, or five terms of LUTs; one addition of 1 … 3 terms.
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
    localparam DIGIT_BITS = NARROW_BITS <= 18 ? 24 : 17;
    localparam BOOTH_BITS = 8;  // of a last digit in LUTs, at most
    localparam DIGITS = WIDE_BITS <= DIGIT_BITS + 1 ? 1 : (WIDE_BITS - 2) / DIGIT_BITS + 1;
    localparam TOP_BITS = WIDE_BITS - DIGIT_BITS * (DIGITS - 1);
    localparam PARTIAL_BITS = DIGIT_BITS + 1 + NARROW_BITS;
    localparam PRODUCT_BITS = WIDE_BITS + NARROW_BITS;
    localparam TOP_PRODUCT_BITS = TOP_BITS + NARROW_BITS;

    wire signed [TOP_BITS-1:0] top_digit = wide[WIDE_BITS-1 -: TOP_BITS];
    reg signed [TOP_PRODUCT_BITS-1:0] top_partial;
    generate
        if (DIGITS > 1 && DIGIT_BITS == 24 && TOP_BITS <= BOOTH_BITS) begin : booth
            localparam ROWS = (TOP_BITS + 1) / 2;
            wire signed [TOP_PRODUCT_BITS-1:0] operand = {{TOP_BITS{narrow[NARROW_BITS-1]}}, narrow};
            wire [2*ROWS:0] bits = {{(2*ROWS-TOP_BITS+1){top_digit[TOP_BITS-1]}}, top_digit[TOP_BITS-2:0], 1'b0};
            reg [TOP_PRODUCT_BITS-1:0] times, ones, total;
            integer row;
            always @* begin
                ones = {TOP_PRODUCT_BITS{1'b0}};  // −x = ~x + 1
                total = {TOP_PRODUCT_BITS{1'b0}};
                for (row = 0; row < ROWS; row = row + 1) begin
                    case (bits[2*row +: 3])
                        3'b000, 3'b111: times = {TOP_PRODUCT_BITS{1'b0}};
                        3'b001, 3'b010: times = operand;
                        3'b011: times = operand << 1;
                        3'b100: times = ~(operand << 1);
                        default: times = ~operand;
                    endcase
                    ones[2*row] = bits[2*row+2] && !(&bits[2*row +: 2]);
                    total = total + (times << 2*row);
                end
                total = total + ones;
            end
            always @(posedge clk) top_partial <= total;
        end else begin : block
            always @(posedge clk) top_partial <= top_digit * narrow;
        end
    endgenerate

    generate
        if (DIGITS == 1) begin : one_digit
            always @(posedge clk) product <= top_partial;
        end else begin : several_digits
            reg [(DIGITS-1)*PARTIAL_BITS-1:0] partials;
            reg signed [PRODUCT_BITS-1:0] sum;
            integer low, high;
            always @(posedge clk)
                for (low = 0; low < DIGITS - 1; low = low + 1)
                    partials[low*PARTIAL_BITS +: PARTIAL_BITS] <= $signed({1'b0, wide[DIGIT_BITS*low +: DIGIT_BITS]}) * narrow;
            always @* begin
                sum = {{(PRODUCT_BITS-TOP_BITS-NARROW_BITS){top_partial[TOP_BITS+NARROW_BITS-1]}}, top_partial}
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
