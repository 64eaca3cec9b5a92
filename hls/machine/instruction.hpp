// Instructions and the program header as they lie in memory: docs/isa.md.
#pragma once

#include "../kernels/types.hpp"

namespace edgemoe {

// A word of memory, 16 bytes, little-endian; a line of the weight stream, 64 bytes.
struct Word {
    uint64_t half[2];
};

struct Line {
    uint64_t part[STREAM_LINE_BYTES / 8];
};

constexpr int LINE_WORDS = STREAM_LINE_BYTES / MEMORY_WORD_BYTES;
constexpr int INSTRUCTION_WORDS = INSTRUCTION_BYTES / 4;

struct RawInstruction {
    uint32_t word[INSTRUCTION_WORDS];
};

// Fields of one instruction; the names are those of the ISA.
struct Instruction {
    int opcode, epilogue, source, destination, gate_copy;
    int rows, in_features, out_features, hidden_features;
    int source_row, destination_row, heads, experts, top_k;
    int multiplier, shift, output_multiplier, output_shift, output_zero;
    uint32_t segment, segments;
    uint64_t epsilon, address;
};

struct Header {
    uint32_t magic, version, config_hash, instructions;
    uint64_t stream_lines, input_bytes, output_bytes;
    bool reserved;  // a word that must be zero is not
};

// Block `index` of 64 bytes: 0 is the header, the instructions follow.
inline RawInstruction read_block(const Word *program, uint32_t index) {
    RawInstruction raw;
READ:
    for (int word = 0; word < LINE_WORDS; ++word) {  // trip 4, II 1
#pragma HLS pipeline II=1
        const Word data = program[(uint64_t)index * LINE_WORDS + word];
        raw.word[4 * word] = (uint32_t)data.half[0];
        raw.word[4 * word + 1] = (uint32_t)(data.half[0] >> 32);
        raw.word[4 * word + 2] = (uint32_t)data.half[1];
        raw.word[4 * word + 3] = (uint32_t)(data.half[1] >> 32);
    }
    return raw;
}

inline uint64_t wide(const RawInstruction &raw, int word) { return raw.word[word] | (uint64_t)raw.word[word + 1] << 32; }

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
    for (int word = 10; word < INSTRUCTION_WORDS; ++word) {  // trip 6
#pragma HLS unroll
        if (raw.word[word] != 0) header.reserved = true;
    }
    return header;
}

inline int field(const RawInstruction &raw, int word, int low, int width) {
    return (int)((raw.word[word] >> low) & ((1u << width) - 1));
}

inline Instruction decode(const RawInstruction &raw) {
    Instruction i;
    i.opcode = field(raw, FIELD_OPCODE_WORD, FIELD_OPCODE_LOW, FIELD_OPCODE_WIDTH);
    i.epilogue = field(raw, FIELD_EPILOGUE_WORD, FIELD_EPILOGUE_LOW, FIELD_EPILOGUE_WIDTH);
    i.source = field(raw, FIELD_SOURCE_WORD, FIELD_SOURCE_LOW, FIELD_SOURCE_WIDTH);
    i.destination = field(raw, FIELD_DESTINATION_WORD, FIELD_DESTINATION_LOW, FIELD_DESTINATION_WIDTH);
    i.gate_copy = field(raw, FIELD_GATE_COPY_WORD, FIELD_GATE_COPY_LOW, FIELD_GATE_COPY_WIDTH);
    i.rows = field(raw, FIELD_ROWS_WORD, FIELD_ROWS_LOW, FIELD_ROWS_WIDTH);
    i.in_features = field(raw, FIELD_IN_FEATURES_WORD, FIELD_IN_FEATURES_LOW, FIELD_IN_FEATURES_WIDTH);
    i.out_features = field(raw, FIELD_OUT_FEATURES_WORD, FIELD_OUT_FEATURES_LOW, FIELD_OUT_FEATURES_WIDTH);
    i.hidden_features = field(raw, FIELD_HIDDEN_FEATURES_WORD, FIELD_HIDDEN_FEATURES_LOW, FIELD_HIDDEN_FEATURES_WIDTH);
    i.source_row = field(raw, FIELD_SOURCE_ROW_WORD, FIELD_SOURCE_ROW_LOW, FIELD_SOURCE_ROW_WIDTH);
    i.destination_row = field(raw, FIELD_DESTINATION_ROW_WORD, FIELD_DESTINATION_ROW_LOW, FIELD_DESTINATION_ROW_WIDTH);
    i.heads = field(raw, FIELD_HEADS_WORD, FIELD_HEADS_LOW, FIELD_HEADS_WIDTH);
    i.experts = field(raw, FIELD_EXPERTS_WORD, FIELD_EXPERTS_LOW, FIELD_EXPERTS_WIDTH);
    i.top_k = field(raw, FIELD_TOP_K_WORD, FIELD_TOP_K_LOW, FIELD_TOP_K_WIDTH);
    i.multiplier = field(raw, FIELD_MULTIPLIER_WORD, FIELD_MULTIPLIER_LOW, FIELD_MULTIPLIER_WIDTH);
    i.shift = field(raw, FIELD_SHIFT_WORD, FIELD_SHIFT_LOW, FIELD_SHIFT_WIDTH);
    i.output_multiplier =
        field(raw, FIELD_OUTPUT_MULTIPLIER_WORD, FIELD_OUTPUT_MULTIPLIER_LOW, FIELD_OUTPUT_MULTIPLIER_WIDTH);
    i.output_shift = field(raw, FIELD_OUTPUT_SHIFT_WORD, FIELD_OUTPUT_SHIFT_LOW, FIELD_OUTPUT_SHIFT_WIDTH);
    i.output_zero =
        (int16_t)field(raw, FIELD_OUTPUT_ZERO_WORD, FIELD_OUTPUT_ZERO_LOW, FIELD_OUTPUT_ZERO_WIDTH);
    i.segment = raw.word[FIELD_SEGMENT_WORD];
    i.segments = raw.word[FIELD_SEGMENTS_WORD];
    i.epsilon = wide(raw, FIELD_EPSILON_LOW_WORD);
    i.address = wide(raw, FIELD_ADDRESS_LOW_WORD);
    return i;
}

}  // namespace edgemoe
