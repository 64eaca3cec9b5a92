// Fields of a command to stream_reader, lowest bit of each. Include after edgemoe_machine.vh.
/* verilator lint_off UNUSEDPARAM */
localparam FETCH_KIND = 0;                // 3: FETCH_HEADER …
localparam FETCH_NUMBER = 3;              // 32: segment number of a header
localparam FETCH_COUNT = 35;              // 32: payload lines of a header, lines to pass on or to skip
localparam FETCH_OUTPUT_TILES = 67;       // 12
localparam FETCH_INPUT_TILES = 79;        // 12: right tiles per output tile
localparam FETCH_CHANNELS = 91;           // 1: channel records precede the tiles of an output tile
localparam FETCH_MEMBERS = 92;            // 4: values: output tiles of a group
localparam FETCH_HEAD_BASE = 96;          // 11: keys and values: first vector of the head
localparam FETCH_BITS = 107;
