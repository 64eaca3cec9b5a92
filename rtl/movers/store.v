// SPDX-License-Identifier: MIT
// STORE: rows of any scratchpad to memory, word by word, at their pitch.
//
//   output[address + row·pitch + bytes·f] = source[source_row + row][f], zeros from the end of a row to its pitch
//
// A vector of 16 elements is `bytes` words, so it is read once for each of them; ROUTING is one read per row and word.
// Precondition: fields are held while busy; `vectors` = in_features/16 where the source is not ROUTING, `entries` =
// in_features (at most MAX_TOP_K) where it is; bank_values, sign-extended to 32 bits, belong to the read_depth and
// read_bank of VALUES_LATENCY cycles before, routing_values to the routing_row.
// Latency: one word a cycle; busy until the writer has taken the last one.
// Depth: a 4:1 multiplexer of bytes; a 64-bit addition.
`default_nettype none
`include "require.vh"
module store #(
    parameter ACTIVATION_BITS = 8,
    parameter RESIDUAL_BYTES = 2,
    parameter MAX_TOP_K = 4,
    parameter MEMORY_WORD_BYTES = 16,
    parameter VALUES_LATENCY = 4,  // cycles from a depth to its values
    parameter BUFFER_RESIDUAL = 1,
    parameter BUFFER_GATE_INPUT = 3,
    parameter BUFFER_ROUTING = 8,
    parameter LANE_BITS = 3,
    parameter DEPTH_BITS = 16,
    parameter VECTORS_BITS = 11
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    start,
    input  wire [3:0]              source,
    input  wire [15:0]             rows,
    input  wire [VECTORS_BITS-1:0] vectors,
    input  wire [4:0]              entries,
    input  wire [15:0]             source_row,
    input  wire [63:0]             address,
    output wire                    busy,
    output wire [LANE_BITS-1:0]    read_bank,
    output wire [DEPTH_BITS-1:0]   read_depth,
    input  wire [16*32-1:0]        bank_values,
    output wire [15:0]             routing_row,
    input  wire [MAX_TOP_K*32-1:0] routing_values,
    output wire                    word_valid,
    input  wire                    word_ready,
    output reg  [63:0]             word_address,
    output wire [127:0]            word
);
    localparam FIFO_DEPTH = 16;
    localparam ROUTING_WORDS = (MAX_TOP_K + 3) / 4;

    // Words of a vector, or of a row of ROUTING; bytes of an element.
    wire of_routing = source == BUFFER_ROUTING[3:0];
    wire [4:0] entry_words = (entries + 5'd3) >> 2;
    reg [2:0] bytes, parts;
    always @(posedge clk) begin
        bytes <= of_routing ? 3'd4 : source == BUFFER_GATE_INPUT[3:0] ? 3'd2
            : source == BUFFER_RESIDUAL[3:0] ? RESIDUAL_BYTES[2:0] : ACTIVATION_BITS[5:3];
        parts <= of_routing ? entry_words[2:0] : bytes;
    end

    // Reads: as many as the words that the queue still has room for.
    wire reading;
    reg [2:0] part;
    reg [$clog2(FIFO_DEPTH):0] promised;  // words read or in the queue
    reg room;  // promised is not FIFO_DEPTH
    wire issue = reading && room;
    reg last_part;
    wire [2:0] next_part = !issue ? part : last_part ? 3'd0 : part + 3'd1;
    wire [VECTORS_BITS-1:0] walked_vectors = of_routing ? {{(VECTORS_BITS-1){1'b0}}, 1'b1} : vectors;
    wire unused_last_vector, unused_last;
    wire [VECTORS_BITS-1:0] unused_vector;
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) walk (.clk(clk), .rst_n(rst_n), .start(start), .first_row(source_row), .rows(rows),
                   .vectors(walked_vectors), .advance(room && last_part), .active(reading), .row(routing_row),
                   .bank(read_bank), .depth(read_depth), .vector(unused_vector), .last_vector(unused_last_vector),
                   .last(unused_last));

    reg [VALUES_LATENCY:1] arriving;
    reg [3*VALUES_LATENCY-1:0] arriving_part;
    always @(posedge clk) begin
        if (start) part <= 3'd0;
        else part <= next_part;
        last_part <= next_part + 3'd1 == parts;
        arriving <= rst_n ? {arriving[VALUES_LATENCY-1:1], issue} : {VALUES_LATENCY{1'b0}};
        arriving_part <= {arriving_part[3*VALUES_LATENCY-4:0], part};
    end

    // One word of the values.
    wire [2:0] chosen = arriving_part[3*VALUES_LATENCY-1 -: 3];
    wire [ROUTING_WORDS*128-1:0] routing_words;
    reg [ROUTING_WORDS*128-1:0] kept_entries;
    reg [127:0] selected;
    reg selected_valid;
    integer entry, element;
    generate
        if (MAX_TOP_K % 4 == 0) begin : whole_words
            assign routing_words = routing_values;
        end else begin : filled_words
            assign routing_words = {{(ROUTING_WORDS*128-MAX_TOP_K*32){1'b0}}, routing_values};
        end
    endgenerate
    always @*
        for (entry = 0; entry < ROUTING_WORDS * 4; entry = entry + 1)
            kept_entries[32*entry +: 32] = entry[4:0] < entries ? routing_words[32*entry +: 32] : 32'd0;
    always @(posedge clk) begin
        selected_valid <= rst_n & arriving[VALUES_LATENCY];
        if (arriving[VALUES_LATENCY]) begin
            if (of_routing)
                selected <= kept_entries[128*chosen[$clog2(ROUTING_WORDS+1)-1:0] +: 128];
            else if (bytes == 3'd1)
                for (element = 0; element < 16; element = element + 1)
                    selected[8*element +: 8] <= bank_values[32*element +: 8];
            else if (bytes == 3'd2)
                for (element = 0; element < 8; element = element + 1)
                    selected[16*element +: 16] <= bank_values[256*chosen[0] + 32*element +: 16];
            else
                selected <= bank_values[128*chosen[1:0] +: 128];
        end
    end

    // Words wait for the writer; their addresses follow each other.
    wire no_word;
    wire pop = word_valid && word_ready;
    wire [$clog2(FIFO_DEPTH):0] queue_count;
    word_fifo #(.BITS(128), .DEPTH(FIFO_DEPTH)) queue (
        .clk(clk), .rst_n(rst_n), .push(selected_valid), .value(selected), .pop(pop), .front(word),
        .empty(no_word), .count(queue_count));
    assign word_valid = !no_word;
    wire unused = &{1'b0, unused_last_vector, unused_last, unused_vector, entry_words[4:3], chosen[2], queue_count};
    reg [3:1] starting;
    always @(posedge clk) begin
        starting <= rst_n ? {starting[2:1], start} : 3'd0;
        if (start) word_address <= address;
        else if (pop) word_address <= word_address + MEMORY_WORD_BYTES;
        room <= !rst_n || (promised == FIFO_DEPTH ? pop : promised != FIFO_DEPTH - 1 || !issue || pop);
        if (!rst_n) promised <= 0;
        else if (issue && !pop) promised <= promised + 1'b1;
        else if (!issue && pop) promised <= promised - 1'b1;
    end
    assign busy = |starting || reading || promised != 0;

    // Preconditions.
    `REQUIRE(rst_n && start && of_routing, entries != 0 && entries <= MAX_TOP_K, "entries are not 1 ... MAX_TOP_K")
endmodule
`default_nettype wire
