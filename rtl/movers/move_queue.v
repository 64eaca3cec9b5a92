// SPDX-License-Identifier: MIT
// LOAD and STORE wait here and are done one after the other, beside the instructions behind them: builds with STREAMING.
//
//   push → waiting → start_load or start_store, fields held → the unit is no longer busy → gone
//
// As one is done at a time, in the order of the program, memory has every row that is loaded; LOAD waits until memory has
// answered for all writes. What executes meanwhile is held back by `blocked` while a move that is not done
//
//   loads into a scratchpad that it writes, or into rows that it reads
//   stores from a scratchpad that it reads, or from rows that it writes
//   shares memory's port with it: exclusive
//   may touch what its queues name: of_experts, all scratchpads but QUERY, KEY, VALUE and ROUTING
//
// A scratchpad has one read and one write port; rows with other features count as the same rows.
// Precondition: push only with room; the fields of an instruction are held from check to push, its accesses come behind
// check; nothing is pushed between check and the end of that instruction's work.
// Latency: 3 from push to start; blocked 1 after check or access. Depth: a comparison of 17 bits.
`default_nettype none
`include "require.vh"
module move_queue #(
    parameter MOVES_BITS = 2,  // 2^MOVES_BITS moves
    parameter BUFFER_QUERY = 4,
    parameter BUFFER_VALUE = 6,
    parameter BUFFER_ROUTING = 8
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire        push,
    input  wire        loads,
    input  wire [3:0]  scratchpad,
    input  wire [15:0] rows,
    input  wire [15:0] first_row,
    input  wire [15:0] features,
    input  wire [63:0] address,
    input  wire [15:0] pitch,
    output reg         room,
    output reg         idle,  // no move that is not done
    input  wire        check,
    input  wire        exclusive,
    input  wire        of_experts,
    input  wire        access,
    input  wire        access_writes,
    input  wire [3:0]  access_scratchpad,
    input  wire [15:0] access_first,
    input  wire [16:0] access_end,
    input  wire [15:0] access_features,
    output reg         blocked,
    input  wire        written,  // memory has answered for all writes
    input  wire        busy,  // the unit that was started, at the latest 4 cycles after that
    output wire        start_load,
    output wire        start_store,
    output wire        storing,
    output wire [3:0]  move_scratchpad,
    output wire [15:0] move_rows,
    output wire [15:0] move_first_row,
    output wire [15:0] move_features,
    output wire [63:0] move_address,
    output wire [15:0] move_pitch
);
    localparam MOVES = 1 << MOVES_BITS;
    localparam BITS = 1 + 4 + 3 * 16 + 64 + 16;

    reg [BITS-1:0] moves [0:MOVES-1];
    reg [BITS-1:0] oldest_move;
    reg [MOVES_BITS-1:0] newest, oldest;
    reg [MOVES-1:0] waiting, conflict, hits;
    wire oldest_loads;
    assign {oldest_loads, move_scratchpad, move_rows, move_first_row, move_features, move_address, move_pitch} =
        oldest_move;

    // The oldest one: its fields, its start, some cycles until the unit says that it is busy, its end.
    localparam [2:0] READ = 0, START = 1, BUSY = 6;
    reg [2:0] phase;
    wire starts = phase == START && (!oldest_loads || written);
    wire ends = phase == BUSY && !busy;
    assign start_load = starts && oldest_loads;
    assign start_store = starts && !oldest_loads;
    assign storing = phase != READ && !oldest_loads;
    always @(posedge clk) begin
        oldest_move <= phase == READ ? moves[oldest] : oldest_move;
        case (phase)
            READ: if (waiting[oldest]) phase <= START;
            START: if (starts) phase <= phase + 3'd1;
            BUSY: if (ends) phase <= READ;
            default: phase <= phase + 3'd1;
        endcase
        if (!rst_n) phase <= READ;
    end

    // What the instruction that is checked would disturb.
    reg [MOVES-1:0] into, apart;  // loads into the scratchpad; EXPERTS does not touch it
    reg [3:0] place [0:MOVES-1];
    reg [15:0] first [0:MOVES-1];
    reg [16:0] row_end [0:MOVES-1];
    reg [15:0] width [0:MOVES-1];
    integer n;
    always @*
        for (n = 0; n < MOVES; n = n + 1)
            hits[n] = access && access_scratchpad == place[n]
                && (access_writes == into[n] || access_features != width[n]
                    || ({1'b0, access_first} < row_end[n] && {1'b0, first[n]} < access_end));
    always @(posedge clk) begin
        if (push) begin
            moves[newest] <= {loads, scratchpad, rows, first_row, features, address, pitch};
            into[newest] <= loads;
            apart[newest] <= (scratchpad >= BUFFER_QUERY[3:0] && scratchpad <= BUFFER_VALUE[3:0])
                || scratchpad == BUFFER_ROUTING[3:0];
            place[newest] <= scratchpad;
            first[newest] <= first_row;
            row_end[newest] <= {1'b0, first_row} + {1'b0, rows};
            width[newest] <= features;
        end
        for (n = 0; n < MOVES; n = n + 1) begin
            conflict[n] <= check ? exclusive || (of_experts && !apart[n]) : conflict[n] || hits[n];
            if (push && newest == n[MOVES_BITS-1:0]) waiting[n] <= 1'b1;
            else if (ends && oldest == n[MOVES_BITS-1:0]) waiting[n] <= 1'b0;
        end
        blocked <= |(conflict & waiting);
        room <= !(&waiting) && !push;
        idle <= waiting == 0 && !push;
        if (push) newest <= newest + 1'b1;
        if (ends) oldest <= oldest + 1'b1;
        if (!rst_n) begin
            waiting <= {MOVES{1'b0}};
            newest <= {MOVES_BITS{1'b0}};
            oldest <= {MOVES_BITS{1'b0}};
            blocked <= 1'b0;
            idle <= 1'b1;
        end
    end

    // Preconditions.
    `REQUIRE(rst_n && push, !waiting[newest], "a move without room")
endmodule
`default_nettype wire
