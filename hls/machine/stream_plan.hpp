// Parts of the weight stream that are streamed several times, as the REPEAT instructions at a program's begin say.
#pragma once

#include "legality.hpp"

namespace edgemoe {

constexpr int PART_ROOM = STREAMING ? MAX_PARTS : 1;

// Segments up to `end`, in lines up to end_line, each from where the part before ended; streamed so many times.
struct StreamPart {
    uint64_t end;
    uint64_t end_line;
    uint32_t times;
};

// count: parts; behind them the stream goes on once. fault: of the instruction after the last good REPEAT.
// passes, lines: all that is streamed, in ranges and in lines.
struct StreamPlan {
    StreamPart part[PART_ROOM];
    uint32_t count;
    fault_t fault;
    uint64_t stream_lines;
    uint64_t passes, lines;
};

inline StreamPart part_before(const StreamPlan &plan, uint32_t number) {
#pragma HLS inline
    const StreamPart none = {0, 0, 0};
    return STREAMING && number > 0 ? plan.part[number - 1] : none;
}

// A range of the stream, in segments and lines: one pass over a part, or what is behind all parts.
struct StreamRange {
    uint32_t number;  // of the part; plan.count: behind all
    uint32_t pass;
    uint64_t first, end;
    uint64_t begin_line, end_line;
};

inline StreamRange range_of(const StreamPlan &plan, uint32_t number) {
#pragma HLS inline
    const StreamPart before = part_before(plan, number);
    const bool behind = !STREAMING || number >= plan.count;
    const StreamPart own = plan.part[behind ? 0 : number];
    StreamRange range;
    range.number = number;
    range.pass = 0;
    range.first = before.end;
    range.end = behind ? (uint64_t)1 << 33 : own.end;
    range.begin_line = before.end_line;
    range.end_line = behind ? plan.stream_lines : own.end_line;
    return range;
}

inline StreamRange next_range(const StreamPlan &plan, const StreamRange &range) {
#pragma HLS inline
    const bool again = STREAMING && range.number < plan.count && range.pass + 1 < plan.part[range.number].times;
    StreamRange next = range_of(plan, again ? range.number : range.number + 1);
    if (again) next.pass = range.pass + 1;
    return next;
}

// Rule 7 for a REPEAT among the first instructions.
inline fault_t part_fault(const StreamPlan &plan, const Instruction &i) {
    const StreamPart before = part_before(plan, plan.count);
    const uint64_t end_line = i.address / STREAM_LINE_BYTES;
    if (plan.count == (uint32_t)PART_ROOM) return FAULT_BUFFER_RANGE;
    if (i.segment != before.end) return FAULT_SEGMENT_MISMATCH;
    return end_line > before.end_line && end_line <= plan.stream_lines ? FAULT_NONE : FAULT_ADDRESS_RANGE;
}

inline void add_part(StreamPlan &plan, const Instruction &i) {
    const StreamPart before = part_before(plan, plan.count);
    const StreamPart part = {before.end + i.segments, i.address / STREAM_LINE_BYTES, (uint32_t)i.rows};
    plan.part[plan.count] = part;
    plan.count += 1;
    plan.passes += part.times;
    plan.lines += (part.end_line - before.end_line) * part.times;
}

// The plan of a program: its first instructions, as long as they are REPEATs without fault. Nothing is streamed where one
// has a fault, since the run ends there.
inline void read_plan(const Word *program, uint32_t instructions, uint64_t stream_lines, uint64_t input_bytes,
                      uint64_t output_bytes, StreamPlan &plan) {
    plan.count = 0;
    plan.fault = FAULT_NONE;
    plan.stream_lines = stream_lines;
    plan.passes = 0;
    plan.lines = 0;
    plan.part[0] = part_before(plan, 0);
    bool more = STREAMING != 0;
PARTS:
    for (uint32_t index = 0; index <= (uint32_t)PART_ROOM; ++index) {  // trip PART_ROOM + 1
#pragma HLS loop_tripcount min=1 max=65
        more = more && index < instructions;
        if (more) {
            const RawInstruction raw = read_block(program, index + 1);
            const Instruction i = decode(raw);
            more = i.opcode == OPCODE_REPEAT;
            if (more) plan.fault = static_fault(raw, input_bytes, output_bytes);
            if (more && plan.fault == FAULT_NONE) plan.fault = part_fault(plan, i);
            more = more && plan.fault == FAULT_NONE;
            if (more) add_part(plan, i);
        }
    }
    const uint64_t rest = stream_lines - part_before(plan, plan.count).end_line;
    if (rest > 0) plan.passes += 1;
    plan.lines += rest;
    if (plan.fault != FAULT_NONE) plan.passes = plan.lines = 0;
}

}  // namespace edgemoe
