// Operands of the array: what each lane reads on the left, and the tiles that enter lane 0 on the right.
#pragma once

#include "../kernels/attention.hpp"
#include "../kernels/matmul.hpp"
#include "pass.hpp"
#include "weight_stream.hpp"

namespace edgemoe {

constexpr int KEY_ROOM = round_up(MAX_TOKENS, VECTOR);

// Scores of the queries in work, their maxima in octaves, Σe, the exponentials of the keys at hand, and in the end the
// scale of each row.
struct AttentionRows {
    score_t score[TOKEN_PAR][HLS_QUERY_TILES][KEY_ROOM];
    int64_t maximum[TOKEN_PAR][HLS_QUERY_TILES];
    int64_t total[TOKEN_PAR][HLS_QUERY_TILES];
    Left exponentials[TOKEN_PAR][HLS_QUERY_TILES];
    RowScale scale[TOKEN_PAR][HLS_QUERY_TILES];
};

// e of IN_PAR keys of one query, and Σe: the only time that its scores are read.
inline Left make_exponentials(AttentionRows &rows, int lane, int tile, int first_key, int keys) {
    Left made;
    int64_t sum = 0;
KEYS:
    for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
        const int key = first_key + input;
        int64_t e = 0;
        if (key < keys) e = exponential(rows.score[lane][tile][key], rows.maximum[lane][tile]);
        made.value[input] = (operand_t)e;
        sum += e;
    }
    rows.total[lane][tile] = first_key == 0 ? sum : rows.total[lane][tile] + sum;
    return made;
}

// Whether a lane's row of a token tile belongs to the pass: tiles are aligned, rows may begin and end inside one.
inline bool lane_has_row(const Pass &pass, int token_tile, int lane) {
    const int local = (pass.first_row / TOKEN_PAR + token_tile) * TOKEN_PAR + lane - pass.first_row;
    return local >= 0 && local < pass.rows;
}

// The left operand of one lane in one cycle, zeros for a lane without a row; each source is a bank of its own.
inline Left read_left(const Pass &pass, const Scratchpads &pads, AttentionRows &rows, const Step &step, int lane) {
#pragma HLS inline
    Left left = {};
    if (!lane_has_row(pass, step.token_tile, lane)) return left;
    const int row_tile = pass.first_row / TOKEN_PAR + step.token_tile;
    const int feature = pass.head_feature + step.input_tile * IN_PAR;
    const int depth = row_tile * (pass.left_features / VECTOR) + feature / VECTOR;
    const int element = feature % VECTOR;
    if (pass.left == LEFT_EXPONENTIALS) {
        if (step.member == 0) {
            rows.exponentials[lane][step.token_tile] =
                make_exponentials(rows, lane, step.token_tile, step.input_tile * IN_PAR, pass.keys);
        }
        return rows.exponentials[lane][step.token_tile];
    }
FEATURES:
    for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
        switch (pass.left) {
            case LEFT_NORM: left.value[input] = pads.norm[lane][depth][element + input]; break;
            case LEFT_HIDDEN: left.value[input] = pads.hidden[lane][depth][element + input]; break;
            case LEFT_QUERY: left.value[input] = pads.query[lane][depth][element + input]; break;
            case LEFT_GATHERED: left.value[input] = pads.gathered[lane][depth][element + input]; break;
            default: {
                const int16_t value = pads.gate_input[lane][depth][element + input];
                left.value[input] = IS_FINE ? value : step.digit == 0 ? high_digit(value) : low_digit(value);
                break;
            }
        }
    }
    return left;
}

// Tiles are loaded in parts, one per cycle, while the array still works with the tile before: one line of weights, or
// TOKEN_PAR rows of keys or values, each from its own bank.
constexpr int LOAD_PARTS = larger(TILE_LINES, larger(OUT_PAR, IN_PAR) / TOKEN_PAR);

static_assert(OUT_PAR % TOKEN_PAR == 0 && IN_PAR % TOKEN_PAR == 0, "a tile is whole rounds of the banks");

