// The one rounding of the machine, followed by saturation.
//
//   result = saturate(⌊(value + 2^(shift−1)) / 2^shift⌋),  half up; shift 0 leaves the value as it is
//
// Computed as (value >> shift) + bit shift−1 of the value, so that no constant has to be shifted into place.
// Precondition: IN_BITS ≥ OUT_BITS + 2, shift 0 … 63.
// Latency: 4 (shift by eights, shift by ones, clip, round and saturate).
// Depth: an 8:1 multiplexer; an 8:1 multiplexer; an equality over the cut bits; an addition of OUT_BITS + 2 bits.
module round_shift #(
    parameter IN_BITS = 49,
    parameter OUT_BITS = 20
) (
    input                            clk,
    input  signed     [IN_BITS-1:0]  value,
    input             [5:0]          shift,
    output reg signed [OUT_BITS-1:0] result
);
    localparam signed [OUT_BITS+1:0] LARGEST = {3'b000, {(OUT_BITS-1){1'b1}}};
    localparam signed [OUT_BITS+1:0] SMALLEST = {3'b111, {(OUT_BITS-1){1'b0}}};

    // The lowest bit is the one behind the point.
    reg signed [IN_BITS:0] coarse, fine;
    reg [2:0] fine_shift;
    always @(posedge clk) begin
        coarse <= $signed({value, 1'b0}) >>> {shift[5:3], 3'b000};
        fine_shift <= shift[2:0];
        fine <= coarse >>> fine_shift;
    end

    // Beyond ±2^OUT_BITS every value saturates, whatever its lower bits.
    wire fits = fine[IN_BITS:OUT_BITS+1] == {(IN_BITS-OUT_BITS){fine[IN_BITS]}};
    reg signed [OUT_BITS+1:0] clipped;
    reg half;
    always @(posedge clk) begin
        clipped <= {fine[IN_BITS], fine[IN_BITS], fits ? fine[OUT_BITS:1] : {OUT_BITS{~fine[IN_BITS]}}};
        half <= fits & fine[0];
    end

    wire signed [OUT_BITS+1:0] rounded = clipped + $signed({{(OUT_BITS+1){1'b0}}, half});
    always @(posedge clk)
        result <= rounded > LARGEST ? LARGEST[OUT_BITS-1:0]
                : rounded < SMALLEST ? SMALLEST[OUT_BITS-1:0] : rounded[OUT_BITS-1:0];
endmodule
