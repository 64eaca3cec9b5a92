// Types of the arithmetic, chosen by the precision that the specification's header was generated for.
//
// Native integers stand wherever they hold the value exactly: they are synthesised at their width where it matters
// (multipliers), and keep C simulation fast.
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

constexpr int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

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
