// The HLS top: register map, memory ports, one run per start.
#include "edgemoe.hpp"

#include "machine/run.hpp"

using namespace edgemoe;

void edgemoe_top(const Word *program, const Word *input, Word *output, const Word *weights_0, const Word *weights_1,
                 const Word *weights_2, const Word *weights_3, uint32_t watchdog_cycles, uint64_t *identity,
                 uint64_t *config_hash, uint64_t *error_code, uint64_t *program_counter, uint64_t *cycles,
                 uint64_t *mac_busy_cycles, uint64_t *weight_wait_cycles, uint64_t *post_wait_cycles,
                 uint64_t *layernorm_cycles, uint64_t *softmax_cycles, uint64_t *drain_cycles, uint64_t *fill_cycles,
                 uint64_t *bytes_read, uint64_t *bytes_written, uint64_t *experts_run, uint64_t *segments_dropped) {
#pragma HLS interface mode=m_axi port=program bundle=gmem_data offset=slave depth=4096
#pragma HLS interface mode=m_axi port=input bundle=gmem_data offset=slave depth=8192
#pragma HLS interface mode=m_axi port=output bundle=gmem_data offset=slave depth=8192
#pragma HLS interface mode=m_axi port=weights_0 bundle=gmem0 offset=slave num_read_outstanding=32 max_read_burst_length=16 depth=1048576
#pragma HLS interface mode=m_axi port=weights_1 bundle=gmem1 offset=slave num_read_outstanding=32 max_read_burst_length=16 depth=1048576
#pragma HLS interface mode=m_axi port=weights_2 bundle=gmem2 offset=slave num_read_outstanding=32 max_read_burst_length=16 depth=1048576
#pragma HLS interface mode=m_axi port=weights_3 bundle=gmem3 offset=slave num_read_outstanding=32 max_read_burst_length=16 depth=1048576
#pragma HLS interface mode=s_axilite port=program bundle=control offset=0x010
#pragma HLS interface mode=s_axilite port=input bundle=control offset=0x01C
#pragma HLS interface mode=s_axilite port=output bundle=control offset=0x028
#pragma HLS interface mode=s_axilite port=weights_0 bundle=control offset=0x034
#pragma HLS interface mode=s_axilite port=weights_1 bundle=control offset=0x040
#pragma HLS interface mode=s_axilite port=weights_2 bundle=control offset=0x04C
#pragma HLS interface mode=s_axilite port=weights_3 bundle=control offset=0x058
#pragma HLS interface mode=s_axilite port=watchdog_cycles bundle=control offset=0x064
#pragma HLS interface mode=s_axilite port=identity bundle=control offset=0x080
#pragma HLS interface mode=s_axilite port=config_hash bundle=control offset=0x090
#pragma HLS interface mode=s_axilite port=error_code bundle=control offset=0x0A0
#pragma HLS interface mode=s_axilite port=program_counter bundle=control offset=0x0B0
#pragma HLS interface mode=s_axilite port=cycles bundle=control offset=0x0C0
#pragma HLS interface mode=s_axilite port=mac_busy_cycles bundle=control offset=0x0D0
#pragma HLS interface mode=s_axilite port=weight_wait_cycles bundle=control offset=0x0E0
#pragma HLS interface mode=s_axilite port=post_wait_cycles bundle=control offset=0x0F0
#pragma HLS interface mode=s_axilite port=layernorm_cycles bundle=control offset=0x100
#pragma HLS interface mode=s_axilite port=softmax_cycles bundle=control offset=0x110
#pragma HLS interface mode=s_axilite port=drain_cycles bundle=control offset=0x120
#pragma HLS interface mode=s_axilite port=fill_cycles bundle=control offset=0x130
#pragma HLS interface mode=s_axilite port=bytes_read bundle=control offset=0x140
#pragma HLS interface mode=s_axilite port=bytes_written bundle=control offset=0x150
#pragma HLS interface mode=s_axilite port=experts_run bundle=control offset=0x160
#pragma HLS interface mode=s_axilite port=segments_dropped bundle=control offset=0x170
#pragma HLS interface mode=s_axilite port=return bundle=control
    const Header header = decode_header(read_block(program, 0));
    Results results = refused(header_fault(header));
    if (results.fault == FAULT_NONE) {
        StreamPlan fetched, executed;
        read_plan(program, header.instructions, header.stream_lines, header.input_bytes, header.output_bytes, fetched);
        executed = fetched;
        run_program(program, input, output, weights_0, weights_1, weights_2, weights_3, header.instructions, fetched,
                    executed, header.input_bytes, header.output_bytes, results);
    }
    *identity = (uint32_t)IDENTITY;
    *config_hash = (uint32_t)CONFIG_HASH;
    *error_code = (uint64_t)results.fault;
    *program_counter = results.program_counter;
    *experts_run = results.experts_run;
    *segments_dropped = results.segments_dropped;
    (void)watchdog_cycles;  // no cycle and no hung bus is seen here; its register keeps the map the same
    *cycles = 0;
    *mac_busy_cycles = 0;
    *weight_wait_cycles = 0;
    *post_wait_cycles = 0;
    *layernorm_cycles = 0;
    *softmax_cycles = 0;
    *drain_cycles = 0;
    *fill_cycles = 0;
    *bytes_read = 0;
    *bytes_written = 0;
}
