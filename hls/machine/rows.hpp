// What goes before a pass or beside it: COPY, and the frame and the position embedding of PATCH_EMBED.
#pragma once

#include "../kernels/patch_embed.hpp"
#include "scratchpads.hpp"
#include "weight_stream.hpp"

namespace edgemoe {

// Row and vector that a flat loop stands at: counters instead of divisions.
struct VectorIndex {
    int row, vector;
};

inline void next_vector(VectorIndex &index, int vectors) {
#pragma HLS inline
    index.vector += 1;
    if (index.vector < vectors) return;
    index.vector = 0;
    index.row += 1;
}

inline void copy_rows(const Instruction &i, ResidualWord (&residual)[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS]) {
    const int vectors = i.in_features / VECTOR;
    VectorIndex index = {0, 0};
VECTORS:
    for (int n = 0; n < vector_count(i.rows, vectors); ++n) {  // II 1; the ranges do not overlap
#pragma HLS loop_tripcount min=1 max=3096
#pragma HLS pipeline II=1
#pragma HLS dependence variable=residual inter false
        ResidualWord words[VECTOR_WORDS] = {};
        read_vector(residual, target_of(i.source_row + index.row, vectors, index.vector), words);
        write_vector(residual, target_of(i.destination_row + index.row, vectors, index.vector), words);
        next_vector(index, vectors);
    }
}

// A frame's patches into HIDDEN, 16 pixels a word and a vector.
inline void load_patches(const Instruction &i, Scratchpads &pads, const Word *input) {
    const int vectors = i.in_features / VECTOR;
    const uint64_t first = i.address / MEMORY_WORD_BYTES;
    VectorIndex index = {0, 0};
WORDS:
    for (int n = 0; n < vector_count(i.rows, vectors); ++n) {  // II 1
#pragma HLS loop_tripcount min=48 max=6144
#pragma HLS pipeline II=1
        const Word data = input[first + n];
        activation_t pixels[VECTOR];
    PIXELS:
        for (int e = 0; e < MEMORY_WORD_BYTES; ++e) {  // trip MEMORY_WORD_BYTES
#pragma HLS unroll
            pixels[e] = patch_value((uint8_t)(data.half[e / 8] >> (8 * (e % 8))));
        }
        ActivationWord words[VECTOR_WORDS];
        pack_words(pixels, words);
        write_vector(pads.hidden, target_of(index.row, vectors, index.vector), words);
        next_vector(index, vectors);
    }
}

// The position embedding into RESIDUAL; row 0 is the class token. A line is shifted on by one vector per cycle.
inline void load_positions(const Instruction &i, Scratchpads &pads, LineStream &lines, WeightReader &reader) {
    const int per_line = STREAM_LINE_BYTES / (VECTOR * RESIDUAL_BYTES);
    const int shifted = LINE_PARTS / per_line;
    const int vectors = i.out_features / VECTOR;
    VectorIndex index = {0, 0};
    uint64_t data[LINE_PARTS] = {};
#pragma HLS array_partition variable=data complete
    int part = 0;
VECTORS:
    for (int n = 0; n < vector_count(i.rows + 1, vectors); ++n) {  // II 1
#pragma HLS loop_tripcount min=2 max=3096
#pragma HLS pipeline II=1
        if (part == 0) unpack(take_line(lines, reader), data);
        residual_t values[VECTOR];
    ELEMENTS:
        for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
            values[e] = (residual_t)part_value(data, e * RESIDUAL_BYTES, RESIDUAL_BITS);
        }
    SHIFT:
        for (int p = 0; p + shifted < LINE_PARTS; ++p) {  // trip LINE_PARTS − shifted
#pragma HLS unroll
            data[p] = data[p + shifted];
        }
        ResidualWord words[VECTOR_WORDS] = {};
        pack_words(values, words);
        write_vector(pads.residual, target_of(i.destination_row + index.row, vectors, index.vector), words);
        part = part + 1 == per_line ? 0 : part + 1;
        next_vector(index, vectors);
    }
}

}  // namespace edgemoe
