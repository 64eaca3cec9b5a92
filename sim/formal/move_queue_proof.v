// SPDX-License-Identifier: MIT
// move_queue behind a sequencer that pushes with room and beside no check, before a unit that is busy at the latest 4
// cycles after its start; any one move is followed from push to end.
`default_nettype none
module move_queue_proof (
    input wire        clk,
    input wire        push,
    input wire        loads,
    input wire [3:0]  scratchpad,
    input wire [15:0] rows,
    input wire [15:0] first_row,
    input wire [15:0] features,
    input wire [63:0] address,
    input wire [15:0] pitch,
    input wire        check,
    input wire        exclusive,
    input wire        of_experts,
    input wire        access,
    input wire        access_writes,
    input wire [3:0]  access_scratchpad,
    input wire [15:0] access_first,
    input wire [16:0] access_end,
    input wire [15:0] access_features,
    input wire        written,
    input wire        busy,
    input wire        choose,
    input wire        finish
);
    localparam MOVE_BITS = 1 + 4 + 3 * 16 + 64 + 16;
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire room, idle, blocked, start_load, start_store, storing;
    wire [3:0] move_scratchpad;
    wire [15:0] move_rows, move_first_row, move_features, move_pitch;
    wire [63:0] move_address;
    move_queue unit (.*);

    // The unit: at work from a start until it finishes, and busy then, but for the first cycles.
    wire start = start_load || start_store;
    reg working, finished;
    reg [2:0] age;  // cycles since the start, 5 and more
    wire done = working && !busy && age == 5;
    always @(posedge clk) begin
        if (working && age == 5) assume (busy || finished);
        if (!working) assume (!busy);
        assume (!push || room);
        assume (!push || !check && !access);
    end

    // The move that is followed: how many that are not done stand before it, what it is, whom it disturbs.
    reg followed, disturbs;
    reg [1:0] before;
    reg [MOVE_BITS-1:0] kept;
    reg [2:0] held;  // pushed and not done
    wire kept_loads;
    wire [3:0] kept_scratchpad;
    wire [15:0] kept_rows, kept_first, kept_features, kept_pitch;
    wire [63:0] kept_address;
    assign {kept_loads, kept_scratchpad, kept_rows, kept_first, kept_features, kept_address, kept_pitch} = kept;
    wire [16:0] kept_end = kept_first + kept_rows;
    wire named_by_queues = kept_scratchpad < 4 || kept_scratchpad == 7 || kept_scratchpad > 8;
    wire same_rows = access_features != kept_features || (access_first < kept_end && kept_first < access_end);
    wire meets = access && access_scratchpad == kept_scratchpad && (access_writes == kept_loads || same_rows);
    always @(posedge clk)
        if (!rst_n) begin
            {working, finished, followed, disturbs} <= 0;
            {held, age, before} <= 0;
        end else begin
            working <= start || (working && !done);
            finished <= !start && (finished || finish);
            age <= start ? 3'd1 : age + (age != 5);
            held <= held + push - done;
            if (push && choose && !followed) begin
                followed <= 1;
                kept <= {loads, scratchpad, rows, first_row, features, address, pitch};
                before <= held - done;
                disturbs <= 0;
            end else begin
                if (followed && done) begin
                    followed <= before != 0;
                    before <= before - 2'd1;
                end
                disturbs <= check ? exclusive || (of_experts && named_by_queues) : disturbs || meets;
            end
        end

    reg disturbed, empty;  // a cycle before
    reg [1:0] delay;  // cycles in which nothing hindered the oldest move
    always @(posedge clk) begin
        delay <= rst_n && held != 0 && !working && !start && written ? delay + (delay != 3) : 2'd0;
        disturbed <= rst_n && followed && disturbs;
        empty <= rst_n && held == 0;
        if (rst_n) begin
            one_at_a_time: assert (!start || (!working && held != 0));
            room_is_free: assert (!room || held < 4);
            starts_soon: assert (delay < 2);
            idle_is_empty: assert (!idle || held == 0);
            after_all_writes: assert (!start_load || written);
            if (followed && before == 0 && start) in_order_unchanged: assert (start_load == kept_loads
                && {move_scratchpad, move_rows, move_first_row, move_features, move_address, move_pitch}
                    == kept[MOVE_BITS-2:0]);
            if (followed && before == 0 && working) storing_is_said: assert (storing == !kept_loads);
            if (disturbed) held_back: assert (blocked);
            if (empty) held_back_by_a_move: assert (!blocked);
        end
    end

    // Invariants.
    (* hierconn *) wire [1:0] \unit.newest ;
    (* hierconn *) wire [1:0] \unit.oldest ;
    (* hierconn *) wire [2:0] \unit.phase ;
    (* hierconn *) wire [3:0] \unit.waiting ;
    (* hierconn *) wire [3:0] \unit.conflict ;
    (* hierconn *) wire [3:0] \unit.into ;
    (* hierconn *) wire [3:0] \unit.apart ;
    (* hierconn *) wire [MOVE_BITS-1:0] \unit.oldest_move ;
    (* hierconn *) wire [MOVE_BITS-1:0] \unit.moves[0] ;
    (* hierconn *) wire [MOVE_BITS-1:0] \unit.moves[1] ;
    (* hierconn *) wire [MOVE_BITS-1:0] \unit.moves[2] ;
    (* hierconn *) wire [MOVE_BITS-1:0] \unit.moves[3] ;
    (* hierconn *) wire [3:0] \unit.place[0] ;
    (* hierconn *) wire [3:0] \unit.place[1] ;
    (* hierconn *) wire [3:0] \unit.place[2] ;
    (* hierconn *) wire [3:0] \unit.place[3] ;
    (* hierconn *) wire [15:0] \unit.first[0] ;
    (* hierconn *) wire [15:0] \unit.first[1] ;
    (* hierconn *) wire [15:0] \unit.first[2] ;
    (* hierconn *) wire [15:0] \unit.first[3] ;
    (* hierconn *) wire [16:0] \unit.row_end[0] ;
    (* hierconn *) wire [16:0] \unit.row_end[1] ;
    (* hierconn *) wire [16:0] \unit.row_end[2] ;
    (* hierconn *) wire [16:0] \unit.row_end[3] ;
    (* hierconn *) wire [15:0] \unit.width[0] ;
    (* hierconn *) wire [15:0] \unit.width[1] ;
    (* hierconn *) wire [15:0] \unit.width[2] ;
    (* hierconn *) wire [15:0] \unit.width[3] ;
    wire [1:0] slot = \unit.oldest + before;
    wire [MOVE_BITS-1:0] there = slot == 0 ? \unit.moves[0] : slot == 1 ? \unit.moves[1] : slot == 2 ? \unit.moves[2] : \unit.moves[3] ;
    wire [3:0] place = slot == 0 ? \unit.place[0] : slot == 1 ? \unit.place[1] : slot == 2 ? \unit.place[2] : \unit.place[3] ;
    wire [15:0] first = slot == 0 ? \unit.first[0] : slot == 1 ? \unit.first[1] : slot == 2 ? \unit.first[2] : \unit.first[3] ;
    wire [16:0] row_end = slot == 0 ? \unit.row_end[0] : slot == 1 ? \unit.row_end[1] : slot == 2 ? \unit.row_end[2] : \unit.row_end[3] ;
    wire [15:0] width = slot == 0 ? \unit.width[0] : slot == 1 ? \unit.width[1] : slot == 2 ? \unit.width[2] : \unit.width[3] ;
    wire [3:0] queued = (4'd1 << held) - 4'd1;
    always @(posedge clk)
        if (rst_n) begin
            counts: assert (held <= 4 && \unit.newest == \unit.oldest + held[1:0]
                && \unit.waiting == ({queued, queued} << \unit.oldest ) >> 4);
            phases: assert (\unit.phase <= 6 && (\unit.phase == 0 || held != 0) && working == (\unit.phase >= 2)
                && (delay == 0 || \unit.phase == 1) && (!working || age == \unit.phase - 3'd1));
            stands: assert (!followed || (before < held && there == kept && place == kept_scratchpad
                && first == kept_first && row_end == kept_end && width == kept_features
                && \unit.into [slot] == kept_loads && \unit.apart [slot] == !named_by_queues
                && (!disturbs || \unit.conflict [slot])));
            reads: assert (!followed || before != 0 || \unit.phase == 0 || \unit.oldest_move == kept);
        end
endmodule
`default_nettype wire
