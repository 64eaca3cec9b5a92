// Passes on the unified compute unit. All layers come through here; the array has one call site.
//
//     for pass, for group of output tiles, for input tile, for member of the group, for digit:  a right tile enters lane 0
//         for token tile (at least ACCUMULATE_DISTANCE steps):  TOKEN_PAR·IN_PAR·OUT_PAR products
//
// One pipelined loop, II 1, does all of it side by side: the next tile is loaded, this one is at work, the sums of the
// group before go through their epilogue, and the tokens of the next expert are gathered. Weights: groups of one output
// tile. P·V: a group is all output tiles of a head, so that scores are read once.
#pragma once

#include "drain.hpp"

namespace edgemoe {

// The same sums come round again after ACCUMULATE_DISTANCE cycles or later: the latency of their read, add and write.
// Finished sums wait longer for their drain, and what the drain or the gather writes WRITE_DISTANCE for its reader: a
// token's residual stream between two experts, too. No instruction reads rows of NORM, GATE_INPUT, QUERY, KEY or VALUE that it
// writes.
inline fault_t run_passes(const PassTable &table, Scratchpads &pads, LineStream &lines, WeightReader &reader,
                          ChannelRecords &channels, AttentionRows &attention,
                          AccumulatorWord (&running)[TOKEN_PAR][SLOTS],
                          AccumulatorWord (&finished)[TOKEN_PAR][SUM_BUFFERS * SLOTS],
                          LogitWord (&logits)[2][LOGIT_ROWS][EXPERT_WORDS], const ExpertQueues &queues, Word *output,
                          Results &results, uint64_t &cycles) {
    Lanes lanes;
#pragma HLS array_partition variable=lanes.tile dim=0 complete
#pragma HLS array_partition variable=lanes.step complete
    clear_lanes(lanes);
    Loader loader;
#pragma HLS array_partition variable=loader.tile dim=0 complete
    loader.group = 0;
    loader.dropped = 0;
    loader.fault = FAULT_NONE;
    open_pass(loader, table, 0);
    Worker worker = idle_worker();
#pragma HLS array_partition variable=worker.tile complete
    Drain drain;
#pragma HLS array_partition variable=drain.waiting complete
#pragma HLS array_partition variable=drain.digits dim=0 complete
    clear_drain(drain);
    Gatherer gatherer = first_gather();
    bool busy = true;
ARRAY:
    while (busy) {  // II 1
#pragma HLS loop_tripcount min=100 max=30000
#pragma HLS pipeline II=1
#pragma HLS dependence variable=running inter RAW distance=ACCUMULATE_DISTANCE true
#pragma HLS dependence variable=attention.running_total inter RAW distance=ACCUMULATE_DISTANCE true
#pragma HLS dependence variable=attention.running_maximum inter RAW distance=ACCUMULATE_DISTANCE true
#pragma HLS dependence variable=attention.exponentials inter RAW distance=ACCUMULATE_DISTANCE true
#pragma HLS dependence variable=finished inter RAW distance=FINISH_DISTANCE true
#pragma HLS dependence variable=attention.total inter RAW distance=FINISH_DISTANCE true
#pragma HLS dependence variable=channels.part inter RAW distance=FINISH_DISTANCE true
#pragma HLS dependence variable=attention.score inter RAW distance=WRITE_DISTANCE true
#pragma HLS dependence variable=attention.maximum inter RAW distance=WRITE_DISTANCE true
#pragma HLS dependence variable=pads.hidden inter RAW distance=WRITE_DISTANCE true
#pragma HLS dependence variable=pads.gathered inter RAW distance=WRITE_DISTANCE true
#pragma HLS dependence variable=pads.residual inter RAW distance=WRITE_DISTANCE true
#pragma HLS dependence variable=pads.norm inter false
#pragma HLS dependence variable=pads.gate_input inter false
#pragma HLS dependence variable=pads.query inter false
#pragma HLS dependence variable=pads.key inter false
#pragma HLS dependence variable=pads.value inter false
        Gathered gathered = {};
        gather_step(gatherer, table, queues, worker.up_passes, gathered);
        advance(lanes, worker.tile, step_of(worker));
        lanes_step(lanes, pads, gathered, attention, running, finished);
        put_gathered(gathered, pads);
        begin_group(drain, worker);
        if (drain.active) {
            emit(drain, turn_of(drain, queues), pads, channels, attention, finished, logits, output);
            next_turn(drain);
        }
        load_step(loader, channels, pads, lines, reader, results);
        count_groups(drain, next_step(worker));
        if (loader.active && loader.phase == LOAD_DONE) {
            if (loader.pass.rows == 0) {
                open_pass(loader, table, loader.number + 1);
            } else if (!worker.active && may_begin(loader, worker, drain.progress, gatherer.done)) {
                begin_tile(loader, worker);
                next_tile(loader, table);
            }
        }
        if (loader.fault != FAULT_NONE) loader.active = false;
        busy = loader.active || worker.active || drain.progress.groups < worker.group;
        cycles += 1;
    }
    return loader.fault;
}

inline fault_t run_table(Workspace &work, Scratchpads &pads, LineStream &lines, WeightReader &reader, Word *output,
                         Results &results) {
#pragma HLS inline
    return run_passes(work.table, pads, lines, reader, work.channels, work.attention, work.sums.running,
                      work.sums.finished, work.logits, work.queues, output, results, work.cycles);
}

// All passes of an instruction.
inline fault_t compute(const Instruction &i, Scratchpads &pads, Workspace &work, LineStream &lines,
                       WeightReader &reader, Word *output, Results &results) {
    PassCursor at = first_pass(i);
    fault_t fault = FAULT_NONE;
TABLES:
    while (at.number < at.count && fault == FAULT_NONE) {
#pragma HLS loop_tripcount min=1 max=2
        fill_table(i, work.queues, at, work.table);
        fault = run_table(work, pads, lines, reader, output, results);
    }
    return fault;
}

}  // namespace edgemoe
