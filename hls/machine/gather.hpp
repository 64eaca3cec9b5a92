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

// The vector of one cycle. wide: of GATE_INPUT, not of NORM.
struct Gathered {
    Target from, to;
    bool wide;
    ActivationWord norm[VECTOR_WORDS];
    GateWord gate_input[VECTOR_WORDS];
};

// Where the vector of this cycle comes from and goes to; NO_BANK: there is none. begun: up passes begun so far; the
// buffer of a job is free when the pass before last has ended.
inline void gather_step(Gatherer &gatherer, const PassTable &table, const ExpertQueues &queues, int begun,
                        Gathered &vector) {
#pragma HLS inline
    vector.from = nowhere();
    vector.to = nowhere();
    vector.wide = false;
    if (gatherer.pause > 0) {
        gatherer.pause -= 1;
        if (gatherer.pause == 0) gatherer.done += 1;
        return;
    }
    if (gatherer.job == table.gathers || (gatherer.job > 1 && begun < gatherer.job)) return;
    const GatherJob job = table.gather[gatherer.job];
    vector.from = target_of(queues.source[job.expert * MAX_ROWS + gatherer.row], job.vectors, gatherer.vector);
    vector.to = target_of(gatherer.row, job.vectors, gatherer.vector);
    vector.to.depth += job.buffer * ROW_DEPTH;
    vector.wide = job.wide != 0;
    gatherer.vector += 1;
    if (gatherer.vector < job.vectors) return;
    gatherer.vector = 0;
    gatherer.row += 1;
    if (gatherer.row < job.rows) return;
    gatherer.row = 0;
    gatherer.job += 1;
    gatherer.pause = WRITE_DISTANCE;
}

// Its values, in the width of all tokens of experts, to their place.
inline void put_gathered(const Gathered &vector, Scratchpads &pads) {
#pragma HLS inline
    if (vector.to.bank == NO_BANK) return;
    activation_t narrow[VECTOR];
    int16_t wide[VECTOR];
    gathered_t values[VECTOR];
    unpack_words(vector.norm, narrow);
    unpack_words(vector.gate_input, wide);
VALUES:
    for (int e = 0; e < VECTOR; ++e) {  // trip VECTOR
#pragma HLS unroll
        values[e] = WIDE_TOKENS && vector.wide ? (gathered_t)wide[e] : (gathered_t)narrow[e];
    }
    GatheredWord words[VECTOR_WORDS];
    pack_words(values, words);
    write_vector(pads.gathered, vector.to, words);
}

}  // namespace edgemoe
