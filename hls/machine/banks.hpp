// Banks of a scratchpad: every bank is addressed by a constant, and what belongs to a row is chosen after the read.
#pragma once

#include "../kernels/products.hpp"

namespace edgemoe {

// Where a row's vector lies: row r in bank r mod TOKEN_PAR. bank −1: nowhere, nothing is read or written.
struct Target {
    int bank, depth;
};

constexpr int NO_BANK = -1;

inline Target nowhere() {
    const Target target = {NO_BANK, 0};
    return target;
}

constexpr int ROW_BITS = 17;     // of a row's number, signed
constexpr int COUNT_BITS = 12 + WIDE_INNER;  // of the vectors of a row, signed

// Vectors of so many rows; of so many tiles of TOKEN_PAR rows, in each bank.
inline int vector_count(int rows, int vectors) {
#pragma HLS inline
    return (int)product<ROW_BITS, COUNT_BITS>(rows, vectors);
}

inline Target target_of(int row, int vectors, int vector) {
#pragma HLS inline
    const Target target = {row % TOKEN_PAR, vector_count(row / TOKEN_PAR, vectors) + vector};
    return target;
}

// One vector of one row.
template <typename WORD, int DEPTH>
inline void read_vector(const WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target &at,
                        WORD (&words)[VECTOR_WORDS]) {
#pragma HLS inline
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        if (bank == at.bank) {
        WORDS:
            for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
                words[n] = pad[bank][at.depth][n];
            }
        }
    }
}

template <typename WORD, int DEPTH>
inline void write_vector(WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target &at,
                         const WORD (&words)[VECTOR_WORDS]) {
#pragma HLS inline
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        if (bank == at.bank) {
        WORDS:
            for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
                pad[bank][at.depth][n] = words[n];
            }
        }
    }
}

// OUT_PAR values at word `first` of two rows in different banks.
template <typename WORD, int DEPTH>
inline void read_outputs(const WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target (&at)[2], int first,
                         WORD (&words)[2][OUT_WORDS]) {
#pragma HLS inline
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        if (bank == at[0].bank || bank == at[1].bank) {
            const int row = bank == at[0].bank ? 0 : 1;
            const int depth = row == 0 ? at[0].depth : at[1].depth;
        WORDS:
            for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
                if (n / OUT_WORDS * OUT_WORDS == first) {
                    const WORD word = pad[bank][depth][n];
                    if (row == 0) words[0][n % OUT_WORDS] = word;
                    else words[1][n % OUT_WORDS] = word;
                }
            }
        }
    }
}

template <typename WORD, int DEPTH>
inline void write_outputs(WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], const Target (&at)[2], int first,
                          const WORD (&words)[2][OUT_WORDS]) {
#pragma HLS inline
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        if (bank == at[0].bank || bank == at[1].bank) {
            const int row = bank == at[0].bank ? 0 : 1;
            const int depth = row == 0 ? at[0].depth : at[1].depth;
        WORDS:
            for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
                if (n / OUT_WORDS * OUT_WORDS == first) {
                    WORD word = words[0][n % OUT_WORDS];
                    if (row == 1) word = words[1][n % OUT_WORDS];
                    pad[bank][depth][n] = word;
                }
            }
        }
    }
}

// IN_PAR values at word `first` of one bank.
template <typename WORD, int DEPTH>
inline void read_inputs(const WORD (&bank)[DEPTH][VECTOR_WORDS], int depth, int first, WORD (&words)[IN_WORDS]) {
#pragma HLS inline
WORDS:
    for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
        if (n / IN_WORDS * IN_WORDS == first) words[n % IN_WORDS] = bank[depth][n];
    }
}

template <typename WORD>
inline void pick_inputs(const WORD (&vector)[VECTOR_WORDS], int first, WORD (&words)[IN_WORDS]) {
#pragma HLS inline
WORDS:
    for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
        if (n / IN_WORDS * IN_WORDS == first) words[n % IN_WORDS] = vector[n];
    }
}

// Values of several words side by side.
template <typename VALUE, typename WORD, int COUNT>
inline void unpack_words(const WORD (&words)[COUNT], VALUE (&values)[COUNT * WORD_VALUES]) {
#pragma HLS inline
WORDS:
    for (int n = 0; n < COUNT; ++n) {  // trip COUNT
#pragma HLS unroll
        VALUE part[WORD_VALUES];
        unpack(words[n], part);
    VALUES:
        for (int e = 0; e < WORD_VALUES; ++e) {  // trip WORD_VALUES
#pragma HLS unroll
            values[n * WORD_VALUES + e] = part[e];
        }
    }
}

template <typename VALUE, typename WORD, int COUNT>
inline void pack_words(const VALUE (&values)[COUNT * WORD_VALUES], WORD (&words)[COUNT]) {
#pragma HLS inline
WORDS:
    for (int n = 0; n < COUNT; ++n) {  // trip COUNT
#pragma HLS unroll
        VALUE part[WORD_VALUES];
    VALUES:
        for (int e = 0; e < WORD_VALUES; ++e) {  // trip WORD_VALUES
#pragma HLS unroll
            part[e] = values[n * WORD_VALUES + e];
        }
        pack(part, words[n]);
    }
}

}  // namespace edgemoe
