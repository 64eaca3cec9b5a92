// Types of the arithmetic, chosen by the precision that the specification's header was generated for.
//
// Native integers stand wherever they hold the value exactly, which keeps C simulation fast; multipliers (products.hpp)
// and memories (words.hpp) have the width that the value needs.
#pragma once

#include <cstdint>

#include "edgemoe_spec.hpp"

namespace edgemoe {

using namespace spec;

template <bool CONDITION, typename YES, typename NO>
struct Select {
    typedef YES type;
};

template <typename YES, typename NO>
struct Select<false, YES, NO> {
    typedef NO type;
};

constexpr bool IS_FINE = FINE != 0;

typedef Select<IS_FINE, int16_t, int8_t>::type activation_t;
typedef Select<IS_FINE, int16_t, int8_t>::type weight_t;
typedef Select<IS_FINE, int32_t, int16_t>::type operand_t;  // left side of the array: activation or exponential
typedef Select<IS_FINE, int64_t, int32_t>::type accumulator_t;
typedef Select<IS_FINE, int32_t, int16_t>::type residual_t;
typedef Select<IS_FINE, int32_t, int16_t>::type score_t;
typedef Select<WIDE_TOKENS != 0, int16_t, activation_t>::type gathered_t;  // an expert's token

constexpr int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }
constexpr int larger(int one, int other) { return one > other ? one : other; }
constexpr int smaller(int one, int other) { return one < other ? one : other; }

// Signed bits of what multiplies: operands of the array, sums with their bias, multipliers of post lanes.
constexpr int OPERAND_BITS = larger(ACTIVATION_BITS, EXPONENTIAL_BITS + 1);
constexpr int JOINED_BITS = WIDE_INNER    ? 45  // q·k of MAX_FEATURES, digits joined
                            : WIDE_TOKENS ? ACCUMULATOR_BITS + ACTIVATION_BITS
                                          : ACCUMULATOR_BITS;
constexpr int BIASED_BITS = JOINED_BITS + 1;
constexpr int SCALE_BITS = larger(MULTIPLIER_BITS, RECIPROCAL_BITS + 1) + 1;
constexpr int LOGIT_BITS = larger(48, ACCUMULATOR_BITS);

static_assert(VECTOR % IN_PAR == 0, "a vector of a scratchpad holds whole input tiles");
static_assert(VECTOR % OUT_PAR == 0, "an output tile lies inside one vector, and so inside one third of QKV");
static_assert(OUT_PAR * CHANNEL_BYTES % STREAM_LINE_BYTES == 0, "channel records of an output tile are whole lines");
static_assert(OUT_PAR * IN_PAR * (int)sizeof(weight_t) % STREAM_LINE_BYTES == 0, "a weight tile is whole lines");
static_assert(MAX_TOKENS <= LARGEST_TOKENS && MAX_WIDTH <= LARGEST_WIDTH, "the accumulators' bounds hold up to these sizes");

// What a channel of a linear layer does with its accumulator.
struct Channel {
    int64_t bias;
    uint16_t multiplier;
    uint8_t shift;
};

}  // namespace edgemoe
