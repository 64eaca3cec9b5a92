// Fields of a drain step: one row of sums of each post row. Include after edgemoe_machine.vh.
/* verilator lint_off UNUSEDPARAM */
localparam DRAIN_ROWS = 0;                          // POST_ROWS: which are rows of the pass
localparam DRAIN_KIND = DRAIN_ROWS + POST_ROWS;     // 3
localparam DRAIN_LANE = DRAIN_KIND + 3;             // 4: lane of the first post row
localparam DRAIN_SLOT = DRAIN_LANE + 4;             // SLOT_BITS
localparam DRAIN_INDEX = DRAIN_SLOT + SLOT_BITS;    // 16: row relative to the pass
localparam DRAIN_ROW = DRAIN_INDEX + 16;            // 16: row it goes to
localparam DRAIN_VECTORS = DRAIN_ROW + 16;          // 11: vectors of a row there
localparam DRAIN_VECTOR = DRAIN_VECTORS + 11;       // 11: vector of that row
localparam DRAIN_PART = DRAIN_VECTOR + 11;          // 1: part of that vector
localparam DRAIN_THIRD = DRAIN_PART + 1;            // 2: QKV: query, key or value
localparam DRAIN_EXPERT = DRAIN_THIRD + 2;          // 8
localparam DRAIN_TILE = DRAIN_EXPERT + 8;           // 12: output tile of the pass
localparam DRAIN_QUERY = DRAIN_TILE + 12;           // 4: row of scores
localparam DRAIN_JOB_ENDS = DRAIN_QUERY + 4;        // 1
localparam DRAIN_PASS_ENDS = DRAIN_JOB_ENDS + 1;    // 1
localparam DRAIN_FIRST = DRAIN_PASS_ENDS + 1;       // 1: first member of its row
localparam DRAIN_LAST = DRAIN_FIRST + 1;            // 1: last member of its row
localparam DRAIN_BITS = DRAIN_LAST + 1;
