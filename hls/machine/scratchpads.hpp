// Scratchpads with fixed roles; row r lies in bank r mod TOKEN_PAR, so that every lane reads its own bank. Which rows
// are valid. QUERY, KEY, VALUE and HIDDEN hold wide rows as digits: of each vector the high ones, then the low ones.
#pragma once

#include "banks.hpp"
#include "legality.hpp"

namespace edgemoe {

constexpr int ROW_DEPTH = ROW_ELEMENTS / (VECTOR * TOKEN_PAR);
constexpr int HIDDEN_DEPTH = HIDDEN_ELEMENTS / (VECTOR * TOKEN_PAR);
constexpr int ROUTING_ELEMENTS = round_up(MAX_ROWS, TOKEN_PAR) * MAX_TOP_K;
constexpr int GATHER_BUFFERS = 2;  // one expert's tokens are gathered beside the work on another's

static_assert(ROW_ELEMENTS % (VECTOR * TOKEN_PAR) == 0, "row buffers are whole tiles of vectors");
static_assert(HIDDEN_ELEMENTS % (VECTOR * TOKEN_PAR) == 0, "HIDDEN is whole tiles of vectors");

struct Scratchpads {
    ResidualWord residual[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS];
    ActivationWord norm[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS];
    GateWord gate_input[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS];
    ActivationWord query[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS];
    ActivationWord key[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS];
    ActivationWord value[TOKEN_PAR][ROW_DEPTH][VECTOR_WORDS];
    ActivationWord hidden[TOKEN_PAR][HIDDEN_DEPTH][VECTOR_WORDS];
    GatheredWord gathered[TOKEN_PAR][GATHER_BUFFERS * ROW_DEPTH][VECTOR_WORDS];  // experts' tokens, side by side
    uint32_t routing[ROUTING_ELEMENTS];
};

// Rows 0 … rows − 1 of a scratchpad are valid, of `features` each and of this width; nothing of an earlier run is.
struct Valid {
    int rows[BUFFER_ROUTING + 1];
    int features[BUFFER_ROUTING + 1];
    bool wide[BUFFER_ROUTING + 1];
};

inline void clear_valid(Valid &valid) {
CLEAR:
    for (int buffer = 0; buffer <= BUFFER_ROUTING; ++buffer) {  // trip BUFFER_ROUTING + 1
#pragma HLS unroll
        valid.rows[buffer] = 0;
        valid.features[buffer] = 0;
        valid.wide[buffer] = false;
    }
}

inline int valid_rows(const Valid &valid, int buffer, int features, bool wide = false) {
    return valid.features[buffer] == features && valid.wide[buffer] == wide ? valid.rows[buffer] : 0;
}

// Rule 8: every row read is valid, every write overwrites or extends without a gap.
inline bool may_access(const Valid &valid, const Accesses &a) {
    bool good = true;
CHECK:
    for (int n = 0; n < 3; ++n) {  // trip 3
#pragma HLS unroll
        if (n < a.reads) {
            const Rows &r = a.read[n];
            if (r.first + r.rows > valid_rows(valid, r.buffer, r.features, r.wide)) good = false;
        }
        if (n < a.writes) {
            const Rows &w = a.written[n];
            if (w.first > valid_rows(valid, w.buffer, w.features, w.wide)) good = false;
        }
    }
    return good;
}

// What an instruction has written is valid; with another number of features or width the buffer began afresh.
inline void mark_written(Valid &valid, const Accesses &a) {
MARK:
    for (int n = 0; n < 3; ++n) {  // trip 3
        if (n < a.writes) {
            const Rows &w = a.written[n];
            const int before = valid_rows(valid, w.buffer, w.features, w.wide);
            const int end = w.first + w.rows;
            valid.rows[w.buffer] = end > before ? end : before;
            valid.features[w.buffer] = w.features;
            valid.wide[w.buffer] = w.wide;
        }
    }
}

}  // namespace edgemoe
