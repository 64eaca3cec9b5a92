// Rules 1 … 6 alone, for tests of many instructions.
#include "../machine/legality.hpp"

using namespace edgemoe;

extern "C" {

// words: 16 of each instruction; sizes: bytes of its input and its output region.
void edgemoe_static_faults(int64_t count, const uint32_t *words, const uint64_t *sizes, int32_t *faults) {
    for (int64_t n = 0; n < count; ++n) {
        RawInstruction raw;
        for (int word = 0; word < INSTRUCTION_WORDS; ++word) raw.word[word] = words[n * INSTRUCTION_WORDS + word];
        faults[n] = static_fault(raw, sizes[2 * n], sizes[2 * n + 1]);
    }
}
}
