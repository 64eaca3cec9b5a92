// Sizes of the machine that follow from the specification. Include after edgemoe_spec.vh, inside a module body.
/* verilator lint_off UNUSEDPARAM */

localparam LINE_BITS = 8 * STREAM_LINE_BYTES;
localparam WORD_BITS = 8 * MEMORY_WORD_BYTES;
localparam TILE_BITS = IN_PAR * OUT_PAR * WEIGHT_BITS;
localparam TILE_LINES = TILE_BITS / LINE_BITS;
localparam CHANNEL_LINES = OUT_PAR * CHANNEL_BYTES / STREAM_LINE_BYTES;
localparam VECTOR_BITS = VECTOR * ACTIVATION_BITS;
localparam RESIDUAL_VECTOR = VECTOR * RESIDUAL_BITS;
localparam RESIDUAL_ALL = TOKEN_PAR * RESIDUAL_VECTOR;
localparam IN_PARTS = VECTOR / IN_PAR;    // input tiles per vector of a scratchpad
localparam OUT_PARTS = VECTOR / OUT_PAR;  // output tiles per vector
localparam LANE_BITS = $clog2(TOKEN_PAR);
localparam DEPTH_BITS = 16;               // of a bank of any scratchpad
localparam VECTORS_BITS = 11;             // of a number of vectors of a row, ≤ MAX_FEATURES / VECTOR
localparam ROW_DEPTH = ROW_ELEMENTS / (VECTOR * TOKEN_PAR);
localparam HIDDEN_DEPTH = HIDDEN_ELEMENTS / (VECTOR * TOKEN_PAR);
localparam READ_LATENCY = 2;              // of a scratchpad
localparam TAKE_LATENCY = 3;              // of the weight buffer

// The array
localparam OPERAND_BITS = EXPONENTIAL_BITS + 1;                         // left: activation or exponential, signed
localparam PACKED_BITS = FINE != 0 ? 2 * WEIGHT_BITS : WEIGHT_BITS + 19;  // right: weights of two outputs
localparam PACKED_TILE_BITS = IN_PAR * (OUT_PAR / 2) * PACKED_BITS;
localparam LOGIT_BITS = FINE != 0 ? 48 : 42;                            // the gate's sums, exact
localparam GATE_DIGITS = FINE != 0 ? 1 : 2;                             // 16-bit operands as digits of 8 bits
localparam LOGIT_ROWS = 2 * GATE_DIGITS - 1;                            // sums of a logit, one for each power of 256
localparam TILE_QUEUE = 16;               // right tiles that wait for the array
localparam CHANNEL_QUEUE = 16;            // output tiles whose channel records wait for their sums

// The post lanes
localparam POST_ROWS = POST_LANES / OUT_PAR;
localparam POST_BITS = RESIDUAL_BITS + GUARD_BITS;  // the widest that any epilogue keeps
localparam FACTOR_BITS = RECIPROCAL_BITS > MULTIPLIER_BITS ? RECIPROCAL_BITS : MULTIPLIER_BITS;
localparam CHANNEL_BITS = ACCUMULATOR_BITS + MULTIPLIER_BITS + 6;  // bias, multiplier, shift

// Attention: scores of QUERY_TILES tiles of queries stand at a time, twice
localparam QUERY_TILES = 8;
localparam CONTEXT_MEMBERS = 8;           // output tiles of P·V made in one sweep over the scores
localparam QUERY_BITS = 4;                // {which of two blocks, tile of queries}
localparam KEY_WORD_BITS = $clog2(MAX_TOKENS / OUT_PAR + 2);
localparam SCORE_ADDRESS_BITS = QUERY_BITS + KEY_WORD_BITS;
localparam OCTAVE_BITS = SCORE_BITS - SCORE_FRACTION + 1;
localparam TOTAL_BITS = EXPONENTIAL_BITS + 11;  // 2048 keys

// Sums: a ring of rows per lane
localparam ROW_TILES = (MAX_ROWS + TOKEN_PAR - 1) / TOKEN_PAR + 1;
localparam GROUP_SLOTS = ROW_TILES > QUERY_TILES * CONTEXT_MEMBERS ? ROW_TILES : QUERY_TILES * CONTEXT_MEMBERS;
localparam LOGIT_SLOTS = LOGIT_ROWS * ROW_TILES;
localparam SLOT_BITS = $clog2(2 * GROUP_SLOTS > LOGIT_SLOTS ? 2 * GROUP_SLOTS : LOGIT_SLOTS);  // two, or one of logits
localparam SLOTS = 1 << SLOT_BITS;

// What a pass does with its sums
localparam [2:0] PASS_QKV = 0, PASS_GELU = 1, PASS_RESIDUAL = 2, PASS_WEIGHTED = 3;
localparam [2:0] PASS_HEAD = 4, PASS_LOGITS = 5, PASS_SCORES = 6, PASS_CONTEXT = 7;

// Where its left operands come from
localparam [2:0] LEFT_NORM = 0, LEFT_HIDDEN = 1, LEFT_GATE_INPUT = 2, LEFT_QUERY = 3;
localparam [2:0] LEFT_GATHERED = 4, LEFT_EXPONENTIALS = 5;

// Fetches of stream_reader
localparam [2:0] FETCH_HEADER = 0, FETCH_WEIGHTS = 1, FETCH_KEYS = 2, FETCH_VALUES = 3;
localparam [2:0] FETCH_LINES = 4, FETCH_SKIP = 5;
