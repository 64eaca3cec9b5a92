// The unified compute unit: TOKEN_PAR × IN_PAR × OUT_PAR multiplications per cycle, one call site for all layers.
//
// Staggered order (attention reordering): a tile of weights, keys or values enters lane 0 and moves on by one lane per
// cycle, so lane p works one tile behind lane p − 1, and one new tile per cycle feeds all lanes, however many there are.
#pragma once

#include "types.hpp"

namespace edgemoe {

// Right operands of one cycle: OUT_PAR columns of IN_PAR values.
struct Tile {
    weight_t value[OUT_PAR][IN_PAR];
};

// What a tile is multiplied with, and where the sums go. It travels with the tile from lane to lane.
struct Step {
    bool valid;
    bool first;       // the sums begin here
    int slot;         // row of the accumulators
    int token_tile;   // rows token_tile·TOKEN_PAR + lane of the left operand
    int input_tile;   // features input_tile·IN_PAR … of the left operand
    int digit;        // gate: 0 high digit, 1 low digit of the left operand; otherwise 0
    int member;       // which output tile of a group; exponentials are made for member 0 and kept for the others
};

// Tiles and steps on their way through the lanes.
struct Lanes {
    Tile tile[TOKEN_PAR];
    Step step[TOKEN_PAR];
};

struct Left {
    operand_t value[IN_PAR];
};

// One cycle later: everything moves on by one lane. II 1.
inline void advance(Lanes &lanes, const Tile &tile, const Step &step) {
#pragma HLS inline
ADVANCE:
    for (int lane = TOKEN_PAR - 1; lane > 0; --lane) {  // trip TOKEN_PAR − 1
#pragma HLS unroll
        lanes.tile[lane] = lanes.tile[lane - 1];
        lanes.step[lane] = lanes.step[lane - 1];
    }
    lanes.tile[0] = tile;
    lanes.step[0] = step;
}

// One lane of one cycle: sum[o] (+)= Σ_i left[i]·tile[o][i]. II 1; IN_PAR·OUT_PAR multiplications.
inline void multiply_accumulate(const Left &left, const Tile &tile, bool first, accumulator_t sums[OUT_PAR]) {
#pragma HLS inline
OUTPUTS:
    for (int output = 0; output < OUT_PAR; ++output) {  // trip OUT_PAR
#pragma HLS unroll
        accumulator_t sum = 0;
    INPUTS:
        for (int input = 0; input < IN_PAR; ++input) {  // trip IN_PAR
#pragma HLS unroll
            sum += (accumulator_t)left.value[input] * tile.value[output][input];
        }
        sums[output] = first ? sum : (accumulator_t)(sums[output] + sum);
    }
}

}  // namespace edgemoe
