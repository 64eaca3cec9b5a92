// Where the sums of one output tile of one row go: the post lanes.
#pragma once

#include "../kernels/head.hpp"
#include "operands.hpp"

namespace edgemoe {

constexpr int EXPERT_ROOM = round_up(MAX_EXPERTS, OUT_PAR);

// Everything a pass works with that is not a scratchpad of the ISA.
struct Workspace {
    accumulator_t sums[TOKEN_PAR][ACCUMULATOR_SLOTS][OUT_PAR];
    Lanes lanes;
    Channel channels[OUT_PAR];
    AttentionRows attention;
    int64_t logits[MAX_ROWS][EXPERT_ROOM];
    ExpertQueues queues;
};

inline void write_row(Scratchpads &pads, int buffer, int row, int features, int feature,
                      const activation_t values[OUT_PAR]) {
#pragma HLS inline
    const Place at = place(row, features, feature);
VALUES:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        switch (buffer) {
            case BUFFER_QUERY: pads.query[at.bank][at.depth][at.element + output] = values[output]; break;
            case BUFFER_KEY: pads.key[at.bank][at.depth][at.element + output] = values[output]; break;
            case BUFFER_VALUE: pads.value[at.bank][at.depth][at.element + output] = values[output]; break;
            case BUFFER_NORM: pads.norm[at.bank][at.depth][at.element + output] = values[output]; break;
            default: pads.hidden[at.bank][at.depth][at.element + output] = values[output]; break;
        }
    }
}

// QKV and GELU: activations of one output tile.
inline void emit_activations(const Pass &pass, Scratchpads &pads, const Workspace &work, int row, int feature,
                             const accumulator_t sums[OUT_PAR]) {
    activation_t values[OUT_PAR];
    const bool gelu = pass.epilogue == PASS_GELU;
VALUES:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        const Channel &channel = work.channels[output];
        values[output] = gelu ? linear_gelu(sums[output], channel, pass.output_multiplier, pass.output_shift,
                                            pass.output_zero)
                              : linear(sums[output], channel);
    }
    if (gelu) {
        write_row(pads, BUFFER_HIDDEN, row, pass.outputs, feature, values);
        return;
    }
    const int third = pass.outputs / 3;
    const int part = feature / third;
    const int buffer = part == 0 ? BUFFER_QUERY : part == 1 ? BUFFER_KEY : BUFFER_VALUE;
    write_row(pads, buffer, row, third, feature - part * third, values);
}

// RESIDUAL and WEIGHTED: one output tile added to the residual stream.
inline void emit_residual(const Pass &pass, Scratchpads &pads, const Workspace &work, int row, uint16_t score,
                          int feature, const accumulator_t sums[OUT_PAR]) {
    const Place at = place(row, pass.outputs, feature);
VALUES:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        residual_t &residual = pads.residual[at.bank][at.depth][at.element + output];
        const Channel &channel = work.channels[output];
        residual = pass.epilogue == PASS_WEIGHTED ? linear_weighted(sums[output], channel, score, residual)
                                                  : linear_residual(sums[output], channel, residual);
    }
}

// HEAD: one output tile to memory; what lies beyond the last output inside the row's pitch is zero.
inline void emit_head(const Pass &pass, const Workspace &work, Word *output, int row, int feature,
                      const accumulator_t sums[OUT_PAR]) {
    const uint64_t first = (pass.address + row * pass.row_pitch) / MEMORY_WORD_BYTES;
    const int per_word = MEMORY_WORD_BYTES / 2;
WORDS:
    for (int word = 0; word < OUT_PAR / per_word; ++word) {  // trip OUT_PAR / 8, II 1
#pragma HLS pipeline II=1
        Word data = {{0, 0}};
        const int begin = feature + word * per_word;
    VALUES:
        for (int n = 0; n < per_word; ++n) {  // trip 8
#pragma HLS unroll
            const int channel = word * per_word + n;
            uint64_t value = 0;
            if (begin + n < pass.outputs) value = (uint16_t)head(sums[channel], work.channels[channel]);
            data.half[n / 4] |= value << (16 * (n % 4));
        }
        if (begin < pass.outputs) output[first + begin / per_word] = data;
    }
}

// GATE: the logits of OUT_PAR experts, from the sums of their digits.
inline void emit_logits(Workspace &work, int row, int feature, const accumulator_t sums[GATE_SUMS][OUT_PAR]) {
EXPERTS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        accumulator_t digits[GATE_SUMS];
    DIGITS:
        for (int digit = 0; digit < GATE_SUMS; ++digit) {  // trip GATE_SUMS
#pragma HLS unroll
            digits[digit] = sums[digit][output];
        }
        work.logits[row][feature + output] = gate_logit(digits);
    }
}

// ATTENTION, first half: scores of OUT_PAR keys, and the row's running maximum in octaves.
inline void emit_scores(const Pass &pass, Workspace &work, int lane, int tile, int first_key,
                        const accumulator_t sums[OUT_PAR]) {
    AttentionRows &rows = work.attention;
    int64_t maximum = first_key == 0 ? -((int64_t)1 << SCORE_BITS) : rows.maximum[lane][tile];
KEYS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        if (first_key + output < pass.keys) {
            const score_t score = attention_score(sums[output], pass.multiplier, pass.shift);
            rows.score[lane][tile][first_key + output] = score;
            const int64_t upper = octave(score, SCORE_FRACTION);
            if (upper > maximum) maximum = upper;
        }
    }
    rows.maximum[lane][tile] = maximum;
}

// ATTENTION, second half: one output tile of the weighted values.
inline void emit_context(const Pass &pass, Scratchpads &pads, const RowScale &scale, int row, int feature,
                         const accumulator_t sums[OUT_PAR]) {
    activation_t values[OUT_PAR];
VALUES:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        values[output] = attention(sums[output], scale);
    }
    write_row(pads, BUFFER_NORM, row, pass.left_features, pass.head_feature + feature, values);
}

}  // namespace edgemoe
