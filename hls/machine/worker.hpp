// The order of steps: which tile of which pass the array works on, and when it may.
#pragma once

#include "lanes.hpp"
#include "loader.hpp"

namespace edgemoe {

// Cycles from a group's last step to its drain: the last lane's sums are written, and can be read.
constexpr int DRAIN_WAIT = TOKEN_PAR + ACCUMULATE_DISTANCE + 1;
constexpr int FINISH_DISTANCE = ACCUMULATE_DISTANCE + 1;  // from the last lane's write on

// Parameters of a pass that steps and drain take from the worker.
struct Worker {
    Pass pass;
    int number;        // passes begun
    bool active;       // a tile is at work
    TileIndex index;   // of that tile
    bool ends_group;   // it is the last of its group
    int n;             // step of the tile
    int token_tile, half;  // the step's token tile; of 16-bit values 0 the high digits, 1 the low ones
    int depth;         // place of the step's left operand
    int group;         // groups begun
    int first_group;   // first group of the pass
    int up_passes;     // passes over gathered tokens begun
    TileRow tile[OUT_PAR];
};

// What the drain has done: the worker must not overtake it.
struct Progress {
    int passes;      // passes that the drain has taken: all before the last of them are drained
    int groups;      // groups drained
    int pass_age;    // cycles since it took the last pass, up to WRITE_DISTANCE
    int group_age;   // cycles since the last group was drained, up to WRITE_DISTANCE
};

inline Worker idle_worker() {
    Worker worker = {};
    return worker;
}

// Whether the loader's tile may go to work, its operands written and room for its sums.
inline bool may_begin(const Loader &loader, const Worker &worker, const Progress &progress, int gathered) {
#pragma HLS inline
    const bool new_group = starts_group(loader.index);
    const bool new_pass = new_group && loader.index.first_tile == 0;
    const int before = new_group ? worker.group : worker.group - 1;  // groups before the tile's
    // The last tiles of a group write its sums where those of the group before the last stood.
    if (loader.index.input_tile + 1 == loader.pass.input_tiles && progress.groups + 1 < before) return false;
    if (!new_pass) return true;
    if (progress.passes != worker.number) return false;
    if (is_gathered(loader.pass.left) && gathered <= worker.up_passes) return false;
    switch (loader.pass.wait) {
        case WAIT_LAST: return progress.groups == worker.group && progress.group_age == WRITE_DISTANCE;
        case WAIT_BEFORE_LAST: return progress.pass_age == WRITE_DISTANCE;
        default: return true;
    }
}

// Token tile 0 of the tile at work.
inline void first_step(Worker &worker) {
#pragma HLS inline
    const Pass &pass = worker.pass;
    const int feature = pass.head_feature + worker.index.input_tile * IN_PAR;
    worker.n = 0;
    worker.token_tile = 0;
    worker.half = 0;
    const int vector = splits_left(pass) ? feature / VECTOR * 2 : feature / VECTOR;
    worker.depth = vector_count(pass.first_row / TOKEN_PAR, pass.left_vectors) + vector;
    if (is_gathered(pass.left)) worker.depth += pass.buffer * ROW_DEPTH;
}

// The loader's tile goes to work.
inline void begin_tile(const Loader &loader, Worker &worker) {
#pragma HLS inline
    const TileIndex &index = loader.index;
    const Pass &pass = loader.pass;
    if (starts_group(index)) {
        if (index.first_tile == 0) {
            worker.pass = loader.pass;
            worker.number += 1;
            worker.first_group = worker.group;
            if (is_gathered(pass.left)) worker.up_passes += 1;
        }
        worker.group += 1;
    }
    const bool last_member =
        index.member + 1 == pass.members || index.first_tile + index.member + 1 == pass.output_tiles;
    worker.ends_group = index.input_tile + 1 == pass.input_tiles && last_member && index.digit + 1 == pass.digits;
    worker.index = index;
    worker.active = true;
ROWS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        pack(loader.tile[output], worker.tile[output]);
    }
    first_step(worker);
}

// The step of this cycle.
inline Step step_of(const Worker &worker) {
#pragma HLS inline
    const Pass &pass = worker.pass;
    const TileIndex &index = worker.index;
    const int offset = pass.first_row % TOKEN_PAR;
    const int begin = offset - worker.token_tile * TOKEN_PAR;
    const int end = offset + pass.rows - worker.token_tile * TOKEN_PAR;
    const int feature = pass.head_feature + index.input_tile * IN_PAR;
    const bool context = pass.left == LEFT_EXPONENTIALS;
    const bool middle = index.digit == 1 && worker.half == 0 && pass.halves == 2;  // of both tiles' sums
    const int member = WIDE_INNER && pass.digits == 2 ? 2 * index.member : index.member;
    Step step;
    step.valid = worker.active && worker.n < pass.busy;
    step.first = index.input_tile == 0 && !middle;
    step.last = index.input_tile + 1 == pass.input_tiles;
    step.slot = vector_count(worker.token_tile, pass.slots) + member + index.digit + worker.half;
    step.buffer = (worker.group + 1) % SUM_BUFFERS;
    step.left = pass.left;
    step.depth = splits_left(pass) ? worker.depth + worker.half : worker.depth;
    step.word = (context ? index.input_tile * IN_PAR % (SCORE_WORDS * WORD_VALUES) : feature % VECTOR) / WORD_VALUES;
    step.low = worker.half == 1;
    step.begin = larger(begin, 0);
    step.end = smaller(end, TOKEN_PAR);
    step.token_tile = worker.token_tile;
    step.score_row = pass.buffer * HLS_QUERY_TILES + worker.token_tile;
    step.score_depth = step.score_row * SCORE_DEPTH + index.input_tile * IN_PAR / (SCORE_WORDS * WORD_VALUES);
    step.keys = pass.keys - index.input_tile * IN_PAR;
    step.makes = index.member == 0 && index.digit == 0;
    return step;
}

// After the step of this cycle. Returns whether it was the last of a group.
inline bool next_step(Worker &worker) {
#pragma HLS inline
    const Pass &pass = worker.pass;
    worker.n += 1;
    if (worker.half + 1 < pass.halves) {
        worker.half += 1;
    } else {
        worker.half = 0;
        worker.token_tile += 1;
        worker.depth += pass.left_vectors;
    }
    if (!worker.active || worker.n < pass.apart) return false;
    worker.active = false;
    return worker.ends_group;
}

}  // namespace edgemoe
