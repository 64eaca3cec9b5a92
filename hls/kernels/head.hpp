// Head: 16-bit outputs of a task's last linear layer: golden/ops/head.py.
#pragma once

#include "linear.hpp"

namespace edgemoe {

inline int16_t head(int64_t scaled) { return (int16_t)saturate(scaled, OUTPUT_BITS); }

}  // namespace edgemoe
