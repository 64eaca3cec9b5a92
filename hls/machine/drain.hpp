// The drain: finished groups through the epilogue of their pass, two neighbouring rows per cycle where both go to banks
// of their own. Group after group, one behind the array.
#pragma once

#include "epilogues.hpp"

namespace edgemoe {

struct Drain {
    Pass pass;
    Progress progress;
    bool active;
    int first_tile;              // of the group in the drain
    int token_tile, lane, part;  // place in it
    int ready;                   // groups that may be drained
    bool waiting[DRAIN_WAIT];    // groups that end, on their way to `ready`
    int64_t digits[2][OUT_PAR];  // sums of digits so far
};

inline void clear_drain(Drain &drain) {
#pragma HLS inline
    const Progress start = {0, 0, WRITE_DISTANCE, WRITE_DISTANCE};  // all of an earlier loop is written
    drain.progress = start;
    drain.active = false;
    drain.ready = 0;
CLEAR:
    for (int n = 0; n < DRAIN_WAIT; ++n) {  // trip DRAIN_WAIT
#pragma HLS unroll
        drain.waiting[n] = false;
    }
ROWS:
    for (int n = 0; n < 2; ++n) {  // trip 2
#pragma HLS unroll
    OUTPUTS:
        for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
            drain.digits[n][output] = 0;
        }
    }
}

// Pass and group that come next, when they may.
inline void begin_group(Drain &drain, const Worker &worker) {
#pragma HLS inline
    Progress &progress = drain.progress;
    if (!drain.active && worker.number > progress.passes && progress.groups == worker.first_group) {
        drain.pass = worker.pass;
        drain.first_tile = 0;
        progress.passes += 1;
        progress.pass_age = 0;
    }
    if (!drain.active && progress.groups < drain.ready) {
        drain.active = true;
        drain.token_tile = 0;
        drain.lane = 0;
        drain.part = 0;
    }
}

// After a cycle: a group ended in the array, or none.
inline void count_groups(Drain &drain, bool ended) {
#pragma HLS inline
    if (drain.waiting[DRAIN_WAIT - 1]) drain.ready += 1;
WAIT:
    for (int n = DRAIN_WAIT - 1; n > 0; --n) {  // trip DRAIN_WAIT − 1
#pragma HLS unroll
        drain.waiting[n] = drain.waiting[n - 1];
    }
    drain.waiting[0] = ended;
    if (drain.progress.pass_age < WRITE_DISTANCE) drain.progress.pass_age += 1;
    if (drain.progress.group_age < WRITE_DISTANCE) drain.progress.group_age += 1;
}

inline DrainRow drain_row(const Drain &drain, const DrainTurn &turn, int lane) {
#pragma HLS inline
    const Pass &pass = drain.pass;
    DrainRow row;
    row.lane = lane;
    row.local = turn.token_tile * TOKEN_PAR + lane - pass.first_row % TOKEN_PAR;
    row.valid = row.local >= 0 && row.local < pass.rows && turn.feature < pass.outputs;
    row.score = 0;
    int feature = turn.feature;
    if (pass.epilogue == PASS_QKV) {
        if (feature >= pass.destination_features) feature -= pass.destination_features;
        if (feature >= pass.destination_features) feature -= pass.destination_features;
    }
    if (pass.epilogue == PASS_CONTEXT) feature += pass.head_feature;
    int vectors = pass.destination_features / VECTOR, vector = feature / VECTOR;
    if (splits_result(pass)) {
        vectors *= 2;
        vector = 2 * vector + turn.word;
    }
    row.target = target_of(pass.destination_row + row.local, vectors, vector);
    if (!row.valid) row.target.bank = NO_BANK;
    return row;
}

// The rows of this cycle.
inline DrainTurn turn_of(const Drain &drain, const ExpertQueues &queues) {
#pragma HLS inline
    const Pass &pass = drain.pass;
    const bool members = pass.epilogue == PASS_CONTEXT;
    DrainTurn turn;
    turn.token_tile = drain.token_tile;
    turn.part = drain.part;
    turn.group = drain.progress.groups;
    const bool pairs = WIDE_INNER && pass.digits == 2;
    const int member = members ? (pairs ? drain.part / 2 : drain.part) : 0;
    const int last = sums_of(pass) - 1;
    turn.feature = (drain.first_tile + member) * OUT_PAR;
    turn.first = turn.feature % VECTOR / WORD_VALUES;
    turn.word = drain.part - last;
    turn.sum = members ? (pairs ? drain.part % 2 : 0) : smaller(drain.part, last);
    turn.slot = vector_count(drain.token_tile, pass.slots) + (members ? drain.part : turn.sum);
    turn.row[0] = drain_row(drain, turn, drain.lane);
    turn.row[1] = drain_row(drain, turn, drain.lane + 1);
    if (pass.rows_together == 1) {
        turn.row[1].valid = false;
        turn.row[1].target.bank = NO_BANK;
    }
    if (pass.epilogue == PASS_WEIGHTED && turn.row[0].valid) {
        DrainRow &row = turn.row[0];
        const uint32_t target = queues.target[pass.expert * MAX_ROWS + row.local];
        row.target = target_of(target_row(target), pass.destination_features / VECTOR, turn.feature / VECTOR);
        row.score = target_score(target);
    }
    return turn;
}

