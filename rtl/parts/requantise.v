// SPDX-License-Identifier: MIT
// From accumulator scale to a narrower integer.
//
//   result = saturate(round_shift(value · multiplier, DROPPED_BITS + shift))
//
// DROPPED_BITS: low bits of the product that no shift can make count, where all shifts are larger.
// Precondition: DROPPED_BITS + shift 0 … 60; shift ≥ 1 where DROPPED_BITS > 0;
// VALUE_BITS + MULTIPLIER_WIDTH ≥ DROPPED_BITS + RESULT_BITS + 1; VALUE_BITS ≤ 27 or MULTIPLIER_WIDTH ≤ 26.
// Nested saturation is the narrower one, so lanes saturate once to the widest result and epilogues narrow further.
// Latency: 7 (operands, product 2, round_shift 4). Depth: see multiplier, round_shift.
`default_nettype none
`include "require.vh"
module requantise #(
    parameter VALUE_BITS = 32,
    parameter MULTIPLIER_WIDTH = 16,
    parameter RESULT_BITS = 20,
    parameter DROPPED_BITS = 0,
    parameter SHIFT_BITS = 6,
    parameter DSP_WIDE_BITS = 27
) (
    input  wire                               clk,
    input  wire                               rst_n,
    input  wire                               valid_in,
    input  wire signed [VALUE_BITS-1:0]       value,
    input  wire        [MULTIPLIER_WIDTH-1:0] multiplier,
    input  wire        [SHIFT_BITS-1:0]       shift,
    output wire                               valid_out,
    output wire signed [RESULT_BITS-1:0]      result
);
    localparam PRODUCT_BITS = VALUE_BITS + MULTIPLIER_WIDTH + 1;

    reg signed [VALUE_BITS-1:0] value_1;
    reg signed [MULTIPLIER_WIDTH:0] multiplier_1;
    reg [SHIFT_BITS-1:0] shift_1, shift_2, shift_3;
    reg [6:0] valid;
    wire signed [PRODUCT_BITS-1:0] product;

    always @(posedge clk) begin
        value_1 <= value;
        multiplier_1 <= {1'b0, multiplier};
        shift_1 <= shift;
        shift_2 <= shift_1;
        shift_3 <= shift_2;
        valid <= rst_n ? {valid[5:0], valid_in} : 7'd0;
    end
    assign valid_out = valid[6];

    generate  // the operand that is split into digits: the multiplier where the value fits a DSP's wide port
        if (VALUE_BITS <= 27) begin : split_multiplier
            multiplier #(.WIDE_BITS(MULTIPLIER_WIDTH + 1), .NARROW_BITS(VALUE_BITS), .DSP_WIDE_BITS(DSP_WIDE_BITS)) multiply (
                .clk(clk), .wide(multiplier_1), .narrow(value_1), .product(product));
        end else begin : split_value
            multiplier #(.WIDE_BITS(VALUE_BITS), .NARROW_BITS(MULTIPLIER_WIDTH + 1), .DSP_WIDE_BITS(DSP_WIDE_BITS)) multiply (
                .clk(clk), .wide(value_1), .narrow(multiplier_1), .product(product));
        end
    endgenerate

    round_shift #(.IN_BITS(PRODUCT_BITS - DROPPED_BITS), .OUT_BITS(RESULT_BITS), .SHIFT_BITS(SHIFT_BITS)) scale (
        .clk(clk), .value(product[PRODUCT_BITS-1:DROPPED_BITS]), .shift(shift_3), .result(result));
    wire unused = &{1'b0, product};

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (VALUE_BITS + MULTIPLIER_WIDTH < DROPPED_BITS + RESULT_BITS + 1) begin : refused_1
            value_and_multiplier_are_too_narrow_for_the_result stop ();
        end
        if (VALUE_BITS > 27 && MULTIPLIER_WIDTH > 26) begin : refused_2
            value_or_multiplier_must_fit_27_bits stop ();
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && valid_in, DROPPED_BITS == 0 || shift != 0, "shift 0 although bits are dropped")
endmodule
`default_nettype wire
