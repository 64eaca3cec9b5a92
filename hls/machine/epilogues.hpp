// Where the sums of one output tile of two rows go: the post lanes.
#pragma once

#include "../kernels/head.hpp"
#include "worker.hpp"

namespace edgemoe {

constexpr int EXPERT_WORDS = round_up(MAX_EXPERTS, OUT_PAR) / OUT_PAR;
constexpr int LOGIT_ROWS = MAX_ROWS / 2 + 1;

// Everything a pass works with that is not a scratchpad of the ISA. Logits: even and odd rows are written together.
struct Workspace {
    Sums sums;
    ChannelRecords channels;
    AttentionRows attention;
    LogitWord logits[2][LOGIT_ROWS][EXPERT_WORDS];
    ExpertQueues queues;
    PassTable table;
    uint64_t cycles;  // of the loop ARRAY so far, for the tests of its schedule
};

// A row in the drain. local: row of the pass.
struct DrainRow {
    bool valid;
    int lane, local;
    Target target;    // where its vector goes
    uint16_t score;   // of an expert's token
};

// One cycle of the drain.
struct DrainTurn {
    DrainRow row[2];
    int token_tile, part, group;
    int feature;  // first output of the tile
    int first;    // word of the target's vector
    int sum;      // of the digits, the first with the greatest weight
    int slot;
    int word;     // HEAD: of memory; digits that lie apart: 0 the high one, 1 the low one
};

// What each output does with its sum.
inline void output_channels(const Pass &pass, const ChannelRecords &records, int group, Channel (&channels)[OUT_PAR]) {
#pragma HLS inline
    const int half = CHANNEL_BYTES / 2;
    LinePair lines[CHANNEL_PARTS];
PARTS:
    for (int part = 0; part < CHANNEL_PARTS; ++part) {  // trip CHANNEL_PARTS
#pragma HLS unroll
        lines[part] = records.part[part][group % CHANNEL_GROUPS];
    }
OUTPUTS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        const LinePair &line = lines[output / PART_CHANNELS];
        const int at = output % PART_CHANNELS * CHANNEL_BYTES;
        Channel &channel = channels[output];
        channel.bias = line_value(line, at, BIAS_BITS + 1);
        channel.multiplier = (uint16_t)line_value(line, at + half, MULTIPLIER_BITS);
        channel.shift = (uint8_t)line_value(line, at + half + 2, 8);
        if (pass.epilogue == PASS_SCORES) {
            channel.bias = 0;
            channel.multiplier = pass.multiplier;
            channel.shift = (uint8_t)pass.shift;
        }
    }
}

inline RowScale no_scale() {
    const RowScale none = {0, 0};
    return none;
}

// P·V: one division per row in the drain.
inline RowScale row_scale(const Pass &pass, const AttentionRows &rows, const DrainTurn &turn, int n) {
#pragma HLS inline
    const int at = pass.buffer * HLS_QUERY_TILES + turn.token_tile;
    int64_t total = 1;
LANES:
    for (int lane = n; lane < TOKEN_PAR; lane += 2) {  // trip TOKEN_PAR / 2
#pragma HLS unroll
        if (turn.row[n].lane == lane) total = rows.total[lane][at];
    }
    return attention_row_scale(total, pass.output_multiplier, pass.output_shift);
}

// What every epilogue starts from, on one multiplier: round_shift((Σ + bias)·M, S), or a row's scale for P·V.
inline int64_t post_lane(int epilogue, int64_t sum, const Channel &channel, const RowScale &scale) {
#pragma HLS inline
    const bool context = epilogue == PASS_CONTEXT;
    const int64_t biased = sum + (context ? 0 : channel.bias);
    const int64_t multiplier = context ? scale.multiplier : channel.multiplier;
    return round_shift(product<BIASED_BITS, SCALE_BITS>(biased, multiplier),
                       context ? scale.shift : legal_shift(channel.shift));
}

// QKV, GELU and P·V: activations.
inline void write_activations(const Pass &pass, Scratchpads &pads, const DrainTurn &turn,
                              const activation_t (&values)[2][OUT_PAR]) {
#pragma HLS inline
    ActivationWord words[2][OUT_WORDS];
    pack_words(values[0], words[0]);
    pack_words(values[1], words[1]);
    const Target at[2] = {turn.row[0].target, turn.row[1].target};
    switch (pass.epilogue) {
        case PASS_GELU: write_outputs(pads.hidden, at, turn.first, words); break;
        case PASS_CONTEXT: write_outputs(pads.norm, at, turn.first, words); break;
        default:
            if (turn.feature < pass.destination_features) write_outputs(pads.query, at, turn.first, words);
            else if (turn.feature < 2 * pass.destination_features) write_outputs(pads.key, at, turn.first, words);
            else write_outputs(pads.value, at, turn.first, words);
            break;
    }
}

// P·V of 16 bits: into GATE_INPUT.
inline void write_wide(Scratchpads &pads, const DrainTurn &turn, const int64_t (&values)[2][OUT_PAR]) {
#pragma HLS inline
    int16_t wide[2][OUT_PAR];
VALUES:
    for (int n = 0; n < 2 * OUT_PAR; ++n) {  // trip 2 · OUT_PAR
#pragma HLS unroll
        wide[n / OUT_PAR][n % OUT_PAR] = wide_activation(values[n / OUT_PAR][n % OUT_PAR]);
    }
    GateWord words[2][OUT_WORDS];
    pack_words(wide[0], words[0]);
    pack_words(wide[1], words[1]);
    const Target at[2] = {turn.row[0].target, turn.row[1].target};
    write_outputs(pads.gate_input, at, turn.first, words);
}

