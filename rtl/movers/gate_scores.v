// SPDX-License-Identifier: MIT
// Exponentials of a row's logits and their sum, the gate's softmax before its division.
//
//   t = saturate(round_shift(logit·multiplier, shift)),  m = max ⌈t⌉,  exponentials[i] = exp2(t[i] − m),  sum = Σ
//
// Both over the experts that are there; the others' exponentials are 0, and with `renormalise` those of the experts that
// were not chosen, so that the sum is over the chosen ones (the largest is one of them). LANES logits a cycle; the cycles of a row follow
// each other without a gap, rows at any distance. t waits in a delay line until the row's maximum is known.
// Latency: 18 + CYCLES from a row's last beat to `closing`, the cycle before exponentials and sum belong to that row;
// they are held for CYCLES cycles (requantise 7, maximum 5, the row CYCLES − 1, exponential 6, sum 1).
// Depth: see requantise, exponential; LANES − 1 comparisons of 13 bits in a tree; a sum of LANES terms.
`default_nettype none
`include "require.vh"
module gate_scores #(
    parameter LOGIT_BITS = 42,
    parameter GATE_FORMS = 0,  // 1: there is `renormalise`
    parameter MAX_TOP_K = 4,
    parameter LANES = 4,
    parameter CYCLES = 4,
    parameter GATE_LOGIT_BITS = 24,
    parameter GATE_FRACTION = 12,
    parameter GATE_EXPONENTIAL_BITS = 16,
    parameter FINE_EXP2_HIGH_TABLE_BITS = 16,
    parameter [64*FINE_EXP2_HIGH_TABLE_BITS-1:0] FINE_EXP2_HIGH_TABLE = 0,
    parameter FINE_EXP2_LOW_TABLE_BITS = 17,
    parameter [64*FINE_EXP2_LOW_TABLE_BITS-1:0] FINE_EXP2_LOW_TABLE = 0
) (
    input  wire                        clk,
    input  wire                        rst_n,
    input  wire                        beat_valid,
    input  wire [$clog2(CYCLES)-1:0]   beat,
    input  wire [LANES*LOGIT_BITS-1:0] beat_logits,
    input  wire [LANES-1:0]            present,
    input  wire [15:0]                 multiplier,
    input  wire [5:0]                  shift,
    input  wire                        renormalise,
    input  wire [7:0]                  top_k,
    input  wire [MAX_TOP_K*$clog2(LANES*CYCLES)-1:0] choice,  // of gate_choice
    output wire                        closing,
    output reg  [LANES*CYCLES*GATE_EXPONENTIAL_BITS-1:0] exponentials,
    output reg  [GATE_EXPONENTIAL_BITS+$clog2(LANES*CYCLES)-1:0] sum
);
    localparam TOTAL = LANES * CYCLES;
    localparam BEAT_BITS = $clog2(CYCLES);
    localparam LAST = CYCLES - 1;
    localparam T = GATE_LOGIT_BITS;
    localparam E = GATE_EXPONENTIAL_BITS;
    localparam OCTAVE_BITS = T - GATE_FRACTION + 1;
    localparam SUM_BITS = E + $clog2(TOTAL);
    localparam SCALED = 7;  // requantise
    localparam WAIT = CYCLES + 4;  // until the row's maximum is known
    localparam RAISED = SCALED + WAIT + 6;  // exponential
    localparam INDEX_BITS = $clog2(TOTAL);
    localparam CHOSEN = CYCLES + 2;  // from its first beat to the one cycle in which a row's choice stands
    localparam signed [OCTAVE_BITS-1:0] LOWEST = {1'b1, {(OCTAVE_BITS-1){1'b0}}};

    // What belongs to the beat in each stage.
    reg [RAISED+1:1] valid, first, last;
    reg [RAISED*LANES-1:0] there;
    always @(posedge clk) begin
        valid <= rst_n ? {valid[RAISED:1], beat_valid} : {(RAISED+1){1'b0}};
        first <= {first[RAISED:1], beat == 0};
        last <= {last[RAISED:1], beat == LAST[BEAT_BITS-1:0]};
        there <= {there[(RAISED-1)*LANES-1:0], present};
    end

    reg [LANES-1:0] raised_there;  // with a reset, so that it is a register and no end of a shift register
    always @(posedge clk) raised_there <= rst_n ? there[(RAISED-2)*LANES +: LANES] : {LANES{1'b0}};

    wire [LANES*T-1:0] scores;
    reg [WAIT*LANES*T-1:0] waiting;
    reg [LANES*OCTAVE_BITS-1:0] octaves;
    reg signed [OCTAVE_BITS-1:0] beat_octave, highest, running, row_octave;
    localparam PAIRS = (LANES + 1) / 2;
    reg signed [OCTAVE_BITS-1:0] of_pair [0:PAIRS-1];
    reg signed [OCTAVE_BITS-1:0] larger [0:PAIRS-1];
    genvar pair;
    generate
        for (pair = 0; pair < PAIRS; pair = pair + 1) begin : pairs
            localparam OTHER = 2 * pair + 1 < LANES ? 2 * pair + 1 : 2 * pair;
            wire signed [OCTAVE_BITS-1:0] one = octaves[2*pair*OCTAVE_BITS +: OCTAVE_BITS];
            wire signed [OCTAVE_BITS-1:0] other = octaves[OTHER*OCTAVE_BITS +: OCTAVE_BITS];
            always @(posedge clk) of_pair[pair] <= one > other ? one : other;
        end
    endgenerate
    integer position, distance;
    always @* begin
        for (position = 0; position < PAIRS; position = position + 1) larger[position] = of_pair[position];
        for (distance = 1; distance < PAIRS; distance = 2 * distance)
            for (position = 0; position + distance < PAIRS; position = position + 2 * distance)
                if (larger[position+distance] > larger[position]) larger[position] = larger[position+distance];
        highest = larger[0];
    end
    always @(posedge clk) begin
        waiting <= {waiting[(WAIT-1)*LANES*T-1:0], scores};
        beat_octave <= highest;
        if (valid[SCALED+3]) running <= first[SCALED+3] | beat_octave > running ? beat_octave : running;
        if (valid[SCALED+4] & last[SCALED+4]) row_octave <= running;
    end

    // Which experts count in the sum; `counted` is that of the beat whose exponentials come out.
    wire [LANES-1:0] counted;
    generate
        if (GATE_FORMS != 0) begin : forms
            localparam DELAY = RAISED - 1 - CHOSEN;
            reg [TOTAL-1:0] chosen;
            reg [DELAY*TOTAL-1:0] delayed;
            reg [TOTAL-1:0] of_row;
            integer place;
            always @* begin
                chosen = {TOTAL{1'b0}};
                for (place = 0; place < MAX_TOP_K; place = place + 1)
                    if (place[7:0] < top_k) chosen[choice[place*INDEX_BITS +: INDEX_BITS]] = 1'b1;
            end
            always @(posedge clk) begin
                delayed <= {delayed[(DELAY-1)*TOTAL-1:0], chosen};
                of_row <= first[RAISED-1] ? delayed[(DELAY-1)*TOTAL +: TOTAL] : of_row >> LANES;
            end
            assign counted = of_row[LANES-1:0] | {LANES{!renormalise}};
        end else begin : plain
            wire unused_forms = &{1'b0, renormalise, top_k, choice};
            assign counted = {LANES{1'b1}};
        end
    endgenerate

    wire [LANES*E-1:0] raised;
    reg [TOTAL*E-1:0] collected;
    reg [SUM_BITS-1:0] beat_sum, running_sum, lanes_sum;
    wire [SUM_BITS-1:0] next_sum = first[RAISED+1] ? beat_sum : running_sum + beat_sum;
    assign closing = valid[RAISED+1] & last[RAISED+1];
    integer term;
    always @* begin
        lanes_sum = {SUM_BITS{1'b0}};
        for (term = 0; term < LANES; term = term + 1)
            lanes_sum = lanes_sum + {{(SUM_BITS-E){1'b0}}, raised[term*E +: E]};
    end
    always @(posedge clk) begin
        if (valid[RAISED]) collected <= {raised, collected[TOTAL*E-1:LANES*E]};
        beat_sum <= lanes_sum;
        if (valid[RAISED+1]) running_sum <= next_sum;
        if (closing) begin
            exponentials <= collected;
            sum <= next_sum;
        end
    end

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            wire signed [T-1:0] score;
            wire [E-1:0] result;
            wire scaled_valid, raised_valid;
            wire signed [OCTAVE_BITS-1:0] upper =
                {score[T-1], score[T-1:GATE_FRACTION]} + {{(OCTAVE_BITS-1){1'b0}}, |score[GATE_FRACTION-1:0]};
            requantise #(.VALUE_BITS(LOGIT_BITS), .MULTIPLIER_WIDTH(16), .RESULT_BITS(T)) scale (
                .clk(clk), .rst_n(rst_n), .valid_in(beat_valid), .value(beat_logits[lane*LOGIT_BITS +: LOGIT_BITS]),
                .multiplier(multiplier), .shift(shift), .valid_out(scaled_valid), .result(score));
            exponential #(
                .FINE_PRODUCT(1), .T_BITS(T), .T_FRACTION(GATE_FRACTION), .E_BITS(E),
                .FINE_EXP2_HIGH_TABLE_BITS(FINE_EXP2_HIGH_TABLE_BITS), .FINE_EXP2_HIGH_TABLE(FINE_EXP2_HIGH_TABLE),
                .FINE_EXP2_LOW_TABLE_BITS(FINE_EXP2_LOW_TABLE_BITS), .FINE_EXP2_LOW_TABLE(FINE_EXP2_LOW_TABLE)
            ) raise (
                .clk(clk), .rst_n(rst_n), .valid_in(valid[SCALED+WAIT]),
                .score(waiting[((WAIT-1)*LANES+lane)*T +: T]), .octave(row_octave),
                .valid_out(raised_valid), .result(result));
            always @(posedge clk)
                octaves[lane*OCTAVE_BITS +: OCTAVE_BITS] <= there[(SCALED-1)*LANES+lane] ? upper : LOWEST;
            assign scores[lane*T +: T] = score;
            assign raised[lane*E +: E] = raised_there[lane] && counted[lane] ? result : {E{1'b0}};
            wire unused = &{1'b0, scaled_valid, raised_valid};
`ifdef SIMULATION
            wire signed [T-1:0] waited = waiting[((WAIT-1)*LANES+lane)*T +: T];
            wire signed [OCTAVE_BITS-1:0] waited_octave =
                {waited[T-1], waited[T-1:GATE_FRACTION]} + {{(OCTAVE_BITS-1){1'b0}}, |waited[GATE_FRACTION-1:0]};
            wire waited_there = valid[SCALED+WAIT] && there[(SCALED+WAIT-1)*LANES+lane];
`endif
            `REQUIRE(rst_n && waited_there, waited_octave <= row_octave, "a logit above its row's maximum")
        end
    endgenerate
endmodule
`default_nettype wire
