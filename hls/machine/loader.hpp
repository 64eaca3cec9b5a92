// Right operands: tiles of weights, keys or values, loaded part by part beside the work on the tile before.
//
// A part is two lines of weights, or TOKEN_PAR rows of keys or values, each from its own bank. Of narrow weights a line
// may hold two tiles; the second one waits in `kept`. Before the first tile of
// a group go its channel records, before the first of an expert the header of its segment.
#pragma once

#include "../kernels/matmul.hpp"
#include "pass_table.hpp"
#include "results.hpp"
#include "tile_parts.hpp"

namespace edgemoe {

constexpr int CHANNEL_PARTS = CHANNEL_LINES / PART_LINES;
constexpr int PART_CHANNELS = PART_LINES * STREAM_LINE_BYTES / CHANNEL_BYTES;
constexpr int KEY_PARTS = OUT_PAR / TOKEN_PAR;
constexpr int VALUE_PARTS = IN_PAR / TOKEN_PAR;
constexpr int CHANNEL_GROUPS = 4;  // groups whose channel records are at hand: two in the drain, at work, being loaded

static_assert(CHANNEL_LINES % PART_LINES == 0, "channel records are whole parts");
static_assert(OUT_PAR % TOKEN_PAR == 0 && IN_PAR % TOKEN_PAR == 0, "a tile is whole rounds of the banks");

// Channel records as they lie in the stream.
struct ChannelRecords {
    LinePair part[CHANNEL_PARTS][CHANNEL_GROUPS];
};

// Which tile of a group: counters instead of divisions.
struct TileIndex {
    int first_tile;  // first output tile of the group
    int input_tile, member, digit;
};

enum LoadPhase { LOAD_HEADER, LOAD_DROP, LOAD_CHANNELS, LOAD_TILE, LOAD_DONE };

struct Loader {
    Pass pass;
    int number;       // of the pass in the table
    bool active;      // there is such a pass
    int phase, part;
    int group;        // groups loaded so far
    uint64_t dropped;
    TileIndex index;
    weight_t tile[OUT_PAR][IN_PAR];
    Line kept;
    fault_t fault;
};

inline bool starts_group(const TileIndex &index) {
    return index.input_tile == 0 && index.member == 0 && index.digit == 0;
}

inline int first_phase(const Loader &loader, bool starts_pass) {
    if (starts_pass && loader.pass.has_header) return LOAD_HEADER;
    return starts_group(loader.index) && loader.pass.has_channels ? LOAD_CHANNELS : LOAD_TILE;
}

inline void open_pass(Loader &loader, const PassTable &table, int number) {
#pragma HLS inline
    const TileIndex first = {0, 0, 0, 0};
    loader.number = number;
    loader.active = number < table.count;
    loader.index = first;
    loader.part = 0;
    if (loader.active) loader.pass = table.pass[number];
    loader.phase = first_phase(loader, true);
}

// The tile was handed over: the next one. Returns whether the tile was the last of its group, of its pass.
inline void next_tile(Loader &loader, const PassTable &table) {
#pragma HLS inline
    TileIndex &index = loader.index;
    const Pass &pass = loader.pass;
    const bool digits = index.digit + 1 == pass.digits;
    const bool last_member = index.member + 1 == pass.members || index.first_tile + index.member + 1 == pass.output_tiles;
    const bool members = digits && last_member;
    const bool inputs = members && index.input_tile + 1 == pass.input_tiles;
    index.digit = digits ? 0 : index.digit + 1;
    index.member = members ? 0 : digits ? index.member + 1 : index.member;
    index.input_tile = inputs ? 0 : members ? index.input_tile + 1 : index.input_tile;
    if (inputs) {
        index.first_tile += pass.members;
        loader.group += 1;
    }
    loader.part = 0;
    if (index.first_tile >= pass.output_tiles) open_pass(loader, table, loader.number + 1);
    else loader.phase = first_phase(loader, false);
}

// TOKEN_PAR keys × IN_PAR features of one head.
inline void key_part(const Scratchpads &pads, Loader &loader) {
#pragma HLS inline
    const Pass &pass = loader.pass;
    const int first = (loader.index.first_tile + loader.index.member) * OUT_PAR + loader.part * TOKEN_PAR;
    activation_t rows[TOKEN_PAR][IN_PAR] = {};
    read_rows(pads.key, pass.first_key + first, pass.first_key + pass.keys, pass.left_vectors,
              pass.head_feature + loader.index.input_tile * IN_PAR, pass.digits, loader.index.digit, rows);
PARTS:
    for (int p = 0; p < KEY_PARTS; ++p) {  // trip KEY_PARTS
#pragma HLS unroll
        if (p == loader.part) {
        KEYS:
            for (int n = 0; n < TOKEN_PAR; ++n) {  // trip TOKEN_PAR
#pragma HLS unroll
            FEATURES:
                for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
                    loader.tile[p * TOKEN_PAR + n][input] = rows[n][input];
                }
            }
        }
    }
}

