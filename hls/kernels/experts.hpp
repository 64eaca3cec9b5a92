// Expert by expert: queues that gates fill and EXPERTS empties (patch reordering): golden/ops/experts.py.
#pragma once

#include "linear.hpp"

namespace edgemoe {

// A token of one expert: the row of NORM it reads, the row of RESIDUAL it updates, its score in Q.16.
struct QueueEntry {
    uint16_t source;
    uint16_t destination;
    uint16_t score;
};

// One queue per expert. Destination rows of gates ascend between two EXPERTS, so none overflows.
struct ExpertQueues {
    QueueEntry entry[MAX_EXPERTS][MAX_ROWS];
    int length[MAX_EXPERTS];
    int source_end;       // one past the last row of NORM that an entry names, at least 1
    int destination_end;  // one past the last row of RESIDUAL that an entry names
};

inline void clear_queues(ExpertQueues &queues) {
CLEAR:
    for (int expert = 0; expert < MAX_EXPERTS; ++expert) {  // trip MAX_EXPERTS
#pragma HLS unroll
        queues.length[expert] = 0;
    }
    queues.source_end = 1;
    queues.destination_end = 0;
}

inline void enqueue(ExpertQueues &queues, int expert, const QueueEntry &entry) {
    queues.entry[expert][queues.length[expert]] = entry;
    queues.length[expert] += 1;
}

}  // namespace edgemoe
