// C interface for Python: arrays through the units of leaves.v, element by element, in the order of their results.
// The functions are those of hls/simulation/bridge.cpp.
#include <algorithm>
#include <cstdint>

#include "Vtop.h"
#include "verilated.h"

#define EDGEMOE_CALL extern "C" __attribute__((visibility("default")))

namespace {

constexpr int WIDTHS[] = {8, 16, 18, 20, 24, 28, 48, 60};  // of `requantised`
constexpr int WRITE_CYCLES = 5;                            // of softmax, until a score may be swept

// One bench per process; between calls nothing is on its way.
class Bench {
  public:
    Bench() {
        top.rst_n = 0;
        for (int cycle = 0; cycle < 4; ++cycle) tick();
        top.rst_n = 1;
    }

    void tick() {
        top.eval();
        top.clk = 1;
        top.eval();
        top.clk = 0;
        top.eval();
    }

    // One element a cycle: `put` sets inputs, `take` keeps an output; ends with the last output.
    template <typename PUT, typename TAKE>
    void stream(int64_t count, uint8_t &valid, const uint8_t &done, PUT put, TAKE take) {
        for (int64_t in = 0, out = 0; out < count;) {
            valid = in < count;
            if (valid) put(in++);
            tick();
            if (done) take(out++);
        }
        valid = 0;
    }

    Vtop top;
};

Bench &bench() {
    static Bench one;
    return one;
}

}  // namespace

// bits: one of WIDTHS; for others results stay as they are.
EDGEMOE_CALL void edgemoe_requantise(int64_t count, const int64_t *values, const int64_t *multipliers,
                                     const int64_t *shifts, int bits, int64_t *results) {
    const auto width = std::find(std::begin(WIDTHS), std::end(WIDTHS), bits);
    if (width == std::end(WIDTHS)) return;
    Vtop &top = bench().top;
    bench().stream(
        count, top.requantise_valid, top.requantised_valid,
        [&](int64_t n) {
            top.value = values[n] & ((1LL << 48) - 1);
            top.multiplier = multipliers[n];
            top.shift = shifts[n];
        },
        [&](int64_t n) { results[n] = top.requantised[width - std::begin(WIDTHS)]; });
}

EDGEMOE_CALL void edgemoe_gelu(int64_t count, const int64_t *values, int multiplier, int shift, int zero,
                               int64_t *results) {
    Vtop &top = bench().top;
    top.multiplier = multiplier;
    top.shift = shift;
    top.zero = zero;
    top.gelu_activation = 0;
    bench().stream(
        count, top.gelu_valid, top.gelu_done, [&](int64_t n) { top.value = values[n] & ((1LL << 48) - 1); },
        [&](int64_t n) { results[n] = top.gelu_result; });
}

EDGEMOE_CALL void edgemoe_reciprocal(int64_t count, const int64_t *totals, int64_t *inverses, int64_t *lengths) {
    Vtop &top = bench().top;
    for (int64_t n = 0; n < count; ++n) {
        bench().stream(
            1, top.reciprocal_start, top.reciprocal_done, [&](int64_t) { top.total = totals[n]; },
            [&](int64_t) {
                inverses[n] = top.inverse;
                lengths[n] = top.length;
            });
    }
}

// One row of scores.
EDGEMOE_CALL void edgemoe_exponential(int64_t count, const int64_t *scores, int64_t *results) {
    Vtop &top = bench().top;
    const int64_t written = top.keys_written, read = top.keys_read, latency = top.sweep_cycles;
    for (int64_t first = 0; first < count; first += written) {
        top.write_valid = 1;
        top.write_first = first == 0;
        top.word = first / written;
        top.write_mask = 0;
        for (int64_t key = 0; key < written; ++key) {
            const bool inside = first + key < count;
            top.write_mask |= inside << key;
            top.scores[key] = inside ? scores[first + key] : INT32_MAX;
        }
        bench().tick();
    }
    top.write_valid = 0;
    for (int cycle = 0; cycle < WRITE_CYCLES; ++cycle) bench().tick();
    const int64_t sweep = (count + read - 1) / read;
    for (int64_t cycle = 0; cycle < sweep + latency; ++cycle) {
        const int64_t first = cycle * read, leaving = cycle - latency;
        top.read_word = first / written;
        top.read_part = first % written / read;
        top.read_mask = 0xFFFF;
        top.eval();
        for (int64_t key = 0; key < read && leaving >= 0; ++key) {
            const int64_t n = leaving * read + key;
            if (n < count) results[n] = top.exponentials[key];
        }
        bench().tick();
    }
}
