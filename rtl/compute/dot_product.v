// SPDX-License-Identifier: MIT
// Dot products of one token's activations with the weights of two output channels: two results of the array.
//
//   sum_0 = Σ_i activation[i]·weight_0[i]        sum_1 = Σ_i activation[i]·weight_1[i]        i < LANES
//
// W8A8 has one multiplication per lane, that of a DSP block, with weights from pack_weights, and adds the products up
// in the blocks themselves, lane behind lane. S = PAIR_SHIFT is 18 for the 27 × 18 bits of a DSP48E2, 16 for the 25 × 18 of
// a DSP48E1:
//   P = Σ (weight_1·2^S + weight_0)·activation = H·2^S + L;   L = K·2^S + P[S−1:0];   H = (P ≫ S) − K
// K, by which L outgrows its S bits, is (P ≫ S) − H, and of H the two lowest bits are enough: they need only those of
// activations and of weight_1 (residue). So K mod 4 is known at every lane.
// S = 18: two lanes change L by less than 2^18, which is K by −1, 0 or 1, so that its upper bits can follow at every second
// lane. S = 16: one lane changes L by less than 2^17, which is K by −2 … 2; the two that are alike mod 4 have the sign of
// the lane's low product, so that the upper bits can follow at every lane. W16A16 has one chain for each sum.
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
    parameter PAIR_SHIFT = 18,
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
            localparam PAIR_BITS = WEIGHT_BITS + PAIR_SHIFT + 1;
            localparam CHAIN_BITS = SUM_BITS + PAIR_SHIFT;
            localparam UPPER_BITS = $clog2(LANES) + 16 - PAIR_SHIFT;  // of K, above the two that are known at every lane
            localparam EVERY = PAIR_SHIFT == 18 ? 2 : 1;  // lanes from one K to the next
            localparam FIRST = PAIR_SHIFT == 18 ? 3 : 0;  // K is −2 … 1 after that lane

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
            for (n = FIRST; n < LANES; n = n + EVERY) begin : overflows
                reg [1:0] residue_2, residue_3, low;
                always @(posedge clk) begin
                    residue_2 <= lanes[n].residue;
                    residue_3 <= residue_2;
                    low <= lanes[n].sum_out[PAIR_SHIFT +: 2] - residue_3;
                end
                wire [UPPER_BITS-1:0] upper;
                if (n == FIRST) begin : first
                    assign upper = {UPPER_BITS{low[1]}};
                end else begin : next
                    wire [1:0] low_before = overflows[n-EVERY].held.low_before;
                    wire up, down;
                    if (EVERY == 2) begin : by_one
                        assign up = low_before == 2'd3 && !low[1];
                        assign down = low_before == 2'd0 && low[1];
                    end else begin : by_two
                        reg [3:0] falls;  // the sign of the low product, until K mod 4 is there
                        always @(posedge clk)
                            falls <= {falls[2:0], activations[(n+1)*OPERAND_BITS-1]
                                                  ^ packed_weights[n*PACKED_BITS+WEIGHT_BITS-1]};
                        wire [1:0] step = low - low_before;
                        assign up = low < low_before && (step == 2'd1 || (step == 2'd2 && !falls[3]));
                        assign down = low > low_before && (step == 2'd3 || (step == 2'd2 && falls[3]));
                    end
                    wire [UPPER_BITS:0] change = {{UPPER_BITS{down}}, up | down};
                    assign upper = overflows[n-EVERY].held.upper_before + change[UPPER_BITS-1:0];
                    wire unused = &{1'b0, change[UPPER_BITS]};
                end
                if (n < LANES - 1) begin : held  // until the next K mod 4 is there
                    reg [EVERY*2-1:0] lows;
                    reg [EVERY*UPPER_BITS-1:0] uppers;
                    wire [1:0] low_before = lows[EVERY*2-1 -: 2];
                    wire [UPPER_BITS-1:0] upper_before = uppers[EVERY*UPPER_BITS-1 -: UPPER_BITS];
                    if (EVERY == 2) begin : two
                        always @(posedge clk) begin
                            lows <= {lows[1:0], low};
                            uppers <= {uppers[UPPER_BITS-1:0], upper};
                        end
                    end else begin : one
                        always @(posedge clk) begin
                            lows <= low;
                            uppers <= upper;
                        end
                    end
                end
            end

            wire [UPPER_BITS+1:0] overflow = {overflows[LANES-1].upper, overflows[LANES-1].low};
            wire [SUM_BITS-1:0] wide_overflow = {{(SUM_BITS-UPPER_BITS-2){overflow[UPPER_BITS+1]}}, overflow};
            reg [CHAIN_BITS-1:0] total;
            reg signed [SUM_BITS-1:0] low_sum, high_sum;
            always @(posedge clk) begin
                total <= lanes[LANES-1].sum_out;
                low_sum <= {wide_overflow[SUM_BITS-PAIR_SHIFT-1:0], total[PAIR_SHIFT-1:0]};
                high_sum <= total[CHAIN_BITS-1:PAIR_SHIFT] - wide_overflow;
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
        if (FINE == 0 && PAIR_SHIFT != 16 && PAIR_SHIFT != 18) begin : refused_shift
            pair_shift_must_be_16_or_18 stop ();
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
