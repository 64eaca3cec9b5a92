// SPDX-License-Identifier: MIT
// Dot products of one token's activations with the weights of two output channels: two results of the array.
//
//   sum_0 = Σ_i activation[i]·weight_0[i]        sum_1 = Σ_i activation[i]·weight_1[i]        i < LANES
//
// W8A8 has one multiplication per lane, the 27 × 18 of a DSP48E2, with weights from pack_weights:
//   p = (weight_1·2^18 + weight_0)·activation;   product_0 = p[17:0] signed;   product_1 = p[36:18] + p[17]
// (a negative product_0 has borrowed 1 from the upper half). Every product is unpacked before anything is summed, so
// the result is exact for any chain; the borrowed ones go back in as carries of the additions. W16A16 has one
// multiplication per product.
// Precondition: W8A8 activations −1023 … 1023 (activations are −128 … 127, attention's exponentials 0 … 1023);
// W16A16 −2^16 … 2^16 − 1. LANES 8 or 16.
// Latency: 4 (operands, products, sums of four, sum of those). Depth: one multiplication; two additions.
`default_nettype none
`include "require.vh"
`include "attributes.vh"
module dot_product #(
    parameter LANES = 16,
    parameter OPERAND_BITS = 11,
    parameter WEIGHT_BITS = 8,
    parameter PACKED_BITS = 27,
    parameter FINE = 0  // 1: W16A16
) (
    input  wire                                 clk,
    input  wire        [LANES*OPERAND_BITS-1:0] activations,
    input  wire        [LANES*PACKED_BITS-1:0]  packed_weights,
    output reg  signed [OPERAND_BITS+WEIGHT_BITS+$clog2(LANES)-1:0] sum_0,
    output reg  signed [OPERAND_BITS+WEIGHT_BITS+$clog2(LANES)-1:0] sum_1
);
    localparam PRODUCT_BITS = OPERAND_BITS + WEIGHT_BITS;
    localparam SUM_BITS = PRODUCT_BITS + $clog2(LANES);
    localparam GROUPS = LANES / 4;

    // Operands and products are registers of one process each, written by blocking assignments in the order last stage
    // first, so that each stage reads what the one before it held: the same circuit as non-blocking ones, several times
    // faster to simulate. All operands of the sums are signed, so that they extend by sign.
    /* verilator lint_off BLKSEQ */
    /* verilator lint_off WIDTHEXPAND */
    genvar g;
    generate
        if (FINE != 0) begin : single
            reg signed [OPERAND_BITS-1:0] activation [0:LANES-1];
            reg signed [PACKED_BITS-1:0] packed_weight [0:LANES-1];
            reg signed [SUM_BITS-1:0] group_0 [0:GROUPS-1];
            reg signed [SUM_BITS-1:0] group_1 [0:GROUPS-1];
            reg signed [SUM_BITS-1:0] total_0, total_1;
            reg signed [PRODUCT_BITS-1:0] product_0 [0:LANES-1];
            reg signed [PRODUCT_BITS-1:0] product_1 [0:LANES-1];
            integer lane, group;
            always @(posedge clk) begin
                total_0 = 0;
                total_1 = 0;
                for (group = 0; group < GROUPS; group = group + 1) begin
                    total_0 = total_0 + group_0[group];
                    total_1 = total_1 + group_1[group];
                    group_0[group] = 0;
                    group_1[group] = 0;
                    for (lane = 4 * group; lane < 4 * group + 4; lane = lane + 1) begin
                        group_0[group] = group_0[group] + product_0[lane];
                        group_1[group] = group_1[group] + product_1[lane];
                    end
                end
                for (lane = 0; lane < LANES; lane = lane + 1) begin
                    product_0[lane] = activation[lane] * $signed(packed_weight[lane][WEIGHT_BITS-1:0]);
                    product_1[lane] = activation[lane] * $signed(packed_weight[lane][PACKED_BITS-1:WEIGHT_BITS]);
                    activation[lane] = activations[lane*OPERAND_BITS +: OPERAND_BITS];
                    packed_weight[lane] = packed_weights[lane*PACKED_BITS +: PACKED_BITS];
                end
                sum_0 <= total_0;
                sum_1 <= total_1;
            end
        end else begin : packed_pair
            // {a, 1} + {b, c} = 2·(a + b + c) + (c ? 0 : 1): each addition of upper halves takes one borrowed 1 along,
            // and only the last of all needs an adder. `KEEP holds Yosys to carry chains of two operands, which take
            // two thirds of the LUTs of the compressors that it would build.
            wire signed [SUM_BITS-1:0] low_of_group [0:GROUPS-1];
            wire signed [SUM_BITS-1:0] high_of_group [0:GROUPS-1];
            wire [GROUPS-1:0] carry;  // of each group's last lane
            for (g = 0; g < GROUPS; g = g + 1) begin : groups
                reg signed [OPERAND_BITS-1:0] activation [0:3];
                reg signed [PACKED_BITS-1:0] packed_weight [0:3];
                reg signed [PRODUCT_BITS+17:0] product [0:3];
                reg signed [SUM_BITS-1:0] low, high;
                reg last_negative;
                `KEEP wire signed [SUM_BITS-1:0] low_01, low_23, low_03;
                `KEEP wire signed [SUM_BITS:0] high_01, high_23, high_03;
                assign low_01 = $signed(product[0][17:0]) + $signed(product[1][17:0]);
                assign low_23 = $signed(product[2][17:0]) + $signed(product[3][17:0]);
                assign low_03 = low_01 + low_23;
                assign high_01 = $signed({product[0][PRODUCT_BITS+17:18], 1'b1})
                               + $signed({product[1][PRODUCT_BITS+17:18], product[0][17]});
                assign high_23 = $signed({product[2][PRODUCT_BITS+17:18], 1'b1})
                               + $signed({product[3][PRODUCT_BITS+17:18], product[1][17]});
                assign high_03 = $signed({high_01[SUM_BITS:1], 1'b1}) + $signed({high_23[SUM_BITS:1], product[2][17]});
                integer lane;
                always @(posedge clk) begin
                    low <= low_03;
                    high <= high_03[SUM_BITS:1];
                    last_negative <= product[3][17];
                    for (lane = 0; lane < 4; lane = lane + 1) begin
                        product[lane] = activation[lane] * packed_weight[lane];
                        activation[lane] = activations[(4*g+lane)*OPERAND_BITS +: OPERAND_BITS];
                        packed_weight[lane] = packed_weights[(4*g+lane)*PACKED_BITS +: PACKED_BITS];
                    end
                end
                assign low_of_group[g] = low;
                assign high_of_group[g] = high;
                assign carry[g] = last_negative;
                wire unused = &{1'b0, high_01[0], high_23[0], high_03[0]};
            end

            // Pairs of groups, then the two pairs where there are four groups.
            localparam PAIRS = GROUPS / 2;
            wire signed [SUM_BITS-1:0] low_of_pair [0:PAIRS-1];
            wire signed [SUM_BITS-1:0] high_of_pair [0:PAIRS-1];
            wire signed [SUM_BITS-1:0] low_all, high_all;
            for (g = 0; g < PAIRS; g = g + 1) begin : pairs
                `KEEP wire signed [SUM_BITS-1:0] low;
                `KEEP wire signed [SUM_BITS:0] high;
                assign low = low_of_group[2*g] + low_of_group[2*g+1];
                assign high = $signed({high_of_group[2*g], 1'b1}) + $signed({high_of_group[2*g+1], carry[2*g]});
                assign low_of_pair[g] = low;
                assign high_of_pair[g] = $signed(high[SUM_BITS:1]);
                wire unused = &{1'b0, high[0]};
            end
            if (PAIRS == 2) begin : both
                `KEEP wire signed [SUM_BITS:0] high;
                assign low_all = low_of_pair[0] + low_of_pair[1];
                assign high = $signed({high_of_pair[0], 1'b1}) + $signed({high_of_pair[1], carry[1]});
                assign high_all = $signed(high[SUM_BITS:1]);
                wire unused = &{1'b0, high[0]};
            end else begin : one
                assign low_all = low_of_pair[0];
                assign high_all = high_of_pair[0];
            end
            always @(posedge clk) begin
                sum_0 <= low_all;
                sum_1 <= high_all + $signed({{(SUM_BITS-1){1'b0}}, carry[GROUPS-1]});
            end
        end
    endgenerate
    /* verilator lint_on WIDTHEXPAND */
    /* verilator lint_on BLKSEQ */

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (LANES != 8 && LANES != 16) begin : refused
            lanes_must_be_8_or_16 stop ();
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