// The sums of both rows: every lane's memory is read at the same place.
inline void read_sums(const AccumulatorWord (&finished)[TOKEN_PAR][SUM_BUFFERS * SLOTS], const DrainTurn &turn,
                      accumulator_t (&sums)[2][OUT_PAR]) {
#pragma HLS inline
    const int depth = turn.group % SUM_BUFFERS * SLOTS + turn.slot;
    AccumulatorWord words[2] = {};
LANES:
    for (int lane = 0; lane < TOKEN_PAR; ++lane) {  // trip TOKEN_PAR
#pragma HLS unroll
        if (lane == turn.row[0].lane || lane == turn.row[1].lane) {
            const AccumulatorWord word = finished[lane][depth];
            if (lane == turn.row[0].lane) words[0] = word;
            else words[1] = word;
        }
    }
    unpack(words[0], sums[0]);
    unpack(words[1], sums[1]);
}

// Sums over the digits of 16-bit values, the first with the greatest weight, appended one to the other; what is written
// in several turns comes from the last ones. Others pass through.
inline void join_digits(const Pass &pass, const DrainTurn &turn, const accumulator_t (&sums)[2][OUT_PAR],
                        int64_t (&digits)[2][OUT_PAR], int64_t (&joined)[2][OUT_PAR]) {
#pragma HLS inline
ROWS:
    for (int n = 0; n < 2; ++n) {  // trip 2
#pragma HLS unroll
    OUTPUTS:
        for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
            joined[n][output] = gate_logit(turn.sum > 0 ? digits[n][output] : 0, sums[n][output]);
            if (turn.sum + 1 < sums_of(pass)) digits[n][output] = joined[n][output];
        }
    }
}

// An activation as it is written, or one digit of it.
inline activation_t written(const Pass &pass, int word, int64_t value) {
#pragma HLS inline
    if (!splits_result(pass)) return (activation_t)saturate(value, ACTIVATION_BITS);
    const int16_t wide = wide_activation(value);
    return (activation_t)(word == 0 ? high_digit(wide) : low_digit(wide));
}

// GATE: what a record's bias and multiplier make together, to both rows' logits.
inline void add_bias(const Channel (&channels)[OUT_PAR], int64_t (&logits)[2][OUT_PAR]) {
#pragma HLS inline
EXPERTS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        const int64_t bias = gate_bias(channels[output].bias, channels[output].multiplier);
        logits[0][output] += bias;
        logits[1][output] += bias;
    }
}

// One cycle of the epilogue.
inline void emit(Drain &drain, const DrainTurn &turn, Scratchpads &pads, const ChannelRecords &records,
                 AttentionRows &attention, const AccumulatorWord (&finished)[TOKEN_PAR][SUM_BUFFERS * SLOTS],
                 LogitWord (&logits)[2][LOGIT_ROWS][EXPERT_WORDS], Word *output) {
#pragma HLS inline
    const Pass &pass = drain.pass;
    accumulator_t sums[2][OUT_PAR];
    int64_t joined[2][OUT_PAR];
    read_sums(finished, turn, sums);
    join_digits(pass, turn, sums, drain.digits, joined);
    Channel channels[OUT_PAR];
    output_channels(pass, records, turn.group, channels);
    if (pass.epilogue == PASS_LOGITS) {
        if (GATE_FORMS && pass.biased) add_bias(channels, joined);
        if (turn.part + 1 == pass.parts) write_logits(turn, joined, logits);
        return;
    }
    if (WIDE_TOKENS && turn.sum + 1 < sums_of(pass)) return;
    int64_t values[2][OUT_PAR];
    activation_t activations[2][OUT_PAR];
ZEROS:
    for (int n = 0; n < 2 * OUT_PAR; ++n) {  // trip 2 · OUT_PAR
#pragma HLS unroll
        values[n / OUT_PAR][n % OUT_PAR] = 0;
        activations[n / OUT_PAR][n % OUT_PAR] = 0;
    }
ROWS:
    for (int n = 0; n < 2; ++n) {  // trip 2
#pragma HLS unroll
        if (turn.row[n].valid) {
            const RowScale scale = pass.epilogue == PASS_CONTEXT ? row_scale(pass, attention, turn, n) : no_scale();
        OUTPUTS:
            for (int o = 0; o < OUT_PAR; ++o) {  // trip OUT_PAR
#pragma HLS unroll
                values[n][o] = post_lane(pass.epilogue, joined[n][o], channels[o], scale);
                int64_t value = values[n][o];
                if (pass.epilogue == PASS_GELU) {
                    value = gelu_scaled(saturate(value, GELU_BITS), pass.activation, pass.output_multiplier,
                                        pass.output_shift, pass.output_zero);
                }
                activations[n][o] = written(pass, turn.word, value);
            }
        }
    }
    switch (pass.epilogue) {
        case PASS_RESIDUAL:
        case PASS_WEIGHTED: add_residual(pass, pads, turn, values); break;
        case PASS_HEAD:
            if (turn.row[0].valid) write_head(pass, turn, values[0], output);
            break;
        case PASS_SCORES: write_scores(pass, attention, turn, values); break;
        case PASS_CONTEXT:
            if (WIDE_TOKENS && pass.wide_result) write_wide(pads, turn, values);
            else write_activations(pass, pads, turn, activations);
            break;
        default: write_activations(pass, pads, turn, activations); break;
    }
}

// The next rows; after the last ones the group is drained.
inline void next_turn(Drain &drain) {
#pragma HLS inline
    const Pass &pass = drain.pass;
    drain.part += 1;
    if (drain.part < pass.parts) return;
    drain.part = 0;
    drain.lane += pass.rows_together;
    if (drain.lane < TOKEN_PAR) return;
    drain.lane = 0;
    drain.token_tile += 1;
    if (drain.token_tile < pass.token_tiles) return;
    drain.active = false;
    drain.first_tile += pass.members;
    drain.progress.groups += 1;
    drain.progress.group_age = 0;
}

}  // namespace edgemoe
