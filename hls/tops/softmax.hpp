// Scores of IN_PAR keys → their exponentials under the row's maximum in octaves, and R and L of the sum.
#pragma once

#include "../kernels/softmax.hpp"

using namespace edgemoe;

constexpr int INPUTS = IN_PAR, OUTPUTS = IN_PAR + 2;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    int64_t maximum = octave(in[0], SCORE_FRACTION);
MAXIMUM:
    for (int n = 1; n < IN_PAR; ++n) {  // trip IN_PAR − 1
#pragma HLS unroll
        const int64_t upper = octave(in[n], SCORE_FRACTION);
        if (upper > maximum) maximum = upper;
    }
    int64_t total = 0;
KEYS:
    for (int n = 0; n < IN_PAR; ++n) {  // trip IN_PAR
#pragma HLS unroll
        out[n] = exponential(in[n], maximum);
        total += out[n];
    }
    const Reciprocal inverse = reciprocal(total);
    out[IN_PAR] = inverse.value;
    out[IN_PAR + 1] = inverse.length;
}
