// SPDX-License-Identifier: MIT
// Expert by expert: queues that gates fill, and gathering one expert's tokens side by side for the array.
//
//   push: queue[expert] gets (source, destination, score); clear empties all of them
//   gather: gathered[index] = NORM[queue[expert][index].source], index < lengths[expert], one vector a cycle
//   lookup: destination and score of queue[expert][index], for the outputs
//
// Sources and the rest stand in memories of their own, so that gathering and lookups do not disturb each other.
// Precondition: MAX_EXPERTS at least 2; no queue gets more than MAX_ROWS entries (rule 8); a queue is not empty when it
// is gathered; norm_vector belongs to the norm_read_depth and norm_read_bank of 3 cycles before; fields are held while
// busy.
// Latency: lengths 2 and summary 3 after push, 1 after clear and note_gate; lookup 2; busy for length·vectors + 12 cycles.
// Depth: a 16:1 multiplexer and an increment; a 16-bit addition; one multiplication.
`default_nettype none
`include "require.vh"
module experts #(
    parameter MAX_EXPERTS = 16,
    parameter MAX_ROWS = 258,
    parameter VECTOR_BITS = 128,
    parameter LANE_BITS = 3,
    parameter DEPTH_BITS = 16,
    parameter VECTORS_BITS = 11
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      clear,
    input  wire                      push_valid,
    input  wire [7:0]                push_expert,
    input  wire [15:0]               push_source,
    input  wire [15:0]               push_destination,
    input  wire [15:0]               push_score,
    input  wire                      note_gate,  // a GATE has ended: one past its last rows
    input  wire [15:0]               gate_source_end,
    input  wire [15:0]               gate_destination_end,
    output reg  [MAX_EXPERTS*16-1:0] lengths,
    output reg  [15:0]               longest,
    output reg  [8:0]                queues_end,  // one past the last expert with entries
    output reg  [15:0]               source_end,  // at least 1
    output reg  [15:0]               destination_end,
    input  wire [7:0]                lookup_expert,
    input  wire [15:0]               lookup_index,
    output reg  [15:0]               lookup_destination,
    output reg  [15:0]               lookup_score,
    input  wire                      start_gather,
    input  wire [7:0]                gather_expert,
    input  wire [VECTORS_BITS-1:0]   vectors,
    output wire                      busy,
    output reg  [LANE_BITS-1:0]      norm_read_bank,
    output reg  [DEPTH_BITS-1:0]     norm_read_depth,
    input  wire [VECTOR_BITS-1:0]    norm_vector,
    output wire                      write_enable,
    output wire [LANE_BITS-1:0]      write_bank,
    output wire [DEPTH_BITS-1:0]     write_depth,
    output wire [VECTOR_BITS-1:0]    write_values
);
    localparam ENTRIES = MAX_EXPERTS * MAX_ROWS;
    localparam ENTRY_BITS = $clog2(ENTRIES);
    localparam INDEX_BITS = $clog2(MAX_ROWS);
    localparam [ENTRY_BITS-INDEX_BITS-1:0] ABOVE = 0;  // an index as wide as an entry's number
    localparam EXPERT_BITS = MAX_EXPERTS > 1 ? $clog2(MAX_EXPERTS) : 1;
    localparam ROUND_TRIP = 8;  // from a place to the vector that is written there

    // Where the queue of each expert begins: constants, a small table instead of a multiplication.
    wire [(1<<EXPERT_BITS)*ENTRY_BITS-1:0] first_entries;
    genvar n;
    generate
        for (n = 0; n < 1 << EXPERT_BITS; n = n + 1) begin : beginnings
            localparam [31:0] FIRST = n * MAX_ROWS;
            assign first_entries[n*ENTRY_BITS +: ENTRY_BITS] = FIRST[ENTRY_BITS-1:0];
        end
    endgenerate
    reg [EXPERT_BITS-1:0] pushed_expert;
    wire [ENTRY_BITS-1:0] first_pushed = first_entries[pushed_expert*ENTRY_BITS +: ENTRY_BITS];
    wire [ENTRY_BITS-1:0] first_looked_up = first_entries[lookup_expert[EXPERT_BITS-1:0]*ENTRY_BITS +: ENTRY_BITS];
    reg [ENTRY_BITS-1:0] first_gathered;
    always @(posedge clk) first_gathered <= first_entries[gather_expert[EXPERT_BITS-1:0]*ENTRY_BITS +: ENTRY_BITS];

    // Queues: the length of the queue, then its entry.
    reg [15:0] sources [0:ENTRIES-1];
    reg [31:0] targets [0:ENTRIES-1];
    reg pushing, writing;
    reg [MAX_EXPERTS-1:0] pushing_to;  // pushed_expert, decoded
    reg [15:0] written_length;
    reg [8:0] written_end;
    reg [15:0] pushed_source, written_source;
    reg [31:0] pushed_target, written_target;
    reg [ENTRY_BITS-1:0] written_entry;
    wire [15:0] pushed_index = lengths[16*pushed_expert +: 16];
    wire [15:0] pushed_length = pushed_index + 16'd1;
    integer expert;
    wire [8:0] pushed_end = {{(9-EXPERT_BITS){1'b0}}, pushed_expert} + 9'd1;
    always @(posedge clk) begin
        pushing <= rst_n & push_valid & ~clear;
        pushed_expert <= push_expert[EXPERT_BITS-1:0];
        for (expert = 0; expert < MAX_EXPERTS; expert = expert + 1)
            pushing_to[expert] <= push_expert[EXPERT_BITS-1:0] == expert[EXPERT_BITS-1:0];
        pushed_source <= push_source;
        pushed_target <= {push_score, push_destination};
        writing <= rst_n & pushing & ~clear;
        written_entry <= first_pushed + {ABOVE, pushed_index[INDEX_BITS-1:0]};
        written_source <= pushed_source;
        written_target <= pushed_target;
        written_length <= pushed_length;
        written_end <= pushed_end;
        if (writing) begin
            sources[written_entry] <= written_source;
            targets[written_entry] <= written_target;
            if (written_length > longest) longest <= written_length;
            if (written_end > queues_end) queues_end <= written_end;
        end
        for (expert = 0; expert < MAX_EXPERTS; expert = expert + 1)
            if (pushing && pushing_to[expert]) lengths[16*expert +: 16] <= pushed_length;
        if (note_gate) begin
            if (gate_source_end > source_end) source_end <= gate_source_end;
            destination_end <= gate_destination_end;
        end
        if (!rst_n || clear) begin
            lengths <= {MAX_EXPERTS*16{1'b0}};
            longest <= 16'd0;
            queues_end <= 9'd0;
            source_end <= 16'd1;
            destination_end <= 16'd0;
        end
    end

    // Lookups.
    reg [ENTRY_BITS-1:0] lookup_entry;
    always @(posedge clk) begin
        lookup_entry <= first_looked_up + {ABOVE, lookup_index[INDEX_BITS-1:0]};
        {lookup_score, lookup_destination} <= targets[lookup_entry];
    end

    // Gathering: the place among the gathered, the entry, its row of NORM, where that lies.
    reg [15:0] gather_length;
    reg walk_start;
    always @(posedge clk) begin
        gather_length <= lengths[16*gather_expert[EXPERT_BITS-1:0] +: 16];
        walk_start <= rst_n & start_gather;
    end
    wire active, unused_last_vector, unused_last;
    wire [15:0] gathered_row;
    wire [LANE_BITS-1:0] bank;
    wire [DEPTH_BITS-1:0] depth;
    wire [VECTORS_BITS-1:0] vector;
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) gathered (
        .clk(clk), .rst_n(rst_n), .start(walk_start), .first_row(16'd0), .rows(gather_length), .vectors(vectors),
        .advance(1'b1), .active(active), .row(gathered_row), .bank(bank), .depth(depth), .vector(vector),
        .last_vector(unused_last_vector), .last(unused_last));

    reg [ENTRY_BITS-1:0] gather_entry;
    reg [15:0] source_row, located_row;
    reg [DEPTH_BITS-1:0] row_depth;
    reg [LANE_BITS-1:0] row_bank;
    reg [4*VECTORS_BITS-1:0] vectors_behind;
    wire [15:0] source_tile = located_row >> LANE_BITS;
    always @(posedge clk) begin
        gather_entry <= first_gathered + {ABOVE, gathered_row[INDEX_BITS-1:0]};
        source_row <= sources[gather_entry];
        located_row <= source_row;
        row_depth <= source_tile * vectors;
        row_bank <= located_row[LANE_BITS-1:0];
        vectors_behind <= {vectors_behind[3*VECTORS_BITS-1:0], vector};
        norm_read_depth <=
            row_depth + {{(DEPTH_BITS-VECTORS_BITS){1'b0}}, vectors_behind[4*VECTORS_BITS-1 -: VECTORS_BITS]};
        norm_read_bank <= row_bank;
    end

    reg [ROUND_TRIP-1:0] valid_behind;
    reg [ROUND_TRIP*LANE_BITS-1:0] banks_behind;
    reg [ROUND_TRIP*DEPTH_BITS-1:0] depths_behind;
    always @(posedge clk) begin
        valid_behind <= rst_n ? {valid_behind[ROUND_TRIP-2:0], active} : {ROUND_TRIP{1'b0}};
        banks_behind <= {banks_behind[(ROUND_TRIP-1)*LANE_BITS-1:0], bank};
        depths_behind <= {depths_behind[(ROUND_TRIP-1)*DEPTH_BITS-1:0], depth};
    end
    assign write_enable = valid_behind[ROUND_TRIP-1];
    assign write_bank = banks_behind[ROUND_TRIP*LANE_BITS-1 -: LANE_BITS];
    assign write_depth = depths_behind[ROUND_TRIP*DEPTH_BITS-1 -: DEPTH_BITS];
    assign write_values = norm_vector;

    reg [2:1] starting;  // row_walk says `active` 3 cycles after its start
    always @(posedge clk) starting <= rst_n ? {starting[1], walk_start} : 2'd0;
    assign busy = walk_start || |starting || active || |valid_behind;
    wire unused = &{1'b0, push_expert, lookup_expert, gather_expert, lookup_index, gathered_row,
                    unused_last_vector, unused_last};

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (MAX_EXPERTS < 2) begin : refused
            max_experts_must_be_2_or_more stop ();
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && pushing, pushed_index < MAX_ROWS, "more than MAX_ROWS entries in a queue")
endmodule
`default_nettype wire
