// Instructions that do not use the array: LAYERNORM, COPY, STORE, and what PATCH_EMBED and EXPERTS do before it.
#pragma once

#include "../kernels/layernorm.hpp"
#include "../kernels/patch_embed.hpp"
#include "epilogues.hpp"

namespace edgemoe {

// γ and β of one LAYERNORM segment.
struct Affine {
    int64_t gain[MAX_WIDTH];
    int64_t offset[MAX_WIDTH];
};

// Sums and roots of the rows under LAYERNORM.
struct NormRows {
    RowSums sums[MAX_ROWS];
    Root root[MAX_ROWS];
};

inline RowSums no_sums() {
    const RowSums none = {0, 0};
    return none;
}

inline void read_affine(hls::stream<Line> &lines, WeightReader &reader, int features, Affine &affine) {
    const int per_line = STREAM_LINE_BYTES / CHANNEL_BYTES;
    const int half = CHANNEL_BYTES / 2;
LINES:
    for (int first = 0; first < features; first += per_line) {  // II 1
#pragma HLS loop_tripcount min=2 max=24
#pragma HLS pipeline II=1
        const Line data = take_line(lines, reader);
    RECORDS:
        for (int n = 0; n < per_line; ++n) {  // trip STREAM_LINE_BYTES / CHANNEL_BYTES
#pragma HLS unroll
            affine.offset[first + n] = line_value(data, n * CHANNEL_BYTES, OFFSET_BITS);
            affine.gain[first + n] = line_value(data, n * CHANNEL_BYTES + half, GAIN_BITS);
        }
    }
}

// Row and feature of the vector that a flat loop stands at: counters instead of divisions.
struct VectorIndex {
    int row, feature;
};

inline void next_vector(VectorIndex &index, int features) {
#pragma HLS inline
    index.feature += VECTOR;
    if (index.feature < features) return;
    index.feature = 0;
    index.row += 1;
}

inline int vector_count(int rows, int features) { return rows * (features / VECTOR); }

// Σx and Σx² of one vector, added to its row's.
inline RowSums add_vector(const Scratchpads &pads, const Place &at, RowSums sums) {
#pragma HLS inline
ELEMENTS:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        const int64_t x = pads.residual[at.bank][at.depth][e];
        sums.total += x;
        sums.squares += x * x;
    }
    return sums;
}

// Three sweeps, each one pipelined loop over all rows: sums, roots, outputs.
inline void layernorm_rows(const Instruction &i, Scratchpads &pads, hls::stream<Line> &lines, WeightReader &reader,
                           Affine &affine, NormRows &rows) {
    read_affine(lines, reader, i.in_features, affine);
    const int count = vector_count(i.rows, i.in_features);
    VectorIndex index = {0, 0};
    RowSums running = {0, 0};
SUMS:
    for (int n = 0; n < count; ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=3096
#pragma HLS pipeline II=1
        const RowSums before = index.feature == 0 ? no_sums() : running;
        running = add_vector(pads, place(i.source_row + index.row, i.in_features, index.feature), before);
        rows.sums[index.row] = running;
        next_vector(index, i.in_features);
    }
ROOTS:
    for (int row = 0; row < i.rows; ++row) {  // II 1
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
#pragma HLS pipeline II=1
        rows.root[row] = reciprocal_square_root(variance(rows.sums[row], i.in_features, i.epsilon));
    }
    index.row = 0;
    index.feature = 0;
OUTPUTS:
    for (int n = 0; n < count; ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=3096
#pragma HLS pipeline II=1
        const Place from = place(i.source_row + index.row, i.in_features, index.feature);
        const Place to = place(i.destination_row + index.row, i.in_features, index.feature);
    ELEMENTS:
        for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
            const int64_t x = pads.residual[from.bank][from.depth][e];
            const int64_t normalised = normalise(x, rows.sums[index.row].total, i.in_features, rows.root[index.row]);
            const int64_t value = normalised * affine.gain[index.feature + e] + affine.offset[index.feature + e];
            pads.norm[to.bank][to.depth][e] = layernorm_output(value, i.shift);
            if (i.gate_copy) pads.gate_input[to.bank][to.depth][e] = layernorm_gate_copy(value, i.output_shift);
        }
        next_vector(index, i.in_features);
    }
}

inline void copy_rows(const Instruction &i, Scratchpads &pads) {
    VectorIndex index = {0, 0};
VECTORS:
    for (int n = 0; n < vector_count(i.rows, i.in_features); ++n) {  // II 1; the ranges do not overlap
#pragma HLS loop_tripcount min=1 max=3096
#pragma HLS pipeline II=1
#pragma HLS dependence variable=pads.residual type=inter dependent=false
        const Place from = place(i.source_row + index.row, i.in_features, index.feature);
        const Place to = place(i.destination_row + index.row, i.in_features, index.feature);
    ELEMENTS:
        for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
            pads.residual[to.bank][to.depth][e] = pads.residual[from.bank][from.depth][e];
        }
        next_vector(index, i.in_features);
    }
}

