// The weight stream: one process reads it forwards ahead of use, the executor takes lines: docs/memory.md.
#pragma once

#include <hls_stream.h>

#include "stream_plan.hpp"

namespace edgemoe {

constexpr int PREFETCH_PAIRS = PREFETCH_BYTES / (2 * STREAM_LINE_BYTES);
constexpr int PORT_WORDS = LINE_WORDS / PORTS;  // words of one line on each port

static_assert(LINE_WORDS % PORTS == 0, "a line is whole beats of all ports");

typedef hls::stream<LinePair> LineStream;

inline LinePair pair_of(const uint64_t (&parts)[2 * LINE_PARTS]) {
#pragma HLS inline
    uint64_t low[LINE_PARTS], high[LINE_PARTS];
HALVES:
    for (int n = 0; n < LINE_PARTS; ++n) {  // trip LINE_PARTS
#pragma HLS unroll
        low[n] = parts[n];
        high[n] = parts[LINE_PARTS + n];
    }
    LinePair pair;
    pack(low, pair.low);
    pack(high, pair.high);
    return pair;
}

// Reads all ranges in order, two lines to an entry; never waits for the executor but when the stream is full. One word of
// each port in a cycle.
inline void fetch_weights(const Word *weights_0, const Word *weights_1, const Word *weights_2, const Word *weights_3,
                          const StreamPlan &plan, LineStream &lines) {
#pragma HLS inline off
    uint64_t parts[2 * LINE_PARTS] = {};
#pragma HLS array_partition variable=parts complete
    Word data[PORTS];
#pragma HLS array_partition variable=data complete
    int turn = 0;
    StreamRange range = range_of(plan, 0);
RANGES:
    for (uint64_t pass = 0; pass < plan.passes; ++pass) {
#pragma HLS loop_tripcount min=1 max=300
        const uint32_t begin = (uint32_t)range.begin_line * PORT_WORDS, end = (uint32_t)range.end_line * PORT_WORDS;
        const bool last = pass + 1 == plan.passes;
    FETCH:
        for (uint32_t at = begin; at < end; ++at) {  // II 1
#pragma HLS loop_tripcount min=1000 max=300000
#pragma HLS pipeline II=1
            data[0] = weights_0[at];
            if (PORTS > 1) data[PORTS > 1 ? 1 : 0] = weights_1[at];
            if (PORTS > 2) data[PORTS > 2 ? 2 : 0] = weights_2[at];
            if (PORTS > 3) data[PORTS > 3 ? 3 : 0] = weights_3[at];
        TURNS:
            for (int n = 0; n < 2 * PORT_WORDS; ++n) {  // trip 2 · PORT_WORDS
#pragma HLS unroll
                if (n == turn) {
                WORDS:
                    for (int port = 0; port < PORTS; ++port) {  // trip PORTS
#pragma HLS unroll
                        parts[2 * (n * PORTS + port)] = data[port].half[0];
                        parts[2 * (n * PORTS + port) + 1] = data[port].half[1];
                    }
                }
            }
            const bool full = turn == 2 * PORT_WORDS - 1;
            // An odd last line is followed by what stood there before.
            if (full || (last && at + 1 == end)) lines.write(pair_of(parts));
            turn = full ? 0 : turn + 1;
        }
        range = next_range(plan, range);
    }
}

// 64 bits of a line.
inline uint64_t part_of(const Line &line, int part) {
#pragma HLS inline
    uint64_t parts[LINE_PARTS];
    unpack(line, parts);
    return parts[part];
}

// The little-endian number at byte `at`, a constant, sign-extended from `bits`: whatever stands above them in the stream,
// values keep to the ranges that the arithmetic's bounds are made of.
inline int64_t part_value(const uint64_t (&parts)[LINE_PARTS], int at, int bits) {
#pragma HLS inline
    const uint64_t part = parts[at / 8] >> (8 * (at % 8));
    const int unused = 64 - bits;
    return (int64_t)(part << unused) >> unused;
}

inline int64_t line_value(const Line &line, int at, int bits) {
#pragma HLS inline
    uint64_t parts[LINE_PARTS];
    unpack(line, parts);
    return part_value(parts, at, bits);
}

inline int64_t line_value(const LinePair &pair, int at, int bits) {
#pragma HLS inline
    return at < STREAM_LINE_BYTES ? line_value(pair.low, at, bits) : line_value(pair.high, at - STREAM_LINE_BYTES, bits);
}

// Value n of those of 4 bits in a pair of lines, n a constant.
inline int64_t narrow_value(const LinePair &pair, int n) {
#pragma HLS inline
    const int per_part = 16, per_line = LINE_PARTS * per_part;
    const uint64_t part = part_of(n < per_line ? pair.low : pair.high, n % per_line / per_part);
    return (int64_t)(part << (60 - 4 * (n % per_part))) >> 60;
}

// The executor's end of the stream. remaining: lines not yet taken; range: where they come from, in_range: lines of it not
// yet taken; spare: the second of a pair whose first was taken.
struct WeightReader {
    uint64_t remaining;
    uint32_t next_segment;
    StreamRange range;
    uint64_t in_range;
    Line spare;
    bool has_spare;
};

inline void start_reader(WeightReader &reader, const StreamPlan &plan) {
    reader.remaining = plan.lines;
    reader.next_segment = 0;
    reader.range = range_of(plan, 0);
    reader.in_range = reader.range.end_line - reader.range.begin_line;
    reader.has_spare = false;
    const uint64_t none[LINE_PARTS] = {};
    pack(none, reader.spare);
}

// The next line, or the next two; of one line the second half means nothing. At most one entry of the stream is read.
inline LinePair take_lines(LineStream &lines, WeightReader &reader, bool two) {
#pragma HLS inline
    const uint64_t none[LINE_PARTS] = {};
    LinePair entry;
    pack(none, entry.low);
    pack(none, entry.high);
    if (two || !reader.has_spare) entry = lines.read();
    LinePair taken = entry;
    if (reader.has_spare) {
        taken.low = reader.spare;
        taken.high = entry.low;
    }
    if (!two || reader.has_spare) reader.spare = entry.high;
    if (!two) reader.has_spare = !reader.has_spare;
    reader.remaining -= two ? 2 : 1;
    reader.in_range -= two ? 2 : 1;
    return taken;
}

inline Line take_line(LineStream &lines, WeightReader &reader) {
#pragma HLS inline
    return take_lines(lines, reader, false).low;
}

// Forget the rest of the stream, at its end or after a fault. II 1.
inline void drop_rest(LineStream &lines, WeightReader &reader) {
DROP:
    while (reader.remaining > 0) {
#pragma HLS loop_tripcount min=1 max=10000
#pragma HLS pipeline II=1
        take_lines(lines, reader, reader.remaining > 1);
    }
}

// Rule 7: the segments of an instruction are the next ones, all of one part.
inline bool are_next(const WeightReader &reader, uint32_t first, uint32_t count) {
    return first == reader.next_segment && (!STREAMING || count <= reader.range.end - first);
}

// After an instruction with segments: behind a part's last one comes its first, or the next part.
inline void go_on(WeightReader &reader, const StreamPlan &plan) {
    if (!STREAMING || reader.next_segment != reader.range.end) return;
    reader.range = next_range(plan, reader.range);
    reader.in_range = reader.range.end_line - reader.range.begin_line;
    reader.next_segment = (uint32_t)reader.range.first;
}

// Rule 10: the segment that begins with this line is whole, the one that the instruction expects, and ends its part if it
// is the last.
inline fault_t header_line_fault(uint64_t header, const WeightReader &reader, uint32_t number, uint64_t payload_lines) {
#pragma HLS inline
    const uint32_t tag = (uint32_t)header;
    const uint64_t length = header >> 32;
    if (length > reader.in_range) return FAULT_STREAM_END;
    if (STREAMING && (uint64_t)number + 1 == reader.range.end && length != reader.in_range) return FAULT_SEGMENT_MISMATCH;
    return tag == number && length == payload_lines ? FAULT_NONE : FAULT_SEGMENT_MISMATCH;
}

inline fault_t open_segment(LineStream &lines, WeightReader &reader, uint32_t number, uint64_t payload_lines) {
    if (reader.in_range == 0) return FAULT_STREAM_END;
    const Line header = take_line(lines, reader);
    return header_line_fault(part_of(header, 0), reader, number, payload_lines);
}

inline uint64_t lines_of(uint64_t bytes) { return (bytes + STREAM_LINE_BYTES - 1) / STREAM_LINE_BYTES; }

constexpr int CHANNEL_LINES = OUT_PAR * CHANNEL_BYTES / STREAM_LINE_BYTES;
constexpr int TILE_LINES = OUT_PAR * IN_PAR * (int)sizeof(weight_t) / STREAM_LINE_BYTES;

// Per output tile: channel records, then the tiles of all inputs; narrow weights are half as many bytes, in whole lines.
inline uint64_t linear_lines(int outputs, int inputs, bool narrow) {
    const uint64_t output_tiles = (outputs + OUT_PAR - 1) / OUT_PAR;
    const uint64_t weights = (uint64_t)((inputs + IN_PAR - 1) / IN_PAR) * TILE_LINES;
    const uint64_t lines = CHANNEL_LINES + (narrow ? (weights + 1) / 2 : weights);
    return (uint64_t)product<17, 27>((int64_t)lines, (int64_t)output_tiles);
}

// Two bytes a weight in either precision: one tile, or a tile of high and a tile of low digits. A bias: channel records.
inline uint64_t gate_lines(int experts, int inputs, bool biased) {
    const uint64_t output_tiles = (experts + OUT_PAR - 1) / OUT_PAR;
    const uint64_t weights = (uint64_t)((inputs + IN_PAR - 1) / IN_PAR) * (2 * OUT_PAR * IN_PAR / STREAM_LINE_BYTES);
    return (uint64_t)product<17, 27>((int64_t)(weights + (biased ? CHANNEL_LINES : 0)), (int64_t)output_tiles);
}

}  // namespace edgemoe
