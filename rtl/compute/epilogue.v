// SPDX-License-Identifier: MIT
// The epilogues of a pass, from sums to scratchpads: the post lanes, and where their results go.
//
//   QKV, P·V: activations of query, key, value, norm;  GELU: hidden;  residual, score-weighted: residual += …
//   scores: to the softmax of the lanes;  logits: their sums joined, to the gate;  head: 16-bit outputs
//
// Cycles of a drain step: 0 step; 1 sums of its lanes, expert's queue; 2 bias; 3 factor; 11 results, activations written;
// 15 residual read; 19 residual written; 23 GELU written.
// Precondition: the rows of a step lie in different banks; a score-weighted step has one row.
// Latency: 24 from a step to its last write. Depth: a multiplexer of lanes; see post_lane.
`default_nettype none
`include "require.vh"
module epilogue (
    clk, rst_n, step_valid, step, drain_slot, drain_sums, channel_push, channel_lines, channel_done, scale_query,
    scale_factors, scale_shifts, multiplier, shift, output_multiplier, output_shift, output_zero, activation, biased,
    first_key, end_key,
    lookup_expert, lookup_index, lookup_destination, lookup_score, score_write, score_first, score_address, scores,
    score_mask, logits_valid, logits_row, logits_tile, logits, head_valid, head_row, head_tile, head_values,
    residual_read_depth, residual_read, residual_enable, residual_parts, residual_depth, residual_values, write_enable,
    write_buffer, write_parts, write_depth, write_values, write_wide, wide_result, scores_done, contexts_done, job_written, empty
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "drain.vh"
    localparam ROW_SUMS = OUT_PAR * ACCUMULATOR_BITS;
    localparam ROW_LOGITS = OUT_PAR * LOGIT_BITS;
    localparam ROW_RESULTS = OUT_PAR * ACTIVATION_BITS;
    localparam ROW_RESIDUALS = OUT_PAR * RESIDUAL_BITS;
    localparam ROW_WIDE = OUT_PAR * 16;
    localparam OUT_SHIFT = $clog2(OUT_PAR);

    input  wire                                    clk;
    input  wire                                    rst_n;
    input  wire                                    step_valid;
    input  wire [DRAIN_BITS-1:0]                   step;
    output wire [SLOT_BITS-1:0]                    drain_slot;
    input  wire [TOKEN_PAR*ROW_SUMS-1:0]           drain_sums;
    input  wire                                    channel_push;
    input  wire [CHANNEL_LINES*LINE_BITS-1:0]      channel_lines;
    output wire                                    channel_done;
    output wire [QUERY_BITS-1:0]                   scale_query;
    input  wire [TOKEN_PAR*FACTOR_BITS-1:0]        scale_factors;
    input  wire [TOKEN_PAR*6-1:0]                  scale_shifts;
    input  wire [MULTIPLIER_BITS-1:0]              multiplier;
    input  wire [5:0]                              shift;
    input  wire [MULTIPLIER_BITS-1:0]              output_multiplier;
    input  wire [5:0]                              output_shift;
    input  wire [FIELD_OUTPUT_ZERO_WIDTH-1:0]      output_zero;
    input  wire [FIELD_ACTIVATION_WIDTH-1:0]       activation;
    input  wire                                    biased;
    input  wire [15:0]                             first_key;
    input  wire [15:0]                             end_key;
    output wire [7:0]                              lookup_expert;
    output wire [15:0]                             lookup_index;
    input  wire [15:0]                             lookup_destination;
    input  wire [15:0]                             lookup_score;
    output reg  [TOKEN_PAR-1:0]                    score_write;
    output wire                                    score_first;
    output wire [SCORE_ADDRESS_BITS-1:0]           score_address;
    output wire [POST_ROWS*OUT_PAR*SCORE_BITS-1:0] scores;
    output reg  [OUT_PAR-1:0]                      score_mask;
    output wire [POST_ROWS-1:0]                    logits_valid;
    output wire [POST_ROWS*16-1:0]                 logits_row;
    output wire [7:0]                              logits_tile;
    output wire [POST_ROWS*ROW_LOGITS-1:0]         logits;
    output wire [POST_ROWS-1:0]                    head_valid;
    output wire [15:0]                             head_row;
    output wire [11:0]                             head_tile;
    output wire [POST_ROWS*OUT_PAR*OUTPUT_BITS-1:0] head_values;
    output wire [POST_ROWS*16-1:0]                 residual_read_depth;
    input  wire [TOKEN_PAR*RESIDUAL_VECTOR-1:0]    residual_read;
    output wire [TOKEN_PAR-1:0]                    residual_enable;
    output wire [OUT_PARTS-1:0]                    residual_parts;
    output wire [POST_ROWS*16-1:0]                 residual_depth;
    output wire [POST_ROWS*RESIDUAL_VECTOR-1:0]    residual_values;
    output wire [TOKEN_PAR-1:0]                    write_enable;
    output reg  [3:0]                              write_buffer;
    output wire [OUT_PARTS-1:0]                    write_parts;
    output wire [POST_ROWS*16-1:0]                 write_depth;
    output wire [POST_ROWS*VECTOR_BITS-1:0]        write_values;
    output wire [POST_ROWS*VECTOR*16-1:0]          write_wide;  // GATE_INPUT's rows in their place
    input  wire                                    wide_result;
    output reg  [7:0]                              scores_done;
    output reg  [7:0]                              contexts_done;
    output wire                                    job_written;  // all results of one more group have been written
    output wire                                    empty;

    // The step on its way: whole until cycle 11, then what writing still needs.
    localparam STAGES = DRAIN_STAGES;
    localparam REST_BITS = POST_ROWS + 3 + 1;  // rows, kind, part
    reg [STAGES:1] valid;
    reg [11*DRAIN_BITS-1:0] steps;            // cycles 1 … 11, the youngest in the low bits
    reg [12*REST_BITS-1:0] rests;             // cycles 12 … 23
    wire [DRAIN_BITS-1:0] step_1 = steps[0 +: DRAIN_BITS];
    wire [DRAIN_BITS-1:0] step_2 = steps[DRAIN_BITS +: DRAIN_BITS];
    wire [DRAIN_BITS-1:0] step_3 = steps[2*DRAIN_BITS +: DRAIN_BITS];
    wire [DRAIN_BITS-1:0] step_4 = steps[3*DRAIN_BITS +: DRAIN_BITS];
    wire [DRAIN_BITS-1:0] step_6 = steps[5*DRAIN_BITS +: DRAIN_BITS];
    wire [DRAIN_BITS-1:0] step_10 = steps[9*DRAIN_BITS +: DRAIN_BITS];
    wire [DRAIN_BITS-1:0] step_11 = steps[10*DRAIN_BITS +: DRAIN_BITS];
    wire [REST_BITS-1:0] rest_15 = rests[3*REST_BITS +: REST_BITS];
    wire [REST_BITS-1:0] rest_18 = rests[6*REST_BITS +: REST_BITS];
    wire [REST_BITS-1:0] rest_21 = rests[9*REST_BITS +: REST_BITS];
    wire [REST_BITS-1:0] rest_22 = rests[10*REST_BITS +: REST_BITS];
    wire [REST_BITS-1:0] rest_23 = rests[11*REST_BITS +: REST_BITS];
    always @(posedge clk) begin
        valid <= rst_n ? {valid[STAGES-1:1], step_valid} : {STAGES{1'b0}};
        steps <= {steps[10*DRAIN_BITS-1:0], step};
        rests <= {rests[11*REST_BITS-1:0],
                  step_11[DRAIN_PART], step_11[DRAIN_KIND +: 3], step_11[DRAIN_ROWS +: POST_ROWS]};
    end
    reg [STAGES:1] job_ends;
    always @(posedge clk) job_ends <= {job_ends[STAGES-1:1], step[DRAIN_JOB_ENDS]};
    assign job_written = valid[STAGES] && job_ends[STAGES];
    assign empty = !step_valid && valid == {STAGES{1'b0}};
    assign drain_slot = step_1[DRAIN_SLOT +: SLOT_BITS];
    assign lookup_expert = step_1[DRAIN_EXPERT +: 8];
    assign lookup_index = step_1[DRAIN_INDEX +: 16];
    assign scale_query = step_2[DRAIN_QUERY +: 4];

    // Operands of the post lanes.
    wire [2:0] kind_2 = step_2[DRAIN_KIND +: 3];
    reg has_channels;  // of step_2, decoded a cycle before, as it drives what is added to every sum
    always @(posedge clk) has_channels <= step_1[DRAIN_KIND +: 3] < PASS_LOGITS;
    wire [OUT_PAR*ACCUMULATOR_BITS-1:0] biases;
    wire [OUT_PAR*MULTIPLIER_BITS-1:0] multipliers;
    wire [OUT_PAR*6-1:0] shifts;
    wire logits_biased = GATE_FORMS != 0 && biased && kind_2 == PASS_LOGITS;
    assign channel_done = valid[2] && (has_channels || logits_biased) && step_2[DRAIN_JOB_ENDS];
    channel_queue #(
        .OUT_PAR(OUT_PAR), .CHANNEL_BYTES(CHANNEL_BYTES), .ACCUMULATOR_BITS(ACCUMULATOR_BITS),
        .MULTIPLIER_BITS(MULTIPLIER_BITS), .CHANNEL_QUEUE(CHANNEL_QUEUE)
    ) channels (
        .clk(clk), .rst_n(rst_n), .push(channel_push), .lines(channel_lines), .pop(channel_done),
        .biases(biases), .multipliers(multipliers), .shifts(shifts));

    reg [15:0] row_4;
    reg [12*17-1:0] weights;                  // cycles 4 … 15, the youngest in the low bits
    wire weighted_3 = step_3[DRAIN_KIND +: 3] == PASS_WEIGHTED;
    always @(posedge clk) begin
        row_4 <= weighted_3 ? lookup_destination : step_3[DRAIN_ROW +: 16];
        weights <= {weights[11*17-1:0], weighted_3 ? {1'b0, lookup_score} : 17'h10000};
    end
    wire guarded = rest_15[POST_ROWS +: 3] == PASS_WEIGHTED;
    wire weighs = rest_15[POST_ROWS +: 3] != PASS_GELU;

    // The second step of wide tokens takes the sums of high digits from the first, which has no results.
    wire joins_2 = WIDE_TOKENS != 0 && !step_2[DRAIN_FIRST] && (has_channels || kind_2 == PASS_HEAD);
    wire [POST_ROWS*ROW_WIDE-1:0] wides_11;
    wire [POST_ROWS*ROW_RESULTS-1:0] activations_11, gelus_23;
    wire [POST_ROWS*ROW_RESIDUALS-1:0] residuals_23;
    wire [POST_ROWS*LANE_BITS-1:0] bank_10, bank_18, bank_21, bank_22;
    wire [POST_ROWS*16-1:0] depth_11, depth_19, depth_23;
    genvar r, n;
    generate
        for (r = 0; r < POST_ROWS; r = r + 1) begin : rows
            wire [LANE_BITS-1:0] lane_1 = step_1[DRAIN_LANE +: LANE_BITS] | r[LANE_BITS-1:0];
            wire [LANE_BITS-1:0] lane_2 = step_2[DRAIN_LANE +: LANE_BITS] | r[LANE_BITS-1:0];
            wire part_21 = OUT_PARTS > 1 && rest_21[REST_BITS-1];
            reg [ROW_SUMS-1:0] sums_2, high_3;
            reg [FACTOR_BITS-1:0] row_factor_3;
            reg [5:0] row_shift_3;
            reg from_channels_3;
            reg [OUT_PAR*MULTIPLIER_BITS-1:0] multipliers_3;
            reg [OUT_PAR*6-1:0] shifts_3;
            reg [ROW_RESIDUALS-1:0] residual_22;
            always @(posedge clk) begin
                sums_2 <= drain_sums[lane_1*ROW_SUMS +: ROW_SUMS];
                if (valid[2]) high_3 <= sums_2;
                from_channels_3 <= has_channels;
                multipliers_3 <= multipliers;
                shifts_3 <= shifts;
                row_factor_3 <= kind_2 == PASS_CONTEXT ? scale_factors[lane_2*FACTOR_BITS +: FACTOR_BITS]
                    : {{(FACTOR_BITS-MULTIPLIER_BITS){1'b0}}, multiplier};
                row_shift_3 <= kind_2 == PASS_CONTEXT ? scale_shifts[lane_2*6 +: 6] : shift;
                residual_22 <= residual_read[
                    bank_21[r*LANE_BITS +: LANE_BITS]*RESIDUAL_VECTOR + part_21*ROW_RESIDUALS +: ROW_RESIDUALS];
            end
            assign logits_valid[r] = valid[3] && step_3[DRAIN_KIND +: 3] == PASS_LOGITS && step_3[DRAIN_LAST]
                && step_3[DRAIN_ROWS + r];
            assign logits_row[r*16 +: 16] = step_3[DRAIN_ROW +: 16] + r[15:0];

            drain_place #(
                .OFFSET(r), .LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)
            ) place (
                .clk(clk), .row_4(row_4),
                .vectors_4(step_4[DRAIN_VECTORS +: VECTORS_BITS]), .vector_6(step_6[DRAIN_VECTOR +: VECTORS_BITS]),
                .bank_10(bank_10[r*LANE_BITS +: LANE_BITS]), .depth_11(depth_11[r*16 +: 16]),
                .bank_18(bank_18[r*LANE_BITS +: LANE_BITS]), .depth_19(depth_19[r*16 +: 16]),
                .bank_21(bank_21[r*LANE_BITS +: LANE_BITS]),
                .bank_22(bank_22[r*LANE_BITS +: LANE_BITS]), .depth_23(depth_23[r*16 +: 16]));

            for (n = 0; n < OUT_PAR; n = n + 1) begin : outputs
                localparam AT = r * OUT_PAR + n;
                post_lane #(
                    .ACCUMULATOR_BITS(ACCUMULATOR_BITS), .JOINED_BITS(JOINED_BITS), .WIDE_LIMIT(WIDE_LIMIT),
                    .DSP_WIDE_BITS(DSP_WIDE_BITS), .FACTOR_BITS(FACTOR_BITS), .MULTIPLIER_BITS(MULTIPLIER_BITS),
                    .SCORE_WEIGHT_BITS(SCORE_WEIGHT_BITS),
                    .GUARD_BITS(GUARD_BITS), .WEIGHS(r == 0 ? 1 : 0), .ACTIVATION_BITS(ACTIVATION_BITS), .SCORE_BITS(SCORE_BITS),
                    .OUTPUT_BITS(OUTPUT_BITS), .RESIDUAL_BITS(RESIDUAL_BITS), .ZERO_BITS(FIELD_OUTPUT_ZERO_WIDTH),
                    .FINE(FINE), .GELU_BITS(GELU_BITS), .GELU_FRACTION(GELU_FRACTION),
                    .GELU_STEP_BITS(GELU_STEP_BITS), .GELU_TABLES(GELU_TABLES), .DELTA_ENTRIES(DELTA_ENTRIES),
                    .GELU_DELTA_TABLE_BITS(GELU_DELTA_TABLE_BITS), .GELU_DELTA_TABLE(GELU_DELTA_TABLE)
                ) lane (
                    .clk(clk), .rst_n(rst_n), .sum(sums_2[n*ACCUMULATOR_BITS +: ACCUMULATOR_BITS]),
                    .high(joins_2 ? high_3[n*ACCUMULATOR_BITS +: ACCUMULATOR_BITS] : {ACCUMULATOR_BITS{1'b0}}),
                    .bias(has_channels ? biases[n*ACCUMULATOR_BITS +: ACCUMULATOR_BITS] : {ACCUMULATOR_BITS{1'b0}}),
                    .factor(from_channels_3
                        ? {{(FACTOR_BITS-MULTIPLIER_BITS){1'b0}}, multipliers_3[n*MULTIPLIER_BITS +: MULTIPLIER_BITS]}
                        : row_factor_3),
                    .shift(from_channels_3 ? shifts_3[n*6 +: 6] : row_shift_3),
                    .gelu_activation(activation), .gelu_multiplier(output_multiplier), .gelu_shift(output_shift), .gelu_zero(output_zero),
                    .weighs(weighs), .weight(weights[11*17 +: 17]), .guarded(guarded),
                    .residual(residual_22[n*RESIDUAL_BITS +: RESIDUAL_BITS]),
                    .activation(activations_11[AT*ACTIVATION_BITS +: ACTIVATION_BITS]),
                    .score(scores[AT*SCORE_BITS +: SCORE_BITS]), .head(head_values[AT*OUTPUT_BITS +: OUTPUT_BITS]),
                    .wide(wides_11[AT*16 +: 16]),
                    .gelu_out(gelus_23[AT*ACTIVATION_BITS +: ACTIVATION_BITS]),
                    .residual_out(residuals_23[AT*RESIDUAL_BITS +: RESIDUAL_BITS]));

                // A logit from its sums, the highest power of 256 first; a signed operand extends by sign. Its bias is
                // 2^16 times one field of its channel record and another one.
                /* verilator lint_off WIDTHEXPAND */
                wire signed [LOGIT_BITS-1:0] sum_2 = $signed(sums_2[n*ACCUMULATOR_BITS +: ACCUMULATOR_BITS]);
                /* verilator lint_on WIDTHEXPAND */
                wire signed [GATE_BIAS_BITS-1:0] high_bias = biases[n*ACCUMULATOR_BITS +: GATE_BIAS_BITS];
                wire [LOGIT_BITS-1:0] bias_2 = logits_biased && step_2[DRAIN_LAST]
                    ? {{(LOGIT_BITS-16-GATE_BIAS_BITS){high_bias[GATE_BIAS_BITS-1]}}, high_bias,
                       multipliers[n*MULTIPLIER_BITS +: 16]}
                    : {LOGIT_BITS{1'b0}};
                reg signed [LOGIT_BITS-1:0] logit_3;
                always @(posedge clk)
                    if (valid[2])
                        logit_3 <= (LOGIT_ROWS == 1 || step_2[DRAIN_FIRST] ? {LOGIT_BITS{1'b0}} : logit_3 <<< 8)
                            + sum_2 + $signed(bias_2);
                assign logits[r*ROW_LOGITS + n*LOGIT_BITS +: LOGIT_BITS] = logit_3;
            end
        end
    endgenerate
    assign logits_tile = step_3[DRAIN_TILE +: 8];

    // Scores and heads, cycle 11.
    wire [2:0] kind_11 = step_11[DRAIN_KIND +: 3];
    wire [15:0] first_word = first_key >> OUT_SHIFT;
    wire [DRAIN_BITS-1:0] step_9 = steps[8*DRAIN_BITS +: DRAIN_BITS];
    reg [15:0] key_10;
    wire [OUT_PAR-1:0] mask_10;
    key_mask #(.KEYS(OUT_PAR)) of_task (.base(key_10), .first_key(first_key), .end_key(end_key), .mask(mask_10));
    always @(posedge clk) begin
        key_10 <= (first_word + {4'd0, step_9[DRAIN_TILE +: 12]}) << OUT_SHIFT;
        score_mask <= mask_10;
    end
    integer row_lane;
    always @*
        for (row_lane = 0; row_lane < TOKEN_PAR; row_lane = row_lane + 1)
            score_write[row_lane] = valid[11] && kind_11 == PASS_SCORES
                && (row_lane[LANE_BITS-1:0] & ~(POST_ROWS[LANE_BITS-1:0] - 1'b1)) == step_11[DRAIN_LANE +: LANE_BITS];
    assign score_first = step_11[DRAIN_TILE +: 12] == 12'd0;
    assign score_address = {step_11[DRAIN_QUERY +: 4], step_11[DRAIN_TILE +: KEY_WORD_BITS]};
    assign head_valid = valid[11] && kind_11 == PASS_HEAD ? step_11[DRAIN_ROWS +: POST_ROWS] : {POST_ROWS{1'b0}};
    assign head_row = step_11[DRAIN_ROW +: 16];
    assign head_tile = step_11[DRAIN_TILE +: 12];

    // Done when the last row of a pass has gone all the way.
    reg [6:1] last_scores, last_context;
    always @(posedge clk) begin
        last_scores <= {last_scores[5:1], valid[11] && step_11[DRAIN_PASS_ENDS] && kind_11 == PASS_SCORES};
        last_context <= {last_context[5:1], valid[11] && step_11[DRAIN_PASS_ENDS] && kind_11 == PASS_CONTEXT};
        scores_done <= !rst_n ? 8'd0 : scores_done + {7'd0, last_scores[6]};
        contexts_done <= !rst_n ? 8'd0 : contexts_done + {7'd0, last_context[6]};
    end

    // Activations, cycle 11; GELU, cycle 23. One instruction has only one of them.
    reg gelu;  // known a cycle before, as it chooses between all results
    wire [2:0] kind_10 = step_10[DRAIN_KIND +: 3];
    wire gelu_22 = valid[22] && rest_22[POST_ROWS +: 3] == PASS_GELU;
    wire direct_10 = valid[10] && (kind_10 == PASS_QKV || kind_10 == PASS_CONTEXT);
    always @(posedge clk) begin
        gelu <= rst_n && gelu_22;
        write_buffer <= gelu_22 ? BUFFER_HIDDEN[3:0]
            : kind_10 == PASS_CONTEXT ? (WIDE_TOKENS != 0 && wide_result ? BUFFER_GATE_INPUT[3:0] : BUFFER_NORM[3:0])
            : BUFFER_QUERY[3:0] + {2'b00, step_10[DRAIN_THIRD +: 2]};
    end
    wire write_part = gelu ? rest_23[REST_BITS-1] : step_11[DRAIN_PART];
    bank_writer #(.ROWS(POST_ROWS), .BANKS(TOKEN_PAR), .BITS(ROW_RESULTS), .PARTS(OUT_PARTS)) activation_writer (
        .clk(clk), .rst_n(rst_n),
        .valid(gelu_22 ? rest_22[POST_ROWS-1:0] : direct_10 ? step_10[DRAIN_ROWS +: POST_ROWS] : {POST_ROWS{1'b0}}),
        .bank(gelu_22 ? bank_22 : bank_10), .depth(gelu ? depth_23 : depth_11),
        .values(gelu ? gelus_23 : activations_11),
        .write_enable(write_enable), .write_depth(write_depth), .write_values(write_values));

    generate
        if (WIDE_TOKENS != 0) begin : wide_rows
            wire [TOKEN_PAR-1:0] unused_enable;
            wire [POST_ROWS*16-1:0] unused_depth;
            bank_writer #(.ROWS(POST_ROWS), .BANKS(TOKEN_PAR), .BITS(ROW_WIDE), .PARTS(OUT_PARTS)) wide_writer (
                .clk(clk), .rst_n(rst_n), .valid(direct_10 ? step_10[DRAIN_ROWS +: POST_ROWS] : {POST_ROWS{1'b0}}),
                .bank(bank_10), .depth(depth_11), .values(wides_11),
                .write_enable(unused_enable), .write_depth(unused_depth), .write_values(write_wide));
            wire unused = &{1'b0, unused_enable, unused_depth};
        end else begin : no_wide_rows
            assign write_wide = {(POST_ROWS*VECTOR*16){1'b0}};
            wire unused = &{1'b0, wides_11};
        end
    endgenerate

    // Residual: read in 19, written in 23. Two steps of a pass never touch the same part of a row.
    wire [2:0] kind_22 = rest_22[POST_ROWS +: 3];
    wire updates_22 = valid[22] && (kind_22 == PASS_RESIDUAL || kind_22 == PASS_WEIGHTED);
    wire [TOKEN_PAR-1:0] unused_enable;
    wire [POST_ROWS-1:0] unused_values;
    bank_writer #(.ROWS(POST_ROWS), .BANKS(TOKEN_PAR), .BITS(1), .PARTS(1)) residual_reader (
        .clk(clk), .rst_n(rst_n), .valid(rest_18[POST_ROWS-1:0]), .bank(bank_18), .depth(depth_19),
        .values({POST_ROWS{1'b0}}),
        .write_enable(unused_enable), .write_depth(residual_read_depth), .write_values(unused_values));
    bank_writer #(.ROWS(POST_ROWS), .BANKS(TOKEN_PAR), .BITS(ROW_RESIDUALS), .PARTS(OUT_PARTS)) residual_writer (
        .clk(clk), .rst_n(rst_n), .valid(updates_22 ? rest_22[POST_ROWS-1:0] : {POST_ROWS{1'b0}}), .bank(bank_22),
        .depth(depth_23), .values(residuals_23), .write_enable(residual_enable), .write_depth(residual_depth),
        .write_values(residual_values));
    generate
        if (OUT_PARTS > 1) begin : two_parts
            assign write_parts = {write_part, !write_part};
            assign residual_parts = {rest_23[REST_BITS-1], !rest_23[REST_BITS-1]};
        end else begin : one_part
            assign write_parts = 1'b1;
            assign residual_parts = 1'b1;
        end
    endgenerate
    wire unused = &{1'b0, wide_result, unused_enable, unused_values, write_part, step_1, step_3, step_4, step_6, step_9, step_10,
                    rest_15, rest_18, rest_21, rest_22, rest_23};
`ifdef SIMULATION
    wire [POST_ROWS-1:0] rows_3 = step_3[DRAIN_ROWS +: POST_ROWS];
    `REQUIRE(valid[3] && weighted_3, (rows_3 & (rows_3 - 1'b1)) == 0, "a score-weighted step of several rows")
    generate
        for (r = 1; r < POST_ROWS; r = r + 1) begin : one
            for (n = 0; n < r; n = n + 1) begin : other
                wire same_10 = bank_10[r*LANE_BITS +: LANE_BITS] == bank_10[n*LANE_BITS +: LANE_BITS];
                wire same_22 = bank_22[r*LANE_BITS +: LANE_BITS] == bank_22[n*LANE_BITS +: LANE_BITS];
                `REQUIRE(direct_10 && step_10[DRAIN_ROWS+r] && step_10[DRAIN_ROWS+n], !same_10, "two rows of activations in one bank")
                `REQUIRE(updates_22 && rest_22[r] && rest_22[n], !same_22, "two rows of RESIDUAL in one bank")
            end
        end
    endgenerate
`endif
endmodule
`default_nettype wire
