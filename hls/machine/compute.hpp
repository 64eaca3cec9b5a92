// One pass on the unified compute unit. All layers come through here; the array has one call site.
//
//     for group of output tiles, for input tile, for member of the group, for digit:  a right tile enters lane 0
//         for token tile (at least ACCUMULATE_DISTANCE steps, II 1):  TOKEN_PAR·IN_PAR·OUT_PAR products
//     then the sums of the group go through the epilogue
//
// Weights: groups of one output tile. P·V: a group is all output tiles of a head, so that scores are read once.
#pragma once

#include "epilogues.hpp"

namespace edgemoe {

// The same sums come round again no sooner than this many cycles later: the latency of their read, add and write.
constexpr int ACCUMULATE_DISTANCE = 4;

static_assert(ACCUMULATE_DISTANCE >= QUERY_TILES, "a block of queries fills the accumulators' latency");

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

inline int slot_of(const Pass &pass, int members, int token_tile, int member, int digits) {
    return pass.epilogue == PASS_LOGITS ? token_tile * GATE_SUMS + digits : token_tile * members + member;
}

// All products of one group. After the last tile the lanes run empty.
inline void accumulate_group(const Pass &pass, const Scratchpads &pads, Workspace &work, hls::stream<Line> &lines,
                             WeightReader &reader, int group, int members, int token_tiles) {
    const int input_tiles = tiles(pass.inputs, IN_PAR);
    const int output_tiles = tiles(pass.outputs, OUT_PAR);
    const int digits = pass.epilogue == PASS_LOGITS ? GATE_DIGITS : 1;
    const int busy = token_tiles * digits;
    const int apart = busy > ACCUMULATE_DISTANCE ? busy : ACCUMULATE_DISTANCE;
INPUTS:
    for (int input_tile = 0; input_tile < input_tiles; ++input_tile) {
#pragma HLS loop_tripcount min=1 max=48
    MEMBERS:
        for (int member = 0; member < members; ++member) {
#pragma HLS loop_tripcount min=1 max=CONTEXT_MEMBERS
            const int output_tile = group * members + member;
        DIGITS:
            for (int digit = 0; digit < digits; ++digit) {
#pragma HLS loop_tripcount min=1 max=GATE_DIGITS
                Tile tile = {};
                if (output_tile < output_tiles) tile = right_tile(pass, pads, lines, reader, output_tile, input_tile);
                const bool last = input_tile + 1 == input_tiles && member + 1 == members && digit + 1 == digits;
                const int steps = last ? apart + TOKEN_PAR - 1 : apart;
            TOKENS:
                for (int n = 0; n < steps; ++n) {  // II 1
#pragma HLS loop_tripcount min=ACCUMULATE_DISTANCE max=64
#pragma HLS pipeline II=1
#pragma HLS dependence variable=work.sums type=inter direction=RAW distance=ACCUMULATE_DISTANCE dependent=true
                    Step step;
                    step.valid = n < busy;
                    step.digit = digits == 1 ? 0 : n % 2;
                    step.token_tile = digits == 1 ? n : n / 2;
                    step.input_tile = input_tile;
                    step.member = member;
                    step.first = input_tile == 0 && !(digit == 1 && step.digit == 0);
                    step.slot = slot_of(pass, members, step.token_tile, member, digit + step.digit);
                    cycle(pass, pads, work, tile, step);
                }
            }
        }
    }
}

// The sums of one group through the epilogue, row by row. II 1 per output tile of a row.
inline void drain_group(const Pass &pass, Scratchpads &pads, Workspace &work, Word *output, int group, int members,
                        int token_tiles) {
    const int first_tile = pass.first_row / TOKEN_PAR;
TOKENS:
    for (int token_tile = 0; token_tile < token_tiles; ++token_tile) {
#pragma HLS loop_tripcount min=1 max=33
    LANES:
        for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR
            const int local = (first_tile + token_tile) * TOKEN_PAR + lane - pass.first_row;
            if (local < 0 || local >= pass.rows) continue;
            RowScale scale = {0, 0};
            if (pass.epilogue == PASS_CONTEXT) {
                scale = attention_row_scale(work.attention.total[lane][token_tile], pass.output_multiplier,
                                            pass.output_shift);
            }
            QueueEntry entry = {0, 0, 0};
            if (pass.epilogue == PASS_WEIGHTED) entry = work.queues.entry[pass.expert][local];
        MEMBERS:
            for (int member = 0; member < members; ++member) {  // II 1
#pragma HLS loop_tripcount min=1 max=CONTEXT_MEMBERS
#pragma HLS pipeline II=1
                const int feature = (group * members + member) * OUT_PAR;
                if (feature >= pass.outputs) continue;
                const int slot = slot_of(pass, members, token_tile, member, 0);
                const accumulator_t(&sums)[OUT_PAR] = work.sums[lane][slot];
                const int row = pass.destination_row + local;
                switch (pass.epilogue) {
                    case PASS_QKV:
                    case PASS_GELU: emit_activations(pass, pads, work, row, feature, sums); break;
                    case PASS_RESIDUAL: emit_residual(pass, pads, work, row, 0, feature, sums); break;
                    case PASS_WEIGHTED:
                        emit_residual(pass, pads, work, entry.destination, entry.score, feature, sums);
                        break;
                    case PASS_HEAD: emit_head(pass, work, output, local, feature, sums); break;
                    case PASS_LOGITS: emit_logits(work, local, feature, &work.sums[lane][slot]); break;
                    case PASS_SCORES: emit_scores(pass, work, lane, token_tile, feature, sums); break;
                    case PASS_CONTEXT: emit_context(pass, pads, scale, row, feature, sums); break;
                }
            }
        }
    }
}

// One pass, all groups.
inline void compute(const Pass &pass, Scratchpads &pads, Workspace &work, hls::stream<Line> &lines,
                    WeightReader &reader, Word *output) {
    const int output_tiles = tiles(pass.outputs, OUT_PAR);
    const int whole = output_tiles < CONTEXT_MEMBERS ? output_tiles : CONTEXT_MEMBERS;
    const int members = pass.epilogue == PASS_CONTEXT ? whole : 1;
    const int token_tiles = (pass.first_row + pass.rows - 1) / TOKEN_PAR - pass.first_row / TOKEN_PAR + 1;
    const bool has_channels = pass.right == RIGHT_STREAM && pass.epilogue != PASS_LOGITS;
GROUPS:
    for (int group = 0; group < tiles(output_tiles, members); ++group) {
#pragma HLS loop_tripcount min=1 max=48
        if (has_channels) read_channels(lines, reader, work.channels);
        accumulate_group(pass, pads, work, lines, reader, group, members, token_tiles);
        drain_group(pass, pads, work, output, group, members, token_tiles);
    }
}

}  // namespace edgemoe
