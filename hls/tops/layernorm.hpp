// Σx, Σx², width, ε, x, γ, β, both shifts → 1/σ as value and exponent, (x − μ)/σ, activation, copy for the gate.
#pragma once

#include "../kernels/layernorm.hpp"

using namespace edgemoe;

constexpr int INPUTS = 9, OUTPUTS = 5;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    const RowSums sums = {in[0], in[1]};
    const int width = (int)in[2];
    const Root root = reciprocal_square_root(variance(sums, width, (uint64_t)in[3]));
    const int64_t normalised = normalise(in[4], in[0], width, root);
    const int64_t affine = product<NORMALISED_BITS, GAIN_BITS>(normalised, in[5]) + in[6];
    out[0] = root.value;
    out[1] = root.exponent;
    out[2] = normalised;
    out[3] = layernorm_output(affine, (int)in[7]);
    out[4] = layernorm_gate_copy(affine, (int)in[8]);
}
