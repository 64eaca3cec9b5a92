// STORE: rows of a scratchpad to memory, one word per cycle.
#pragma once

#include "rows.hpp"

namespace edgemoe {

// The values of one vector of a scratchpad.
template <typename VALUE, typename WORD, int DEPTH>
inline void widened_vector(const WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target &at,
                           int64_t (&values)[VECTOR]) {
#pragma HLS inline
    WORD words[VECTOR_WORDS] = {};
    VALUE narrow[VECTOR];
    read_vector(pad, at, words);
    unpack_words(words, narrow);
WIDEN:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        values[e] = narrow[e];
    }
}

inline void stored_vector(const Scratchpads &pads, int buffer, const Target &at, int64_t (&values)[VECTOR]) {
#pragma HLS inline
    switch (buffer) {
        case BUFFER_RESIDUAL: widened_vector<residual_t>(pads.residual, at, values); break;
        case BUFFER_GATE_INPUT: widened_vector<int16_t>(pads.gate_input, at, values); break;
        case BUFFER_NORM: widened_vector<activation_t>(pads.norm, at, values); break;
        case BUFFER_QUERY: widened_vector<activation_t>(pads.query, at, values); break;
        case BUFFER_KEY: widened_vector<activation_t>(pads.key, at, values); break;
        case BUFFER_VALUE: widened_vector<activation_t>(pads.value, at, values); break;
        default: widened_vector<activation_t>(pads.hidden, at, values); break;
    }
}

// Word `word` of a vector as it lies in memory, of so many bytes an element.
template <int BYTES>
inline Word vector_word(const int64_t (&values)[VECTOR], int word) {
#pragma HLS inline
    const int per_word = MEMORY_WORD_BYTES / BYTES;
    Word data = {{0, 0}};
VALUES:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        const uint64_t value = (uint64_t)values[e] & (((uint64_t)1 << (8 * BYTES)) - 1);
        const int byte = e % per_word * BYTES;
        if (e / per_word == word) data.half[byte / 8] |= value << (8 * (byte % 8));
    }
    return data;
}

// Words that lie side by side: all of them, or those of a row where rows are further apart, `pitch` words from one to the
// next.
struct Bursts {
    int count, words, pitch;
};

inline Bursts bursts_of(const Instruction &i, int row_words) {
    Bursts bursts = {1, vector_count(i.rows, row_words), 0};
    if (STREAMING && i.pitch) {
        bursts.count = i.rows;
        bursts.words = row_words;
        bursts.pitch = i.pitch;
    }
    return bursts;
}

inline void store_vectors(const Instruction &i, const Scratchpads &pads, Word *output) {
    const int bytes = element_bytes(i.source, i.wide_source);
    const int words = VECTOR * bytes / MEMORY_WORD_BYTES;  // of a vector
    const int vectors = i.in_features / VECTOR;
    const Bursts bursts = bursts_of(i, vectors * words);
    uint64_t first = i.address / MEMORY_WORD_BYTES;
    VectorIndex index = {0, 0};
    int word = 0;
BURSTS:
    for (int burst = 0; burst < bursts.count; ++burst) {
#pragma HLS loop_tripcount min=1 max=264
    WORDS:
        for (int n = 0; n < bursts.words; ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=6192
#pragma HLS pipeline II=1
            int64_t values[VECTOR];
            stored_vector(pads, i.source, target_of(i.source_row + index.row, vectors, index.vector), values);
            output[first + n] = bytes == 1   ? vector_word<1>(values, word)
                                : bytes == 2 ? vector_word<2>(values, word)
                                             : vector_word<4>(values, word);
            word += 1;
            if (word == words) {
                word = 0;
                next_vector(index, vectors);
            }
        }
        first += bursts.pitch;
    }
}

// Rows of ROUTING; the bytes between them are zeros. One element per cycle.
inline void store_routing(const Instruction &i, const uint32_t (&routing)[ROUTING_ELEMENTS], Word *output) {
    const int per_word = MEMORY_WORD_BYTES / 4;
    const int per_row = (int)(pitch(i.in_features, 4) / 4);
    uint64_t at = i.address / MEMORY_WORD_BYTES;
    Word data = {{0, 0}};
    int element = i.source_row * i.in_features, feature = 0, place = 0;
ELEMENTS:
    for (int n = 0; n < i.rows * per_row; ++n) {  // II 1
#pragma HLS loop_tripcount min=4 max=1032
#pragma HLS pipeline II=1
        uint64_t value = 0;
        if (feature < i.in_features) {
            value = routing[element];
            element += 1;
        }
    PLACES:
        for (int p = 0; p < per_word; ++p) {  // trip per_word
#pragma HLS unroll
            if (p == place) data.half[p / 2] |= value << (32 * (p % 2));
        }
        place += 1;
        if (place == per_word) {
            output[at] = data;
            at += 1;
            data.half[0] = 0;
            data.half[1] = 0;
            place = 0;
        }
        feature = feature + 1 == per_row ? 0 : feature + 1;
    }
}

// The same of rows whose digits lie apart, one vector of digits per cycle: the high ones wait for the low ones, and the
// second word of both is written with the next high ones.
inline void store_wide(const Instruction &i, const Scratchpads &pads, Word *output) {
    const int vectors = i.in_features / VECTOR;
    const int words = 2 * vector_count(i.rows, vectors);
    const int skipped = STREAMING && i.pitch ? i.pitch - 2 * vectors : 0;  // words between two rows
    uint64_t at_word = i.address / MEMORY_WORD_BYTES;
    int in_row = 0;
    VectorIndex index = {0, 0};
    int64_t high[VECTOR] = {}, wide[VECTOR] = {};
#pragma HLS array_partition variable=high complete
#pragma HLS array_partition variable=wide complete
WORDS:
    for (int n = 0; n <= words; ++n) {  // II 1
#pragma HLS loop_tripcount min=3 max=6193
#pragma HLS pipeline II=1
        const bool low = n % 2 == 1;
        Word data = vector_word<2>(wide, 1);
        if (n < words) {
            int64_t digits[VECTOR];
            const Target at = target_of(i.source_row + index.row, 2 * vectors, 2 * index.vector + (low ? 1 : 0));
            stored_vector(pads, i.source, at, digits);
        DIGITS:
            for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
                if (low) wide[e] = high[e] * 256 + digits[e];
                else high[e] = digits[e];
            }
        }
        if (low) {
            data = vector_word<2>(wide, 0);
            next_vector(index, vectors);
        }
        if (n > 0) {
            output[at_word] = data;
            in_row += 1;
            at_word += in_row == 2 * vectors ? 1 + skipped : 1;
            if (in_row == 2 * vectors) in_row = 0;
        }
    }
}

inline void store_rows(const Instruction &i, const Scratchpads &pads, Word *output) {
    if (i.source == BUFFER_ROUTING) store_routing(i, pads.routing, output);
    else if (WIDE_INNER && either_width(i.source) && i.wide_source) store_wide(i, pads, output);
    else store_vectors(i, pads, output);
}

}  // namespace edgemoe
