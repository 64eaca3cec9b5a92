// SPDX-License-Identifier: MIT
// rtl/parts/multiplier.v for Gowin's GW5A, whose DSP blocks Yosys does not infer: its ports, parameters and latency.
//
//   product = wide · narrow = Σ_i digit_i·narrow·2^(17·i),  digits of 17 bits, the last one signed with up to 18
//
// The partial products lie in the blocks' own registers.
`default_nettype none
module multiplier #(
    parameter WIDE_BITS = 32,
    parameter NARROW_BITS = 17,
    parameter DSP_WIDE_BITS = 27  // its blocks are 27 × 18, and take digits of 17 bits whatever is said here
) (
    input  wire                                    clk,
    input  wire signed [WIDE_BITS-1:0]             wide,
    input  wire signed [NARROW_BITS-1:0]           narrow,
    output reg  signed [WIDE_BITS+NARROW_BITS-1:0] product
);
    localparam DIGITS = WIDE_BITS <= 18 ? 1 : (WIDE_BITS - 2) / 17 + 1;
    localparam TOP_BITS = WIDE_BITS - 17 * (DIGITS - 1);
    localparam PRODUCT_BITS = WIDE_BITS + NARROW_BITS;

    wire [26:0] narrow_operand = {{(27-NARROW_BITS){narrow[NARROW_BITS-1]}}, narrow};
    wire [DIGITS*48-1:0] partials;
    genvar n;
    generate
        for (n = 0; n < DIGITS; n = n + 1) begin : digits
            wire [17:0] digit;
            wire [47:0] unused_cascade;
            wire [26:0] unused_operand;
            if (n == DIGITS - 1) begin : highest
                assign digit = {{(18-TOP_BITS){wide[WIDE_BITS-1]}}, wide[WIDE_BITS-1 -: TOP_BITS]};
            end else begin : lower
                assign digit = {1'b0, wide[17*n +: 17]};
            end
            MULTALU27X18 #(.PREG_CLK("CLK0")) block (
                .A(narrow_operand), .B(digit), .C(48'd0), .D(26'd0), .SIA(27'd0), .CASI(48'd0),
                .ACCSEL(1'b0), .PSEL(1'b0), .ASEL(1'b0), .PADDSUB(1'b0), .CSEL(1'b0), .CASISEL(1'b0), .ADDSUB(2'd0),
                .CLK({1'b0, clk}), .CE(2'b01), .RESET(2'd0), .DOUT(partials[48*n +: 48]), .CASO(unused_cascade),
                .SOA(unused_operand));
        end
    endgenerate

    reg signed [PRODUCT_BITS+47:0] sum;  // wide enough for a whole partial product in any place
    integer place;
    always @* begin
        sum = {(PRODUCT_BITS+48){1'b0}};
        for (place = 0; place < DIGITS; place = place + 1)
            sum = sum + ({{PRODUCT_BITS{partials[48*place+47]}}, partials[48*place +: 48]} << 17 * place);
    end
    wire unused = &{1'b0, DSP_WIDE_BITS > 0, sum[PRODUCT_BITS+47:PRODUCT_BITS]};
    always @(posedge clk) product <= sum[PRODUCT_BITS-1:0];

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (NARROW_BITS > 27) begin : refused
            narrow_bits_must_be_at_most_27 stop ();
        end
    endgenerate
endmodule
`default_nettype wire
