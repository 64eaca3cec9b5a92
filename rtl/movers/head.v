// SPDX-License-Identifier: MIT
// HEAD: 16-bit outputs of the post lanes as words of memory.
//
//   up to POST_ROWS rows a cycle, of each one output tile: OUT_PAR values from row_address on, row_words words of them
//   exist; values from last_outputs on are written as zeros (the end of a row whose outputs are no whole words)
//
// Precondition: lanes may go on for 32 cycles after almost_full rises. row_words = ⌈last_outputs / 8⌉, 1 … OUT_PAR/8,
// and last_outputs, 1 … OUT_PAR, are those of the cycle, the same for all its rows.
// Latency: 5 from values to word; one word a cycle, row by row. busy: values are still on their way.
// Depth: an 8:1 multiplexer; a 64-bit addition of a constant.
`default_nettype none
`include "require.vh"
module head #(
    parameter POST_ROWS = 2,
    parameter OUT_PAR = 16,
    parameter OUTPUT_BITS = 16
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire [POST_ROWS-1:0]    row_valid,
    input  wire [POST_ROWS*64-1:0] row_address,
    input  wire [2:0]              row_words,
    input  wire [5:0]              last_outputs,
    input  wire [POST_ROWS*OUT_PAR*OUTPUT_BITS-1:0] values,
    output reg                     almost_full,
    output wire                    busy,
    output reg                     word_valid,
    input  wire                    word_ready,
    output reg  [63:0]             word_address,
    output reg  [127:0]            word
);
    localparam ROW_WORDS = OUT_PAR / 8;
    localparam WORD_NUMBER_BITS = ROW_WORDS > 1 ? $clog2(ROW_WORDS) : 1;
    localparam ROW_BITS = OUT_PAR * OUTPUT_BITS;
    localparam FIFO_DEPTH = 64;
    localparam ROOM = 32;
    localparam ENTRY_BITS = POST_ROWS * (1 + 64 + ROW_BITS) + 4;

    // Zeros beyond the last output: which there are, a cycle before.
    reg [POST_ROWS-1:0] valid_in;
    reg [POST_ROWS*64-1:0] address_in;
    reg [2:0] words_in;
    reg [POST_ROWS*ROW_BITS-1:0] values_in;
    reg [OUT_PAR-1:0] exists;
    reg pushing;
    reg [POST_ROWS-1:0] pushed_valid;
    reg [POST_ROWS*64-1:0] pushed_address;
    reg [2:0] pushed_words;
    reg pushed_single;  // one word is all
    reg [POST_ROWS*ROW_BITS-1:0] pushed_values;
    integer row, output_number;
    always @(posedge clk) begin
        valid_in <= rst_n ? row_valid : {POST_ROWS{1'b0}};
        address_in <= row_address;
        words_in <= row_words;
        values_in <= values;
        for (output_number = 0; output_number < OUT_PAR; output_number = output_number + 1)
            exists[output_number] <= output_number[5:0] < last_outputs;
        pushing <= rst_n & |valid_in;
        pushed_valid <= valid_in;
        pushed_address <= address_in;
        pushed_words <= words_in;
        pushed_single <= words_in == 3'd1 && (valid_in & (valid_in - 1'b1)) == {POST_ROWS{1'b0}};
        for (row = 0; row < POST_ROWS; row = row + 1)
            for (output_number = 0; output_number < OUT_PAR; output_number = output_number + 1)
                pushed_values[row*ROW_BITS + output_number*OUTPUT_BITS +: OUTPUT_BITS] <=
                    exists[output_number] ? values_in[row*ROW_BITS + output_number*OUTPUT_BITS +: OUTPUT_BITS] : {OUTPUT_BITS{1'b0}};
    end

    // All rows of a cycle are one entry; the one at hand is taken apart.
    wire no_entry, entry_taken;
    wire [ENTRY_BITS-1:0] entry;
    wire [$clog2(FIFO_DEPTH):0] count;
    word_fifo #(.BITS(ENTRY_BITS), .DEPTH(FIFO_DEPTH)) queue (
        .clk(clk), .rst_n(rst_n), .push(pushing), .value({pushed_single, pushed_words, pushed_valid, pushed_address, pushed_values}),
        .pop(entry_taken), .front(entry), .empty(no_entry), .count(count));
    always @(posedge clk) almost_full <= rst_n & count >= FIFO_DEPTH - ROOM - 5;

    wire [POST_ROWS*ROW_BITS-1:0] entry_values = entry[POST_ROWS*ROW_BITS-1:0];
    wire [POST_ROWS*64-1:0] entry_address = entry[POST_ROWS*ROW_BITS +: POST_ROWS*64];
    wire [POST_ROWS-1:0] entry_rows = entry[POST_ROWS*(ROW_BITS+64) +: POST_ROWS];
    wire [2:0] entry_words = entry[ENTRY_BITS-2 -: 3];
    wire entry_single = entry[ENTRY_BITS-1];

    // Row by row, word by word, into the output register. Whether the next word is the entry's last one is known a cycle
    // before, as `word_ready` is late and what takes an entry drives all of the queue's front.
    reg begun, later_word, later_word_is_last, later, later_ends;
    reg [POST_ROWS-1:0] waiting;
    reg [2:0] word_number;
    wire [POST_ROWS-1:0] rows_left = begun ? waiting : entry_rows;
    wire [POST_ROWS-1:0] this_row = rows_left & (~rows_left + 1'b1);
    wire last_row = rows_left == this_row;
    wire last_word = later_word ? later_word_is_last : entry_words == 3'd1;
    wire moves = !no_entry && (!word_valid || word_ready);
    wire finishes = later ? later_ends : entry_single;
    wire [POST_ROWS-1:0] later_rows = rows_left & ~this_row;
    wire last_row_next = (later_rows & (later_rows - 1'b1)) == {POST_ROWS{1'b0}};
    assign entry_taken = moves && finishes;
    reg [63:0] this_address;
    reg [ROW_BITS-1:0] this_values;
    integer n;
    always @* begin
        this_address = entry_address[63:0];
        this_values = entry_values[ROW_BITS-1:0];
        for (n = 1; n < POST_ROWS; n = n + 1)
            if (this_row[n]) begin
                this_address = entry_address[64*n +: 64];
                this_values = entry_values[ROW_BITS*n +: ROW_BITS];
            end
    end
    always @(posedge clk) begin
        if (moves) begin
            word_address <= this_address + {57'd0, word_number, 4'd0};
            word <= this_values[128*word_number[WORD_NUMBER_BITS-1:0] +: 128];
        end
        if (!rst_n) begin
            begun <= 1'b0;
            word_number <= 3'd0;
            later_word <= 1'b0;
            later <= 1'b0;
            word_valid <= 1'b0;
        end else begin
            if (moves) word_valid <= 1'b1;
            else if (word_ready) word_valid <= 1'b0;
            if (moves) word_number <= last_word ? 3'd0 : word_number + 3'd1;
            if (moves) later_word <= !last_word;
            if (moves) later_word_is_last <= word_number + 3'd2 == entry_words;
            if (moves) later <= !finishes;
            if (moves) later_ends <= last_word ? entry_words == 3'd1 && last_row_next : word_number + 3'd2 == entry_words && last_row;
            if (moves && last_word) begin
                begun <= !last_row;
                waiting <= later_rows;
            end
        end
    end
    assign busy = |valid_in || pushing || count != 0 || word_valid;

    // Preconditions.
    `REQUIRE(rst_n && |row_valid, last_outputs != 0 && last_outputs <= OUT_PAR, "last_outputs is not 1 ... OUT_PAR")
    `REQUIRE(rst_n && |row_valid, {row_words, 3'd0} >= last_outputs && {row_words, 3'd0} < last_outputs + 6'd8, "row_words are not those of last_outputs")
endmodule
`default_nettype wire