inline void stream_part(hls::stream<Line> &lines, WeightReader &reader, int part, Tile &tile) {
#pragma HLS inline
    const int bytes = (int)sizeof(weight_t);
    const int per_line = STREAM_LINE_BYTES / bytes;
    const Line data = take_line(lines, reader);
VALUES:
    for (int n = 0; n < per_line; ++n) {  // trip STREAM_LINE_BYTES / bytes
#pragma HLS unroll
        const int at = part * per_line + n;
        tile.value[at / IN_PAR][at % IN_PAR] = (weight_t)line_value(data, n * bytes, 8 * bytes);
    }
}

// TOKEN_PAR keys × IN_PAR features of one head; zeros beyond the last key.
inline void key_part(const Scratchpads &pads, const Pass &pass, int output_tile, int input_tile, int part, Tile &tile) {
#pragma HLS inline
    const int feature = pass.head_feature + input_tile * IN_PAR;
KEYS:
    for (int n = 0; n < TOKEN_PAR; ++n) {  // trip TOKEN_PAR
#pragma HLS unroll
        const int output = part * TOKEN_PAR + n;
        const int key = output_tile * OUT_PAR + output;
        const Place at = place(pass.first_key + key, pass.left_features, feature);
    FEATURES:
        for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
            tile.value[output][input] = 0;
            if (key < pass.keys) tile.value[output][input] = pads.key[at.bank][at.depth][at.element + input];
        }
    }
}

// OUT_PAR features of one head × TOKEN_PAR keys; zeros beyond the last key.
inline void value_part(const Scratchpads &pads, const Pass &pass, int output_tile, int input_tile, int part,
                       Tile &tile) {
#pragma HLS inline
    const int feature = pass.head_feature + output_tile * OUT_PAR;
KEYS:
    for (int n = 0; n < TOKEN_PAR; ++n) {  // trip TOKEN_PAR
#pragma HLS unroll
        const int input = part * TOKEN_PAR + n;
        const int key = input_tile * IN_PAR + input;
        const Place at = place(pass.first_key + key, pass.left_features, feature);
    FEATURES:
        for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
            tile.value[output][input] = 0;
            if (key < pass.keys) tile.value[output][input] = pads.value[at.bank][at.depth][at.element + output];
        }
    }
}

// One part of a tile, whatever its source.
inline void load_part(const Pass &pass, const Scratchpads &pads, hls::stream<Line> &lines, WeightReader &reader,
                      int output_tile, int input_tile, int part, Tile &tile) {
#pragma HLS inline
    switch (pass.right) {
        case RIGHT_KEYS:
            if (part < OUT_PAR / TOKEN_PAR) key_part(pads, pass, output_tile, input_tile, part, tile);
            break;
        case RIGHT_VALUES:
            if (part < IN_PAR / TOKEN_PAR) value_part(pads, pass, output_tile, input_tile, part, tile);
            break;
        default:
            if (part < TILE_LINES) stream_part(lines, reader, part, tile);
            break;
    }
}

// Channel records of one output tile. II 1 per line.
inline void read_channels(hls::stream<Line> &lines, WeightReader &reader, Channel channels[OUT_PAR]) {
    const int per_line = STREAM_LINE_BYTES / CHANNEL_BYTES;
    const int bias_bytes = CHANNEL_BYTES / 2;
LINES:
    for (int line = 0; line < CHANNEL_LINES; ++line) {  // trip CHANNEL_LINES, II 1
#pragma HLS pipeline II=1
        const Line data = take_line(lines, reader);
    RECORDS:
        for (int n = 0; n < per_line; ++n) {  // trip STREAM_LINE_BYTES / CHANNEL_BYTES
#pragma HLS unroll
            Channel &channel = channels[line * per_line + n];
            const int at = n * CHANNEL_BYTES;
            channel.bias = line_value(data, at, BIAS_BITS + 1);
            channel.multiplier = (uint16_t)line_value(data, at + bias_bytes, MULTIPLIER_BITS);
            channel.shift = (uint8_t)line_value(data, at + bias_bytes + 2, 8);
        }
    }
}

}  // namespace edgemoe
