// Words as they lie in memory, and fields of the words of an instruction.
#pragma once

#include "../kernels/packed.hpp"

namespace edgemoe {

// A word of memory, 16 bytes, little-endian; a line of the weight stream, 64 bytes, and two of them.
struct Word {
    uint64_t half[2];
};

constexpr int LINE_PARTS = STREAM_LINE_BYTES / 8;

typedef Packed<uint64_t, LINE_PARTS, 64>::type Line;

struct LinePair {
    Line low, high;
};

constexpr int LINE_WORDS = STREAM_LINE_BYTES / MEMORY_WORD_BYTES;
constexpr int INSTRUCTION_WORDS = INSTRUCTION_BYTES / 4;

struct RawInstruction {
    uint32_t word[INSTRUCTION_WORDS];
};

// Two words, low half first.
inline uint64_t wide(const RawInstruction &raw, int word) { return raw.word[word] | (uint64_t)raw.word[word + 1] << 32; }

inline int field(const RawInstruction &raw, int word, int low, int width) {
    return (int)((raw.word[word] >> low) & ((1u << width) - 1));
}

// The same of a field in two's complement.
inline int signed_field(const RawInstruction &raw, int word, int low, int width) {
    const int value = field(raw, word, low, width);
    return value >> (width - 1) ? value - (1 << width) : value;
}

}  // namespace edgemoe
