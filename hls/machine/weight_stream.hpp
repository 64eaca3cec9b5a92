// The weight stream: one process reads it forwards ahead of use, the executor takes lines: docs/memory.md.
#pragma once

#include <hls_stream.h>

#include "legality.hpp"

namespace edgemoe {

constexpr int PREFETCH_LINES = PREFETCH_BYTES / STREAM_LINE_BYTES;
constexpr int PORT_WORDS = LINE_WORDS / PORTS;  // words of one line on each port

static_assert(LINE_WORDS % PORTS == 0, "a line is whole beats of all ports");

// Reads all lines in order; never waits for the executor but when the stream is full. II PORT_WORDS per line.
inline void fetch_weights(const Word *weights_0, const Word *weights_1, const Word *weights_2, const Word *weights_3,
                          uint64_t count, hls::stream<Line> &lines) {
FETCH:
    for (uint64_t index = 0; index < count; ++index) {
#pragma HLS loop_tripcount min=1000 max=300000
#pragma HLS pipeline II=PORT_WORDS
        Line line;
    WORDS:
        for (int word = 0; word < LINE_WORDS; ++word) {  // trip 4
#pragma HLS unroll
            const uint64_t at = index * PORT_WORDS + word / PORTS;
            const int port = word % PORTS;
            Word data;
            if (port == 0) data = weights_0[at];
            else if (port == 1) data = weights_1[at];
            else if (port == 2) data = weights_2[at];
            else data = weights_3[at];
            line.part[2 * word] = data.half[0];
            line.part[2 * word + 1] = data.half[1];
        }
        lines.write(line);
    }
}

// The executor's end of the stream. remaining: lines not yet taken.
struct WeightReader {
    uint64_t remaining;
    uint32_t next_segment;
};

inline Line take_line(hls::stream<Line> &lines, WeightReader &reader) {
    reader.remaining -= 1;
    return lines.read();
}

// Forget lines: weights of experts without tokens, and the rest of the stream after a fault. II 1.
inline void drop_lines(hls::stream<Line> &lines, WeightReader &reader, uint64_t count) {
DROP:
    for (uint64_t index = 0; index < count; ++index) {
#pragma HLS loop_tripcount min=1 max=10000
#pragma HLS pipeline II=1
        take_line(lines, reader);
    }
}

// Rule 10: the next segment is there, whole, and is the one that the instruction expects.
inline fault_t open_segment(hls::stream<Line> &lines, WeightReader &reader, uint32_t number, uint64_t payload_lines) {
    if (reader.remaining == 0) return FAULT_STREAM_END;
    const Line header = take_line(lines, reader);
    const uint32_t tag = (uint32_t)header.part[0];
    const uint64_t length = header.part[0] >> 32;
    if (length > reader.remaining) return FAULT_STREAM_END;
    return tag == number && length == payload_lines ? FAULT_NONE : FAULT_SEGMENT_MISMATCH;
}

inline uint64_t lines_of(uint64_t bytes) { return (bytes + STREAM_LINE_BYTES - 1) / STREAM_LINE_BYTES; }

constexpr int CHANNEL_LINES = OUT_PAR * CHANNEL_BYTES / STREAM_LINE_BYTES;
constexpr int TILE_LINES = OUT_PAR * IN_PAR * (int)sizeof(weight_t) / STREAM_LINE_BYTES;

inline uint64_t linear_lines(int outputs, int inputs) {
    const uint64_t output_tiles = (outputs + OUT_PAR - 1) / OUT_PAR;
    return output_tiles * (CHANNEL_LINES + (uint64_t)((inputs + IN_PAR - 1) / IN_PAR) * TILE_LINES);
}

// Two bytes a weight in either precision: one tile, or a tile of high and a tile of low digits.
inline uint64_t gate_lines(int experts, int inputs) {
    const uint64_t tiles = (uint64_t)((experts + OUT_PAR - 1) / OUT_PAR) * ((inputs + IN_PAR - 1) / IN_PAR);
    return tiles * (2 * OUT_PAR * IN_PAR / STREAM_LINE_BYTES);
}

// The little-endian number at byte `at` of a line, sign-extended from `bits`: whatever stands above them in the stream,
// values keep to the ranges that the arithmetic's bounds are made of.
inline int64_t line_value(const Line &line, int at, int bits) {
    const uint64_t part = line.part[at / 8] >> (8 * (at % 8));
    const int unused = 64 - bits;
    return (int64_t)(part << unused) >> unused;
}

}  // namespace edgemoe
