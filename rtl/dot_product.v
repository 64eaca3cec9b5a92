// Dot products of one token's activations with the weights of two output channels: two results of the array.
//
//   sum_0 = Σ_i activation[i]·weight_0[i]        sum_1 = Σ_i activation[i]·weight_1[i]        i < LANES
//
// W8A8 has one multiplication per lane, the 27 × 18 of a DSP48E2, with weights from pack_weights:
//   p = (weight_1·2^18 + weight_0)·activation;   product_0 = p[17:0] signed;   product_1 = p[36:18] + p[17]
// (a negative product_0 has borrowed 1 from the upper half). Every product is unpacked before anything is summed, so
// the result is exact for any chain. W16A16 has one multiplication per product.
// Precondition: W8A8 activations −1023 … 1023 (activations are −128 … 127, attention's exponentials 0 … 1023);
// W16A16 −2^16 … 2^16 − 1. LANES a multiple of 4.
// Latency: 4 (operands, products, sums of four, sum of those). Depth: one multiplication; two additions.
module dot_product #(
    parameter LANES = 16
) (
    clk, activations, packed_weights, sum_0, sum_1
);
`include "edgemoe_spec.vh"
    localparam OPERAND_BITS = EXPONENTIAL_BITS + 1;
    localparam PACKED_BITS = FINE != 0 ? 2 * WEIGHT_BITS : WEIGHT_BITS + 19;
    localparam PRODUCT_BITS = OPERAND_BITS + WEIGHT_BITS;
    localparam SUM_BITS = PRODUCT_BITS + $clog2(LANES);
    localparam GROUPS = LANES / 4;

    input                                clk;
    input      [LANES*OPERAND_BITS-1:0]  activations;
    input      [LANES*PACKED_BITS-1:0]   packed_weights;
    output reg signed [SUM_BITS-1:0]     sum_0;
    output reg signed [SUM_BITS-1:0]     sum_1;

    // Registers of this module alone, written by blocking assignments in the order last stage first, so that each
    // stage reads what the one before it held: the same circuit as non-blocking ones, several times faster to simulate.
    // All operands of the sums are signed, so that they extend by sign.
    /* verilator lint_off BLKSEQ */
    /* verilator lint_off WIDTHEXPAND */
    reg signed [OPERAND_BITS-1:0] activation [0:LANES-1];
    reg signed [PACKED_BITS-1:0] packed_weight [0:LANES-1];
    reg signed [SUM_BITS-1:0] group_0 [0:GROUPS-1];
    reg signed [SUM_BITS-1:0] group_1 [0:GROUPS-1];
    reg signed [SUM_BITS-1:0] total_0, total_1;
    integer lane, group;

    generate
        if (FINE != 0) begin : single
            reg signed [PRODUCT_BITS-1:0] product_0 [0:LANES-1];
            reg signed [PRODUCT_BITS-1:0] product_1 [0:LANES-1];
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
            reg signed [PRODUCT_BITS+17:0] product [0:LANES-1];
            always @(posedge clk) begin
                total_0 = 0;
                total_1 = 0;
                for (group = 0; group < GROUPS; group = group + 1) begin
                    total_0 = total_0 + group_0[group];
                    total_1 = total_1 + group_1[group];
                    group_0[group] = 0;
                    group_1[group] = 0;
                    for (lane = 4 * group; lane < 4 * group + 4; lane = lane + 1) begin
                        group_0[group] = group_0[group] + $signed(product[lane][17:0]);
                        group_1[group] = group_1[group] + $signed(product[lane][PRODUCT_BITS+17:18])
                                       + $signed({1'b0, product[lane][17]});
                    end
                end
                for (lane = 0; lane < LANES; lane = lane + 1) begin
                    product[lane] = activation[lane] * packed_weight[lane];
                    activation[lane] = activations[lane*OPERAND_BITS +: OPERAND_BITS];
                    packed_weight[lane] = packed_weights[lane*PACKED_BITS +: PACKED_BITS];
                end
                sum_0 <= total_0;
                sum_1 <= total_1;
            end
        end
    endgenerate
    /* verilator lint_on WIDTHEXPAND */
    /* verilator lint_on BLKSEQ */
endmodule
