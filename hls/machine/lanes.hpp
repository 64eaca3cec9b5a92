// The lanes: what each reads on the left, and its sums. A step enters lane 0 and moves on by one lane per cycle.
#pragma once

#include "../kernels/attention.hpp"
#include "../kernels/matmul.hpp"
#include "gather.hpp"

namespace edgemoe {

constexpr int KEY_ROOM = round_up(MAX_TOKENS, VECTOR);
constexpr int SCORE_WORDS = larger(IN_WORDS, OUT_WORDS);  // banks: words that a drain writes or a lane reads at a time
constexpr int SCORE_DEPTH = KEY_ROOM / WORD_VALUES / SCORE_WORDS;
constexpr int SCORE_ROWS = 2 * HLS_QUERY_TILES;  // rows of a lane: of the block in the drain and of the one at work
constexpr int SUM_BUFFERS = 2;                   // groups whose sums are finished and not drained

// Scores of two blocks of queries, and what P·V needs of each row. What is read and written in one loop stands twice:
// to be updated, and to be read on the other side.
struct AttentionRows {
    ScoreWord score[TOKEN_PAR][SCORE_WORDS][SCORE_ROWS * SCORE_DEPTH];
    int32_t running_maximum[TOKEN_PAR][SCORE_ROWS];  // in octaves
    int32_t maximum[TOKEN_PAR][SCORE_ROWS];
    int64_t running_total[TOKEN_PAR][SCORE_ROWS];  // Σe
    int64_t total[TOKEN_PAR][SCORE_ROWS];
    OperandWord exponentials[TOKEN_PAR][HLS_QUERY_TILES];
};

// Sums at work, and those that wait for the drain.
struct Sums {
    AccumulatorWord running[TOKEN_PAR][SLOTS];
    AccumulatorWord finished[TOKEN_PAR][SUM_BUFFERS * SLOTS];
};

// What a tile is multiplied with, and where the sums go. It travels with the tile from lane to lane.
struct Step {
    bool valid;
    bool first, last;      // the sums begin here; they go to the drain
    int slot, buffer;      // row of the sums; half of `finished`
    int left;              // scratchpad of the left operand
    int depth, word;       // place in its banks
    int low;               // the low digit of a 16-bit value, not the high one
    int begin, end;        // lanes that have a row
    int token_tile;        // P·V: of the block
    int score_row, score_depth, keys;  // P·V: where the scores are, and how many of them are keys
    bool makes;            // P·V: exponentials are made, for all output tiles
};

struct Lanes {
    TileRow tile[TOKEN_PAR][OUT_PAR];
    Step step[TOKEN_PAR];
};

inline Step no_step() {
    const Step none = {};
    return none;
}

inline void clear_lanes(Lanes &lanes) {
CLEAR:
    for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR
#pragma HLS unroll
        lanes.step[lane] = no_step();
    }
}

// One cycle later: everything moves on by one lane.
inline void advance(Lanes &lanes, const TileRow (&tile)[OUT_PAR], const Step &step) {
#pragma HLS inline
ADVANCE:
    for (int lane = TOKEN_PAR - 1; lane > 0; --lane) {  // trip TOKEN_PAR − 1
#pragma HLS unroll
    ROWS:
        for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
            lanes.tile[lane][output] = lanes.tile[lane - 1][output];
        }
        lanes.step[lane] = lanes.step[lane - 1];
    }
ENTER:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        lanes.tile[0][output] = tile[output];
    }
    lanes.step[0] = step;
}

// e of IN_PAR keys of one query, and Σe: the only time that its scores are read.
inline void make_exponentials(AttentionRows &rows, const Step &step, int lane, operand_t (&left)[IN_PAR]) {
#pragma HLS inline
    ScoreWord words[IN_WORDS] = {};
    score_t scores[IN_PAR];
WORDS:
    for (int n = 0; n < SCORE_WORDS; ++n) {  // trip SCORE_WORDS
#pragma HLS unroll
        if (n / IN_WORDS * IN_WORDS == step.word) words[n % IN_WORDS] = rows.score[lane][n][step.score_depth];
    }
    unpack_words(words, scores);
    const int32_t maximum = rows.maximum[lane][step.score_row];
    int64_t sum = 0;
KEYS:
    for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
        int64_t e = 0;
        if (input < step.keys) e = exponential(scores[input], maximum);
        left[input] = (operand_t)e;
        sum += e;
    }
    const int64_t before = step.first ? 0 : rows.running_total[lane][step.score_row];
    rows.running_total[lane][step.score_row] = before + sum;
    if (step.last) rows.total[lane][step.score_row] = before + sum;  // the same in every sweep over the scores
    OperandWord word;
    pack(left, word);
    rows.exponentials[lane][step.token_tile] = word;
}

