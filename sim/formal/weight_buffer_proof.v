// SPDX-License-Identifier: MIT
// weight_buffer behind ports that deliver as weight_port does (in order, within room and run, gaps only up to skip_to),
// with any takes, skips, second passes over kept lines and hold_back that its preconditions allow. More lines may be
// kept than it holds: the others are never available.
`default_nettype none
module weight_buffer_proof #(
    parameter PORTS = 2,
    parameter TILE_LINES = 4,
    parameter PREFETCH_BYTES = 32768,
    parameter HELD_BACK_LINES = 256,
    parameter RUN_BITS = 12,  // runs below 2^RUN_BITS lines
    parameter SHORT = 0       // 1: one run without skips, and word 0 of each line
) (
    input wire                clk,
    input wire                begin_run,
    input wire [63:0]         run_lines,
    input wire                take,
    input wire [2:0]          take_lines,
    input wire                skip,
    input wire [31:0]         skip_lines,
    input wire                hold_back,
    input wire                keep,
    input wire                again,
    input wire [PORTS-1:0]    port_word_valid,
    input wire [PORTS*128-1:0] port_word,
    input wire [PORTS*40-1:0] port_word_index
);
    localparam CAPACITY = PREFETCH_BYTES / 64;
    localparam FEW = CAPACITY < HELD_BACK_LINES ? CAPACITY : HELD_BACK_LINES;
    localparam LEVEL_BITS = $clog2(CAPACITY) + 1;
    localparam PARTS = 4 / PORTS;
    localparam SHIFT = $clog2(PARTS);
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire [39:0] run_words, room_words, skip_to;
    wire [8:1] available_from;
    reg [3:0] available;
    integer n;
    always @* begin
        available = 4'd0;
        for (n = 1; n <= 8; n = n + 1) available = available + {3'd0, available_from[n]};
    end
    wire taken_valid;
    wire [TILE_LINES*512-1:0] taken;
    wire [63:0] left;
    wire range_begin = 1'b0;
    wire [63:0] range_lines = 64'd0;
    weight_buffer #(
        .PORTS(PORTS), .TILE_LINES(TILE_LINES), .PREFETCH_BYTES(PREFETCH_BYTES), .HELD_BACK_LINES(HELD_BACK_LINES)
    ) unit (.available(available_from), .*);

    // A run, and what the ports have delivered of it.
    reg begun;
    reg [37:0] lines, head, used_before;
    reg keeping, few;
    reg [37:0] first;  // that is kept
    wire [37:0] used = keeping ? first : head;
    reg [37:0] end_before;  // of the room
    reg [39:0] skip_before;
    reg [3:1] again_before;  // so many cycles ago
    reg [39:0] next [0:PORTS-1];  // first word of each port that has not come
    reg [37:0] whole [0:PORTS-1];  // lines up to which each port has delivered
    reg ordered;
    integer port;
    always @* begin
        ordered = 1;
        for (port = 0; port < PORTS; port = port + 1)
            if (port_word_valid[port] && (port_word_index[port*40 +: 40] >= room_words
                || port_word_index[port*40 +: 40] >= lines << SHIFT || port_word_index[port*40 +: 40] < next[port]
                || (port_word_index[port*40 +: 40] > next[port] && port_word_index[port*40 +: 40] > skip_to)))
                ordered = 0;
    end
    always @(posedge clk) begin
        if (!begun || begin_run) assume (!take && !skip && !keep && !again && port_word_valid == 0);
        if (begun) assume (ordered);
        if (take) assume (take_lines <= TILE_LINES);
        if (SHORT != 0) assume (!skip && (!begun || !begin_run));
        if (begin_run) assume (run_lines < 64'd1 << RUN_BITS);
        if (begin_run) begin
            lines <= run_lines;
            head <= 0;
            used_before <= 0;
            keeping <= 0;
            few <= 1;
            end_before <= 0;
            skip_before <= 0;
            again_before <= 0;
            for (port = 0; port < PORTS; port = port + 1) begin
                next[port] <= 0;
                whole[port] <= 0;
            end
        end else begin
            used_before <= used;
            head <= again ? first : head + (take ? take_lines : 3'd0) + (skip ? skip_lines : 32'd0);
            keeping <= !again && (keep || keeping);
            if (keep) first <= head;
            few <= few && hold_back;
            end_before <= room_words >> SHIFT;
            skip_before <= skip_to;
            again_before <= {again_before[2:1], again};
            for (port = 0; port < PORTS; port = port + 1)
                if (port_word_valid[port]) begin
                    next[port] <= port_word_index[port*40 +: 40] + 1;
                    if (port_word_index[port*40 +: 40] % PARTS == PARTS - 1)
                        whole[port] <= port_word_index[port*40 +: 40] / PARTS + 38'd1;
                end
        end
        begun <= rst_n && (begun || begin_run);
    end
    reg [37:0] least;  // lines that all ports have delivered
    always @* begin
        least = whole[0];
        for (port = 1; port < PORTS; port = port + 1)
            if (whole[port] < least) least = whole[port];
    end

    always @(posedge clk)
        if (rst_n && begun && !begin_run) begin
            available_lines_are_there: assert (available == 0 || head + available <= least);
            never_past_the_run: assert (head <= lines && head + available <= lines);
            room_is_free: assert (room_words <= (head + CAPACITY) << SHIFT);
            room_comes_back: assert (room_words == (used_before + (few ? FEW : CAPACITY)) << SHIFT);
            skips_what_is_used: assert (skip_to == used << SHIFT);
            left_follows: assert (left == lines - used_before);
            if (keeping) kept_is_not_overwritten: assert (room_words <= (first + CAPACITY) << SHIFT);
            if (keeping) kept_is_left: assert (left == lines - first);
            if (again_before[1]) again_from_the_first: assert (skip_to == first << SHIFT);
            if (again_before != 0) none_after_again: assert (available == 0);
            room_never_falls: assert (room_words >> SHIFT >= end_before);
            skip_never_falls: assert (skip_to >= skip_before);
        end

    // Any one word of any one line is what is taken, in both passes.
    (* anyconst *) reg [37:0] line;
    (* anyconst *) reg [1:0] any_column;
    wire [1:0] column = SHORT != 0 ? 2'd0 : any_column;
    reg [127:0] value;
    reg [37:0] first_1, first_2, first_3;
    reg [2:0] count_1, count_2, count_3;
    reg restarted;
    reg [37:0] end_kept;  // line behind the last one that was kept
    reg once_more_1, once_more_2, once_more_3;
    wire [37:0] place = line - first_3;
    always @(posedge clk) begin
        if (port_word_valid[column % PORTS]
            && port_word_index[(column % PORTS)*40 +: 40] == (line << SHIFT) + column / PORTS)
            value <= port_word[(column % PORTS)*128 +: 128];
        restarted <= begun && (restarted || begin_run);
        {first_1, count_1} <= {head, take && rst_n ? take_lines : 3'd0};
        {first_2, count_2} <= {first_1, count_1};
        {first_3, count_3} <= {first_2, count_2};
        if (begin_run) end_kept <= 0;
        else if (again) end_kept <= head;
        once_more_1 <= !keeping && !keep && head < end_kept;
        {once_more_3, once_more_2} <= {once_more_2, once_more_1};
        if (rst_n && begun && !restarted && taken_valid && line >= first_3 && place < count_3) begin
            taken_is_what_came: assert (taken[place[1:0]*512 + column*128 +: 128] == value);
            if (once_more_3) taken_again_is_what_came: assert (taken[place[1:0]*512 + column*128 +: 128] == value);
        end
    end

    // Invariants.
    (* hierconn *) wire [37:0] \unit.head ;
    (* hierconn *) wire [37:0] \unit.room ;
    (* hierconn *) wire [37:0] \unit.complete ;
    (* hierconn *) wire [LEVEL_BITS-1:0] \unit.level ;
    (* hierconn *) wire [LEVEL_BITS-1:0] \unit.ahead ;
    (* hierconn *) wire \unit.arrived ;
    (* hierconn *) wire \unit.behind ;
    (* hierconn *) wire [1:0] \unit.settling ;
    (* hierconn *) wire [31:0] \unit.step_before ;
    (* hierconn *) wire \unit.keeping ;
    (* hierconn *) wire \unit.few ;
    (* hierconn *) wire [37:0] \unit.first_kept ;
    (* hierconn *) wire [37:0] \unit.arrival[0].received ;
    (* hierconn *) wire [37:0] \unit.arrival[1].received ;
    wire [37:0] complete = \unit.complete ;
    always @(posedge clk)
        if (rst_n && begun) begin
            heads: assert (\unit.head == head && used == used_before + \unit.step_before && head <= lines
                           && \unit.room == used_before + (few ? FEW : CAPACITY) && left == lines - used_before
                           && used_before <= used && lines < 38'd1 << RUN_BITS);
            keeps: assert (\unit.keeping == keeping && \unit.few == few && (!keeping || (\unit.first_kept == first
                           && first <= head && (\unit.settling == 0 || head == first))));
            received: assert (\unit.arrival[0].received == whole[0] && \unit.arrival[1].received == whole[1]);
            if (\unit.settling == 0)
                levels: assert (complete >= head && complete - used <= CAPACITY && complete <= lines
                                && \unit.level + \unit.arrived == complete - head && available <= \unit.level );
            flags: assert ((available_from & (available_from + 8'd1)) == 0);
            if (\unit.settling != 0) settles: assert (available == 0);
            if (\unit.settling == 2) compares: assert (\unit.behind == (complete < head) && !\unit.arrived
                && (complete < head || \unit.ahead == complete - head));
            if (\unit.settling == 1) corrected: assert (complete >= head && complete <= lines && !\unit.arrived
                && complete - head <= CAPACITY && \unit.level == complete - head);
            completes: assert (complete <= used || complete <= least);
            pasts: assert (end_before <= \unit.room && skip_before <= used << SHIFT
                           && (!again_before[1] || (!keeping && head == first && \unit.settling == 3))
                           && (!again_before[2] || \unit.settling >= 2) && (!again_before[3] || \unit.settling >= 1));
            ports: assert (next[0] <= lines << SHIFT && next[1] <= lines << SHIFT
                           && next[0] >= whole[0] << SHIFT && next[1] >= whole[1] << SHIFT
                           && whole[0] <= lines && whole[1] <= lines
                           && next[0] <= room_words && next[1] <= room_words);
        end
endmodule
`default_nettype wire
