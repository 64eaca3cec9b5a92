// Head: 16-bit outputs of a task's last linear layer: golden/ops/head.py.
#pragma once

#include "linear.hpp"

namespace edgemoe {

inline int16_t head(accumulator_t sum, const Channel &channel) {
    return (int16_t)saturate(scaled(sum, channel), OUTPUT_BITS);
}

}  // namespace edgemoe