template <typename VALUE, typename WORD>
inline void widen(const WORD (&words)[IN_WORDS], operand_t (&left)[IN_PAR]) {
#pragma HLS inline
    VALUE values[IN_PAR];
    unpack_words(words, values);
WIDEN:
    for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
        left[input] = values[input];
    }
}

// One digit of each value.
inline void take_digits(bool low, operand_t (&left)[IN_PAR]) {
#pragma HLS inline
DIGITS:
    for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
        const int16_t value = (int16_t)left[input];
        left[input] = low ? low_digit(value) : high_digit(value);
    }
}

// The left operand of one lane in one cycle; each source is a bank of its own.
inline void read_left(const Scratchpads &pads, const ActivationWord (&norm)[VECTOR_WORDS],
                      const GateWord (&gate_input)[VECTOR_WORDS], AttentionRows &rows, const Step &step, int lane,
                      operand_t (&left)[IN_PAR]) {
#pragma HLS inline
    ActivationWord words[IN_WORDS] = {};
    switch (step.left) {
        case LEFT_EXPONENTIALS:
            if (step.makes) make_exponentials(rows, step, lane, left);
            else unpack(rows.exponentials[lane][step.token_tile], left);
            return;
        case LEFT_GATE_INPUT: {
            GateWord wide[IN_WORDS] = {};
            pick_inputs(gate_input, step.word, wide);
            widen<int16_t>(wide, left);
            if (!IS_FINE) take_digits(step.low, left);
            return;
        }
        case LEFT_NORM: pick_inputs(norm, step.word, words); break;
        case LEFT_HIDDEN: read_inputs(pads.hidden[lane], step.depth, step.word, words); break;
        case LEFT_QUERY: read_inputs(pads.query[lane], step.depth, step.word, words); break;
        default: {
            GatheredWord gathered[IN_WORDS] = {};
            read_inputs(pads.gathered[lane], step.depth, step.word, gathered);
            widen<gathered_t>(gathered, left);
            if (WIDE_TOKENS && step.left == LEFT_GATHERED_WIDE) take_digits(step.low, left);
            return;
        }
    }
    widen<activation_t>(words, left);
}

// One vector of a bank for the lane or for the gather, which never want it in one instruction.
template <typename WORD>
inline void read_shared(const WORD (&bank)[ROW_DEPTH][VECTOR_WORDS], bool works, int depth, bool gathers,
                        int gather_depth, WORD (&words)[VECTOR_WORDS], WORD (&gathered)[VECTOR_WORDS]) {
#pragma HLS inline
    if (works || gathers) {
    WORDS:
        for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
            words[n] = bank[gathers ? gather_depth : depth][n];
            if (gathers) gathered[n] = words[n];
        }
    }
}

// One cycle of all lanes.
inline void lanes_step(Lanes &lanes, const Scratchpads &pads, Gathered &gathered, AttentionRows &rows,
                       AccumulatorWord (&running)[TOKEN_PAR][SLOTS],
                       AccumulatorWord (&finished)[TOKEN_PAR][SUM_BUFFERS * SLOTS]) {
#pragma HLS inline
LANES:
    for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR
#pragma HLS unroll
        const Step &step = lanes.step[lane];
        const bool works = step.valid && lane >= step.begin && lane < step.end;
        const bool gathers = gathered.from.bank == lane;
        ActivationWord norm[VECTOR_WORDS] = {};
        GateWord gate_input[VECTOR_WORDS] = {};
        read_shared(pads.norm[lane], works && step.left == LEFT_NORM, step.depth, gathers && !gathered.wide,
                    gathered.from.depth, norm, gathered.norm);
        read_shared(pads.gate_input[lane], works && step.left == LEFT_GATE_INPUT, step.depth,
                    WIDE_TOKENS && gathers && gathered.wide, gathered.from.depth, gate_input, gathered.gate_input);
        if (works) {
            operand_t left[IN_PAR];
            read_left(pads, norm, gate_input, rows, step, lane, left);
            const AccumulatorWord before = running[lane][step.slot];
            const AccumulatorWord sums = multiply_accumulate(left, lanes.tile[lane], step.first, before);
            running[lane][step.slot] = sums;
            if (step.last) finished[lane][step.buffer * SLOTS + step.slot] = sums;
        }
    }
}

}  // namespace edgemoe
