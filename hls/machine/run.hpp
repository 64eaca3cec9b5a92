// One start: the header is checked, then weights are fetched and instructions executed side by side.
#pragma once

#include "execute.hpp"

namespace edgemoe {

inline fault_t header_fault(const Header &header) {
    if (header.magic != (uint32_t)IDENTITY || header.version != (uint32_t)ISA_VERSION || header.reserved) {
        return FAULT_BAD_PROGRAM_HEADER;
    }
    if (header.config_hash != (uint32_t)CONFIG_HASH) return FAULT_CONFIG_MISMATCH;
    return header.instructions == 0 ? FAULT_BAD_PROGRAM_HEADER : FAULT_NONE;
}

// The executor, which alone holds the state of a run. Results are written once, at the end. Internal linkage: libraries
// of several configurations in one process must not share the machine.
static inline void execute_program(const Word *program, const Word *input, Word *output, uint32_t instructions,
                            const StreamPlan &plan, uint64_t input_bytes, uint64_t output_bytes, LineStream &lines,
                            Results &results) {
#pragma HLS inline off
    static Machine machine;
#pragma HLS disaggregate variable=machine
#pragma HLS array_partition variable=machine.pads.residual dim=1 complete
#pragma HLS array_partition variable=machine.pads.residual dim=3 complete
#pragma HLS array_partition variable=machine.pads.norm dim=1 complete
#pragma HLS array_partition variable=machine.pads.norm dim=3 complete
#pragma HLS array_partition variable=machine.pads.gate_input dim=1 complete
#pragma HLS array_partition variable=machine.pads.gate_input dim=3 complete
#pragma HLS array_partition variable=machine.pads.query dim=1 complete
#pragma HLS array_partition variable=machine.pads.query dim=3 complete
#pragma HLS array_partition variable=machine.pads.key dim=1 complete
#pragma HLS array_partition variable=machine.pads.key dim=3 complete
#pragma HLS array_partition variable=machine.pads.value dim=1 complete
#pragma HLS array_partition variable=machine.pads.value dim=3 complete
#pragma HLS array_partition variable=machine.pads.hidden dim=1 complete
#pragma HLS array_partition variable=machine.pads.hidden dim=3 complete
#pragma HLS array_partition variable=machine.pads.gathered dim=1 complete
#pragma HLS array_partition variable=machine.pads.gathered dim=3 complete
#pragma HLS array_partition variable=machine.work.sums.running dim=1 complete
#pragma HLS array_partition variable=machine.work.sums.finished dim=1 complete
#pragma HLS array_partition variable=machine.work.channels.part dim=1 complete
#pragma HLS array_partition variable=machine.work.attention.score dim=1 complete
#pragma HLS array_partition variable=machine.work.attention.score dim=2 complete
#pragma HLS array_partition variable=machine.work.attention.running_maximum dim=1 complete
#pragma HLS array_partition variable=machine.work.attention.maximum dim=1 complete
#pragma HLS array_partition variable=machine.work.attention.running_total dim=1 complete
#pragma HLS array_partition variable=machine.work.attention.total dim=1 complete
#pragma HLS array_partition variable=machine.work.attention.exponentials dim=1 complete
#pragma HLS array_partition variable=machine.work.logits dim=1 complete
#pragma HLS array_partition variable=machine.work.logits dim=3 complete
#pragma HLS array_partition variable=machine.work.queues.length complete
#pragma HLS array_partition variable=machine.affine.pair dim=2 complete
#pragma HLS array_partition variable=machine.norm_rows.total dim=1 complete
#pragma HLS array_partition variable=machine.norm_rows.squares dim=1 complete
#pragma HLS array_partition variable=machine.norm_rows.root dim=1 complete
#pragma HLS array_partition variable=machine.norm_rows.exponent dim=1 complete
#pragma HLS array_partition variable=machine.valid.rows complete
#pragma HLS array_partition variable=machine.valid.features complete
#pragma HLS array_partition variable=machine.valid.wide complete
#if EDGEMOE_ULTRA_RAM  // a part with little block memory: tall memories in UltraRAM, wide and short ones in lookup tables
#pragma HLS bind_storage variable=machine.pads.norm type=ram_s2p impl=uram
#pragma HLS bind_storage variable=machine.pads.query type=ram_s2p impl=uram
#pragma HLS bind_storage variable=machine.pads.hidden type=ram_s2p impl=uram
#pragma HLS bind_storage variable=machine.pads.gathered type=ram_s2p impl=uram
#pragma HLS bind_storage variable=machine.work.sums.running type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.work.attention.score type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.work.logits type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.affine.pair type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.norm_rows.total type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.norm_rows.squares type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.norm_rows.root type=ram_s2p impl=lutram
#pragma HLS bind_storage variable=machine.norm_rows.exponent type=ram_s2p impl=lutram
#endif
    results = execute_all(program, input, output, instructions, plan, input_bytes, output_bytes, lines, machine);
}

// Prefetch runs ahead of the executor by up to PREFETCH_PAIRS entries and never hears from it; each has its own plan.
static inline void run_program(const Word *program, const Word *input, Word *output, const Word *weights_0,
                        const Word *weights_1, const Word *weights_2, const Word *weights_3, uint32_t instructions,
                        const StreamPlan &fetched, const StreamPlan &executed, uint64_t input_bytes,
                        uint64_t output_bytes, Results &results) {
#pragma HLS dataflow
    LineStream lines("lines");
#pragma HLS stream variable=lines depth=PREFETCH_PAIRS
#if EDGEMOE_ULTRA_RAM
#pragma HLS bind_storage variable=lines type=fifo impl=uram
#endif
    fetch_weights(weights_0, weights_1, weights_2, weights_3, fetched, lines);
    execute_program(program, input, output, instructions, executed, input_bytes, output_bytes, lines, results);
}

inline Results refused(fault_t fault) {
    Results results = {fault, 0, 0, 0};
    return results;
}

}  // namespace edgemoe
