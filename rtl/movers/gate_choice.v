// SPDX-License-Identifier: MIT
// The largest logits of a row: every logit's rank is the number of others that beat it.
//
//   rank[i] = #{ j : logit[j] > logit[i], or logit[j] = logit[i] and j < i },  choice[rank[i]] = i where rank[i] < MAX_TOP_K
//
// LANES logits are ranked per cycle against all of the row, which is held meanwhile; experts that are not there beat
// nobody and are not chosen. Places of `choice` beyond the number of experts are unspecified.
// Latency: 4 from a row's last beat to choice_valid (comparisons, counts, places, valid).
// Depth: a comparison of LOGIT_BITS bits; a count of LANES·CYCLES ones; a 1 : MAX_TOP_K decoder.
`default_nettype none
module gate_choice #(
    parameter LOGIT_BITS = 42,
    parameter LANES = 4,
    parameter CYCLES = 4,
    parameter MAX_TOP_K = 4
) (
    input  wire                               clk,
    input  wire                               rst_n,
    input  wire                               beat_valid,
    input  wire [$clog2(CYCLES)-1:0]          beat,
    input  wire [LANES*LOGIT_BITS-1:0]        beat_logits,
    input  wire [LANES*CYCLES*LOGIT_BITS-1:0] row_logits,
    input  wire [LANES*CYCLES-1:0]            present,
    output reg                                choice_valid,
    output reg  [MAX_TOP_K*$clog2(LANES*CYCLES)-1:0] choice
);
    localparam TOTAL = LANES * CYCLES;
    localparam INDEX_BITS = $clog2(TOTAL);
    localparam BEAT_BITS = $clog2(CYCLES);
    localparam LAST = CYCLES - 1;

    // Registers of this module alone, last stage first (see dot_product).
    /* verilator lint_off BLKSEQ */
    reg [TOTAL-1:0] beaten [0:LANES-1];
    reg [INDEX_BITS:0] rank [0:LANES-1];
    reg [BEAT_BITS-1:0] beat_1, beat_2;
    reg valid_1, valid_2;
    reg [INDEX_BITS-1:0] expert;
    reg signed [LOGIT_BITS-1:0] own, other;
    integer lane, rival, place;
    always @(posedge clk) begin
        choice_valid <= rst_n & valid_2 & beat_2 == LAST[BEAT_BITS-1:0];
        if (valid_2)
            for (lane = 0; lane < LANES; lane = lane + 1)
                for (place = 0; place < MAX_TOP_K; place = place + 1)
                    if (rank[lane] == place[INDEX_BITS:0])
                        choice[place*INDEX_BITS +: INDEX_BITS] <= beat_2 * LANES[INDEX_BITS-1:0] + lane[INDEX_BITS-1:0];
        if (valid_1)
            for (lane = 0; lane < LANES; lane = lane + 1) begin
                rank[lane] = {(INDEX_BITS+1){1'b0}};
                for (rival = 0; rival < TOTAL; rival = rival + 1)
                    rank[lane] = rank[lane] + {{INDEX_BITS{1'b0}}, beaten[lane][rival]};
            end
        valid_2 = rst_n & valid_1;
        beat_2 = beat_1;
        if (beat_valid)
            for (lane = 0; lane < LANES; lane = lane + 1) begin
                own = beat_logits[lane*LOGIT_BITS +: LOGIT_BITS];
                expert = beat * LANES[INDEX_BITS-1:0] + lane[INDEX_BITS-1:0];
                for (rival = 0; rival < TOTAL; rival = rival + 1) begin
                    other = row_logits[rival*LOGIT_BITS +: LOGIT_BITS];
                    beaten[lane][rival] = !present[expert] | (present[rival] &
                        (other > own | (other == own & rival[INDEX_BITS-1:0] < expert)));
                end
            end
        valid_1 = rst_n & beat_valid;
        beat_1 = beat;
    end
    /* verilator lint_on BLKSEQ */
endmodule
`default_nettype wire
