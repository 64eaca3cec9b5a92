// SPDX-License-Identifier: MIT
// Dot products of one token's activations with the weights of two output channels: two results of the array.
//
//   sum_0 = Σ_i activation[i]·weight_0[i]        sum_1 = Σ_i activation[i]·weight_1[i]        i < LANES
//
// W8A8 has one multiplication per lane, the 27 × 18 of a DSP48E2, with weights from pack_weights, and adds the products up
// in the blocks themselves, lane behind lane:
//   P = Σ (weight_1·2^18 + weight_0)·activation = H·2^18 + L;   L = K·2^18 + P[17:0];   H = (P ≫ 18) − K
// K, by which L outgrows its 18 bits, is (P ≫ 18) − H, and of H the two lowest bits are enough: they need only those of
// activations and of weight_1 (residue). So K mod 4 is known at every lane. Two lanes change L by less than 2^18, which is
// K by −1, 0 or 1, so that its upper bits can follow at every second lane. W16A16 has one chain for each sum.
// The sums are exact for all operands of the precondition (sim/formal).
// Precondition: W8A8 activations −1023 … 1023 (activations are −128 … 127, attention's exponentials 0 … 1023);
// W16A16 −2^16 … 2^16 − 1. LANES 8, 16 or 32. Operands of lane i come i cycles late (stagger).
// Latency: LANES + 4, W16A16 LANES + 2, from the operands of lane 0. Depth: an addition of SUM_BITS.
`default_nettype none
`include "require.vh"
module dot_product #(
    parameter LANES = 16,
    parameter OPERAND_BITS = 11,
    parameter WEIGHT_BITS = 8,
    parameter PACKED_BITS = 29,
    parameter FINE = 0  // 1: W16A16
) (
    input  wire                                 clk,
    input  wire        [LANES*OPERAND_BITS-1:0] activations,
    input  wire        [LANES*PACKED_BITS-1:0]  packed_weights,
    output wire signed [OPERAND_BITS+WEIGHT_BITS+$clog2(LANES)-1:0] sum_0,
    output wire signed [OPERAND_BITS+WEIGHT_BITS+$clog2(LANES)-1:0] sum_1
);
    localparam SUM_BITS = OPERAND_BITS + WEIGHT_BITS + $clog2(LANES);
    genvar n;
    generate
        if (FINE != 0) begin : single
            for (n = 0; n < LANES; n = n + 1) begin : lanes
                wire signed [SUM_BITS-1:0] sum_in_0, sum_in_1, sum_out_0, sum_out_1;
                if (n == 0) begin : first
                    assign sum_in_0 = {SUM_BITS{1'b0}};
                    assign sum_in_1 = {SUM_BITS{1'b0}};
                end else begin : next
                    assign sum_in_0 = lanes[n-1].sum_out_0;
                    assign sum_in_1 = lanes[n-1].sum_out_1;
                end
                multiply_add #(.A_BITS(OPERAND_BITS), .B_BITS(WEIGHT_BITS), .SUM_BITS(SUM_BITS)) multiply_0 (
                    .clk(clk), .a(activations[n*OPERAND_BITS +: OPERAND_BITS]),
                    .b(packed_weights[n*PACKED_BITS +: WEIGHT_BITS]), .sum_in(sum_in_0), .sum(sum_out_0));
                multiply_add #(.A_BITS(OPERAND_BITS), .B_BITS(WEIGHT_BITS), .SUM_BITS(SUM_BITS)) multiply_1 (
                    .clk(clk), .a(activations[n*OPERAND_BITS +: OPERAND_BITS]),
                    .b(packed_weights[n*PACKED_BITS+WEIGHT_BITS +: WEIGHT_BITS]), .sum_in(sum_in_1), .sum(sum_out_1));
            end
            assign sum_0 = lanes[LANES-1].sum_out_0;
            assign sum_1 = lanes[LANES-1].sum_out_1;
        end else begin : packed_pair
            localparam PAIR_BITS = WEIGHT_BITS + 19;
            localparam CHAIN_BITS = SUM_BITS + 18;
            localparam UPPER_BITS = $clog2(LANES) - 2;  // of K, above the two that are known at every lane

            // Lane n: operands at cycle n, H mod 4 at n + 1, P at n + 3.
            for (n = 0; n < LANES; n = n + 1) begin : lanes
                wire signed [CHAIN_BITS-1:0] sum_in, sum_out;
                wire [1:0] residue_before;
                reg [1:0] residue;
                if (n == 0) begin : first
                    assign sum_in = {CHAIN_BITS{1'b0}};
                    assign residue_before = 2'd0;
                end else begin : next
                    assign sum_in = lanes[n-1].sum_out;
                    assign residue_before = lanes[n-1].residue;
                end
                multiply_add #(.A_BITS(OPERAND_BITS), .B_BITS(PAIR_BITS), .SUM_BITS(CHAIN_BITS)) multiply (
                    .clk(clk), .a(activations[n*OPERAND_BITS +: OPERAND_BITS]),
                    .b(packed_weights[n*PACKED_BITS +: PAIR_BITS]), .sum_in(sum_in), .sum(sum_out));
                always @(posedge clk)
                    residue <= residue_before
                        + activations[n*OPERAND_BITS +: 2] * packed_weights[n*PACKED_BITS+PAIR_BITS +: 2];
            end

            // K after lane n, at n + 4.
            for (n = 3; n < LANES; n = n + 2) begin : overflows
                reg [1:0] residue_2, residue_3, low;
                always @(posedge clk) begin
                    residue_2 <= lanes[n].residue;
                    residue_3 <= residue_2;
                    low <= lanes[n].sum_out[19:18] - residue_3;
                end
                wire [UPPER_BITS-1:0] upper;
                if (n == 3) begin : first
                    assign upper = {UPPER_BITS{low[1]}};
                end else begin : next
                    wire [1:0] low_before = overflows[n-2].held.low_6;
                    wire up = low_before == 2'd3 && !low[1];
                    wire down = low_before == 2'd0 && low[1];
                    wire [UPPER_BITS:0] change = {{UPPER_BITS{down}}, up | down};
                    assign upper = overflows[n-2].held.upper_6 + change[UPPER_BITS-1:0];
                    wire unused = &{1'b0, change[UPPER_BITS]};
                end
                if (n < LANES - 1) begin : held  // until K mod 4 is there two lanes later
                    reg [1:0] low_5, low_6;
                    reg [UPPER_BITS-1:0] upper_5, upper_6;
                    always @(posedge clk) begin
                        low_5 <= low;
                        low_6 <= low_5;
                        upper_5 <= upper;
                        upper_6 <= upper_5;
                    end
                end
            end

            wire [UPPER_BITS+1:0] overflow = {overflows[LANES-1].upper, overflows[LANES-1].low};
            wire [SUM_BITS-1:0] wide_overflow = {{(SUM_BITS-UPPER_BITS-2){overflow[UPPER_BITS+1]}}, overflow};
            reg [CHAIN_BITS-1:0] total;
            reg signed [SUM_BITS-1:0] low_sum, high_sum;
            always @(posedge clk) begin
                total <= lanes[LANES-1].sum_out;
                low_sum <= {wide_overflow[SUM_BITS-19:0], total[17:0]};
                high_sum <= total[CHAIN_BITS-1:18] - wide_overflow;
            end
            assign sum_0 = low_sum;
            assign sum_1 = high_sum;
        end
    endgenerate

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (LANES != 8 && LANES != 16 && LANES != 32) begin : refused
            lanes_must_be_8_16_or_32 stop ();
        end
    endgenerate

    // Preconditions.
    genvar checked;
    generate
        for (checked = 0; checked < LANES; checked = checked + 1) begin : operands
            wire [OPERAND_BITS-1:0] operand = activations[checked*OPERAND_BITS +: OPERAND_BITS];
            `REQUIRE_SLOWLY(FINE == 0, operand != {1'b1, {(OPERAND_BITS-1){1'b0}}}, "an activation of the smallest value")
            wire unused = &{1'b0, operand};
        end
    endgenerate
endmodule
`default_nettype wire
