// Rules 1 … 6 of docs/isa.md, in their order: what makes an instruction legal, whatever the run did before.
#pragma once

#include "instruction.hpp"

namespace edgemoe {

typedef int fault_t;  // one of the FAULT_ constants

// Rows [first, first + rows) of a scratchpad, of so many features each. wide: of 16 bits where a scratchpad holds either
// width, in twice the room.
struct Rows {
    int buffer, first, rows, features;
    bool wide;
};

// What an instruction reads and writes by row: rules 4 and 8 look at these.
struct Accesses {
    Rows read[3];
    Rows written[3];
    int reads, writes;
};

inline Rows rows_of(int buffer, int first, int rows, int features, bool wide = false) {
    Rows access = {buffer, first, rows, features, wide};
    return access;
}

// Scratchpads that hold activations of 8 or of 16 bits.
inline bool either_width(int buffer) { return buffer >= BUFFER_QUERY && buffer <= BUFFER_HIDDEN; }

// Where activations of the model's width lie that are not hidden ones.
inline int normalised(bool wide) { return wide ? BUFFER_GATE_INPUT : BUFFER_NORM; }

// Rows of KEY and VALUE that ATTENTION reads.
inline int first_key(const Instruction &i) { return STREAMING && i.keys ? i.key_row : i.source_row; }
inline int key_rows(const Instruction &i) { return STREAMING && i.keys ? i.keys : i.rows; }

inline Accesses accesses_of(const Instruction &i) {
    Accesses a = {};
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED:
            a.written[0] = rows_of(BUFFER_HIDDEN, 0, i.rows, i.in_features);
            a.written[1] = rows_of(BUFFER_RESIDUAL, i.destination_row, i.rows + 1, i.out_features);
            a.writes = 2;
            break;
        case OPCODE_LAYERNORM:
            a.read[0] = rows_of(BUFFER_RESIDUAL, i.source_row, i.rows, i.in_features);
            a.written[0] = rows_of(BUFFER_NORM, i.destination_row, i.rows, i.in_features);
            a.written[1] = rows_of(BUFFER_GATE_INPUT, i.destination_row, i.rows, i.in_features);
            a.reads = 1;
            a.writes = i.gate_copy ? 2 : 1;
            break;
        case OPCODE_LINEAR:
            a.read[0] = rows_of(i.source, i.source_row, i.rows, i.in_features, i.wide_source && either_width(i.source));
            a.reads = 1;
            a.writes = 1;
            if (i.epilogue == EPILOGUE_QKV) {
                a.written[0] = rows_of(BUFFER_QUERY, i.destination_row, i.rows, i.out_features / 3, i.wide_result);
                a.written[1] = rows_of(BUFFER_KEY, i.destination_row, i.rows, i.out_features / 3, i.wide_result);
                a.written[2] = rows_of(BUFFER_VALUE, i.destination_row, i.rows, i.out_features / 3, i.wide_result);
                a.writes = 3;
            } else {
                a.written[0] = rows_of(i.destination, i.destination_row, i.rows, i.out_features, i.wide_result);
            }
            if (i.epilogue == EPILOGUE_RESIDUAL) {
                a.read[1] = a.written[0];
                a.reads = 2;
            }
            break;
        case OPCODE_ATTENTION:
            a.read[0] = rows_of(BUFFER_QUERY, i.source_row, i.rows, i.in_features, i.wide_source);
            a.read[1] = rows_of(BUFFER_KEY, first_key(i), key_rows(i), i.in_features, i.wide_source);
            a.read[2] = rows_of(BUFFER_VALUE, first_key(i), key_rows(i), i.in_features, i.wide_source);
            a.written[0] = rows_of(normalised(i.wide_result), i.source_row, i.rows, i.in_features);
            a.reads = 3;
            a.writes = 1;
            break;
        case OPCODE_GATE:
            a.read[0] = rows_of(BUFFER_GATE_INPUT, i.source_row, i.rows, i.in_features);
            a.read[1] = rows_of(BUFFER_NORM, i.source_row, i.rows, i.in_features);
            a.read[2] = rows_of(BUFFER_RESIDUAL, i.destination_row, i.rows, i.in_features);
            a.written[0] = rows_of(BUFFER_ROUTING, i.destination_row, i.rows, i.top_k);
            a.reads = 3;
            a.writes = 1;
            break;
        case OPCODE_COPY:
            a.read[0] = rows_of(BUFFER_RESIDUAL, i.source_row, i.rows, i.in_features);
            a.written[0] = rows_of(BUFFER_RESIDUAL, i.destination_row, i.rows, i.in_features);
            a.reads = 1;
            a.writes = 1;
            break;
        case OPCODE_HEAD:
            a.read[0] = rows_of(normalised(i.wide_source), i.source_row, i.rows, i.in_features);
            a.reads = 1;
            break;
        case OPCODE_STORE:
            a.read[0] = rows_of(i.source, i.source_row, i.rows, i.in_features, i.wide_source && either_width(i.source));
            a.reads = 1;
            break;
        case OPCODE_LOAD:
            a.written[0] = rows_of(i.destination, i.destination_row, i.rows, i.in_features, i.wide_result);
            a.writes = 1;
            break;
        default:
            break;
    }
    return a;
}

