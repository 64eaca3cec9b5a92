// SPDX-License-Identifier: MIT
// Prefetched lines of the weight stream: filled by the weight ports, taken up to LINES lines a cycle.
//
// Line n lies in bank n mod LINES at row ⌊n/LINES⌋ mod DEPTH; its word w (16 bytes) comes from port w mod PORTS and
// lies in column w. Word j of a port belongs to line ⌊j·PORTS/4⌋. A line is available once every port has delivered its
// words of it; ports deliver in order, so their last index says so, whatever was skipped before.
//   skip_to = used·4/PORTS;  room_words = (used + CAPACITY)·4/PORTS, a cycle later, or (used + FEW)·4/PORTS from
//   begin_run until a cycle without hold_back;  used = lines taken or skipped, but for those that are kept
// available[n]: n lines or more are available.
// Preconditions: take only while available[take_lines], take_lines ≥ 1; take and skip never together; skip_lines ≤ left;
// keep and again in turn, again without a take or a skip. DEPTH is
// the largest power of two that PREFETCH_BYTES holds, CAPACITY = DEPTH·LINES at least 32 lines.
// ULTRA_RAM: columns of more than 1024 rows lie in UltraRAM, 4096 rows of two each, all others in block RAM.
// Words that arrive for skipped lines fall into rows that are free or, ports being in order, into which the words of
// later lines follow. range_begin: so many lines are left from then on, those of another range of the stream; all of
// the one before have been taken or skipped, 3 cycles ago. After a skip, none is available for four cycles; left counts two cycles later.
// Lines taken from `keep` on, in its own cycle too, stay and are left until `again`, after which they are taken once
// more; no more than CAPACITY − 32 of them, FEW − 32 during hold_back, since the ports bring no others; nothing is
// skipped meanwhile. After `again`, as after a skip, none is available for four cycles.
// Latency: taken_valid three cycles after take (memory, output register, rotation). A line is available four cycles
// after its last word. Depth: an addition of LINE_BITS; a comparison of LINE_BITS and a 4-input AND.
`default_nettype none
`include "require.vh"
`include "attributes.vh"
module weight_buffer #(
    parameter INDEX_BITS = 40,  // of a port's word index; longer streams are cut off at 2^(INDEX_BITS−2) − 1 lines
    parameter PORTS = 4,
    parameter TILE_LINES = 4,
    parameter PREFETCH_BYTES = 2097152,
    parameter HELD_BACK_LINES = 256,  // of room during hold_back, at most
    parameter ULTRA_RAM = 0
) (
    input  wire                        clk,
    input  wire                        rst_n,
    input  wire                        begin_run,
    input  wire [63:0]                 run_lines,
    output wire [INDEX_BITS-1:0]       run_words,  // run_lines in words of one port, for the ports
    output reg  [8:1]                  available,
    input  wire                        take,
    input  wire [2:0]                  take_lines,
    output reg                         taken_valid,
    output reg  [(TILE_LINES>1?TILE_LINES:1)*512-1:0] taken,
    input  wire                        skip,
    input  wire [31:0]                 skip_lines,
    input  wire                        hold_back,  // up from begin_run on: leave memory to another reader
    input  wire                        keep,
    input  wire                        again,
    output reg  [63:0]                 left,
    input  wire                        range_begin,
    input  wire [63:0]                 range_lines,
    input  wire [PORTS-1:0]            port_word_valid,
    input  wire [PORTS*128-1:0]        port_word,
    input  wire [PORTS*INDEX_BITS-1:0] port_word_index,
    output wire [INDEX_BITS-1:0]       room_words,
    output wire [INDEX_BITS-1:0]       skip_to
);
    localparam LINES = TILE_LINES > 1 ? TILE_LINES : 1;
    localparam BANK_BITS = $clog2(LINES);
    localparam DEPTH_BITS = $clog2(PREFETCH_BYTES / 64 / LINES + 1) - 1;
    localparam DEPTH = 1 << DEPTH_BITS;
    localparam LEVEL_BITS = DEPTH_BITS + BANK_BITS + 1;
    localparam PART_BITS = $clog2(4 / PORTS);  // words of a line on one port, log2
    localparam LINE_BITS = INDEX_BITS - 2;
    localparam LAST_PART = 4 / PORTS - 1;
    localparam STYLE = ULTRA_RAM != 0 && DEPTH > 1024 ? "ultra" : "block";
    wire unused_style = &{1'b0, STYLE};  // in an attribute only
    localparam LAST_BANK = LINES - 1;
    localparam [LINE_BITS-1:0] CAPACITY = DEPTH * LINES;
    localparam [LINE_BITS-1:0] FEW = DEPTH * LINES < HELD_BACK_LINES ? DEPTH * LINES : HELD_BACK_LINES;

    wire [LINE_BITS-1:0] lines = |run_lines[63:LINE_BITS] ? {LINE_BITS{1'b1}} : run_lines[LINE_BITS-1:0];
    assign run_words = {2'b00, lines} << PART_BITS;

    // Lines: head ≤ complete while settled, level = complete − head but for the line of `arrived`.
    reg [LINE_BITS-1:0] head, room, complete;
    reg [LEVEL_BITS-1:0] ahead;
    reg [LEVEL_BITS-1:0] level;
    reg arrived, behind;
    reg [1:0] settling;  // after a skip: 3 compare, 2 correct, 1 give again
    wire [PORTS-1:0] delivered;
    wire arriving = &delivered && settling == 0;
    // `KEEP: what needs only take_lines comes first, as `take` is late; a step is one level of logic.
    `KEEP wire [31:0] step = ({29'd0, take_lines} & {32{take}}) | (skip_lines & {32{skip}});
    reg [31:0] step_before;  // of lines that are used up
    reg few;  // FEW is the room, until the first cycle without hold_back
    reg keeping;
    wire kept = !again && (keep || keeping);  // what is taken now is not used up
    reg [LINE_BITS-1:0] first_kept;
    `KEEP wire [LEVEL_BITS-1:0] with_arrived = level + {{(LEVEL_BITS-1){1'b0}}, arrived};
    `KEEP wire many = |level[LEVEL_BITS-1:4];  // 16 or more, so at least 8 after any take
    `KEEP wire [LEVEL_BITS-1:0] with_arrived_taken = with_arrived - {{(LEVEL_BITS-3){1'b0}}, take_lines};
    // What is available next without a take and with one: `take` only chooses.
    wire [3:0] few_taken = level[3:0] - {1'b0, take_lines};
    wire [8:1] next_available;
    late_choice #(.BITS(8)) of_take (
        .late(take), .if_set({8{many}} | thermometer(few_taken)), .if_clear({8{many}} | thermometer(level[3:0])),
        .chosen(next_available));
    function [8:1] thermometer;
        input [3:0] number;
        integer n;
        for (n = 1; n <= 8; n = n + 1) thermometer[n] = number >= n[3:0];
    endfunction

    assign room_words = {2'b00, room} << PART_BITS;
    assign skip_to = {2'b00, keeping ? first_kept : head} << PART_BITS;

    always @(posedge clk) begin
        ahead <= complete[LEVEL_BITS-1:0] - head[LEVEL_BITS-1:0];
        behind <= complete < head;
        if (begin_run) begin
            head <= {LINE_BITS{1'b0}};
            room <= FEW;
            complete <= {LINE_BITS{1'b0}};
            left <= run_lines;
            step_before <= 32'd0;
        end else begin
            step_before <= kept ? 32'd0 : step;
            head <= (again ? first_kept : head) + {{(LINE_BITS-32){1'b0}}, step};
            room <= room + {{(LINE_BITS-32){1'b0}}, step_before} + (few && !hold_back ? CAPACITY - FEW : {LINE_BITS{1'b0}});
            left <= range_begin ? range_lines : left - {32'd0, step_before};
            if (settling == 2 && behind)
                complete <= head;
            else if (arriving)
                complete <= complete + 1'b1;
        end

        if (keep) first_kept <= head;
        keeping <= rst_n && !begin_run && kept;
        few <= begin_run || (few && hold_back);
        if (!rst_n || begin_run) begin
            level <= {LEVEL_BITS{1'b0}};
            arrived <= 1'b0;
            settling <= 2'd0;
            available <= 8'd0;
        end else begin
            arrived <= arriving;
            if (settling == 2)
                level <= behind ? {LEVEL_BITS{1'b0}} : ahead;
            else
                level <= take ? with_arrived_taken : with_arrived;
            if (skip || again)
                settling <= 2'd3;
            else if (settling != 0)
                settling <= settling - 2'd1;
            if (skip || again || settling > 1)
                available <= 8'd0;
            else
                available <= next_available;
        end
    end

    genvar port, bank, column;
    generate
        for (port = 0; port < PORTS; port = port + 1) begin : arrival
            wire [INDEX_BITS-1:0] index = port_word_index[port*INDEX_BITS +: INDEX_BITS];
            wire [LINE_BITS-1:0] line = index[PART_BITS +: LINE_BITS];
            wire [1:0] part = index[1:0] & LAST_PART[1:0];
            wire unused_index = &{1'b0, index};
            reg [LINE_BITS-1:0] received;  // lines up to here have come, or were skipped
            assign delivered[port] = received > complete;
            always @(posedge clk)
                if (!rst_n || begin_run)
                    received <= {LINE_BITS{1'b0}};
                else if (port_word_valid[port] && part == LAST_PART[1:0])
                    received <= line + 1'b1;
        end
    endgenerate

    // Memories: always read at the head; what a take finds there goes on, and was written cycles before.
    wire [1:0] head_bank = head[1:0] & LAST_BANK[1:0];
    wire [DEPTH_BITS-1:0] head_row = head[BANK_BITS +: DEPTH_BITS];
    wire [3:0] next_row = {1'b0, head_bank > 2, head_bank > 1, head_bank > 0};  // banks before the head's
    wire [LINES*512-1:0] bank_words;
    reg take_1, take_2;
    reg [1:0] bank_1, bank_2;
    integer i;
    wire unused = &{1'b0, next_row, bank_2};  // where LINES is 1

    generate
        for (bank = 0; bank < LINES; bank = bank + 1) begin : banks
            wire [DEPTH_BITS-1:0] read_row = head_row + {{(DEPTH_BITS-1){1'b0}}, next_row[bank]};
            for (column = 0; column < 4; column = column + 1) begin : columns
                localparam PORT = column % PORTS;
                localparam [31:0] PART = column / PORTS;
                wire here = port_word_valid[PORT] && arrival[PORT].part == PART[1:0]
                    && (arrival[PORT].line[1:0] & LAST_BANK[1:0]) == bank;
                (* ram_style = STYLE *) reg [127:0] memory [0:DEPTH-1];
                reg [127:0] read_1, read_2;
                always @(posedge clk) begin
                    if (here)
                        memory[arrival[PORT].line[BANK_BITS +: DEPTH_BITS]] <= port_word[PORT*128 +: 128];
                    read_1 <= memory[read_row];
                    if (take_1)
                        read_2 <= read_1;
                end
                assign bank_words[bank*512+column*128 +: 128] = read_2;
            end
        end
    endgenerate

    always @(posedge clk) begin
        bank_1 <= head_bank;
        bank_2 <= bank_1;
        if (take_2)
            for (i = 0; i < LINES; i = i + 1)
                taken[i*512 +: 512] <= bank_words[(({30'd0, bank_2} + i) & LAST_BANK)*512 +: 512];
        take_1 <= rst_n && !begin_run && take;
        take_2 <= rst_n && !begin_run && take_1;
        taken_valid <= rst_n && !begin_run && take_2;
    end

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (DEPTH * LINES < 32) begin : refused
            prefetch_bytes_must_hold_32_lines stop ();
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && take, |(({available, 1'b0} >> take_lines) & 9'd1), "more lines taken than are available")
    `REQUIRE(rst_n && take, !skip, "take and skip together")
    `REQUIRE(rst_n && again, keeping && !take && !skip && !keep, "lines are taken again that have not been kept")
    `REQUIRE(rst_n && keep, !keeping, "lines are kept while others are")
    `REQUIRE(rst_n && skip, !kept, "lines are skipped while others are kept")
    `REQUIRE(rst_n && skip, {32'd0, skip_lines} <= left - {32'd0, step_before}, "more lines skipped than are left")
    `REQUIRE(rst_n && range_begin, left == 64'd0 && step_before == 32'd0 && !take && !skip, "a range begins before the last one's end")
endmodule
`default_nettype wire
