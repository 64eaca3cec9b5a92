// A pass: one product of two operands on the array with one epilogue. Every matrix instruction is one pass or several.
#pragma once

#include "../include/pass_kinds.hpp"
#include "scratchpads.hpp"

namespace edgemoe {

enum RightOperand { RIGHT_STREAM, RIGHT_KEYS, RIGHT_VALUES };

// What must have been written before a pass begins.
enum PassWait {
    WAIT_NOTHING,
    WAIT_LAST,         // all that the pass before writes
    WAIT_BEFORE_LAST,  // all but that
};

struct Pass {
    int left, right, epilogue;
    int wait;
    int first_row, rows;           // of the left operand
    int left_vectors;              // vectors of a row of the left scratchpad
    int head_feature;              // attention: first feature of the head
    int first_key, keys;           // attention: rows of KEY and VALUE
    int outputs;                   // of the product
    int input_tiles, output_tiles;
    int members;                   // output tiles of a group; P·V: so that scores are read once
    int biased;                    // GATE: the records hold a bias of logits
    int digits;                    // right tiles per input tile: one, or the high and the low digits of 16-bit values
    int halves;                    // steps per token tile, in the same way
    int wide_result;               // 16 bits are written: P·V's into GATE_INPUT, others' digits one after the other
    int token_tiles;
    int busy, apart;               // steps per right tile with work, and in all at least
    int parts, rows_together;      // drain: turns per row and group; rows in one turn
    int slots;                     // sums per row of the array and token tile
    int destination_row;           // row that first_row goes to
    int destination_features;
    int multiplier, shift;         // of scores
    int activation, output_multiplier, output_shift, output_zero;
    uint64_t address;              // HEAD: where the first row goes, in words
    int row_words;                 // HEAD: words of a row
    int expert;                    // whose queue gives destinations and scores
    int buffer;                    // attention: of the scores; experts: of the gathered tokens
    bool narrow;                   // weights of 4 bits
    bool has_channels;             // channel records precede the tiles of a group
    bool has_header;               // EXPERTS: a segment begins, of so many lines; they are dropped when there are no rows
    uint32_t segment;
    uint64_t segment_lines;
};

// Sums of one group in a lane: of the token tiles (one more when rows begin inside a tile) times the gate's, or P·V's.
constexpr int SLOTS =
    larger((round_up(MAX_ROWS, TOKEN_PAR) / TOKEN_PAR + 1) * GATE_SUMS, HLS_QUERY_TILES * HLS_CONTEXT_MEMBERS);

inline bool is_gathered(int left) { return left == LEFT_GATHERED || left == LEFT_GATHERED_WIDE; }

inline int tiles(int size, int tile) { return (size + tile - 1) / tile; }

// Sums of digits for each output: the drain joins them.
inline int sums_of(const Pass &pass) { return pass.digits + pass.halves - 1; }

// The left operand's rows hold their digits apart.
inline bool splits_left(const Pass &pass) {
    return WIDE_INNER && pass.halves == 2 && (pass.left == LEFT_HIDDEN || pass.left == LEFT_QUERY);
}

// The digits of what is written lie apart.
inline bool splits_result(const Pass &pass) {
    return WIDE_INNER && pass.wide_result && pass.epilogue != PASS_CONTEXT;
}

// What follows from rows, left, right, epilogue, outputs, digits, halves, wide_result, biased and the inputs.
inline void complete_pass(Pass &pass, int inputs) {
#pragma HLS inline
    const bool gate = pass.epilogue == PASS_LOGITS;
    const bool context = pass.epilogue == PASS_CONTEXT;
    pass.input_tiles = tiles(inputs, IN_PAR);
    pass.output_tiles = tiles(pass.outputs, OUT_PAR);
    const int most = pass.digits == 2 ? HLS_CONTEXT_MEMBERS / 2 : HLS_CONTEXT_MEMBERS;
    pass.members = context ? smaller(pass.output_tiles, most) : 1;
    pass.token_tiles = (pass.first_row + pass.rows - 1) / TOKEN_PAR - pass.first_row / TOKEN_PAR + 1;
    pass.busy = pass.token_tiles * pass.halves;
    // A gate's middle sum comes from both digits: last in one tile, first in the next, one step nearer than the others.
    pass.apart = larger(pass.busy, ACCUMULATE_DISTANCE + pass.digits - 1);
    pass.slots = context ? (pass.digits == 2 ? 2 * pass.members : pass.members) : sums_of(pass);
    pass.parts = pass.slots + (splits_result(pass) ? 1 : 0);
    if (pass.epilogue == PASS_HEAD) pass.parts = OUT_PAR * 2 / MEMORY_WORD_BYTES + sums_of(pass) - 1;
    pass.rows_together = pass.epilogue == PASS_HEAD || pass.epilogue == PASS_WEIGHTED ? 1 : 2;
    pass.has_channels = pass.right == RIGHT_STREAM && (!gate || pass.biased);
}

inline Pass base_pass(const Instruction &i) {
    Pass pass = {};
    pass.first_row = i.source_row;
    pass.rows = i.rows;
    pass.left_vectors = i.in_features / VECTOR;
    pass.digits = 1;
    pass.halves = 1;
    pass.outputs = i.out_features;
    pass.destination_row = i.destination_row;
    pass.destination_features = i.out_features;
    pass.multiplier = i.multiplier;
    pass.shift = i.shift;
    pass.activation = i.activation;
    pass.output_multiplier = i.output_multiplier;
    pass.output_shift = i.output_shift;
    pass.output_zero = i.output_zero;
    pass.narrow = NARROW_WEIGHTS != 0 && i.narrow_weights;
    return pass;
}

inline Pass patch_embed_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    pass.left = LEFT_HIDDEN;
    pass.epilogue = PASS_RESIDUAL;
    pass.first_row = 0;
    pass.destination_row = i.destination_row + 1;  // row 0 is the class token
    complete_pass(pass, i.in_features);
    return pass;
}