// Bytes of one element as STORE writes it.
inline int element_bytes(int buffer, bool wide) {
    if (buffer == BUFFER_RESIDUAL) return RESIDUAL_BYTES;
    if (buffer == BUFFER_GATE_INPUT || wide) return 2;
    return buffer == BUFFER_ROUTING ? 4 : (int)sizeof(activation_t);
}

inline uint64_t pitch(int features, int bytes) { return (uint64_t)round_up(features * bytes, MEMORY_WORD_BYTES); }

// Bytes of a row that STORE writes or LOAD reads.
inline uint64_t memory_row(const Instruction &i) {
    const bool load = i.opcode == OPCODE_LOAD;
    return pitch(i.in_features, load ? element_bytes(i.destination, i.wide_result) : element_bytes(i.source, i.wide_source));
}

inline bool vectors(int features) { return features >= VECTOR && features <= MAX_FEATURES && features % VECTOR == 0; }

inline uint32_t segments_of(const Instruction &i) {
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED: return 2;
        case OPCODE_EXPERTS: return (uint32_t)i.experts;
        case OPCODE_LAYERNORM:
        case OPCODE_LINEAR:
        case OPCODE_GATE:
        case OPCODE_HEAD: return 1;
        default: return 0;
    }
}

inline bool whole_ranges(const Instruction &i) {
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED: return vectors(i.out_features);
        case OPCODE_LAYERNORM:
            if (i.residual_copy && !i.gate_copy) return false;
            return i.shift >= 1 && i.epsilon >= 1 &&
                   (i.gate_copy && !i.residual_copy ? i.output_shift >= 1 : i.output_shift == 0);
        case OPCODE_LINEAR:
            if (i.epilogue != EPILOGUE_GELU && (i.output_multiplier || i.output_shift || i.output_zero || i.activation)) {
                return false;
            }
            if (i.epilogue == EPILOGUE_RESIDUAL && i.wide_result) return false;
            if (i.epilogue == EPILOGUE_QKV) return i.out_features % 3 == 0 && vectors(i.out_features / 3);
            return vectors(i.out_features);
        case OPCODE_ATTENTION:
            return i.heads >= 1 && i.in_features % (VECTOR * i.heads) == 0 &&
                   i.output_shift <= MAX_ATTENTION_OUTPUT_SHIFT && (i.keys || !i.key_row);
        case OPCODE_STORE: return i.source != BUFFER_ROUTING || !i.pitch;
        case OPCODE_GATE: return i.top_k >= 1 && i.top_k <= i.experts;
        case OPCODE_EXPERTS: return i.experts >= 1 && vectors(i.hidden_features);
        case OPCODE_COPY: {
            const int distance = i.source_row - i.destination_row;
            return (distance < 0 ? -distance : distance) >= i.rows;
        }
        case OPCODE_HEAD: return i.out_features >= 1 && i.out_features <= MAX_FEATURES;
        default: return true;
    }
}

inline bool field_ranges(const Instruction &i) {
    if (i.opcode == OPCODE_HALT) return true;
    if (i.opcode != OPCODE_EXPERTS && i.rows < 1) return false;
    if (i.opcode == OPCODE_REPEAT) return i.segments >= 1;
    if (i.opcode == OPCODE_STORE && i.source == BUFFER_ROUTING) {
        if (i.in_features < 1) return false;
    } else if (!vectors(i.in_features)) {
        return false;
    }
    if (i.segments != segments_of(i)) return false;
    if (STREAMING && i.pitch && (uint64_t)i.pitch * MEMORY_WORD_BYTES < memory_row(i)) return false;
    return i.shift <= MAX_SHIFT && i.output_shift <= MAX_SHIFT && whole_ranges(i);
}

// NORM is 8 bits wide, GATE_INPUT 16, HIDDEN either where the build has wide ones.
inline bool width_of_source(const Instruction &i) {
    if (i.source == BUFFER_HIDDEN) return WIDE_INNER || !i.wide_source;
    return (i.wide_source != 0) == (i.source == BUFFER_GATE_INPUT);
}

inline bool operands(const Instruction &i) {
    if (i.opcode == OPCODE_STORE) return i.source != BUFFER_NONE && (either_width(i.source) || !i.wide_source);
    if (i.opcode == OPCODE_LOAD) {
        return i.destination >= BUFFER_RESIDUAL && i.destination <= BUFFER_VALUE &&
               (either_width(i.destination) || !i.wide_result);
    }
    if (i.opcode != OPCODE_LINEAR) return true;
    if (!width_of_source(i)) return false;
    const bool tokens = i.source == BUFFER_NORM || i.source == BUFFER_GATE_INPUT;
    switch (i.epilogue) {
        case EPILOGUE_QKV: return tokens && i.destination == BUFFER_QUERY;
        case EPILOGUE_GELU: return tokens && i.destination == BUFFER_HIDDEN;
        case EPILOGUE_RESIDUAL: return (tokens || i.source == BUFFER_HIDDEN) && i.destination == BUFFER_RESIDUAL;
        default: return false;
    }
}

