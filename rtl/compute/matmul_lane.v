// SPDX-License-Identifier: MIT
// One lane of the array: the row TOKEN_PAR·t + lane of every token tile t.
//
//   sums[slot][o] (+)= Σ_i left[i] · tile[o][i]        o < OUT_PAR, i < IN_PAR
//
// A step is what one lane does in one cycle; it comes from the lane before, and goes to the next one cycle later, as does
// the right tile. Cycle 0: the step arrives, scores are read. Cycle 5: scratchpads are read. Cycle 7: left operands.
// Cycle 8: operands and tile of input 0 enter the multipliers, those of input i in cycle 8 + i. Cycle 8 + PRODUCT_LATENCY:
// sums. So the tile of a step is due 8 cycles after it, its input i i cycles later (stagger).
// Precondition: a slot is drained only after its last step's cycle 9 + PRODUCT_LATENCY.
// Depth: see dot_product, softmax; an 8:1 multiplexer of left operands; see sum_ring.
`default_nettype none
module matmul_lane (
    clk, rst_n, step, step_out, tile, tile_out,
    read_depth, norm, hidden, gate_input, query, gathered, drain_slot, drain_sums,
    score_write, score_first, score_address, scores, score_mask, output_multiplier, output_shift,
    scale_query, scale_factor, scale_shift, scaled_rows
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "step.vh"
    input  wire                                clk;
    input  wire                                rst_n;
    input  wire [STEP_BITS-1:0]                step;
    output reg  [STEP_BITS-1:0]                step_out;
    input  wire [PACKED_TILE_BITS-1:0]         tile;
    output reg  [PACKED_TILE_BITS-1:0]         tile_out;
    output wire [DEPTH_BITS-1:0]               read_depth;
    input  wire [VECTOR_BITS-1:0]              norm;
    input  wire [VECTOR_BITS-1:0]              hidden;
    input  wire [VECTOR*16-1:0]                gate_input;
    input  wire [VECTOR_BITS-1:0]              query;
    input  wire [GATHERED_BITS-1:0]            gathered;
    input  wire [SLOT_BITS-1:0]                drain_slot;
    output wire [OUT_PAR*ACCUMULATOR_BITS-1:0] drain_sums;
    input  wire                                score_write;
    input  wire                                score_first;
    input  wire [SCORE_ADDRESS_BITS-1:0]       score_address;
    input  wire [OUT_PAR*SCORE_BITS-1:0]       scores;
    input  wire [OUT_PAR-1:0]                  score_mask;
    input  wire [MULTIPLIER_BITS-1:0]          output_multiplier;
    input  wire [5:0]                          output_shift;
    input  wire [QUERY_BITS-1:0]               scale_query;
    output wire [FACTOR_BITS-1:0]              scale_factor;
    output wire [5:0]                          scale_shift;
    output wire [7:0]                          scaled_rows;

    // The step on its way; what later stages do not use is swept away by synthesis.
    reg [STEP_BITS-1:0] step_1, step_2, step_3, step_4, step_5, step_6, step_7;
    reg [7:1] valid;
    always @(posedge clk) begin
        step_out <= step;
        tile_out <= tile;
        step_1 <= step;
        step_2 <= step_1;
        step_3 <= step_2;
        step_4 <= step_3;
        step_5 <= step_4;
        step_6 <= step_5;
        step_7 <= step_6;
        valid <= rst_n ? {valid[6:1], step[STEP_VALID]} : 7'd0;
    end
    assign read_depth = step_5[STEP_DEPTH +: DEPTH_BITS];

    // Left operands.
    wire [IN_PAR*EXPONENTIAL_BITS-1:0] exponentials;
    softmax #(
        .OUT_PAR(OUT_PAR), .IN_PAR(IN_PAR), .SCORE_BITS(SCORE_BITS), .SCORE_FRACTION(SCORE_FRACTION),
        .EXPONENTIAL_BITS(EXPONENTIAL_BITS), .SCORE_ADDRESS_BITS(SCORE_ADDRESS_BITS), .QUERY_BITS(QUERY_BITS),
        .TOTAL_BITS(TOTAL_BITS), .RECIPROCAL_BITS(RECIPROCAL_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS),
        .FACTOR_BITS(FACTOR_BITS), .FINE(FINE), .EXP2_TABLE_BITS(EXP2_TABLE_BITS), .EXP2_TABLE(EXP2_TABLE),
        .FINE_EXP2_HIGH_TABLE_BITS(FINE_EXP2_HIGH_TABLE_BITS), .FINE_EXP2_HIGH_TABLE(FINE_EXP2_HIGH_TABLE),
        .FINE_EXP2_LOW_TABLE_BITS(FINE_EXP2_LOW_TABLE_BITS), .FINE_EXP2_LOW_TABLE(FINE_EXP2_LOW_TABLE)
    ) rows (
        .clk(clk), .rst_n(rst_n),
        .write_valid(score_write), .write_first(score_first), .write_address(score_address),
        .write_scores(scores), .write_mask(score_mask),
        .read_address(step[STEP_SCORE +: SCORE_ADDRESS_BITS]), .read_part(step[STEP_PART +: 1]),
        .step_valid(valid[7] & step_7[STEP_EXPONENTIAL]), .step_summed(step_7[STEP_SUMMED]),
        .step_first(step_7[STEP_FIRST_KEYS]), .step_last(step_7[STEP_LAST_KEYS]),
        .step_query(step_7[STEP_SCORE+SCORE_ADDRESS_BITS-1 -: QUERY_BITS]),
        .step_mask(step_7[STEP_MASK +: IN_PAR]), .exponentials(exponentials),
        .output_multiplier(output_multiplier), .output_shift(output_shift),
        .scale_query(scale_query), .scale_factor(scale_factor), .scale_shift(scale_shift),
        .scaled_rows(scaled_rows));

    wire part = IN_PARTS > 1 ? step_7[STEP_PART] : 1'b0;
    reg [IN_PAR*ACTIVATION_BITS-1:0] activations;
    // Which operands, decoded on the way into cycle 7, since all of their bits are chosen by it.
    wire [2:0] left_6 = step_6[STEP_LEFT +: 3];
    localparam [1:0] OF_NORM = 0, OF_HIDDEN = 1, OF_QUERY = 2, OF_GATHERED = 3;
    reg of_exponentials, of_wide, of_gathered;
    reg [1:0] of_activations;
    always @(posedge clk) begin
        of_exponentials <= step_6[STEP_EXPONENTIAL];
        of_gathered <= WIDE_TOKENS != 0 && left_6 == LEFT_GATHERED_WIDE;
        of_wide <= left_6 == LEFT_GATE_INPUT || (WIDE_TOKENS != 0 && left_6 == LEFT_GATHERED_WIDE);
        of_activations <= left_6 == LEFT_HIDDEN ? OF_HIDDEN : left_6 == LEFT_QUERY ? OF_QUERY
            : left_6 == LEFT_GATHERED ? OF_GATHERED : OF_NORM;
    end
    wire [VECTOR*16-1:0] wide_vector;
    generate
        if (WIDE_TOKENS != 0) begin : wide_tokens
            assign wide_vector = of_gathered ? gathered : gate_input;
        end else begin : gates_alone
            assign wide_vector = gate_input;
            wire unused_gathered = &{1'b0, of_gathered};
        end
    endgenerate
    wire [IN_PAR*16-1:0] wide = wide_vector[part*IN_PAR*16 +: IN_PAR*16];
    reg [IN_PAR*OPERAND_BITS-1:0] operands, operands_8;
    reg signed [15:0] value;
    reg signed [15:0] high;
    integer input_;
    always @* begin
        case (of_activations)
            OF_HIDDEN: activations = hidden[part*IN_PAR*ACTIVATION_BITS +: IN_PAR*ACTIVATION_BITS];
            OF_QUERY: activations = query[part*IN_PAR*ACTIVATION_BITS +: IN_PAR*ACTIVATION_BITS];
            OF_GATHERED: activations = gathered[part*IN_PAR*ACTIVATION_BITS +: IN_PAR*ACTIVATION_BITS];
            default: activations = norm[part*IN_PAR*ACTIVATION_BITS +: IN_PAR*ACTIVATION_BITS];
        endcase
        value = 16'd0;
        high = 16'd0;
        for (input_ = 0; input_ < IN_PAR; input_ = input_ + 1)
            if (of_exponentials)
                operands[input_*OPERAND_BITS +: OPERAND_BITS] =
                    {1'b0, exponentials[input_*EXPONENTIAL_BITS +: EXPONENTIAL_BITS]};
            else if (of_wide) begin
                // Digits of 8 bits: value = 256·high + low; W16A16 takes the value whole.
                value = wide[input_*16 +: 16];
                high = (value + 16'sd128) >>> 8;
                if (FINE == 0) value = step_7[STEP_LOW_DIGIT] ? value - (high <<< 8) : high;
                operands[input_*OPERAND_BITS +: OPERAND_BITS] =
                    {{(OPERAND_BITS-ACTIVATION_BITS){value[ACTIVATION_BITS-1]}}, value[ACTIVATION_BITS-1:0]};
            end else
                operands[input_*OPERAND_BITS +: OPERAND_BITS] =
                    {{(OPERAND_BITS-ACTIVATION_BITS){activations[(input_+1)*ACTIVATION_BITS-1]}},
                     activations[input_*ACTIVATION_BITS +: ACTIVATION_BITS]};
    end
    always @(posedge clk) operands_8 <= operands;
    wire [IN_PAR*OPERAND_BITS-1:0] staggered;
    stagger #(.LANES(IN_PAR), .BITS(OPERAND_BITS)) operand_delays (
        .clk(clk), .values(operands_8), .staggered(staggered));

    // Products and sums. What a sum needs of its step, from cycle 8 on, oldest last.
    localparam FINAL_BITS = SLOT_BITS + 1;
    localparam PLACES = OUT_PAR / 4;  // of four outputs each
    reg [PRODUCT_LATENCY-1:0] sum_valids;
    reg [PRODUCT_LATENCY*FINAL_BITS-1:0] finals;
    wire [PLACES-1:0] sum_valid, sum_first;
    wire [PLACES*SLOT_BITS-1:0] sum_slot;
    always @(posedge clk) begin
        sum_valids <= rst_n ? {sum_valids[PRODUCT_LATENCY-2:0], valid[7]} : {PRODUCT_LATENCY{1'b0}};
        finals <= {finals[(PRODUCT_LATENCY-1)*FINAL_BITS-1:0], step_7[STEP_FIRST], step_7[STEP_SLOT +: SLOT_BITS]};
    end
    wire unused = &{1'b0, step_7};

    localparam PRODUCT_SUM_BITS = OPERAND_BITS + WEIGHT_BITS + $clog2(IN_PAR);
    genvar pair, half, place;
    generate
        for (place = 0; place < PLACES; place = place + 1) begin : places
            sum_place #(.SLOT_BITS(SLOT_BITS)) of_outputs (
                .clk(clk), .rst_n(rst_n), .valid_in(sum_valids[PRODUCT_LATENCY-1]),
                .first_in(finals[PRODUCT_LATENCY*FINAL_BITS-1]),
                .slot_in(finals[(PRODUCT_LATENCY-1)*FINAL_BITS +: SLOT_BITS]), .valid(sum_valid[place]),
                .first(sum_first[place]), .slot(sum_slot[place*SLOT_BITS +: SLOT_BITS]));
        end
        for (pair = 0; pair < OUT_PAR / 2; pair = pair + 1) begin : pairs
            wire signed [PRODUCT_SUM_BITS-1:0] products [0:1];
            dot_product #(
                .LANES(IN_PAR), .OPERAND_BITS(OPERAND_BITS), .WEIGHT_BITS(WEIGHT_BITS), .PAIR_SHIFT(PAIR_SHIFT),
                .PACKED_BITS(PACKED_BITS), .FINE(FINE)
            ) multiply (
                .clk(clk), .activations(staggered),
                .packed_weights(tile[pair*IN_PAR*PACKED_BITS +: IN_PAR*PACKED_BITS]),
                .sum_0(products[0]), .sum_1(products[1]));
            for (half = 0; half < 2; half = half + 1) begin : outputs
                sum_ring #(.SLOT_BITS(SLOT_BITS), .PRODUCT_BITS(PRODUCT_SUM_BITS), .SUM_BITS(ACCUMULATOR_BITS)) ring (
                    .clk(clk), .valid(sum_valid[pair/2]), .first(sum_first[pair/2]),
                    .slot(sum_slot[pair/2*SLOT_BITS +: SLOT_BITS]), .product(products[half]), .drain_slot(drain_slot),
                    .drained(drain_sums[(2*pair+half)*ACCUMULATOR_BITS +: ACCUMULATOR_BITS]));
            end
        end
    endgenerate
endmodule
`default_nettype wire
