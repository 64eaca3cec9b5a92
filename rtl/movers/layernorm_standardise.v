// SPDX-License-Identifier: MIT
// LANES values of a row without its mean, times the reciprocal root of its variance, exact.
//
//   standard = (D·x − Σx)·root
//            = x·(D·root) − Σx·root, if x and D·root fit the multiplier of a DSP block: one per value, two per row
//
// Precondition: width D ≤ MAX_WIDTH, root ≤ 2^(ROOT_BITS−1).
// Latency: 6. Depth: see multiplier, multiply_add.
`default_nettype none
module layernorm_standardise #(
    parameter LANES = 16,
    parameter MAX_WIDTH = 192,
    parameter RESIDUAL_BITS = 16,
    parameter ROW_SUM_BITS = 26,
    parameter ROOT_BITS = 17,
    parameter STANDARD_BITS = 46,
    parameter DSP_WIDE_BITS = 27  // of a DSP block's wide operand
) (
    input  wire                           clk,
    input  wire [LANES*RESIDUAL_BITS-1:0] values,
    input  wire signed [ROW_SUM_BITS-1:0] sum,
    input  wire [ROOT_BITS-1:0]           root,
    input  wire [10:0]                    width,
    output wire [LANES*STANDARD_BITS-1:0] standard
);
    localparam WIDTH_BITS = ROW_SUM_BITS - RESIDUAL_BITS;
    localparam CENTRED_BITS = RESIDUAL_BITS + WIDTH_BITS + 2;
    localparam SLOPE_BITS = ROOT_BITS + $clog2(MAX_WIDTH + 1);  // of D·root, signed
    localparam LESS_BITS = RESIDUAL_BITS + $clog2(MAX_WIDTH + 1) + 1;  // of −Σx, signed: one block up to width 255
    genvar lane;
    generate
        if (RESIDUAL_BITS <= 18 && SLOPE_BITS <= DSP_WIDE_BITS) begin : of_row
            reg signed [WIDTH_BITS+1:0] width_1;
            reg signed [ROOT_BITS:0] root_1;
            reg signed [LESS_BITS-1:0] less_1;
            wire signed [ROOT_BITS+WIDTH_BITS+2:0] slope_3;
            wire signed [ROOT_BITS+LESS_BITS:0] less_3;
            reg signed [STANDARD_BITS-1:0] less_4, less_5;
            reg [LANES*RESIDUAL_BITS-1:0] values_1, values_2;
            multiplier #(.WIDE_BITS(ROOT_BITS + 1), .NARROW_BITS(WIDTH_BITS + 2)) scale_root (
                .clk(clk), .wide(root_1), .narrow(width_1), .product(slope_3));
            multiplier #(.WIDE_BITS(ROOT_BITS + 1), .NARROW_BITS(LESS_BITS)) scale_sum (
                .clk(clk), .wide(root_1), .narrow(less_1), .product(less_3));
            always @(posedge clk) begin
                width_1 <= {1'b0, width};
                root_1 <= {1'b0, root};
                less_1 <= -{sum[ROW_SUM_BITS-1], sum[LESS_BITS-2:0]};
                less_4 <= {{(STANDARD_BITS-ROOT_BITS-LESS_BITS-1){less_3[ROOT_BITS+LESS_BITS]}}, less_3};
                less_5 <= less_4;
                values_1 <= values;
                values_2 <= values_1;
            end
            for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
                multiply_add #(
                    .A_BITS(RESIDUAL_BITS), .B_BITS(SLOPE_BITS), .SUM_BITS(STANDARD_BITS), .A_REGISTERS(2)
                ) multiply (
                    .clk(clk), .a(values_2[lane*RESIDUAL_BITS +: RESIDUAL_BITS]), .b(slope_3[SLOPE_BITS-1:0]),
                    .sum_in(less_5), .sum(standard[lane*STANDARD_BITS +: STANDARD_BITS]));
            end
            wire unused = &{1'b0, slope_3, sum};
        end else begin : of_value
            reg signed [WIDTH_BITS+1:0] width_1;
            reg [3*ROW_SUM_BITS-1:0] sums;
            reg [4*ROOT_BITS-1:0] roots;
            wire signed [ROW_SUM_BITS-1:0] sum_3 = sums[2*ROW_SUM_BITS +: ROW_SUM_BITS];
            wire signed [ROOT_BITS:0] root_4 = {1'b0, roots[3*ROOT_BITS +: ROOT_BITS]};
            always @(posedge clk) begin
                width_1 <= {1'b0, width};
                sums <= {sums[2*ROW_SUM_BITS-1:0], sum};
                roots <= {roots[3*ROOT_BITS-1:0], root};
            end
            for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
                reg signed [RESIDUAL_BITS-1:0] value_1;
                wire signed [CENTRED_BITS-1:0] scaled_3;
                reg signed [CENTRED_BITS-1:0] centred_4;
                always @(posedge clk) begin
                    value_1 <= values[lane*RESIDUAL_BITS +: RESIDUAL_BITS];
                    centred_4 <= scaled_3 - {{(CENTRED_BITS-ROW_SUM_BITS){sum_3[ROW_SUM_BITS-1]}}, sum_3};
                end
                multiplier #(.WIDE_BITS(WIDTH_BITS + 2), .NARROW_BITS(RESIDUAL_BITS)) scale_value (
                    .clk(clk), .wide(width_1), .narrow(value_1), .product(scaled_3));
                if (CENTRED_BITS <= DSP_WIDE_BITS) begin : split_root
                    multiplier #(.WIDE_BITS(ROOT_BITS + 1), .NARROW_BITS(CENTRED_BITS)) multiply (
                        .clk(clk), .wide(root_4), .narrow(centred_4),
                        .product(standard[lane*STANDARD_BITS +: STANDARD_BITS]));
                end else begin : split_value
                    multiplier #(.WIDE_BITS(CENTRED_BITS), .NARROW_BITS(ROOT_BITS + 1)) multiply (
                        .clk(clk), .wide(centred_4), .narrow(root_4),
                        .product(standard[lane*STANDARD_BITS +: STANDARD_BITS]));
                end
            end
        end
    endgenerate
endmodule
`default_nettype wire