inline int64_t capacity(int buffer) {
    if (buffer == BUFFER_HIDDEN) return HIDDEN_ELEMENTS;
    if (buffer == BUFFER_ROUTING) return (int64_t)round_up(MAX_ROWS, TOKEN_PAR) * MAX_TOP_K;
    return ROW_ELEMENTS;
}

// Elements that rows take: whole tiles of TOKEN_PAR.
inline int64_t room(int rows, int features) { return (int64_t)round_up(rows, TOKEN_PAR) * features; }

// Rows that a scratchpad may have: where they come from memory, those of two attentions in what these work on.
inline int rows_within(int opcode, int buffer) {
    const bool moved = opcode == OPCODE_ATTENTION || opcode == OPCODE_LOAD || opcode == OPCODE_STORE;
    const bool attended = buffer >= BUFFER_NORM && buffer <= BUFFER_VALUE;
    return STREAMING && moved && attended ? larger(MAX_ROWS, 2 * MAX_TOKENS) : MAX_ROWS;
}

inline bool fits(int opcode, const Rows &access, bool own_rule) {
    const int end = access.first + access.rows;
    const int elements = access.wide ? 2 * access.features : access.features;
    return end <= rows_within(opcode, access.buffer) && (own_rule || room(end, elements) <= capacity(access.buffer));
}

inline bool fits_buffers(const Instruction &i) {
    const Accesses a = accesses_of(i);
    bool good = true;
READS:
    for (int n = 0; n < 3; ++n) {  // trip 3
#pragma HLS unroll
        if (n < a.reads && !fits(i.opcode, a.read[n], false)) good = false;
        if (n < a.writes && !fits(i.opcode, a.written[n], i.opcode == OPCODE_GATE)) good = false;
    }
    if (i.opcode == OPCODE_ATTENTION && key_rows(i) > MAX_TOKENS) good = false;
    if (i.opcode == OPCODE_LAYERNORM && i.in_features > MAX_WIDTH) good = false;
    return good;
}

// Bytes from STORE's or LOAD's first row to the end of its last.
inline uint64_t memory_span(const Instruction &i) {
    const uint64_t row = memory_row(i);
    const uint64_t step = STREAMING && i.pitch ? (uint64_t)i.pitch * MEMORY_WORD_BYTES : row;
    return (uint64_t)(i.rows - 1) * step + row;
}

// address + length ≤ size, in a way that cannot wrap around.
inline bool inside(uint64_t address, uint64_t length, uint64_t size) {
    return length <= size && address <= size - length;
}

inline bool fits_memory(const Instruction &i, uint64_t input_bytes, uint64_t output_bytes) {
    if (i.address % MEMORY_WORD_BYTES) return false;
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED: return inside(i.address, (uint64_t)i.rows * pitch(i.in_features, 1), input_bytes);
        case OPCODE_HEAD: return inside(i.address, (uint64_t)i.rows * pitch(i.out_features, 2), output_bytes);
        case OPCODE_STORE:
        case OPCODE_LOAD: return inside(i.address, memory_span(i), output_bytes);
        case OPCODE_REPEAT: return i.address % STREAM_LINE_BYTES == 0;
        default: return true;
    }
}

// The first rule broken; FAULT_NONE when the instruction is legal.
inline fault_t static_fault(const RawInstruction &raw, uint64_t input_bytes, uint64_t output_bytes) {
    const Instruction i = decode(raw);
    if (i.opcode > (STREAMING ? OPCODE_REPEAT : OPCODE_STORE)) return FAULT_ILLEGAL_OPCODE;
    bool unused = false;
MASKS:
    for (int word = 0; word < INSTRUCTION_WORDS; ++word) {  // trip INSTRUCTION_WORDS
#pragma HLS unroll
        if (raw.word[word] & ~INSTRUCTION_MASK[i.opcode * INSTRUCTION_WORDS + word]) unused = true;
    }
    if (unused || i.epilogue > EPILOGUE_RESIDUAL) return FAULT_ILLEGAL_FIELD;
    if (i.source > BUFFER_ROUTING || i.destination > BUFFER_ROUTING) return FAULT_ILLEGAL_OPERAND;
    if (!field_ranges(i)) return FAULT_ILLEGAL_FIELD;
    if (!operands(i)) return FAULT_ILLEGAL_OPERAND;
    if (!fits_buffers(i)) return FAULT_BUFFER_RANGE;
    if (i.experts > MAX_EXPERTS || i.top_k > MAX_TOP_K) return FAULT_TOO_MANY_EXPERTS;
    return fits_memory(i, input_bytes, output_bytes) ? FAULT_NONE : FAULT_ADDRESS_RANGE;
}

}  // namespace edgemoe
