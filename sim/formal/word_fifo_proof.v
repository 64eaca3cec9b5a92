// SPDX-License-Identifier: MIT
// word_fifo under every use that its precondition allows: any one entry is followed from push to pop.
`default_nettype none
module word_fifo_proof #(
    parameter BITS = 8
) (
    input wire            clk,
    input wire            push,
    input wire [BITS-1:0] value,
    input wire            pop,
    input wire            choose
);
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire [BITS-1:0] front;
    wire empty;
    wire [2:0] count;
    word_fifo #(.BITS(BITS), .DEPTH(4)) unit (.*);

    // The entry that is followed, and how many stand before it.
    reg followed;
    reg [1:0] before;
    reg [BITS-1:0] kept;
    reg [2:0] held;  // pushed and not popped
    always @(posedge clk)
        if (!rst_n) begin
            followed <= 0;
            held <= 0;
        end else begin
            held <= held + push - pop;
            if (push && choose && !followed) begin
                followed <= 1;
                kept <= value;
                before <= held - pop;
            end else if (followed && pop) begin
                followed <= before != 0;
                before <= before - 2'd1;
            end
        end

    (* hierconn *) wire [2:0] \unit.counters.written ;
    (* hierconn *) wire [2:0] \unit.counters.taken ;
    (* hierconn *) wire \unit.counters.waits ;
    (* hierconn *) wire [BITS-1:0] \unit.entries[0] ;
    (* hierconn *) wire [BITS-1:0] \unit.entries[1] ;
    (* hierconn *) wire [BITS-1:0] \unit.entries[2] ;
    (* hierconn *) wire [BITS-1:0] \unit.entries[3] ;
    wire [2:0] queued = \unit.counters.written - \unit.counters.taken ;
    wire [1:0] place = \unit.counters.taken + before - !empty;
    wire [BITS-1:0] there = place == 0 ? \unit.entries[0] : place == 1 ? \unit.entries[1]
        : place == 2 ? \unit.entries[2] : \unit.entries[3] ;
    wire at_front = before == 0 && !empty;
    always @(posedge clk)
        if (rst_n) begin
            places: assert (queued <= 4 && held == queued + !empty && (!followed || before < held));
            stands: assert (!followed || at_front || there == kept);
            counts: assert (count == held && count <= 4);
            waiting: assert (\unit.counters.waits == (queued != 0));
            if ($past(rst_n && held != 0 && !pop)) offers_what_it_holds: assert (!empty);
            if (followed && at_front) first_in_first_out: assert (front == kept);
        end
endmodule
`default_nettype wire
