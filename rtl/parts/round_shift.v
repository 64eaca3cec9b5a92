// SPDX-License-Identifier: MIT
// The one rounding of the machine, followed by saturation.
//
//   result = saturate(⌊(value + 2^(shift−1)) / 2^shift⌋),  half up; shift 0 leaves the value as it is
//
// Computed as (value >> shift) + bit shift−1 of the value, so that no constant has to be shifted into place. Only the bits
// that may reach the result are shifted; of those above them it is enough to know whether one differs from the sign.
// Precondition: IN_BITS ≥ OUT_BITS + 2, SHIFT_BITS ≤ 6; with SATURATES 0 the result fits OUT_BITS.
// Latency: 4 (shift by eights, shift by ones, saturate, round).
// Depth: eight bits compared and an 8:1 multiplexer; the same; an AND of OUT_BITS; an incrementer of OUT_BITS.
`default_nettype none
module round_shift #(
    parameter IN_BITS = 49,
    parameter OUT_BITS = 20,
    parameter SHIFT_BITS = 6,
    parameter SATURATES = 1
) (
    input  wire                         clk,
    input  wire signed [IN_BITS-1:0]    value,
    input  wire        [SHIFT_BITS-1:0] shift,
    output reg  signed [OUT_BITS-1:0]   result
);
    localparam KEPT_BITS = OUT_BITS + 8;  // of a value shifted by eights: the result, the bit behind the point, 7 to go
    localparam GROUPS = IN_BITS >= KEPT_BITS ? (IN_BITS - KEPT_BITS + 8) / 8 : 1;  // of eight bits above those
    localparam WIDE_BITS = KEPT_BITS + 8 * GROUPS;

    wire [5:0] amount = {{(6-SHIFT_BITS){1'b0}}, shift};

    // The lowest bit is the one behind the point.
    wire signed [WIDE_BITS-1:0] wide = {{(WIDE_BITS-IN_BITS-1){value[IN_BITS-1]}}, value, 1'b0};
    wire signed [WIDE_BITS-1:0] by_eights = wide >>> {amount[5:3], 3'b000};
    reg [GROUPS-1:0] differs;
    integer group;
    always @*
        for (group = 0; group < GROUPS; group = group + 1)
            differs[group] = wide[KEPT_BITS+8*group +: 8] != {8{value[IN_BITS-1]}};
    reg [KEPT_BITS-1:0] coarse;
    reg [2:0] fine_shift;
    reg beyond_coarse, negative_coarse;
    always @(posedge clk) begin
        coarse <= by_eights[KEPT_BITS-1:0];
        beyond_coarse <= |(differs >> amount[5:3]);
        negative_coarse <= value[IN_BITS-1];
        fine_shift <= amount[2:0];
    end

    wire [KEPT_BITS-1:0] by_ones = coarse >> fine_shift;
    wire [6:0] upper = coarse[KEPT_BITS-1:OUT_BITS+1] ^ {7{negative_coarse}};
    reg [OUT_BITS:0] fine;
    reg beyond, negative;
    always @(posedge clk) begin
        fine <= by_ones[OUT_BITS:0];
        beyond <= beyond_coarse | |(upper >> fine_shift);
        negative <= negative_coarse;
    end

    // Saturated before it is rounded: what lies beyond the bounds stays there, and the upper bound is not rounded up.
    wire over = SATURATES != 0 & (beyond | (fine[OUT_BITS] ^ negative));
    wire at_upper_bound = SATURATES != 0 & !negative & &fine[OUT_BITS-1:1];
    reg [OUT_BITS-1:0] clipped;
    reg half;
    always @(posedge clk) begin
        clipped <= over ? {negative, {(OUT_BITS-1){!negative}}} : fine[OUT_BITS:1];
        half <= fine[0] & !over & !at_upper_bound;
        result <= clipped + {{(OUT_BITS-1){1'b0}}, half};
    end
    wire unused = &{1'b0, by_eights[WIDE_BITS-1:KEPT_BITS], by_ones[KEPT_BITS-1:OUT_BITS+1]};

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (IN_BITS < OUT_BITS + 2) begin : refused_1
            in_bits_must_be_out_bits_and_2_or_more stop ();
        end
        if (SHIFT_BITS > 6) begin : refused_2
            shift_bits_must_be_at_most_6 stop ();
        end
    endgenerate
endmodule
`default_nettype wire
