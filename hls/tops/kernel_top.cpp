// One kernel as a design of its own: `count` calls, one per cycle. kernel.hpp, written with the vectors, says which.
#include "kernel_top.hpp"

void kernel_top(const int64_t inputs[KERNEL_CALLS][INPUTS], int64_t outputs[KERNEL_CALLS][OUTPUTS], int count) {
#pragma HLS array_partition variable=inputs dim=2 complete
#pragma HLS array_partition variable=outputs dim=2 complete
CALLS:
    for (int n = 0; n < count; ++n) {  // II 1
#pragma HLS loop_tripcount min=1 max=KERNEL_CALLS
#pragma HLS pipeline II=1
        int64_t in[INPUTS], out[OUTPUTS];
    READ:
        for (int k = 0; k < INPUTS; ++k) {  // trip INPUTS
#pragma HLS unroll
            in[k] = inputs[n][k];
        }
        call(in, out);
    WRITE:
        for (int k = 0; k < OUTPUTS; ++k) {  // trip OUTPUTS
#pragma HLS unroll
            outputs[n][k] = out[k];
        }
    }
}
