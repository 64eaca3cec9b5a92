// LAYERNORM: NORM_ROWS rows side by side, in three sweeps, each one pipelined loop over all rows: sums, roots, outputs.
#pragma once

#include "../kernels/layernorm.hpp"
#include "banks.hpp"
#include "scratchpads.hpp"
#include "weight_stream.hpp"

namespace edgemoe {

constexpr int NORM_ROWS = smaller(4, TOKEN_PAR);  // aligned, so that they lie in banks of their own
constexpr int NORM_GROUPS = round_up(MAX_ROWS, NORM_ROWS) / NORM_ROWS + 1;
constexpr int AFFINE_PAIRS = VECTOR * CHANNEL_BYTES / (2 * STREAM_LINE_BYTES);
constexpr int PAIR_FEATURES = VECTOR / AFFINE_PAIRS;

static_assert(VECTOR * CHANNEL_BYTES % (2 * STREAM_LINE_BYTES) == 0, "γ and β of a vector are whole pairs of lines");

// γ and β of one LAYERNORM segment, as they lie in the stream.
struct Affine {
    LinePair pair[MAX_WIDTH / VECTOR][AFFINE_PAIRS];
};

// Sums and roots of the rows under LAYERNORM.
struct NormRows {
    int64_t total[NORM_ROWS][NORM_GROUPS];
    int64_t squares[NORM_ROWS][NORM_GROUPS];
    int64_t root[NORM_ROWS][NORM_GROUPS];
    int exponent[NORM_ROWS][NORM_GROUPS];
};

// Groups of rows that a LAYERNORM touches, the first perhaps not from its first row on.
struct NormIndex {
    int group, vector;
};

inline void next_vector(NormIndex &index, int vectors) {
#pragma HLS inline
    index.vector += 1;
    if (index.vector < vectors) return;
    index.vector = 0;
    index.group += 1;
}

inline void read_affine(LineStream &lines, WeightReader &reader, int vectors, Affine &affine) {
PAIRS:
    for (int n = 0; n < vectors * AFFINE_PAIRS; ++n) {  // II 1
#pragma HLS loop_tripcount min=2 max=24
#pragma HLS pipeline II=1
        const LinePair data = take_lines(lines, reader, true);
    SIDES:
        for (int side = 0; side < AFFINE_PAIRS; ++side) {  // trip AFFINE_PAIRS
#pragma HLS unroll
            if (n % AFFINE_PAIRS == side) {
                affine.pair[n / AFFINE_PAIRS][side].low = data.low;
                affine.pair[n / AFFINE_PAIRS][side].high = data.high;
            }
        }
    }
}

// Whether a row of a group belongs to the instruction.
inline bool has_row(const Instruction &i, int row) { return row >= i.source_row && row < i.source_row + i.rows; }

// One vector of each row of a group, NORM_ROWS neighbouring banks at one place; zeros for a row that is not there.
inline void read_group(const Instruction &i, const ResidualWord (&pad)[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS], int first_row, int vectors,
                       int vector, residual_t (&values)[NORM_ROWS][VECTOR]) {
#pragma HLS inline
    const int side = first_row % TOKEN_PAR / NORM_ROWS;
    const int depth = vector_count(first_row / TOKEN_PAR, vectors) + vector;
ZEROS:
    for (int n = 0; n < NORM_ROWS * VECTOR; ++n) {  // trip NORM_ROWS · VECTOR
#pragma HLS unroll
        values[n / VECTOR][n % VECTOR] = 0;
    }
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        const bool there = has_row(i, first_row + bank % NORM_ROWS);
        if (there && bank / NORM_ROWS == side) unpack_words(pad[bank][depth], values[bank % NORM_ROWS]);
    }
}

inline void sum_rows(const Instruction &i, const Scratchpads &pads, int first_row, int count, NormRows &rows) {
    const int vectors = i.in_features / VECTOR;
    NormIndex index = {0, 0};
    RowSums running[NORM_ROWS];
#pragma HLS array_partition variable=running complete
CLEAR:
    for (int n = 0; n < NORM_ROWS; ++n) {  // trip NORM_ROWS
#pragma HLS unroll
        running[n] = no_sums();
    }
SUMS:
    for (int n = 0; n < count; ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=1548
#pragma HLS pipeline II=1
        residual_t values[NORM_ROWS][VECTOR];
        read_group(i, pads.residual, first_row + index.group * NORM_ROWS, vectors, index.vector, values);
    ROWS:
        for (int row = 0; row < NORM_ROWS; ++row) {  // trip NORM_ROWS
#pragma HLS unroll
            const RowSums before = index.vector == 0 ? no_sums() : running[row];
            running[row] = add_vector(values[row], before);
            rows.total[row][index.group] = running[row].total;
            rows.squares[row][index.group] = running[row].squares;
        }
        next_vector(index, vectors);
    }
}

inline void root_rows(const Instruction &i, int groups, NormRows &rows) {
ROOTS:
    for (int group = 0; group < groups; ++group) {  // II 1
#pragma HLS loop_tripcount min=1 max=129
#pragma HLS pipeline II=1
    ROWS:
        for (int row = 0; row < NORM_ROWS; ++row) {  // trip NORM_ROWS
#pragma HLS unroll
            const RowSums sums = {rows.total[row][group], rows.squares[row][group]};
            const Root root = reciprocal_square_root(variance(sums, i.in_features, i.epsilon));
            rows.root[row][group] = root.value;
            rows.exponent[row][group] = root.exponent;
        }
    }
}

