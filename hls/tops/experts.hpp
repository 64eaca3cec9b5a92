// Whether queues begin, expert, row of NORM, row of RESIDUAL, score → the entry as it then stands, length of its queue.
#pragma once

#include "../kernels/experts.hpp"

using namespace edgemoe;

constexpr int INPUTS = 5, OUTPUTS = 4;

inline void call(const int64_t (&in)[INPUTS], int64_t (&out)[OUTPUTS]) {
#pragma HLS inline
    static ExpertQueues queues;
#pragma HLS array_partition variable=queues.length complete
    if (in[0]) clear_queues(queues);
    const int expert = (int)in[1];
    enqueue(queues, expert, (int)in[2], (int)in[3], (uint16_t)in[4]);
    int length = 0;
LENGTHS:
    for (int n = 0; n < MAX_EXPERTS; ++n) {  // trip MAX_EXPERTS
#pragma HLS unroll
        if (n == expert) length = queues.length[n];
    }
    const int at = expert * MAX_ROWS + length - 1;
    out[0] = queues.source[at];
    out[1] = target_row(queues.target[at]);
    out[2] = target_score(queues.target[at]);
    out[3] = length;
}
