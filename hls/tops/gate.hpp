// Logits of MAX_EXPERTS experts, how many of them there are, top k, multiplier, shift, renormalise → the experts chosen, their scores.
#pragma once

#include "../kernels/gate.hpp"

using namespace edgemoe;

constexpr int INPUTS = MAX_EXPERTS + 5, OUTPUTS = 2 * MAX_TOP_K;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    int64_t logits[MAX_EXPERTS];
LOGITS:
    for (int n = 0; n < MAX_EXPERTS; ++n) {  // trip MAX_EXPERTS
#pragma HLS unroll
        logits[n] = in[n];
    }
    const int experts = (int)in[MAX_EXPERTS], top_k = (int)in[MAX_EXPERTS + 1];
    Choice choice;
    top_k_experts(logits, experts, top_k, choice);
    gate_scores(logits, experts, top_k, (int)in[MAX_EXPERTS + 2], (int)in[MAX_EXPERTS + 3],
                in[MAX_EXPERTS + 4] != 0, choice);
RANKS:
    for (int rank = 0; rank < MAX_TOP_K; ++rank) {  // trip MAX_TOP_K
#pragma HLS unroll
        out[rank] = rank < top_k ? choice.expert[rank] : 0;
        out[MAX_TOP_K + rank] = choice.score[rank];
    }
}
