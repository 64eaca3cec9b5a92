// Packed words: several values side by side, read and written whole, each at a constant place.
//
// Memories and registers of the engine hold them. Synthesised they are ap_uint; C simulation, for its speed, keeps the
// values as they are. EDGEMOE_AS_SYNTHESISED takes the former into a simulation: tests/hls/test_builds.py.
#pragma once

#include <ap_int.h>

#include "types.hpp"

#if defined(__SYNTHESIS__) && !defined(EDGEMOE_AS_SYNTHESISED)
#define EDGEMOE_AS_SYNTHESISED
#endif

namespace edgemoe {

#ifdef EDGEMOE_AS_SYNTHESISED

template <typename VALUE, int COUNT, int BITS>
struct Packed {
    typedef ap_uint<COUNT * BITS> type;
};

// By value: a memory is read once, whatever is then taken from its word.
template <typename VALUE, int COUNT, int WIDTH>
inline void unpack(const ap_uint<WIDTH> word, VALUE (&values)[COUNT]) {
#pragma HLS inline
    const int bits = WIDTH / COUNT;
VALUES:
    for (int n = 0; n < COUNT; ++n) {  // trip COUNT
#pragma HLS unroll
        const uint64_t raw = word.range(bits * (n + 1) - 1, bits * n).to_uint64();
        values[n] = (VALUE)((int64_t)(raw << (64 - bits)) >> (64 - bits));
    }
}

template <typename VALUE, int COUNT, int WIDTH>
inline void pack(const VALUE (&values)[COUNT], ap_uint<WIDTH> &word) {
#pragma HLS inline
    const int bits = WIDTH / COUNT;
VALUES:
    for (int n = 0; n < COUNT; ++n) {  // trip COUNT
#pragma HLS unroll
        word.range(bits * (n + 1) - 1, bits * n) = ap_uint<bits>((uint64_t)values[n]);
    }
}

#else

template <typename VALUE, int COUNT, int BITS>
struct Packed {
    struct type {
        VALUE value[COUNT];
    };
};

template <typename VALUE, int COUNT, typename WORD>
inline void unpack(const WORD &word, VALUE (&values)[COUNT]) {
    static_assert(sizeof(word.value) == sizeof(values), "a word of COUNT values");
VALUES:
    for (int n = 0; n < COUNT; ++n) values[n] = word.value[n];  // trip COUNT
}

template <typename VALUE, int COUNT, typename WORD>
inline void pack(const VALUE (&values)[COUNT], WORD &word) {
    static_assert(sizeof(word.value) == sizeof(values), "a word of COUNT values");
VALUES:
    for (int n = 0; n < COUNT; ++n) word.value[n] = values[n];  // trip COUNT
}

#endif

// Values of one word of a scratchpad, words of one vector: a word is what the array reads or writes at a time.
constexpr int WORD_VALUES = smaller(IN_PAR, OUT_PAR);
constexpr int VECTOR_WORDS = VECTOR / WORD_VALUES;
constexpr int IN_WORDS = IN_PAR / WORD_VALUES;
constexpr int OUT_WORDS = OUT_PAR / WORD_VALUES;

typedef Packed<activation_t, WORD_VALUES, ACTIVATION_BITS>::type ActivationWord;
typedef Packed<int16_t, WORD_VALUES, 16>::type GateWord;
typedef Packed<gathered_t, WORD_VALUES, 8 * (int)sizeof(gathered_t)>::type GatheredWord;
typedef Packed<residual_t, WORD_VALUES, RESIDUAL_BITS>::type ResidualWord;
typedef Packed<score_t, WORD_VALUES, SCORE_BITS>::type ScoreWord;
typedef Packed<weight_t, IN_PAR, WEIGHT_BITS>::type TileRow;
typedef Packed<operand_t, IN_PAR, OPERAND_BITS>::type OperandWord;
typedef Packed<accumulator_t, OUT_PAR, ACCUMULATOR_BITS>::type AccumulatorWord;
typedef Packed<int64_t, OUT_PAR, LOGIT_BITS>::type LogitWord;

}  // namespace edgemoe
