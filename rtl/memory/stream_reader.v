// SPDX-License-Identifier: MIT
// Takes the weight stream apart, in its order, ahead of whoever uses it; attention's tiles keep that order.
//
//   HEADER: one line, checked against number and payload lines       LINES: passed on one by one
//   WEIGHTS: per output tile its channel records, then its tiles     SKIP: forgotten
//   KEYS, VALUES: tiles assembled by attention          KEPT, AGAIN: WEIGHTS that the buffer keeps; the same once more
//
// Narrow weights are expanded to whole ones here; where a line holds two tiles of them, the second waits in a register.
// Tiles and channel records are taken only when their queues have room, counting what is on its way.
// header_done comes with header_fault: rule 10 of docs/isa.md. Where the instruction closes a part of the stream, its last
// segment has to end it.
// Tiles of weights go through attention's register, which gives both to the array: weights stand two cycles after
// weights_coming, TAKE_LATENCY after their take.
// Depth: a comparison of 64 bits for headers; a counter.
`default_nettype none
`include "attributes.vh"
module stream_reader (
    clk, rst_n, command_valid, command_ready, command, idle, header_done, header_fault,
    available, take, take_lines, taken_valid, taken, skip, skip_lines, left, closes_part, last_segment,
    weights_coming, weights, tile_done, channel_push, channel_lines, channel_done, line_valid, line_ready, line,
    keep, again, attention_start, attention_busy, attention_reserve, tile_room, current, waits
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "fetch.vh"
    localparam LINE_QUEUE = 8;

    input  wire                               clk;
    input  wire                               rst_n;
    input  wire                               command_valid;
    output wire                               command_ready;
    input  wire [FETCH_BITS-1:0]              command;
    output wire                               idle;
    output reg                                header_done;
    output reg  [4:0]                         header_fault;
    input  wire [8:1]                         available;
    output wire                               take;
    output wire [2:0]                         take_lines;
    input  wire                               taken_valid;
    input  wire [TILE_BITS-1:0]               taken;
    output wire                               skip;
    output wire [31:0]                        skip_lines;
    input  wire [63:0]                        left;
    input  wire                               closes_part;
    input  wire [31:0]                        last_segment;
    output wire                               weights_coming;
    output wire [TILE_BITS-1:0]               weights;
    input  wire                               tile_done;
    output wire                               channel_push;
    output wire [CHANNEL_LINES*LINE_BITS-1:0] channel_lines;
    input  wire                               channel_done;
    output wire                               line_valid;
    input  wire                               line_ready;
    output wire [LINE_BITS-1:0]               line;
    output wire                               keep;
    output wire                               again;
    output wire                               attention_start;
    input  wire                               attention_busy;
    input  wire                               attention_reserve;
    output reg                                tile_room;
    output wire [FETCH_BITS-1:0]              current;
    output wire                               waits;

    // The command that runs; the next ones wait in a queue.
    wire [FETCH_BITS-1:0] front;
    wire none, full;
    wire [2:0] unused_count;
    wire next;
    fifo #(.BITS(FETCH_BITS), .DEPTH(4)) commands (
        .clk(clk), .rst_n(rst_n), .push(command_valid && !full), .value(command), .pop(next), .front(front),
        .empty(none), .full(full), .count(unused_count));
    assign command_ready = !full;

    reg running;
    reg [FETCH_BITS-1:0] now;
    assign current = now;
    // What it wants next, at most one of these, decoded on the way in; attends: attention is at work.
    reg wants_channels, wants_tile, wants_line, asks_header, skips, starts_attention, attends;
    reg keeps, rewinds;
    wire [2:0] front_kind = front[FETCH_KIND +: 3];
    wire front_again = front_kind == FETCH_AGAIN;
    wire front_weights = front_kind == FETCH_WEIGHTS || front_kind == FETCH_KEPT;
    reg [11:0] outputs_left, inputs_left;  // tiles, this one counted
    reg last_input, last_output, last_line;  // one is left
    reg ended;  // nothing was left one cycle ago; when something was and is no more, nothing is available either
    reg [31:0] lines_left;
    wire narrow = NARROW_WEIGHTS != 0 && now[FETCH_NARROW];
    wire [2:0] lines_of_tile = narrow ? NARROW_LINES[2:0] : TILE_LINES[2:0];
    reg second;  // the next narrow tile is the second one of its line

    // What is reserved; a take, which is late, only chooses between what it would be with one more and without.
    reg [4:0] tiles_reserved, channels_reserved;
    reg [3:0] lines_reserved;
    reg channel_room, line_room;
    wire line_taken = line_valid && line_ready;
    `KEEP wire [4:0] tiles_without = tiles_reserved - {4'd0, tile_done};
    `KEEP wire [4:0] tiles_with = tile_done ? tiles_reserved : tiles_reserved + 5'd1;
    `KEEP wire [4:0] channels_without = channels_reserved - {4'd0, channel_done};
    `KEEP wire [4:0] channels_with = channel_done ? channels_reserved : channels_reserved + 5'd1;
    `KEEP wire [3:0] lines_without = lines_reserved - {3'd0, line_taken};
    `KEEP wire [3:0] lines_with = line_taken ? lines_reserved : lines_reserved + 4'd1;
    `KEEP wire tile_room_without = tiles_without < TILE_QUEUE[4:0];
    `KEEP wire tile_room_with = tiles_with < TILE_QUEUE[4:0];
    `KEEP wire channel_room_without = channels_without < CHANNEL_QUEUE[4:0];
    `KEEP wire channel_room_with = channels_with < CHANNEL_QUEUE[4:0];
    `KEEP wire line_room_without = lines_without < LINE_QUEUE[3:0];
    `KEEP wire line_room_with = lines_with < LINE_QUEUE[3:0];
    wire wants_header = asks_header && !ended;
    wire enough_channels = available[CHANNEL_LINES];
    wire enough_tile = narrow ? available[NARROW_LINES] : available[TILE_LINES];
    wire take_channels = wants_channels && enough_channels && channel_room;
    `KEEP wire take_tile = wants_tile && (second || enough_tile) && tile_room;
    wire take_line = wants_line && available[1] && line_room;
    wire take_header = wants_header && available[1];
    stream_take taking (
        .wants_channels(wants_channels), .wants_tile(wants_tile), .wants_line(wants_line), .wants_header(wants_header),
        .second(second), .enough_channels(enough_channels), .enough_tile(enough_tile), .one_available(available[1]),
        .channel_room(channel_room), .tile_room(tile_room), .line_room(line_room), .take(take));
    assign take_lines = wants_channels ? CHANNEL_LINES[2:0] : wants_tile ? lines_of_tile : 3'd1;
    assign skip = skips;
    assign skip_lines = now[FETCH_COUNT +: 32];
    assign keep = keeps;
    assign again = rewinds;
    assign attention_start = starts_attention;
    assign waits = (wants_channels && !enough_channels) || (wants_tile && !second && !enough_tile)
        || ((wants_line || wants_header) && !available[1]);

    wire stream_ended = asks_header && ended;
    reg ends_part;
    wire [63:0] payload_lines = {32'd0, taken[63:32]};
    reg of_tile;  // one cycle after its take
    reg [TAKE_LATENCY-1:0] of_channels, of_line, of_header, of_narrow, of_second;
    wire header_arrives = taken_valid && of_header[TAKE_LATENCY-1];
    wire attention_ended = attends && !attention_busy;
    // `KEEP: what a take has no part in comes before it.
    `KEEP wire ends_otherwise = skips || header_arrives || stream_ended || attention_ended;
    `KEEP wire begins_otherwise = !none && (!running || ends_otherwise);
    `KEEP wire line_ends = take_line && last_line;
    wire finish = (take_tile && last_input && last_output) || line_ends || ends_otherwise;
    assign next = begins_otherwise || (!none && ((take_tile && last_input && last_output) || line_ends));
    assign idle = none && !running && tiles_reserved == 5'd0 && channels_reserved == 5'd0 && lines_reserved == 4'd0;

    wire tile_reserved = take_tile || attention_reserve;
    always @(posedge clk) begin
        if (!rst_n) begin
            running <= 1'b0;
            {wants_channels, wants_tile, wants_line, asks_header, skips, starts_attention, attends} <= 7'd0;
            {keeps, rewinds} <= 2'd0;
            tiles_reserved <= 5'd0;
            channels_reserved <= 5'd0;
            lines_reserved <= 4'd0;
            {tile_room, channel_room, line_room} <= 3'b111;
        end else begin
            running <= next || (running && !finish);
            skips <= next && front_kind == FETCH_SKIP;
            starts_attention <= next && (front_kind == FETCH_KEYS || front_kind == FETCH_VALUES);
            attends <= starts_attention || (attends && attention_busy);
            keeps <= next && front_kind == FETCH_KEPT;
            rewinds <= next && front_again;  // weights are wanted a cycle later
            wants_line <= next ? front_kind == FETCH_LINES : wants_line && !finish;
            asks_header <= next ? front_kind == FETCH_HEADER : asks_header && !take_header && !finish;
            if (next) begin
                wants_channels <= front_weights && front[FETCH_CHANNELS];
                wants_tile <= front_weights && !front[FETCH_CHANNELS];
            end else if (rewinds) begin
                wants_channels <= now[FETCH_CHANNELS];
                wants_tile <= !now[FETCH_CHANNELS];
            end else if (take_channels) begin
                wants_channels <= 1'b0;
                wants_tile <= 1'b1;
            end else if (take_tile && last_input) begin
                wants_channels <= !last_output && now[FETCH_CHANNELS];
                wants_tile <= !last_output && !now[FETCH_CHANNELS];
            end
            tiles_reserved <= tile_reserved ? tiles_with : tiles_without;
            tile_room <= tile_reserved ? tile_room_with : tile_room_without;
            channels_reserved <= take_channels ? channels_with : channels_without;
            channel_room <= take_channels ? channel_room_with : channel_room_without;
            lines_reserved <= take_line ? lines_with : lines_without;
            line_room <= take_line ? line_room_with : line_room_without;
        end
        if (next) begin
            now <= front;
            outputs_left <= front[FETCH_OUTPUT_TILES +: 12];
            inputs_left <= front[FETCH_INPUT_TILES +: 12];
            last_input <= front[FETCH_INPUT_TILES +: 12] == 12'd1;
            last_output <= front[FETCH_OUTPUT_TILES +: 12] == 12'd1;
            last_line <= front[FETCH_COUNT +: 32] == 32'd1;
            second <= 1'b0;
            lines_left <= front[FETCH_COUNT +: 32];
        end else begin
            if (take_tile) begin
                second <= narrow && LINE_TILES == 2 && !second && !last_input;
                inputs_left <= last_input ? now[FETCH_INPUT_TILES +: 12] : inputs_left - 12'd1;
                last_input <= last_input ? now[FETCH_INPUT_TILES +: 12] == 12'd1 : inputs_left == 12'd2;
                if (last_input) outputs_left <= outputs_left - 12'd1;
                if (last_input) last_output <= outputs_left == 12'd2;
            end
            if (take_line) lines_left <= lines_left - 32'd1;
            if (take_line) last_line <= lines_left == 32'd2;
        end
        ended <= left == 64'd0;
        of_tile <= rst_n && take_tile;
        of_second <= rst_n ? {of_second[TAKE_LATENCY-2:0], take_tile && second} : {TAKE_LATENCY{1'b0}};
        of_narrow <= {of_narrow[TAKE_LATENCY-2:0], narrow};
        of_channels <= rst_n ? {of_channels[TAKE_LATENCY-2:0], take_channels} : {TAKE_LATENCY{1'b0}};
        of_line <= rst_n ? {of_line[TAKE_LATENCY-2:0], take_line} : {TAKE_LATENCY{1'b0}};
        of_header <= rst_n ? {of_header[TAKE_LATENCY-2:0], take_header} : {TAKE_LATENCY{1'b0}};
        header_done <= rst_n && (header_arrives || stream_ended);
        ends_part <= STREAMING != 0 && closes_part && now[FETCH_NUMBER +: 32] == last_segment;
        header_fault <= stream_ended || payload_lines > left ? FAULT_STREAM_END[4:0]
            : taken[31:0] != now[FETCH_NUMBER +: 32] || taken[63:32] != now[FETCH_COUNT +: 32]
            || (ends_part && payload_lines != left)
            ? FAULT_SEGMENT_MISMATCH[4:0] : FAULT_NONE[4:0];
    end

    // Narrow weights: four bits each, the first in the lowest; sign-extended.
    reg [TILE_BITS/2-1:0] kept;  // the second tile of a line
    wire [TILE_BITS-1:0] whole;
    generate
        if (NARROW_WEIGHTS != 0) begin : narrow_tiles
            wire [TILE_BITS/2-1:0] halves = of_second[TAKE_LATENCY-1] ? kept : taken[TILE_BITS/2-1:0];
            reg [TILE_BITS-1:0] expanded;
            integer n;
            always @*
                for (n = 0; n < IN_PAR * OUT_PAR; n = n + 1)
                    expanded[n*WEIGHT_BITS +: WEIGHT_BITS] =
                        {{(WEIGHT_BITS-3){halves[n*4+3]}}, halves[n*4 +: 3]};
            always @(posedge clk) if (taken_valid) kept <= taken[TILE_BITS-1:TILE_BITS/2];
            assign whole = of_narrow[TAKE_LATENCY-1] ? expanded : taken;
        end else begin : whole_tiles
            always @(posedge clk) kept <= {(TILE_BITS/2){1'b0}};
            assign whole = taken;
            wire unused_narrow = &{1'b0, of_narrow, of_second, kept};
        end
    endgenerate
    assign weights_coming = of_tile;
    assign weights = whole;
    assign channel_push = taken_valid && of_channels[TAKE_LATENCY-1];
    assign channel_lines = taken[CHANNEL_LINES*LINE_BITS-1:0];
    wire no_line, unused_full;
    wire [$clog2(LINE_QUEUE):0] unused_lines;
    fifo #(.BITS(LINE_BITS), .DEPTH(LINE_QUEUE)) lines (
        .clk(clk), .rst_n(rst_n), .push(taken_valid && of_line[TAKE_LATENCY-1]), .value(taken[LINE_BITS-1:0]),
        .pop(line_taken), .front(line), .empty(no_line), .full(unused_full), .count(unused_lines));
    assign line_valid = !no_line;
    wire unused = &{1'b0, closes_part, last_segment, available, unused_count, unused_full, unused_lines};
endmodule
`default_nettype wire
