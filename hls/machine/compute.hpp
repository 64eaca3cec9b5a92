// One pass on the unified compute unit. All layers come through here; the array has one call site.
//
//     for group of output tiles, for input tile, for member of the group, for digit:  a right tile enters lane 0
//         for token tile (at least ACCUMULATE_DISTANCE steps):  TOKEN_PAR·IN_PAR·OUT_PAR products
//     then the sums of the group go through the epilogue
//
// The loops of a group are one pipelined loop, II 1, in which the next tile is loaded beside the work on this one.
// Weights: groups of one output tile. P·V: a group is all output tiles of a head, so that scores are read once.
#pragma once

#include "epilogues.hpp"

namespace edgemoe {

// The same sums come round again after ACCUMULATE_DISTANCE cycles or later: the latency of their read, add and write.
static_assert(ACCUMULATE_DISTANCE >= HLS_QUERY_TILES, "a block of queries fills the accumulators' latency");
static_assert(LOAD_PARTS <= ACCUMULATE_DISTANCE, "a tile is loaded while the one before is worked on");

// Sizes of one group of a pass.
struct Group {
    int first_tile;    // first output tile
    int members;       // output tiles
    int output_tiles;  // of the whole pass: a member beyond them is zeros
    int input_tiles;
    int digits;        // right tiles per input tile
    int token_tiles;
    int busy, apart;   // steps per tile with work, and in all
};

// Which tile of a group: counters instead of divisions.
struct TileIndex {
    int input_tile, member, digit;
};

inline void next_tile(TileIndex &index, const Group &group) {
#pragma HLS inline
    index.digit += 1;
    if (index.digit < group.digits) return;
    index.digit = 0;
    index.member += 1;
    if (index.member < group.members) return;
    index.member = 0;
    index.input_tile += 1;
}

inline Group group_of(const Pass &pass, int first_tile, int members) {
    Group group;
    group.first_tile = first_tile;
    group.members = members;
    group.output_tiles = tiles(pass.outputs, OUT_PAR);
    group.input_tiles = tiles(pass.inputs, IN_PAR);
    group.digits = pass.epilogue == PASS_LOGITS ? GATE_DIGITS : 1;
    group.token_tiles = (pass.first_row + pass.rows - 1) / TOKEN_PAR - pass.first_row / TOKEN_PAR + 1;
    group.busy = group.token_tiles * group.digits;
    // A gate's middle sum comes from both digits: last in one tile, first in the next, one step nearer than the others.
    const int distance = ACCUMULATE_DISTANCE + group.digits - 1;
    group.apart = group.busy > distance ? group.busy : distance;
    return group;
}

inline int slot_of(const Pass &pass, int members, int token_tile, int member, int digits) {
    return pass.epilogue == PASS_LOGITS ? token_tile * GATE_SUMS + digits : token_tile * members + member;
}

// Step n of a tile.
inline Step step_of(const Pass &pass, const Group &group, const TileIndex &index, int n) {
#pragma HLS inline
    Step step;
    step.valid = index.input_tile < group.input_tiles && n < group.busy;
    step.digit = group.digits == 1 ? 0 : n % 2;
    step.token_tile = group.digits == 1 ? n : n / 2;
    step.input_tile = index.input_tile;
    step.member = index.member;
    step.first = index.input_tile == 0 && !(index.digit == 1 && step.digit == 0);
    step.slot = slot_of(pass, group.members, step.token_tile, index.member, index.digit + step.digit);
    return step;
}

// One cycle of the array.
inline void cycle(const Pass &pass, const Scratchpads &pads, Workspace &work, const Tile &tile, const Step &step) {
#pragma HLS inline
    advance(work.lanes, tile, step);
LANES:
    for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR
#pragma HLS unroll
        const Step &here = work.lanes.step[lane];
        if (here.valid) {
            const Left left = read_left(pass, pads, work.attention, here, lane);
            multiply_accumulate(left, work.lanes.tile[lane], here.first, work.sums[lane][here.slot]);
        }
    }
}

// All products of one group. The first tile is loaded before anything can begin; after the last the lanes run empty.
inline void accumulate_group(const Pass &pass, const Scratchpads &pads, Workspace &work, hls::stream<Line> &lines,
                             WeightReader &reader, const Group &group) {
    const int steps = (1 + group.input_tiles * group.members * group.digits) * group.apart + TOKEN_PAR - 1;
    Tile tile = {};
    Tile loading = {};
#pragma HLS array_partition variable=tile.value dim=0 complete
#pragma HLS array_partition variable=loading.value dim=0 complete
    TileIndex index = {0, 0, 0};    // of the tile being loaded
    TileIndex working = {0, 0, 0};  // of the tile in the array, from the second round on
    bool begun = false;
    int n = 0;
STEPS:
    for (int step = 0; step < steps; ++step) {  // II 1
#pragma HLS loop_tripcount min=ACCUMULATE_DISTANCE max=4096
#pragma HLS pipeline II=1
#pragma HLS dependence variable=work.sums type=inter direction=RAW distance=ACCUMULATE_DISTANCE dependent=true
        const int output_tile = group.first_tile + index.member;
        if (index.input_tile < group.input_tiles && output_tile < group.output_tiles) {
            load_part(pass, pads, lines, reader, output_tile, index.input_tile, n, loading);
        }
        Step now = step_of(pass, group, working, n);
        now.valid = now.valid && begun;
        cycle(pass, pads, work, tile, now);
        n += 1;
        if (n == group.apart) {
            n = 0;
            begun = true;
            tile = loading;
            working = index;
            next_tile(index, group);
        }
    }
}

