// The tokens of the next expert laid side by side, beside the work on this one: one vector per cycle.
#pragma once

#include "../kernels/gate.hpp"
#include "pass_table.hpp"

namespace edgemoe {

// Cycles after which what the drain or the gather writes may be read: longer than the loop's pipeline from read to write.
constexpr int WRITE_DISTANCE = 96;

struct Gatherer {
    int job, done;  // jobs begun, or about to be; jobs whose tokens may be read
    int row, vector;
    int pause;      // cycles until the last job's writes may be read
};

inline Gatherer first_gather() {
    const Gatherer gatherer = {0, 0, 0, 0, 0};
    return gatherer;
}

// Where the vector of this cycle comes from and goes to; NO_BANK: there is none. begun: up passes begun so far; the
// buffer of a job is free when the pass before last has ended.
inline void gather_step(Gatherer &gatherer, const PassTable &table, const ExpertQueues &queues, int begun, Target &from,
                        Target &to) {
#pragma HLS inline
    from = nowhere();
    to = nowhere();
    if (gatherer.pause > 0) {
        gatherer.pause -= 1;
        if (gatherer.pause == 0) gatherer.done += 1;
        return;
    }
    if (gatherer.job == table.gathers || (gatherer.job > 1 && begun < gatherer.job)) return;
    const GatherJob job = table.gather[gatherer.job];
    from = target_of(queues.source[job.expert * MAX_ROWS + gatherer.row], job.vectors, gatherer.vector);
    to = target_of(gatherer.row, job.vectors, gatherer.vector);
    to.depth += job.buffer * ROW_DEPTH;
    gatherer.vector += 1;
    if (gatherer.vector < job.vectors) return;
    gatherer.vector = 0;
    gatherer.row += 1;
    if (gatherer.row < job.rows) return;
    gatherer.row = 0;
    gatherer.job += 1;
    gatherer.pause = WRITE_DISTANCE;
}

}  // namespace edgemoe
