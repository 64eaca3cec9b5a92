// Expert by expert: queues that gates fill and EXPERTS empties (patch reordering): golden/ops/experts.py.
#pragma once

#include "linear.hpp"

namespace edgemoe {

// One queue per expert. Destination rows of gates ascend between two EXPERTS, so none overflows. A token of an expert is
// the row of NORM it reads; the row of RESIDUAL it updates and its score in Q.16, which others read at the same time.
struct ExpertQueues {
    uint16_t source[MAX_EXPERTS * MAX_ROWS];
    uint32_t target[MAX_EXPERTS * MAX_ROWS];
    int length[MAX_EXPERTS];
    int source_end;       // one past the last row of NORM that an entry names, at least 1
    int destination_end;  // one past the last row of RESIDUAL that an entry names
};

inline uint16_t target_row(uint32_t target) { return (uint16_t)target; }
inline uint16_t target_score(uint32_t target) { return (uint16_t)(target >> 16); }

inline void clear_queues(ExpertQueues &queues) {
CLEAR:
    for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
        queues.length[expert] = 0;
    }
    queues.source_end = 1;
    queues.destination_end = 0;
}

inline void enqueue(ExpertQueues &queues, int expert, int source, int destination, uint16_t score) {
#pragma HLS inline
    int length = 0;
LENGTHS:
    for (int n = 0; n < MAX_EXPERTS; ++n) {  // trip MAX_EXPERTS
#pragma HLS unroll
        if (n == expert) {
            length = queues.length[n];
            queues.length[n] = length + 1;
        }
    }
    const int at = expert * MAX_ROWS + length;
    queues.source[at] = (uint16_t)source;
    queues.target[at] = (uint16_t)destination | (uint32_t)score << 16;
}

}  // namespace edgemoe
