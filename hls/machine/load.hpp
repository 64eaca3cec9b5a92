// LOAD: rows that were stored back into a scratchpad, one word per cycle.
#pragma once

#include "store.hpp"

namespace edgemoe {

// Values of a word of memory, of so many bytes each, from element `first` of a vector on.
template <int BYTES>
inline void word_values(const Word &data, int word, int64_t (&values)[VECTOR]) {
#pragma HLS inline
    const int per_word = MEMORY_WORD_BYTES / BYTES;
    const int unused = 64 - 8 * BYTES;
VALUES:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        const int byte = e % per_word * BYTES;
        const uint64_t raw = data.half[byte / 8] >> (8 * (byte % 8));
        if (e / per_word == word) values[e] = (int64_t)(raw << unused) >> unused;
    }
}

inline int64_t clipped(int64_t value) { return value > WIDE_LIMIT ? WIDE_LIMIT : value < -WIDE_LIMIT ? -WIDE_LIMIT : value; }

template <typename VALUE, typename WORD, int DEPTH>
inline void narrowed_vector(WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target &at,
                            const int64_t (&values)[VECTOR]) {
#pragma HLS inline
    WORD words[VECTOR_WORDS] = {};
    VALUE narrow[VECTOR];
NARROW:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        narrow[e] = (VALUE)values[e];
    }
    pack_words(narrow, words);
    write_vector(pad, at, words);
}

inline void loaded_vector(Scratchpads &pads, int buffer, const Target &at, const int64_t (&values)[VECTOR]) {
#pragma HLS inline
    switch (buffer) {
        case BUFFER_RESIDUAL: {
            int64_t kept[VECTOR];
            const int unused = 64 - RESIDUAL_BITS;
        KEEP:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                kept[e] = (int64_t)((uint64_t)values[e] << unused) >> unused;
            }
            narrowed_vector<residual_t>(pads.residual, at, kept);
            break;
        }
        case BUFFER_GATE_INPUT: {
            int64_t kept[VECTOR];
        CLIP:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                kept[e] = clipped(values[e]);
            }
            narrowed_vector<int16_t>(pads.gate_input, at, kept);
            break;
        }
        case BUFFER_NORM: narrowed_vector<activation_t>(pads.norm, at, values); break;
        case BUFFER_QUERY: narrowed_vector<activation_t>(pads.query, at, values); break;
        case BUFFER_KEY: narrowed_vector<activation_t>(pads.key, at, values); break;
        default: narrowed_vector<activation_t>(pads.value, at, values); break;
    }
}

inline void load_rows(const Instruction &i, Scratchpads &pads, const Word *output) {
    const int bytes = element_bytes(i.destination, i.wide_result);
    const int words = VECTOR * bytes / MEMORY_WORD_BYTES;  // of a vector
    const int vectors = i.in_features / VECTOR;
    const bool split = WIDE_INNER && either_width(i.destination) && i.wide_result;
    const Bursts bursts = bursts_of(i, vectors * words);
    VectorIndex index = {0, 0};
    int word = 0;
    int64_t values[VECTOR] = {}, low[VECTOR] = {};
#pragma HLS array_partition variable=values complete
#pragma HLS array_partition variable=low complete
    uint64_t first = i.address / MEMORY_WORD_BYTES;
    bool kept = false;  // the low digits of the vector before wait to be written
    Target at_low = nowhere();
BURSTS:
    for (int burst = 0; burst < bursts.count; ++burst) {
#pragma HLS loop_tripcount min=1 max=264
    WORDS:
        for (int n = 0; n < bursts.words; ++n) {  // II 1; a wide vector is two words, and two writes
#pragma HLS loop_tripcount min=1 max=6192
#pragma HLS pipeline II=1
            const Word data = output[first + n];
            if (bytes == 1) word_values<1>(data, word, values);
            else if (bytes == 2) word_values<2>(data, word, values);
            else word_values<4>(data, word, values);
            const bool last = word + 1 == words;
            const Target at = target_of(i.destination_row + index.row, split ? 2 * vectors : vectors,
                                        split ? 2 * index.vector : index.vector);
            if (split) {
                if (kept) loaded_vector(pads, i.destination, at_low, low);
                kept = last;
                if (last) {
                    int64_t high[VECTOR];
                DIGITS:
                    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                        const int64_t value = clipped(values[e]);
                        high[e] = (value + 128) >> 8;
                        low[e] = value - high[e] * 256;
                    }
                    loaded_vector(pads, i.destination, at, high);
                    at_low = at;
                    at_low.depth += 1;
                }
            } else if (last) {
                loaded_vector(pads, i.destination, at, values);
            }
            word = last ? 0 : word + 1;
            if (last) next_vector(index, vectors);
        }
        first += bursts.pitch;
    }
    if (split) loaded_vector(pads, i.destination, at_low, low);
}

}  // namespace edgemoe
