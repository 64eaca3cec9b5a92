// Fields of a pass, one product on the array with one epilogue; lowest bit of each. Include after edgemoe_machine.vh.
/* verilator lint_off UNUSEDPARAM */
localparam PASS_KIND = 0;                 // 3: PASS_QKV …
localparam PASS_LEFT = 3;                 // 3: LEFT_NORM …
localparam PASS_FIRST_ROW = 6;            // 16: of the left operand
localparam PASS_END_ROW = 22;             // 16: one past the last
localparam PASS_LEFT_VECTORS = 38;        // 11: vectors of a row
localparam PASS_LEFT_BASE = 49;           // 11: first vector read of a row
localparam PASS_INPUT_TILES = 60;         // 12
localparam PASS_OUTPUT_TILES = 72;        // 12
localparam PASS_MEMBERS = 84;             // 4: output tiles of a group, 1 or for P·V up to CONTEXT_MEMBERS
localparam PASS_DESTINATION_ROW = 88;     // 16: where first_row goes
localparam PASS_DESTINATION_VECTORS = 104;  // 11
localparam PASS_DESTINATION_BASE = 115;   // 11
localparam PASS_BLOCK = 126;              // 1: which half of the score rows
localparam PASS_AFTER_DRAIN = 127;        // 1: begins when everything before it has been written
localparam PASS_EXPERT = 128;             // 8
localparam PASS_BITS = 136;

// Fields of a drain job, the sums of one group on their way out: the pass, then these.
localparam JOB_SLOT = PASS_BITS;          // SLOT_BITS: first row of sums
localparam JOB_TILES = JOB_SLOT + SLOT_BITS;  // 8: token tiles
localparam JOB_OUTPUT_TILE = JOB_TILES + 8;  // 12: first output tile
localparam JOB_MEMBERS = JOB_OUTPUT_TILE + 12;  // 4: output tiles of this group, fewer in the last one
localparam JOB_LAST = JOB_MEMBERS + 4;    // 1: last group of its pass
localparam JOB_BITS = JOB_LAST + 1;
