// What one cycle brings of a right tile: lines of weights, or rows of keys or values, each from its own bank.
#pragma once

#include "../kernels/matmul.hpp"
#include "banks.hpp"
#include "weight_stream.hpp"

namespace edgemoe {

constexpr int PART_LINES = smaller(2, TILE_LINES);
constexpr int TILE_PARTS = TILE_LINES / PART_LINES;
constexpr int NARROW_LINES = smaller(2, larger(1, TILE_LINES / 2));  // of one part of a tile with weights of 4 bits
constexpr int NARROW_PARTS = larger(1, TILE_LINES / (2 * NARROW_LINES));
constexpr int LINE_TILES = larger(1, 2 * NARROW_LINES / TILE_LINES);  // such tiles in one line

static_assert(TILE_LINES % PART_LINES == 0, "tiles are whole parts");

// Weights of one part.
inline void stream_part(const LinePair &data, int part, weight_t (&tile)[OUT_PAR][IN_PAR]) {
#pragma HLS inline
    const int bytes = (int)sizeof(weight_t);
    const int per_part = PART_LINES * STREAM_LINE_BYTES / bytes;
PARTS:
    for (int p = 0; p < TILE_PARTS; ++p) {  // trip TILE_PARTS
#pragma HLS unroll
        if (p == part) {
        VALUES:
            for (int n = 0; n < per_part; ++n) {  // trip per_part
#pragma HLS unroll
                const int at = p * per_part + n;
                tile[at / IN_PAR][at % IN_PAR] = (weight_t)line_value(data, n * bytes, 8 * bytes);
            }
        }
    }
}

// The same of weights of 4 bits; second: of the two tiles of a line.
inline void narrow_part(const LinePair &data, int part, bool second, weight_t (&tile)[OUT_PAR][IN_PAR]) {
#pragma HLS inline
    const int per_part = OUT_PAR * IN_PAR / NARROW_PARTS;
PARTS:
    for (int p = 0; p < NARROW_PARTS; ++p) {  // trip NARROW_PARTS
#pragma HLS unroll
        if (p == part) {
        VALUES:
            for (int n = 0; n < per_part; ++n) {  // trip per_part
#pragma HLS unroll
                const int at = p * per_part + n;
                int64_t value = narrow_value(data, n);
                if (LINE_TILES == 2 && second) value = narrow_value(data, (LINE_TILES - 1) * per_part + n);
                tile[at / IN_PAR][at % IN_PAR] = (weight_t)value;
            }
        }
    }
}

// COUNT features of TOKEN_PAR consecutive rows of KEY or VALUE from all banks, turned so that the first row comes
// first; zeros from row `end` on. digits: of 16-bit rows 2, and this one of them.
template <typename WORD, int DEPTH, int COUNT>
inline void read_rows(const WORD (&pad)[TOKEN_PAR][DEPTH][VECTOR_WORDS], int first_row, int end, int vectors,
                      int feature, int digits, int digit, activation_t (&rows)[TOKEN_PAR][COUNT]) {
#pragma HLS inline
    const int words = COUNT / WORD_VALUES;
    const int turn = first_row % TOKEN_PAR;
    const int word = feature % VECTOR / WORD_VALUES;
    activation_t values[TOKEN_PAR][COUNT];
BANKS:
    for (int bank = 0; bank < TOKEN_PAR; ++bank) {  // trip TOKEN_PAR
#pragma HLS unroll
        const int tile = first_row / TOKEN_PAR + (bank < turn ? 1 : 0);
        const int vector = WIDE_INNER && digits == 2 ? feature / VECTOR * 2 + digit : feature / VECTOR;
        const int depth = vector_count(tile, vectors) + vector;
        const bool there = tile * TOKEN_PAR + bank < end;
    ZEROS:
        for (int e = 0; e < COUNT; ++e) {  // trip COUNT
#pragma HLS unroll
            values[bank][e] = 0;
        }
    WORDS:
        for (int n = 0; n < VECTOR_WORDS; ++n) {  // trip VECTOR_WORDS
#pragma HLS unroll
            if (there && n / words * words == word) {
                activation_t part[WORD_VALUES];
                unpack(pad[bank][depth][n], part);
            VALUES:
                for (int e = 0; e < WORD_VALUES; ++e) {  // trip WORD_VALUES
#pragma HLS unroll
                    values[bank][n % words * WORD_VALUES + e] = part[e];
                }
            }
        }
    }
TURNS:
    for (int amount = 0; amount < TOKEN_PAR; ++amount) {  // trip TOKEN_PAR
#pragma HLS unroll
        if (amount == turn) {
        ROWS:
            for (int row = 0; row < TOKEN_PAR; ++row) {  // trip TOKEN_PAR
#pragma HLS unroll
            ELEMENTS:
                for (int e = 0; e < COUNT; ++e) {  // trip COUNT
#pragma HLS unroll
                    rows[row][e] = values[(row + amount) % TOKEN_PAR][e];
                }
            }
        }
    }
}

}  // namespace edgemoe
