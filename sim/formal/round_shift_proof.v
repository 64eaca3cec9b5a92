// SPDX-License-Identifier: MIT
// round_shift against its formula: every value, every shift; without saturation where the result fits.
`default_nettype none
module round_shift_proof #(
    parameter IN_BITS = 49,
    parameter OUT_BITS = 20,
    parameter SATURATES = 1
) (
    input wire                      clk,
    input wire signed [IN_BITS-1:0] value,
    input wire [5:0]                shift
);
    wire signed [OUT_BITS-1:0] result;
    round_shift #(.IN_BITS(IN_BITS), .OUT_BITS(OUT_BITS), .SATURATES(SATURATES)) unit (.*);

    localparam WIDE = IN_BITS + 1;
    wire signed [WIDE-1:0] half = shift == 0 ? 0 : {{(WIDE-1){1'b0}}, 1'b1} << (shift - 6'd1);
    wire signed [WIDE-1:0] exact = shift > IN_BITS ? 0 : ($signed(value) + half) >>> shift;
    localparam signed [WIDE-1:0] MOST = {{(WIDE-OUT_BITS+1){1'b0}}, {(OUT_BITS-1){1'b1}}};
    wire signed [OUT_BITS-1:0] expected = exact > MOST ? MOST : exact < -MOST - 1 ? -MOST - 1 : exact;
    wire held = SATURATES != 0 || expected == exact;
    reg [2:0] filled = 0;
    always @(posedge clk) begin
        filled <= filled + (filled < 4);
        if (filled == 4 && $past(held, 4)) rounds_and_saturates: assert (result == $past(expected, 4));
    end
endmodule
`default_nettype wire
