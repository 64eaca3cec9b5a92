// GATE, after its pass: from logits to routing and queues, token by token.
#pragma once

#include "epilogues.hpp"

namespace edgemoe {

// Cycles per token: its choices go to queues that take one entry per cycle.
constexpr int ROUTE_INTERVAL = MAX_TOP_K;

inline void read_logits(const LogitWord (&words)[2][LOGIT_ROWS][EXPERT_WORDS], int row,
                        int64_t (&logits)[EXPERT_WORDS * OUT_PAR]) {
#pragma HLS inline
SIDES:
    for (int side = 0; side < 2; ++side) {  // trip 2
#pragma HLS unroll
        if (row % 2 == side) {
        WORDS:
            for (int word = 0; word < EXPERT_WORDS; ++word) {  // trip EXPERT_WORDS
#pragma HLS unroll
                int64_t part[OUT_PAR];
                unpack(words[side][row / 2][word], part);
            EXPERTS:
                for (int n = 0; n < OUT_PAR; ++n) {  // trip OUT_PAR
#pragma HLS unroll
                    logits[word * OUT_PAR + n] = part[n];
                }
            }
        }
    }
}

inline void route_tokens(const Instruction &i, Scratchpads &pads, Workspace &work) {
    int at = i.destination_row * i.top_k;
ROWS:
    for (int n = 0; n < i.rows; ++n) {  // II ROUTE_INTERVAL
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
#pragma HLS pipeline II=ROUTE_INTERVAL
        int64_t logits[EXPERT_WORDS * OUT_PAR];
        read_logits(work.logits, n, logits);
        Choice choice;
        top_k_experts(logits, i.experts, i.top_k, choice);
        gate_scores(logits, i.experts, i.top_k, i.multiplier, i.shift, i.renormalise, choice);
    RANKS:
        for (int rank = 0; rank < MAX_TOP_K; ++rank) {  // trip MAX_TOP_K
#pragma HLS unroll
            if (rank < i.top_k) {
                pads.routing[at + rank] = choice.expert[rank] | (uint32_t)choice.score[rank] << 16;
                enqueue(work.queues, choice.expert[rank], i.source_row + n, i.destination_row + n, choice.score[rank]);
            }
        }
        at += i.top_k;
    }
    work.queues.source_end = larger(work.queues.source_end, i.source_row + i.rows);
    work.queues.destination_end = i.destination_row + i.rows;
}

}  // namespace edgemoe
