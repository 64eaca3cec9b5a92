// SPDX-License-Identifier: MIT
// LOAD: rows that were stored, word by word from memory into a scratchpad.
//
//   destination[destination_row + row][f] = memory[address + row·step + bytes·f]
//   step: the words of a row, or where pitch is not 0, pitch words; a command to data_reader for each row
//
// The reader is shared: no command is given while `hold` is up, and words come for load alone while `due`.
// A value keeps the bits that its scratchpad has; those of GATE_INPUT are clipped to ±WIDE_LIMIT. All three forms of a
// vector leave at a time, of which the destination's is meant. Words come in the order of the commands.
// Precondition: fields are held while busy; vectors = in_features/16; memory has answered for all writes; whoever raises
// hold gives no command of its own while `due`.
// Latency: commands 5 cycles after start; a vector is written 2 cycles after its last word, of 1, 2 or 4.
// Depth: a 64-bit addition; a multiplication; a comparison of 16 bits.
`default_nettype none
`include "require.vh"
module load #(
    parameter ACTIVATION_BITS = 8,
    parameter RESIDUAL_BITS = 16,
    parameter RESIDUAL_BYTES = 2,  // of a value in memory
    parameter WIDE_LIMIT = 32639,
    parameter BUFFER_RESIDUAL = 1,
    parameter BUFFER_GATE_INPUT = 3,
    parameter LANE_BITS = 3,
    parameter DEPTH_BITS = 16,
    parameter VECTORS_BITS = 11
) (
    input  wire                          clk,
    input  wire                          rst_n,
    input  wire                          start,
    input  wire [3:0]                    destination,
    input  wire [15:0]                   rows,
    input  wire [VECTORS_BITS-1:0]       vectors,
    input  wire [15:0]                   destination_row,
    input  wire [63:0]                   address,
    input  wire [15:0]                   pitch,
    output wire                          busy,
    input  wire                          hold,
    output reg                           due,  // words are on their way
    output wire                          command_valid,
    input  wire                          command_ready,
    output reg  [63:0]                   command_address,
    output wire [31:0]                   command_words,
    input  wire                          word_valid,
    output wire                          word_ready,
    input  wire [127:0]                  word,
    output reg                           write_enable,
    output reg  [LANE_BITS-1:0]          write_bank,
    output reg  [DEPTH_BITS-1:0]         write_depth,
    output reg  [16*ACTIVATION_BITS-1:0] activation_values,
    output reg  [16*16-1:0]              gate_values,
    output reg  [16*RESIDUAL_BITS-1:0]   residual_values
);
    localparam MOST_WORDS = RESIDUAL_BYTES > 2 ? RESIDUAL_BYTES : 2;  // of a vector
    localparam signed [15:0] LIMIT = WIDE_LIMIT;

    // Words of a vector.
    wire [2:0] bytes = destination == BUFFER_RESIDUAL[3:0] ? RESIDUAL_BYTES[2:0]
        : destination == BUFFER_GATE_INPUT[3:0] ? 3'd2 : ACTIVATION_BITS[5:3];
    reg [2:0] parts;

    // Commands.
    reg [4:1] starting;
    reg [VECTORS_BITS+1:0] row_words;
    reg [15:0] step;
    reg [15:0] commands_left;
    reg [VECTORS_BITS+3:0] due_words;
    assign command_valid = commands_left != 16'd0 && !hold;
    assign command_words = {{(30-VECTORS_BITS){1'b0}}, row_words};
    wire commanded = command_valid && command_ready;
    wire moves = word_valid && word_ready;
    always @(posedge clk) begin
        starting <= rst_n ? {starting[3:1], start} : 4'd0;
        parts <= bytes;
        row_words <= {2'b00, vectors} << (parts >> 1);
        step <= pitch != 16'd0 ? pitch : {{(14-VECTORS_BITS){1'b0}}, row_words};
        if (start) command_address <= address;
        else if (commanded) command_address <= command_address + {44'd0, step, 4'd0};
        if (!rst_n) commands_left <= 16'd0;
        else if (starting[4]) commands_left <= rows;
        else if (commanded) commands_left <= commands_left - 16'd1;
        due <= rst_n && (commanded || due_words != {{(VECTORS_BITS+3){1'b0}}, moves});
        due_words <= !rst_n ? {(VECTORS_BITS+4){1'b0}}
            : due_words + (commanded ? {2'b00, row_words} : {(VECTORS_BITS+4){1'b0}}) - {{(VECTORS_BITS+3){1'b0}}, moves};
    end

    // Words.
    wire active, unused_last, unused_last_vector;
    wire [15:0] unused_row;
    wire [VECTORS_BITS-1:0] unused_vector;
    wire [LANE_BITS-1:0] bank;
    wire [DEPTH_BITS-1:0] depth;
    reg [1:0] part;
    wire last_part = {1'b0, part} + 3'd1 == parts;
    assign word_ready = active;
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) walk (
        .clk(clk), .rst_n(rst_n), .start(start), .first_row(destination_row), .rows(rows), .vectors(vectors),
        .advance(moves && last_part), .active(active), .row(unused_row), .bank(bank), .depth(depth),
        .vector(unused_vector), .last_vector(unused_last_vector), .last(unused_last));

    reg complete;
    reg [128*MOST_WORDS-1:0] words;
    reg [LANE_BITS-1:0] bank_1;
    reg [DEPTH_BITS-1:0] depth_1;
    reg signed [15:0] value;
    integer place, element;
    always @(posedge clk) begin
        if (start) part <= 2'd0;
        else if (moves) part <= last_part ? 2'd0 : part + 2'd1;
        for (place = 0; place < MOST_WORDS; place = place + 1)
            if (moves && part == place[1:0]) words[128*place +: 128] <= word;
        complete <= rst_n && moves && last_part;
        bank_1 <= bank;
        depth_1 <= depth;
        write_enable <= rst_n && complete;
        write_bank <= bank_1;
        write_depth <= depth_1;
    end

    // A vector of each form.
    /* verilator lint_off BLKSEQ */
    always @(posedge clk)
        for (element = 0; element < 16; element = element + 1) begin
            activation_values[element*ACTIVATION_BITS +: ACTIVATION_BITS] <=
                words[element*ACTIVATION_BITS +: ACTIVATION_BITS];
            residual_values[element*RESIDUAL_BITS +: RESIDUAL_BITS] <= words[element*8*RESIDUAL_BYTES +: RESIDUAL_BITS];
            value = words[element*16 +: 16];
            gate_values[element*16 +: 16] <= value > LIMIT ? LIMIT : value < -LIMIT ? -LIMIT : value;
        end
    /* verilator lint_on BLKSEQ */
    assign busy = |starting || commands_left != 16'd0 || active || complete || write_enable;
    wire unused = &{1'b0, unused_last, unused_last_vector, unused_row, unused_vector};

    // Preconditions.
    `REQUIRE(rst_n && start, !busy, "start while it loads")
    `REQUIRE(rst_n && word_valid, due, "a word that was not asked for")
endmodule
`default_nettype wire
