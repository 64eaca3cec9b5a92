// Patch embedding: pixels − 128 through the array, added to the position embedding: golden/ops/patch_embed.py.
#pragma once

#include "linear.hpp"

namespace edgemoe {

// What the array sees of a pixel: −128 … 127.
inline activation_t patch_value(uint8_t pixel) { return (activation_t)((int)pixel - PIXEL_OFFSET); }

// The position embedding stands in the residual already; the product is added to it.
inline residual_t patch_embed(accumulator_t sum, const Channel &channel, residual_t position) {
    return linear_residual(sum, channel, position);
}

}  // namespace edgemoe