// One vector of a row, normalised and scaled, for NORM and for GATE_INPUT.
inline void norm_vector(const Instruction &i, const residual_t (&values)[VECTOR], int64_t total, const Root &root,
                        const int64_t (&gain)[VECTOR], const int64_t (&offset)[VECTOR],
                        ActivationWord (&norm)[VECTOR_WORDS], GateWord (&gate)[VECTOR_WORDS]) {
#pragma HLS inline
    activation_t activations[VECTOR];
    int16_t copies[VECTOR];
ELEMENTS:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        const int64_t normalised = normalise(values[e], total, i.in_features, root);
        const int64_t value = product<NORMALISED_BITS, GAIN_BITS>(normalised, gain[e]) + offset[e];
        activations[e] = layernorm_output(value, i.shift);
        copies[e] = layernorm_gate_copy(value, i.output_shift);
        if (GATE_FORMS && i.residual_copy) copies[e] = residual_copy(values[e]);
    }
    pack_words(activations, norm);
    pack_words(copies, gate);
}

// Rows of a group to the banks where they belong, which may be others than those that they came from.
template <typename WORD>
inline void write_group(WORD (&pad)[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS], const Target (&at)[NORM_ROWS],
                        const WORD (&words)[NORM_ROWS][VECTOR_WORDS]) {
#pragma HLS inline
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        WORD chosen[VECTOR_WORDS] = {};
        int depth = -1;
    ROWS:
        for (int row = 0; row < NORM_ROWS; ++row) {  // trip NORM_ROWS
#pragma HLS unroll
            if (at[row].bank == bank) {
                depth = at[row].depth;
            CHOOSE:
                for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
                    chosen[n] = words[row][n];
                }
            }
        }
        if (depth >= 0) {
        WORDS:
            for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
                pad[bank][depth][n] = chosen[n];
            }
        }
    }
}

inline void read_gains(const Affine &affine, int vector, int64_t (&gain)[VECTOR], int64_t (&offset)[VECTOR]) {
#pragma HLS inline
    LinePair lines[AFFINE_PAIRS];
PAIRS:
    for (int side = 0; side < AFFINE_PAIRS; ++side) {  // trip AFFINE_PAIRS
#pragma HLS unroll
        lines[side] = affine.pair[vector][side];
    }
ELEMENTS:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        const int at = e % PAIR_FEATURES * CHANNEL_BYTES;
        offset[e] = line_value(lines[e / PAIR_FEATURES], at, OFFSET_BITS);
        gain[e] = line_value(lines[e / PAIR_FEATURES], at + CHANNEL_BYTES / 2, GAIN_BITS);
    }
}

inline void norm_rows(const Instruction &i, Scratchpads &pads, int first_row, int count, const Affine &affine,
                      const NormRows &rows) {
    const int vectors = i.in_features / VECTOR;
    const int moved = i.destination_row - i.source_row;
    NormIndex index = {0, 0};
OUTPUTS:
    for (int n = 0; n < count; ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=1548
#pragma HLS pipeline II=1
        const int first = first_row + index.group * NORM_ROWS;
        residual_t values[NORM_ROWS][VECTOR];
        int64_t gain[VECTOR], offset[VECTOR];
        ActivationWord norm[NORM_ROWS][VECTOR_WORDS] = {};
        GateWord gate[NORM_ROWS][VECTOR_WORDS] = {};
        Target at[NORM_ROWS];
        read_group(i, pads.residual, first, vectors, index.vector, values);
        read_gains(affine, index.vector, gain, offset);
    ROWS:
        for (int row = 0; row < NORM_ROWS; ++row) {  // trip NORM_ROWS
#pragma HLS unroll
            at[row] = target_of(first + row + moved, vectors, index.vector);
            if (!has_row(i, first + row)) at[row].bank = NO_BANK;
            if (has_row(i, first + row)) {
                const Root root = {rows.root[row][index.group], rows.exponent[row][index.group]};
                norm_vector(i, values[row], rows.total[row][index.group], root, gain, offset, norm[row], gate[row]);
            }
        }
        write_group(pads.norm, at, norm);
        if (i.gate_copy) write_group(pads.gate_input, at, gate);
        next_vector(index, vectors);
    }
}

inline void layernorm_rows(const Instruction &i, Scratchpads &pads, LineStream &lines, WeightReader &reader,
                           Affine &affine, NormRows &rows) {
    const int vectors = i.in_features / VECTOR;
    const int first_row = i.source_row / NORM_ROWS * NORM_ROWS;
    const int groups = (i.source_row + i.rows - first_row + NORM_ROWS - 1) / NORM_ROWS;
    read_affine(lines, reader, vectors, affine);
    sum_rows(i, pads, first_row, vector_count(groups, vectors), rows);
    root_rows(i, groups, rows);
    norm_rows(i, pads, first_row, vector_count(groups, vectors), affine, rows);
}

}  // namespace edgemoe