// RESIDUAL and WEIGHTED: added to the residual stream.
inline void add_residual(const Pass &pass, Scratchpads &pads, const DrainTurn &turn,
                         const int64_t (&scaled)[2][OUT_PAR]) {
#pragma HLS inline
    const Target at[2] = {turn.row[0].target, turn.row[1].target};
    ResidualWord words[2][OUT_WORDS] = {};
    read_outputs(pads.residual, at, turn.first, words);
ROWS:
    for (int n = 0; n < 2; ++n) {  // trip 2
#pragma HLS unroll
        if (turn.row[n].valid) {
            residual_t values[OUT_PAR];
            unpack_words(words[n], values);
        VALUES:
            for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
                int64_t update = scaled[n][output];
                if (n == 0 && pass.epilogue == PASS_WEIGHTED) update = weighted(update, turn.row[n].score);
                values[output] = (residual_t)saturate(values[output] + update, RESIDUAL_BITS);
            }
            pack_words(values, words[n]);
        }
    }
    write_outputs(pads.residual, at, turn.first, words);
}

// HEAD: one word to memory; what lies beyond the last output inside the row's pitch is zero.
inline void write_head(const Pass &pass, const DrainTurn &turn, const int64_t (&scaled)[OUT_PAR], Word *output) {
#pragma HLS inline
    const int per_word = MEMORY_WORD_BYTES / 2;
    Word data = {{0, 0}};
VALUES:
    for (int channel = 0; channel < OUT_PAR; ++channel) {  // trip OUT_PAR
#pragma HLS unroll
        const int n = channel % per_word;
        if (channel / per_word == turn.word && turn.feature + channel < pass.outputs) {
            data.half[n / 4] |= (uint64_t)(uint16_t)head(scaled[channel]) << (16 * (n % 4));
        }
    }
    const int word = turn.feature / per_word + turn.word;
    if (word < pass.row_words) output[pass.address + (uint64_t)product<ROW_BITS, COUNT_BITS + 1>(turn.row[0].local, pass.row_words) + word] = data;
}

// GATE: logits of OUT_PAR experts.
inline void write_logits(const DrainTurn &turn, const int64_t (&logits)[2][OUT_PAR],
                         LogitWord (&written)[2][LOGIT_ROWS][EXPERT_WORDS]) {
#pragma HLS inline
    LogitWord words[2];
    pack(logits[0], words[0]);
    pack(logits[1], words[1]);
SIDES:
    for (int side = 0; side < 2; ++side) {  // trip 2
#pragma HLS unroll
        const bool first = turn.row[0].local % 2 == side;
        const int local = first ? turn.row[0].local : turn.row[1].local;
        if (first ? turn.row[0].valid : turn.row[1].valid) {
        WORDS:
            for (int word = 0; word < EXPERT_WORDS; ++word) {  // trip EXPERT_WORDS
#pragma HLS unroll
                LogitWord chosen = words[0];
                if (!first) chosen = words[1];
                if (word == turn.feature / OUT_PAR) written[side][local / 2][word] = chosen;
            }
        }
    }
}

// ATTENTION, first half: scores of OUT_PAR keys, and the row's running maximum in octaves.
inline void write_scores(const Pass &pass, AttentionRows &rows, const DrainTurn &turn,
                         const int64_t (&scaled)[2][OUT_PAR]) {
#pragma HLS inline
    const int at = pass.buffer * HLS_QUERY_TILES + turn.token_tile;
    ScoreWord words[2][OUT_WORDS];
    int32_t upper[2];
ROWS:
    for (int n = 0; n < 2; ++n) {  // trip 2
#pragma HLS unroll
        score_t scores[OUT_PAR];
        upper[n] = -((int32_t)1 << SCORE_BITS);
    KEYS:
        for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
            scores[output] = (score_t)saturate(scaled[n][output], SCORE_BITS);
            const int32_t octaves = (int32_t)octave(scores[output], SCORE_FRACTION);
            if (turn.feature + output < pass.keys && octaves > upper[n]) upper[n] = octaves;
        }
        pack_words(scores, words[n]);
    }
    const int depth = at * SCORE_DEPTH + turn.feature / (SCORE_WORDS * WORD_VALUES);
    const int first = turn.feature % (SCORE_WORDS * WORD_VALUES) / WORD_VALUES;
LANES:
    for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR
#pragma HLS unroll
        const int n = lane % 2;
        if (turn.row[n].valid && turn.row[n].lane == lane) {
        WORDS:
            for (int word = 0; word < SCORE_WORDS; ++word) {  // trip SCORE_WORDS
#pragma HLS unroll
                if (word / OUT_WORDS * OUT_WORDS == first) rows.score[lane][word][depth] = words[n][word % OUT_WORDS];
            }
            int32_t maximum = rows.running_maximum[lane][at];
            if (turn.feature == 0 || upper[n] > maximum) maximum = upper[n];
            rows.running_maximum[lane][at] = maximum;
            rows.maximum[lane][at] = maximum;
        }
    }
}

}  // namespace edgemoe