inline Pass linear_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    if (WIDE_TOKENS && i.wide_source) pass.halves = 2;
    pass.left = i.source == BUFFER_HIDDEN ? LEFT_HIDDEN : pass.halves == 2 ? LEFT_GATE_INPUT : LEFT_NORM;
    if (splits_left(pass)) pass.left_vectors *= 2;
    pass.wide_result = WIDE_INNER && i.wide_result;
    pass.epilogue = i.epilogue == EPILOGUE_QKV ? PASS_QKV : i.epilogue == EPILOGUE_GELU ? PASS_GELU : PASS_RESIDUAL;
    if (pass.epilogue == PASS_QKV) pass.destination_features = i.out_features / 3;
    complete_pass(pass, i.in_features);
    return pass;
}

inline Pass head_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    if (WIDE_TOKENS && i.wide_source) pass.halves = 2;
    pass.left = pass.halves == 2 ? LEFT_GATE_INPUT : LEFT_NORM;
    pass.epilogue = PASS_HEAD;
    pass.address = i.address / MEMORY_WORD_BYTES;
    pass.row_words = (int)(pitch(i.out_features, 2) / MEMORY_WORD_BYTES);
    complete_pass(pass, i.in_features);
    return pass;
}

inline Pass gate_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    pass.left = LEFT_GATE_INPUT;
    pass.epilogue = PASS_LOGITS;
    pass.digits = GATE_DIGITS;
    pass.halves = GATE_DIGITS;
    pass.outputs = i.experts;
    pass.biased = GATE_FORMS && i.biased;
    complete_pass(pass, i.in_features);
    return pass;
}

// Blocks of HLS_QUERY_TILES aligned tiles that an attention's rows touch.
inline int attention_blocks(const Instruction &i) {
    const int first = i.source_row / TOKEN_PAR;
    return tiles((i.source_row + i.rows - 1) / TOKEN_PAR - first + 1, HLS_QUERY_TILES);
}

// Scores or weighted values of one head and block of queries. width: features of a head.
inline Pass attention_pass(const Instruction &i, int width, int head_feature, int block, bool values) {
    Pass pass = base_pass(i);
    const int aligned = (i.source_row / TOKEN_PAR + block * HLS_QUERY_TILES) * TOKEN_PAR;
    const int end = i.source_row + i.rows;
    pass.first_row = larger(aligned, i.source_row);
    pass.rows = smaller(aligned + HLS_QUERY_TILES * TOKEN_PAR, end) - pass.first_row;
    pass.destination_row = pass.first_row;
    pass.destination_features = i.in_features;
    pass.head_feature = head_feature;
    pass.first_key = first_key(i);
    pass.keys = key_rows(i);
    pass.left = values ? LEFT_EXPONENTIALS : LEFT_QUERY;
    pass.right = values ? RIGHT_VALUES : RIGHT_KEYS;
    pass.epilogue = values ? PASS_CONTEXT : PASS_SCORES;
    pass.wide_result = WIDE_TOKENS && values && i.wide_result;
    if (WIDE_INNER && i.wide_source) {
        pass.left_vectors *= 2;
        pass.digits = 2;
        pass.halves = values ? 1 : 2;
    }
    pass.outputs = values ? width : pass.keys;
    complete_pass(pass, values ? pass.keys : width);
    return pass;
}

// Up or down of one expert over the tokens gathered for it.
inline Pass expert_pass(const Instruction &i, int expert, int queued, bool down) {
    Pass pass = base_pass(i);
    const int inputs = down ? i.hidden_features : i.in_features;
    pass.first_row = 0;
    pass.rows = queued;
    pass.destination_row = 0;
    pass.expert = expert;
    const bool wide = down ? WIDE_INNER && i.wide_result : WIDE_TOKENS && i.wide_source;
    if (wide) pass.halves = 2;
    pass.left = down ? LEFT_HIDDEN : wide ? LEFT_GATHERED_WIDE : LEFT_GATHERED;
    pass.wide_result = WIDE_INNER && i.wide_result && !down;
    pass.epilogue = down ? PASS_WEIGHTED : PASS_GELU;
    pass.wait = down ? WAIT_LAST : WAIT_NOTHING;
    pass.outputs = down ? i.in_features : i.hidden_features;
    pass.left_vectors = splits_left(pass) ? 2 * (inputs / VECTOR) : inputs / VECTOR;
    pass.destination_features = pass.outputs;
    complete_pass(pass, inputs);
    return pass;
}

}  // namespace edgemoe
