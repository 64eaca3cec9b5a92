// The executor: instruction by instruction, every rule of docs/isa.md in its order, one call site of the array.
#pragma once

#include "compute.hpp"
#include "layernorm_rows.hpp"
#include "load.hpp"
#include "route.hpp"

namespace edgemoe {

// All state of one run.
struct Machine {
    Scratchpads pads;
    Workspace work;
    Affine affine;
    NormRows norm_rows;
    Valid valid;
    WeightReader reader;
};

inline void begin(Machine &machine, const StreamPlan &plan) {
    clear_valid(machine.valid);
    clear_queues(machine.work.queues);
    start_reader(machine.reader, plan);
    machine.work.cycles = 0;
}

// Rule 9: EXPERTS finds its queues within its own experts, within HIDDEN, and their rows still there.
inline fault_t queues_fault(const Instruction &i, const Machine &machine) {
    const ExpertQueues &queues = machine.work.queues;
    int longest = 0;
    bool beyond = false;
LENGTHS:
    for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
        if (queues.length[expert] > longest) longest = queues.length[expert];
        if (expert >= i.experts && queues.length[expert] > 0) beyond = true;
    }
    if (beyond) return FAULT_ILLEGAL_OPERAND;
    if (room(longest, i.wide_result ? 2 * i.hidden_features : i.hidden_features) > HIDDEN_ELEMENTS) {
        return FAULT_BUFFER_RANGE;
    }
    const int sources = valid_rows(machine.valid, normalised(i.wide_source), i.in_features);
    if (queues.source_end > sources) return FAULT_ILLEGAL_OPERAND;
    const int end = queues.destination_end > 1 ? queues.destination_end : 1;
    return end > valid_rows(machine.valid, BUFFER_RESIDUAL, i.in_features) ? FAULT_ILLEGAL_OPERAND : FAULT_NONE;
}

// Rules 7 … 9, before anything is computed.
inline fault_t state_fault(const Instruction &i, const Accesses &accesses, Machine &machine) {
    if (i.segments) {
        if (!are_next(machine.reader, i.segment, i.segments)) return FAULT_SEGMENT_MISMATCH;
        machine.reader.next_segment += i.segments;
    }
    if (!may_access(machine.valid, accesses)) return FAULT_ILLEGAL_OPERAND;
    if (i.opcode == OPCODE_GATE && i.destination_row < machine.work.queues.destination_end) {
        return FAULT_ILLEGAL_OPERAND;
    }
    return i.opcode == OPCODE_EXPERTS ? queues_fault(i, machine) : FAULT_NONE;
}

// The segments of every instruction but EXPERTS, and what goes before its passes.
inline fault_t prepare(const Instruction &i, Machine &machine, const Word *input, LineStream &lines) {
    WeightReader &reader = machine.reader;
    fault_t fault = FAULT_NONE;
    switch (i.opcode) {
        case OPCODE_PATCH_EMBED: {
            const uint64_t bytes = (uint64_t)(i.rows + 1) * i.out_features * RESIDUAL_BYTES;
            fault = open_segment(lines, reader, i.segment, lines_of(bytes));
            if (fault != FAULT_NONE) return fault;
            load_positions(i, machine.pads, lines, reader);
            fault = open_segment(lines, reader, i.segment + 1,
                                 linear_lines(i.out_features, i.in_features, i.narrow_weights));
            if (fault == FAULT_NONE) load_patches(i, machine.pads, input);
            return fault;
        }
        case OPCODE_LAYERNORM:
            return open_segment(lines, reader, i.segment, lines_of((uint64_t)i.in_features * CHANNEL_BYTES));
        case OPCODE_LINEAR:
        case OPCODE_HEAD:
            return open_segment(lines, reader, i.segment,
                                linear_lines(i.out_features, i.in_features, i.narrow_weights));
        case OPCODE_GATE: return open_segment(lines, reader, i.segment, gate_lines(i.experts, i.in_features, i.biased));
        default: return FAULT_NONE;
    }
}

// One legal instruction.
inline fault_t execute(const Instruction &i, Machine &machine, const StreamPlan &plan, const Word *input, Word *output,
                       LineStream &lines, Results &results) {
    const Accesses accesses = accesses_of(i);
    fault_t fault = state_fault(i, accesses, machine);
    if (fault == FAULT_NONE) fault = prepare(i, machine, input, lines);
    if (fault != FAULT_NONE) return fault;
    fault = compute(i, machine.pads, machine.work, lines, machine.reader, output, results);
    if (fault != FAULT_NONE) return fault;
    switch (i.opcode) {
        case OPCODE_LAYERNORM:
            layernorm_rows(i, machine.pads, lines, machine.reader, machine.affine, machine.norm_rows);
            break;
        case OPCODE_COPY: copy_rows(i, machine.pads.residual); break;
        case OPCODE_STORE: store_rows(i, machine.pads, output); break;
        case OPCODE_LOAD:
            if (STREAMING) load_rows(i, machine.pads, output);
            break;
        case OPCODE_GATE: route_tokens(i, machine.pads, machine.work); break;
        case OPCODE_EXPERTS:
            clear_queues(machine.work.queues);
            machine.valid.rows[BUFFER_HIDDEN] = 0;
            break;
        default: break;
    }
    mark_written(machine.valid, accesses);
    if (i.segments) go_on(machine.reader, plan);
    return FAULT_NONE;
}

// Rule 7 for REPEAT, which has been read before the run: it stands among the first instructions.
inline fault_t repeat_fault(const StreamPlan &plan, uint32_t index) {
    if (index < plan.count) return FAULT_NONE;
    return index == plan.count && plan.fault != FAULT_NONE ? plan.fault : FAULT_ILLEGAL_OPERAND;
}

// A whole program: until HALT, a fault, or its end.
inline Results execute_all(const Word *program, const Word *input, Word *output, uint32_t instructions,
                           const StreamPlan &plan, uint64_t input_bytes, uint64_t output_bytes, LineStream &lines,
                           Machine &machine) {
    begin(machine, plan);
    Results results = {FAULT_STREAM_END, 0, 0, 0};
INSTRUCTIONS:
    for (uint32_t index = 0; index < instructions; ++index) {
#pragma HLS loop_tripcount min=10 max=150
        results.program_counter = index;
        const RawInstruction raw = read_block(program, index + 1);
        fault_t fault = static_fault(raw, input_bytes, output_bytes);
        const Instruction i = decode(raw);
        const bool halt = fault == FAULT_NONE && i.opcode == OPCODE_HALT;
        if (fault == FAULT_NONE && STREAMING && i.opcode == OPCODE_REPEAT) fault = repeat_fault(plan, index);
        else if (fault == FAULT_NONE && !halt) fault = execute(i, machine, plan, input, output, lines, results);
        if (halt || fault != FAULT_NONE) {
            results.fault = fault;
            break;
        }
    }
    drop_rest(lines, machine.reader);
    return results;
}

}  // namespace edgemoe
