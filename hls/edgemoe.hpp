// The accelerator: ports and registers as docs/registers.md has them.
#pragma once

#include "machine/execute.hpp"

// program, input, output: memory at the pointers of the register map; weights_p: words p mod PORTS of the stream.
// Ports beyond PORTS are not read. watchdog_cycles and the counters marked rtl exist for the map's sake: an HLS engine
// sees neither a bus that hangs nor single cycles, so they read 0.
void edgemoe_top(const edgemoe::Word *program, const edgemoe::Word *input, edgemoe::Word *output,
                 const edgemoe::Word *weights_0, const edgemoe::Word *weights_1, const edgemoe::Word *weights_2,
                 const edgemoe::Word *weights_3, uint32_t watchdog_cycles, uint64_t *identity, uint64_t *config_hash,
                 uint64_t *error_code, uint64_t *program_counter, uint64_t *cycles, uint64_t *mac_busy_cycles,
                 uint64_t *weight_wait_cycles, uint64_t *post_wait_cycles, uint64_t *layernorm_cycles,
                 uint64_t *softmax_cycles, uint64_t *drain_cycles, uint64_t *fill_cycles, uint64_t *bytes_read,
                 uint64_t *bytes_written, uint64_t *experts_run, uint64_t *segments_dropped);
