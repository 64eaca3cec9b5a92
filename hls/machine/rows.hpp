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
            affine.offset[first + n] = line_value(data, n * CHANNEL_BYTES, half);
            affine.gain[first + n] = line_value(data, n * CHANNEL_BYTES + half, half / 2);
        }
    }
}

inline RowSums row_sums(const Scratchpads &pads, int row, int features) {
    RowSums sums = {0, 0};
VECTORS:
    for (int feature = 0; feature < features; feature += VECTOR) {  // II 1
#pragma HLS loop_tripcount min=1 max=12
#pragma HLS pipeline II=1
        const Place at = place(row, features, feature);
    ELEMENTS:
        for (int n = 0; n < VECTOR; ++n) {  // trip VECTOR
#pragma HLS unroll
            const int64_t x = pads.residual[at.bank][at.depth][n];
            sums.total += x;
            sums.squares += x * x;
        }
    }
    return sums;
}

inline void layernorm_rows(const Instruction &i, Scratchpads &pads, hls::stream<Line> &lines, WeightReader &reader,
                           Affine &affine) {
    read_affine(lines, reader, i.in_features, affine);
ROWS:
    for (int n = 0; n < i.rows; ++n) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
        const RowSums sums = row_sums(pads, i.source_row + n, i.in_features);
        const Root root = reciprocal_square_root(variance(sums, i.in_features, i.epsilon));
    VECTORS:
        for (int feature = 0; feature < i.in_features; feature += VECTOR) {  // II 1
#pragma HLS loop_tripcount min=1 max=12
#pragma HLS pipeline II=1
            const Place from = place(i.source_row + n, i.in_features, feature);
            const Place to = place(i.destination_row + n, i.in_features, feature);
        ELEMENTS:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                const int64_t x = pads.residual[from.bank][from.depth][e];
                const int64_t normalised = normalise(x, sums.total, i.in_features, root);
                const int64_t value = normalised * affine.gain[feature + e] + affine.offset[feature + e];
                pads.norm[to.bank][to.depth][e] = layernorm_output(value, i.shift);
                if (i.gate_copy) pads.gate_input[to.bank][to.depth][e] = layernorm_gate_copy(value, i.output_shift);
            }
        }
    }
}

inline void copy_rows(const Instruction &i, Scratchpads &pads) {
ROWS:
    for (int n = 0; n < i.rows; ++n) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
    VECTORS:
        for (int feature = 0; feature < i.in_features; feature += VECTOR) {  // II 1
#pragma HLS loop_tripcount min=1 max=12
#pragma HLS pipeline II=1
            const Place from = place(i.source_row + n, i.in_features, feature);
            const Place to = place(i.destination_row + n, i.in_features, feature);
        ELEMENTS:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                pads.residual[to.bank][to.depth][e] = pads.residual[from.bank][from.depth][e];
            }
        }
    }
}

// Rows of a scratchpad to memory; the bytes between rows are zeros. II 1 per word but for narrow elements.
inline void store_rows(const Instruction &i, const Scratchpads &pads, Word *output) {
    const int bytes = element_bytes(i.source);
    const int per_word = MEMORY_WORD_BYTES / bytes;
    const uint64_t words = pitch(i.in_features, bytes) / MEMORY_WORD_BYTES;
    const uint64_t mask = ((uint64_t)1 << (8 * bytes)) - 1;
ROWS:
    for (int n = 0; n < i.rows; ++n) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
    WORDS:
        for (uint64_t word = 0; word < words; ++word) {
#pragma HLS loop_tripcount min=1 max=24
            Word data = {{0, 0}};
        ELEMENTS:
            for (int e = 0; e < per_word; ++e) {  // trip 4 … 16, II 1
#pragma HLS loop_tripcount min=4 max=16
#pragma HLS pipeline II=1
                const int feature = (int)word * per_word + e;
                if (feature < i.in_features) {
                    const uint64_t value =
                        (uint64_t)element(pads, i.source, i.source_row + n, i.in_features, feature) & mask;
                    data.half[e * bytes / 8] |= value << (8 * (e * bytes % 8));
                }
            }
            output[i.address / MEMORY_WORD_BYTES + (uint64_t)n * words + word] = data;
        }
    }
}

