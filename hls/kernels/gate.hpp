// Gate: 16-bit logits, top k on integers, scores by softmax over all experts: golden/ops/gate.py.
#pragma once

#include "softmax.hpp"

namespace edgemoe {

// Products of 8-bit digits per weight: high·high, high·low with low·high, low·low; W16A16 needs no digits.
constexpr int GATE_SUMS = 2 * GATE_DIGITS - 1;

// A 16-bit value as two signed digits, value = 256·high + low.
inline int16_t high_digit(int16_t value) { return (int16_t)((value + 128) >> 8); }
inline int16_t low_digit(int16_t value) { return (int16_t)(value - 256 * high_digit(value)); }

// A logit from the sums of its digits, the first with the greatest weight: this one appended to those before.
inline int64_t gate_logit(int64_t before, accumulator_t sum) { return before * 256 + sum; }

// A bias of logits from the two fields of a channel record, the first of GATE_BIAS_BITS, whatever stands above them.
inline int64_t gate_bias(int64_t high, uint16_t low) {
    const int unused = 64 - GATE_BIAS_BITS;
    return ((int64_t)((uint64_t)high << unused) >> unused) * (1 << 16) + low;
}

// One token's choice, best first.
struct Choice {
    uint16_t expert[MAX_TOP_K];
    uint16_t score[MAX_TOP_K];
};

// The k largest logits, ties to the lowest index; every expert taken is marked, so none is chosen twice. The best value
// is carried along, so that every logit has its constant place.
template <int ROOM>
inline void top_k_experts(const int64_t (&logits)[ROOM], int experts, int top_k, Choice &choice) {
#pragma HLS inline
    bool taken[MAX_EXPERTS];
#pragma HLS array_partition variable=taken complete
CLEAR:
    for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
        taken[expert] = false;
    }
RANKS:
    for (int rank = 0; rank < MAX_TOP_K; ++rank) {  // trip MAX_TOP_K
#pragma HLS unroll
        int best = -1;
        int64_t most = 0;
    CANDIDATES:
        for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
            if (rank < top_k && expert < experts && !taken[expert] && (best < 0 || logits[expert] > most)) {
                best = expert;
                most = logits[expert];
            }
        }
        choice.expert[rank] = (uint16_t)(best < 0 ? 0 : best);
    TAKE:
        for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
            if (expert == best) taken[expert] = true;
        }
    }
}

// score[j] = min(⌊e_j·2^16 / Σe⌋, 2^16 − 1), e over all experts, or over the chosen ones.
template <int ROOM>
inline void gate_scores(const int64_t (&logits)[ROOM], int experts, int top_k, int multiplier, int shift,
                        bool renormalise, Choice &choice) {
#pragma HLS inline
    int64_t scores[MAX_EXPERTS];
#pragma HLS array_partition variable=scores complete
    int64_t maximum = 0;
SCALE:
    for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
        scores[expert] = 0;
        if (expert < experts) {
            const int64_t scaled = product<LOGIT_BITS - 1, MULTIPLIER_BITS + 1>(logits[expert], multiplier);
            scores[expert] = saturate(round_shift(scaled, shift), GATE_LOGIT_BITS);
            const int64_t upper = octave(scores[expert], GATE_FRACTION);
            if (expert == 0 || upper > maximum) maximum = upper;
        }
    }
    int64_t total = 0;
EXPONENTIALS:
    for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
        if (expert < experts) {
            scores[expert] = fine_exponential(maximum * (1 << GATE_FRACTION) - scores[expert]);
            total += scores[expert];
        }
    }
    int64_t chosen[MAX_TOP_K], of_chosen = 0;
#pragma HLS array_partition variable=chosen complete
RANKS:
    for (int rank = 0; rank < MAX_TOP_K; ++rank) {  // trip MAX_TOP_K
#pragma HLS unroll
        chosen[rank] = 0;
    CHOOSE:
        for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
            if (rank < top_k && expert == choice.expert[rank]) chosen[rank] = scores[expert];
        }
        of_chosen += chosen[rank];
    }
    if (GATE_FORMS && renormalise) total = of_chosen;
DIVIDE:
    for (int rank = 0; rank < MAX_TOP_K; ++rank) {  // trip MAX_TOP_K
#pragma HLS unroll
        choice.score[rank] = 0;
        if (rank < top_k) {
            const int64_t share = quotient<GATE_EXPONENTIAL_BITS + SCORE_WEIGHT_BITS + 1, GATE_EXPONENTIAL_BITS + 9>(
                chosen[rank] << SCORE_WEIGHT_BITS, total);
            const int64_t top = (1 << SCORE_WEIGHT_BITS) - 1;
            choice.score[rank] = (uint16_t)(share > top ? top : share);
        }
    }
}

}  // namespace edgemoe
