// The program header and the blocks of a program in memory: docs/isa.md.
#pragma once

#include "../include/instruction_fields.hpp"

namespace edgemoe {

struct Header {
    uint32_t magic, version, config_hash, instructions;
    uint64_t stream_lines, input_bytes, output_bytes;
    bool reserved;  // a word that must be zero is not
};

// Block `index` of 64 bytes: 0 is the header, the instructions follow.
inline RawInstruction read_block(const Word *program, uint32_t index) {
    RawInstruction raw;
READ:
    for (int word = 0; word < LINE_WORDS; ++word) {  // trip LINE_WORDS, II 1
#pragma HLS pipeline II=1
        const Word data = program[(uint64_t)index * LINE_WORDS + word];
        raw.word[4 * word] = (uint32_t)data.half[0];
        raw.word[4 * word + 1] = (uint32_t)(data.half[0] >> 32);
        raw.word[4 * word + 2] = (uint32_t)data.half[1];
        raw.word[4 * word + 3] = (uint32_t)(data.half[1] >> 32);
    }
    return raw;
}

inline Header decode_header(const RawInstruction &raw) {
    Header header;
    header.magic = raw.word[0];
    header.version = raw.word[1];
    header.config_hash = raw.word[2];
    header.instructions = raw.word[3];
    header.stream_lines = wide(raw, 4);
    header.input_bytes = wide(raw, 6);
    header.output_bytes = wide(raw, 8);
    header.reserved = false;
RESERVED:
    for (int word = 10; word < INSTRUCTION_WORDS; ++word) {  // trip INSTRUCTION_WORDS − 10
#pragma HLS unroll
        if (raw.word[word] != 0) header.reserved = true;
    }
    return header;
}

}  // namespace edgemoe