// One scale per row of P·V, before its output tiles. II 1, with a deep divider.
inline void scale_rows(const Pass &pass, Workspace &work, const Group &group) {
TOKENS:
    for (int token_tile = 0; token_tile < group.token_tiles; ++token_tile) {
#pragma HLS loop_tripcount min=1 max=HLS_QUERY_TILES
    LANES:
        for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR, II 1
#pragma HLS pipeline II=1
            if (lane_has_row(pass, token_tile, lane)) {
                work.attention.scale[lane][token_tile] = attention_row_scale(
                    work.attention.total[lane][token_tile], pass.output_multiplier, pass.output_shift);
            }
        }
    }
}

// The sums of one output tile of one row through the epilogue of the pass.
inline void emit(const Pass &pass, Scratchpads &pads, Workspace &work, Word *output, const Group &group,
                 int token_tile, int lane, int member) {
#pragma HLS inline
    const int local = (pass.first_row / TOKEN_PAR + token_tile) * TOKEN_PAR + lane - pass.first_row;
    const int feature = (group.first_tile + member) * OUT_PAR;
    const int row = pass.destination_row + local;
    const int slot = slot_of(pass, group.members, token_tile, member, 0);
    const accumulator_t(&sums)[OUT_PAR] = work.sums[lane][slot];
    const QueueEntry &entry = work.queues.entry[pass.expert][local];
    switch (pass.epilogue) {
        case PASS_QKV:
        case PASS_GELU: emit_activations(pass, pads, work, row, feature, sums); break;
        case PASS_RESIDUAL: emit_residual(pass, pads, work, row, 0, feature, sums); break;
        case PASS_WEIGHTED: emit_residual(pass, pads, work, entry.destination, entry.score, feature, sums); break;
        case PASS_HEAD: emit_head(pass, work, output, local, feature, sums); break;
        case PASS_LOGITS: emit_logits(work, local, feature, &work.sums[lane][slot]); break;
        case PASS_SCORES: emit_scores(pass, work, lane, token_tile, feature, sums); break;
        case PASS_CONTEXT:
            emit_context(pass, pads, work.attention.scale[lane][token_tile], row, feature, sums);
            break;
    }
}

// The sums of one group through the epilogue: one output tile of one row per cycle. Every row is written once.
inline void drain_group(const Pass &pass, Scratchpads &pads, Workspace &work, Word *output, const Group &group) {
    const int steps = group.token_tiles * TOKEN_PAR * group.members;
    int token_tile = 0, lane = 0, member = 0;
DRAIN:
    for (int step = 0; step < steps; ++step) {  // II 1
#pragma HLS loop_tripcount min=TOKEN_PAR max=512
#pragma HLS pipeline II=1
#pragma HLS dependence variable=pads.residual type=inter dependent=false
        if (lane_has_row(pass, token_tile, lane) && (group.first_tile + member) * OUT_PAR < pass.outputs) {
            emit(pass, pads, work, output, group, token_tile, lane, member);
        }
        member += 1;
        if (member == group.members) {
            member = 0;
            lane += 1;
        }
        if (lane == TOKEN_PAR) {
            lane = 0;
            token_tile += 1;
        }
    }
}

// One pass, all groups.
inline void compute(const Pass &pass, Scratchpads &pads, Workspace &work, hls::stream<Line> &lines,
                    WeightReader &reader, Word *output) {
    const int output_tiles = tiles(pass.outputs, OUT_PAR);
    const int whole = output_tiles < HLS_CONTEXT_MEMBERS ? output_tiles : HLS_CONTEXT_MEMBERS;
    const int members = pass.epilogue == PASS_CONTEXT ? whole : 1;
    const bool has_channels = pass.right == RIGHT_STREAM && pass.epilogue != PASS_LOGITS;
GROUPS:
    for (int first_tile = 0; first_tile < output_tiles; first_tile += members) {
#pragma HLS loop_tripcount min=1 max=48
        const Group group = group_of(pass, first_tile, members);
        if (has_channels) read_channels(lines, reader, work.channels);
        accumulate_group(pass, pads, work, lines, reader, group);
        if (pass.epilogue == PASS_CONTEXT) scale_rows(pass, work, group);
        drain_group(pass, pads, work, output, group);
    }
}

}  // namespace edgemoe
