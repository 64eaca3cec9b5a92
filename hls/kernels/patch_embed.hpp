// Patch embedding: pixels − 128 through the array, added to the position embedding, which stands in
// the residual already: golden/ops/patch_embed.py.
#pragma once

#include "linear.hpp"

namespace edgemoe {

// What the array sees of a pixel: −128 … 127.
inline activation_t patch_value(uint8_t pixel) { return (activation_t)((int)pixel - PIXEL_OFFSET); }

}  // namespace edgemoe
