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

// Prefetch runs ahead of the executor by up to PREFETCH_LINES and never hears from it.
inline void run_program(const Word *program, const Word *input, Word *output, const Word *weights_0,
                        const Word *weights_1, const Word *weights_2, const Word *weights_3, const Header &header,
                        Machine &machine, Results &results) {
#pragma HLS dataflow
    hls::stream<Line> lines("lines");
#pragma HLS stream variable=lines depth=PREFETCH_LINES
    fetch_weights(weights_0, weights_1, weights_2, weights_3, header.stream_lines, lines);
    execute_program(program, input, output, header, lines, machine, results);
}

inline Results refused(fault_t fault) {
    Results results = {fault, 0, 0, 0};
    return results;
}

}  // namespace edgemoe