// Rows of a scratchpad to memory; the bytes between rows are zeros. One element per cycle.
inline void store_rows(const Instruction &i, const Scratchpads &pads, Word *output) {
    const int bytes = element_bytes(i.source);
    const int per_row = (int)(pitch(i.in_features, bytes) / bytes);
    const uint64_t mask = ((uint64_t)1 << (8 * bytes)) - 1;
    uint64_t at = i.address / MEMORY_WORD_BYTES;
    Word data = {{0, 0}};
    int row = 0, feature = 0, byte = 0;
ELEMENTS:
    for (int n = 0; n < i.rows * per_row; ++n) {  // II 1
#pragma HLS loop_tripcount min=16 max=49536
#pragma HLS pipeline II=1
        if (feature < i.in_features) {
            const int64_t value = element(pads, i.source, i.source_row + row, i.in_features, feature);
            data.half[byte / 8] |= ((uint64_t)value & mask) << (8 * (byte % 8));
        }
        byte += bytes;
        if (byte == MEMORY_WORD_BYTES) {
            output[at] = data;
            at += 1;
            data.half[0] = 0;
            data.half[1] = 0;
            byte = 0;
        }
        feature += 1;
        if (feature == per_row) {
            feature = 0;
            row += 1;
        }
    }
}

// A frame's patches into HIDDEN, 16 pixels a word and a vector.
inline void load_patches(const Instruction &i, Scratchpads &pads, const Word *input) {
    VectorIndex index = {0, 0};
WORDS:
    for (int n = 0; n < vector_count(i.rows, i.in_features); ++n) {  // II 1
#pragma HLS loop_tripcount min=48 max=6144
#pragma HLS pipeline II=1
        const Word data = input[i.address / MEMORY_WORD_BYTES + (uint64_t)n];
        const Place at = place(index.row, i.in_features, index.feature);
    PIXELS:
        for (int e = 0; e < MEMORY_WORD_BYTES; ++e) {  // trip 16
#pragma HLS unroll
            pads.hidden[at.bank][at.depth][e] = patch_value((uint8_t)(data.half[e / 8] >> (8 * (e % 8))));
        }
        next_vector(index, i.in_features);
    }
}

// The position embedding into RESIDUAL; row 0 is the class token.
inline void load_positions(const Instruction &i, Scratchpads &pads, hls::stream<Line> &lines, WeightReader &reader) {
    const int per_line = STREAM_LINE_BYTES / (VECTOR * RESIDUAL_BYTES);
    VectorIndex index = {0, 0};
    Line data = {};
    int part = 0;
VECTORS:
    for (int n = 0; n < vector_count(i.rows + 1, i.out_features); ++n) {  // II 1
#pragma HLS loop_tripcount min=2 max=3096
#pragma HLS pipeline II=1
        if (part == 0) data = take_line(lines, reader);
        const Place at = place(i.destination_row + index.row, i.out_features, index.feature);
    ELEMENTS:
        for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
            pads.residual[at.bank][at.depth][e] =
                (residual_t)line_value(data, (part * VECTOR + e) * RESIDUAL_BYTES, RESIDUAL_BITS);
        }
        part = part + 1 == per_line ? 0 : part + 1;
        next_vector(index, i.out_features);
    }
}

// The tokens of one expert side by side: patches are reordered here, expert by expert.
inline void gather_tokens(Scratchpads &pads, const ExpertQueues &queues, int expert, int features) {
    VectorIndex index = {0, 0};
VECTORS:
    for (int n = 0; n < vector_count(queues.length[expert], features); ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=3096
#pragma HLS pipeline II=1
        const Place from = place(queues.entry[expert][index.row].source, features, index.feature);
        const Place to = place(index.row, features, index.feature);
    ELEMENTS:
        for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
            pads.gathered[to.bank][to.depth][e] = pads.norm[from.bank][from.depth][e];
        }
        next_vector(index, features);
    }
}

// Cycles per token in routing: its choices go to queues of which each takes one entry per cycle.
constexpr int ROUTE_INTERVAL = MAX_TOP_K;

// From logits to routing and queues, token by token.
inline void route_tokens(const Instruction &i, Scratchpads &pads, Workspace &work) {
ROWS:
    for (int n = 0; n < i.rows; ++n) {  // II ROUTE_INTERVAL
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
#pragma HLS pipeline II=ROUTE_INTERVAL
        Choice choice;
        top_k_experts(work.logits[n], i.experts, i.top_k, choice);
        gate_scores(work.logits[n], i.experts, i.top_k, i.multiplier, i.shift, choice);
    RANKS:
        for (int rank = 0; rank < MAX_TOP_K; ++rank) {  // trip MAX_TOP_K
#pragma HLS unroll
            if (rank < i.top_k) {
                const uint16_t expert = choice.expert[rank];
                const uint16_t score = choice.score[rank];
                const int row = i.destination_row + n;
                pads.routing[row * i.top_k + rank] = expert | (uint32_t)score << 16;
                const QueueEntry entry = {(uint16_t)(i.source_row + n), (uint16_t)row, score};
                enqueue(work.queues, expert, entry);
            }
        }
    }
    const int source_end = i.source_row + i.rows;
    if (source_end > work.queues.source_end) work.queues.source_end = source_end;
    work.queues.destination_end = i.destination_row + i.rows;
}

}  // namespace edgemoe
