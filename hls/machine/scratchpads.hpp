// Scratchpads with fixed roles; row r lies in bank r mod TOKEN_PAR, so that every lane reads its own bank.
#pragma once

#include "../kernels/experts.hpp"
#include "../kernels/gate.hpp"
#include "legality.hpp"

namespace edgemoe {

constexpr int ROW_DEPTH = ROW_ELEMENTS / (VECTOR * TOKEN_PAR);
constexpr int HIDDEN_DEPTH = HIDDEN_ELEMENTS / (VECTOR * TOKEN_PAR);
constexpr int ROUTING_ELEMENTS = round_up(MAX_ROWS, TOKEN_PAR) * MAX_TOP_K;

static_assert(ROW_ELEMENTS % (VECTOR * TOKEN_PAR) == 0, "row buffers are whole tiles of vectors");
static_assert(HIDDEN_ELEMENTS % (VECTOR * TOKEN_PAR) == 0, "HIDDEN is whole tiles of vectors");

struct Scratchpads {
    residual_t residual[TOKEN_PAR][ROW_DEPTH][VECTOR];
    activation_t norm[TOKEN_PAR][ROW_DEPTH][VECTOR];
    int16_t gate_input[TOKEN_PAR][ROW_DEPTH][VECTOR];
    activation_t query[TOKEN_PAR][ROW_DEPTH][VECTOR];
    activation_t key[TOKEN_PAR][ROW_DEPTH][VECTOR];
    activation_t value[TOKEN_PAR][ROW_DEPTH][VECTOR];
    activation_t hidden[TOKEN_PAR][HIDDEN_DEPTH][VECTOR];
    activation_t gathered[TOKEN_PAR][ROW_DEPTH][VECTOR];  // one expert's tokens, side by side
    uint32_t routing[ROUTING_ELEMENTS];
};

// Where an element lies, given the features of a row.
struct Place {
    int bank, depth, element;
};

inline Place place(int row, int features, int feature) {
    Place where;
    where.bank = row % TOKEN_PAR;
    where.depth = row / TOKEN_PAR * (features / VECTOR) + feature / VECTOR;
    where.element = feature % VECTOR;
    return where;
}

// Rows 0 … rows − 1 of a scratchpad are valid, of `features` each; nothing of an earlier run is.
struct Valid {
    int rows[BUFFER_ROUTING + 1];
    int features[BUFFER_ROUTING + 1];
};

inline void clear_valid(Valid &valid) {
CLEAR:
    for (int buffer = 0; buffer <= BUFFER_ROUTING; ++buffer) {  // trip 9
#pragma HLS unroll
        valid.rows[buffer] = 0;
        valid.features[buffer] = 0;
    }
}

inline int valid_rows(const Valid &valid, int buffer, int features) {
    return valid.features[buffer] == features ? valid.rows[buffer] : 0;
}

// Rule 8: every row read is valid, every write overwrites or extends without a gap.
inline bool may_access(const Valid &valid, const Accesses &a) {
    bool good = true;
CHECK:
    for (int n = 0; n < 3; ++n) {  // trip 3
#pragma HLS unroll
        if (n < a.reads) {
            const Rows &r = a.read[n];
            if (r.first + r.rows > valid_rows(valid, r.buffer, r.features)) good = false;
        }
        if (n < a.writes) {
            const Rows &w = a.written[n];
            if (w.first > valid_rows(valid, w.buffer, w.features)) good = false;
        }
    }
    return good;
}

// What an instruction has written is valid; with another number of features the buffer began afresh.
inline void mark_written(Valid &valid, const Accesses &a) {
MARK:
    for (int n = 0; n < 3; ++n) {  // trip 3
        if (n < a.writes) {
            const Rows &w = a.written[n];
            const int before = valid_rows(valid, w.buffer, w.features);
            const int end = w.first + w.rows;
            valid.rows[w.buffer] = end > before ? end : before;
            valid.features[w.buffer] = w.features;
        }
    }
}

// One element as an integer, for STORE.
inline int64_t element(const Scratchpads &pads, int buffer, int row, int features, int feature) {
    if (buffer == BUFFER_ROUTING) return pads.routing[row * features + feature];
    const Place at = place(row, features, feature);
    switch (buffer) {
        case BUFFER_RESIDUAL: return pads.residual[at.bank][at.depth][at.element];
        case BUFFER_NORM: return pads.norm[at.bank][at.depth][at.element];
        case BUFFER_GATE_INPUT: return pads.gate_input[at.bank][at.depth][at.element];
        case BUFFER_QUERY: return pads.query[at.bank][at.depth][at.element];
        case BUFFER_KEY: return pads.key[at.bank][at.depth][at.element];
        case BUFFER_VALUE: return pads.value[at.bank][at.depth][at.element];
        default: return pads.hidden[at.bank][at.depth][at.element];
    }
}

}  // namespace edgemoe