// OUT_PAR features of one head × TOKEN_PAR keys.
inline void value_part(const Scratchpads &pads, Loader &loader) {
#pragma HLS inline
    const Pass &pass = loader.pass;
    const int first = loader.index.input_tile * IN_PAR + loader.part * TOKEN_PAR;
    const int output_tile = loader.index.first_tile + loader.index.member;
    activation_t rows[TOKEN_PAR][OUT_PAR] = {};
    read_rows(pads.value, pass.first_key + first, pass.first_key + pass.keys, pass.left_vectors,
              pass.head_feature + output_tile * OUT_PAR, pass.digits, loader.index.digit, rows);
PARTS:
    for (int p = 0; p < VALUE_PARTS; ++p) {  // trip VALUE_PARTS
#pragma HLS unroll
        if (p == loader.part) {
        KEYS:
            for (int n = 0; n < TOKEN_PAR; ++n) {  // trip TOKEN_PAR
#pragma HLS unroll
            FEATURES:
                for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
                    loader.tile[output][p * TOKEN_PAR + n] = rows[n][output];
                }
            }
        }
    }
}

// What the stream delivers in one cycle: a header, lines that nobody needs, channel records or weights.
inline void load_lines(Loader &loader, ChannelRecords &channels, LineStream &lines, WeightReader &reader,
                       Results &results) {
#pragma HLS inline
    const bool drop = loader.phase == LOAD_DROP;
    const bool one_left = loader.pass.segment_lines - loader.dropped == 1;
    const bool narrow = loader.pass.narrow && loader.phase == LOAD_TILE;
    const bool second = narrow && LINE_TILES == 2 && loader.index.input_tile % 2 == 1;
    const bool single =
        loader.phase == LOAD_HEADER || (drop ? one_left : narrow ? NARROW_LINES == 1 : PART_LINES == 1);
    if (loader.phase == LOAD_HEADER && reader.in_range == 0) {
        loader.fault = FAULT_STREAM_END;
        return;
    }
    LinePair data;
    if (second) data.low = data.high = loader.kept;
    else data = take_lines(lines, reader, !single);
    if (narrow && LINE_TILES == 2) loader.kept = data.low;
    switch (loader.phase) {
        case LOAD_HEADER:
            loader.fault =
                header_line_fault(part_of(data.low, 0), reader, loader.pass.segment, loader.pass.segment_lines);
            loader.dropped = 0;
            loader.phase = loader.pass.rows > 0 ? LOAD_CHANNELS : LOAD_DROP;
            if (loader.fault != FAULT_NONE) break;
            if (loader.pass.rows > 0) results.experts_run += 1;
            else results.segments_dropped += 1;
            break;
        case LOAD_DROP:
            loader.dropped += single ? 1 : 2;
            if (loader.dropped == loader.pass.segment_lines) loader.phase = LOAD_DONE;
            break;
        case LOAD_CHANNELS:
        PARTS:
            for (int p = 0; p < CHANNEL_PARTS; ++p) {  // trip CHANNEL_PARTS
#pragma HLS unroll
                if (p == loader.part) {
                    channels.part[p][loader.group % CHANNEL_GROUPS].low = data.low;
                    channels.part[p][loader.group % CHANNEL_GROUPS].high = data.high;
                }
            }
            loader.part += 1;
            if (loader.part == CHANNEL_PARTS) {
                loader.part = 0;
                loader.phase = LOAD_TILE;
            }
            break;
        default:
            if (narrow) narrow_part(data, loader.part, second, loader.tile);
            else stream_part(data, loader.part, loader.tile);
            loader.part += 1;
            if (loader.part == (narrow ? NARROW_PARTS : TILE_PARTS)) loader.phase = LOAD_DONE;
            break;
    }
}

// One cycle of the loader.
inline void load_step(Loader &loader, ChannelRecords &channels, const Scratchpads &pads, LineStream &lines,
                      WeightReader &reader, Results &results) {
#pragma HLS inline
    if (!loader.active || loader.phase == LOAD_DONE) return;
    switch (loader.pass.right) {
        case RIGHT_KEYS:
            key_part(pads, loader);
            loader.part += 1;
            if (loader.part == KEY_PARTS) loader.phase = LOAD_DONE;
            break;
        case RIGHT_VALUES:
            value_part(pads, loader);
            loader.part += 1;
            if (loader.part == VALUE_PARTS) loader.phase = LOAD_DONE;
            break;
        default: load_lines(loader, channels, lines, reader, results); break;
    }
}

}  // namespace edgemoe