// A frame's patches into HIDDEN, 16 pixels a word. II 1.
inline void load_patches(const Instruction &i, Scratchpads &pads, const Word *input) {
    const int words = i.in_features / MEMORY_WORD_BYTES;
ROWS:
    for (int n = 0; n < i.rows; ++n) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
    WORDS:
        for (int word = 0; word < words; ++word) {  // II 1
#pragma HLS loop_tripcount min=1 max=48
#pragma HLS pipeline II=1
            const Word data = input[i.address / MEMORY_WORD_BYTES + (uint64_t)n * words + word];
            const Place at = place(n, i.in_features, word * MEMORY_WORD_BYTES);
        PIXELS:
            for (int e = 0; e < MEMORY_WORD_BYTES; ++e) {  // trip 16
#pragma HLS unroll
                pads.hidden[at.bank][at.depth][e] = patch_value((uint8_t)(data.half[e / 8] >> (8 * (e % 8))));
            }
        }
    }
}

// The position embedding into RESIDUAL; row 0 is the class token. II 1 per vector.
inline void load_positions(const Instruction &i, Scratchpads &pads, hls::stream<Line> &lines, WeightReader &reader) {
    const int per_line = STREAM_LINE_BYTES / (VECTOR * RESIDUAL_BYTES);
    int ready = 0;
    Line data = {};
ROWS:
    for (int n = 0; n < i.rows + 1; ++n) {
#pragma HLS loop_tripcount min=2 max=MAX_ROWS
    VECTORS:
        for (int feature = 0; feature < i.out_features; feature += VECTOR) {  // II 1
#pragma HLS loop_tripcount min=1 max=12
#pragma HLS pipeline II=1
            if (ready == 0) {
                data = take_line(lines, reader);
                ready = per_line;
            }
            const int first = (per_line - ready) * VECTOR * RESIDUAL_BYTES;
            const Place at = place(i.destination_row + n, i.out_features, feature);
        ELEMENTS:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                pads.residual[at.bank][at.depth][e] =
                    (residual_t)line_value(data, first + e * RESIDUAL_BYTES, RESIDUAL_BYTES);
            }
            ready -= 1;
        }
    }
}

// The tokens of one expert side by side: patches are reordered here, expert by expert. II 1 per vector.
inline void gather_tokens(Scratchpads &pads, const ExpertQueues &queues, int expert, int features) {
ENTRIES:
    for (int n = 0; n < queues.length[expert]; ++n) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
        const int row = queues.entry[expert][n].source;
    VECTORS:
        for (int feature = 0; feature < features; feature += VECTOR) {  // II 1
#pragma HLS loop_tripcount min=1 max=12
#pragma HLS pipeline II=1
            const Place from = place(row, features, feature);
            const Place to = place(n, features, feature);
        ELEMENTS:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                pads.gathered[to.bank][to.depth][e] = pads.norm[from.bank][from.depth][e];
            }
        }
    }
}

// From logits to routing and queues, token by token.
inline void route_tokens(const Instruction &i, Scratchpads &pads, Workspace &work) {
ROWS:
    for (int n = 0; n < i.rows; ++n) {
#pragma HLS loop_tripcount min=1 max=MAX_ROWS
        Choice choice;
        top_k_experts(work.logits[n], i.experts, i.top_k, choice);
        gate_scores(work.logits[n], i.experts, i.top_k, i.multiplier, i.shift, choice);
    RANKS:
        for (int rank = 0; rank < i.top_k; ++rank) {
#pragma HLS loop_tripcount min=1 max=MAX_TOP_K
            const uint16_t expert = choice.expert[rank];
            const uint16_t score = choice.score[rank];
            const int row = i.destination_row + n;
            pads.routing[row * i.top_k + rank] = expert | (uint32_t)score << 16;
            const QueueEntry entry = {(uint16_t)(i.source_row + n), (uint16_t)row, score};
            enqueue(work.queues, expert, entry);
        }
    }
    const int source_end = i.source_row + i.rows;
    if (source_end > work.queues.source_end) work.queues.source_end = source_end;
    work.queues.destination_end = i.destination_row + i.rows;
}

}  // namespace edgemoe
