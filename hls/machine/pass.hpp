// A pass: one product of two operands on the array with one epilogue. Every matrix instruction is one pass or several.
#pragma once

#include "../include/pass_kinds.hpp"
#include "scratchpads.hpp"

namespace edgemoe {

enum RightOperand { RIGHT_STREAM, RIGHT_KEYS, RIGHT_VALUES };

struct Pass {
    LeftOperand left;
    RightOperand right;
    PassEpilogue epilogue;
    int first_row, rows;           // of the left operand
    int left_features;             // features of a row of the left scratchpad
    int head_feature;              // attention: first feature of the head
    int first_key, keys;           // attention: rows of KEY and VALUE
    int inputs, outputs;           // sizes of the product
    int destination_row;           // row that first_row goes to
    int multiplier, shift;         // of scores
    int output_multiplier, output_shift, output_zero;
    uint64_t address, row_pitch;   // HEAD: where the first row goes
    int expert;                    // whose queue gives destinations and scores
};

constexpr int larger(int one, int other) { return one > other ? one : other; }

// Rows of the accumulators: token tiles (one more when rows begin inside a tile) times the gate's sums, or P·V's tiles.
constexpr int ACCUMULATOR_SLOTS =
    larger((round_up(MAX_ROWS, TOKEN_PAR) / TOKEN_PAR + 1) * GATE_SUMS, HLS_QUERY_TILES * HLS_CONTEXT_MEMBERS);

inline int tiles(int size, int tile) { return (size + tile - 1) / tile; }

inline Pass base_pass(const Instruction &i) {
    Pass pass = {};
    pass.first_row = i.source_row;
    pass.rows = i.rows;
    pass.left_features = i.in_features;
    pass.inputs = i.in_features;
    pass.outputs = i.out_features;
    pass.destination_row = i.destination_row;
    pass.multiplier = i.multiplier;
    pass.shift = i.shift;
    pass.output_multiplier = i.output_multiplier;
    pass.output_shift = i.output_shift;
    pass.output_zero = i.output_zero;
    return pass;
}

inline Pass patch_embed_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    pass.left = LEFT_HIDDEN;
    pass.epilogue = PASS_RESIDUAL;
    pass.first_row = 0;
    pass.destination_row = i.destination_row + 1;  // row 0 is the class token
    return pass;
}

inline Pass linear_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    pass.left = i.source == BUFFER_HIDDEN ? LEFT_HIDDEN : LEFT_NORM;
    pass.epilogue = i.epilogue == EPILOGUE_QKV ? PASS_QKV : i.epilogue == EPILOGUE_GELU ? PASS_GELU : PASS_RESIDUAL;
    return pass;
}

inline Pass head_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    pass.left = LEFT_NORM;
    pass.epilogue = PASS_HEAD;
    pass.address = i.address;
    pass.row_pitch = pitch(i.out_features, 2);
    return pass;
}

inline Pass gate_pass(const Instruction &i) {
    Pass pass = base_pass(i);
    pass.left = LEFT_GATE_INPUT;
    pass.epilogue = PASS_LOGITS;
    pass.outputs = i.experts;
    return pass;
}

// Blocks of HLS_QUERY_TILES aligned tiles that an attention's rows touch.
inline int attention_blocks(const Instruction &i) {
    const int first = i.source_row / TOKEN_PAR;
    return tiles((i.source_row + i.rows - 1) / TOKEN_PAR - first + 1, HLS_QUERY_TILES);
}

// Passes of ATTENTION: per head and block of queries, scores and then values.
inline Pass attention_pass(const Instruction &i, int head, int block, bool values) {
    Pass pass = base_pass(i);
    const int width = i.in_features / i.heads;
    const int aligned = (i.source_row / TOKEN_PAR + block * HLS_QUERY_TILES) * TOKEN_PAR;
    const int end = i.source_row + i.rows;
    const int block_end = aligned + HLS_QUERY_TILES * TOKEN_PAR;
    pass.first_row = aligned > i.source_row ? aligned : i.source_row;
    pass.rows = (block_end < end ? block_end : end) - pass.first_row;
    pass.destination_row = pass.first_row;
    pass.head_feature = head * width;
    pass.first_key = i.source_row;
    pass.keys = i.rows;
    pass.left = values ? LEFT_EXPONENTIALS : LEFT_QUERY;
    pass.right = values ? RIGHT_VALUES : RIGHT_KEYS;
    pass.epilogue = values ? PASS_CONTEXT : PASS_SCORES;
    pass.inputs = values ? i.rows : width;
    pass.outputs = values ? width : i.rows;
    return pass;
}

// Passes of EXPERTS: up and down of one expert over the tokens gathered for it.
inline Pass expert_pass(const Instruction &i, int expert, int queued, bool down) {
    Pass pass = base_pass(i);
    pass.first_row = 0;
    pass.rows = queued;
    pass.destination_row = 0;
    pass.expert = expert;
    pass.left = down ? LEFT_HIDDEN : LEFT_GATHERED;
    pass.epilogue = down ? PASS_WEIGHTED : PASS_GELU;
    pass.inputs = down ? i.hidden_features : i.in_features;
    pass.outputs = down ? i.in_features : i.hidden_features;
    pass.left_features = pass.inputs;
    return pass;
}

}  // namespace edgemoe
