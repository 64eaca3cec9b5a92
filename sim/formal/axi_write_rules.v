// SPDX-License-Identifier: MIT
// Rules of AXI4 that a write master keeps, and what it may expect of memory: a response for each burst whose address and
// last beat are accepted.
//
// The master here offers an address not later than its data, and not before the burst two before it is sent: `bursts`
// are those offered whose last beat is not accepted, `left` the beats of the oldest one, and `behind` those of the next,
// minus one. unanswered: bursts whose address is accepted and which have no response.
`default_nettype none
module axi_write_rules #(
    parameter LIMIT = 16  // bursts without a response at most
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire [63:0] awaddr,
    input  wire [7:0]  awlen,
    input  wire [2:0]  awsize,
    input  wire [1:0]  awburst,
    input  wire        awvalid,
    input  wire        awready,
    input  wire [127:0] wdata,
    input  wire [15:0] wstrb,
    input  wire        wlast,
    input  wire        wvalid,
    input  wire        wready,
    input  wire        bvalid,
    input  wire        bready,
    output wire        offered,  // the first cycle of an address
    output reg  [1:0]  bursts,
    output reg  [7:0]  left,
    output reg  [7:0]  behind,
    output reg  [5:0]  unanswered
);
    reg waiting;
    assign offered = awvalid && !waiting;
    wire accepted = awvalid && awready;
    wire beat = wvalid && wready;
    wire ended = beat && wlast;
    reg [5:0] written;  // bursts whose last beat is accepted and which have no response
    always @(posedge clk)
        if (!rst_n) begin
            waiting <= 1'b0;
            bursts <= 0;
            unanswered <= 0;
            written <= 0;
        end else begin
            waiting <= awvalid && !awready;
            bursts <= bursts + offered - ended;
            unanswered <= unanswered + accepted - (bvalid && bready);
            written <= written + ended - (bvalid && bready);
            if (ended) begin
                left <= bursts == 2 ? behind : awlen;
                behind <= awlen;
            end else begin
                if (offered && bursts == 0) left <= awlen;
                else if (beat) left <= left - 8'd1;
                if (offered && bursts == 1) behind <= awlen;
            end
        end

    // Memory.
    always @(posedge clk)
        if (rst_n && bvalid) assume (unanswered != 0 && written != 0);

    // The master.
    always @(posedge clk)
        if (rst_n) begin
            if ($past(rst_n && awvalid && !awready)) begin
                address_waits: assert (awvalid);
                address_is_held: assert ($stable({awaddr, awlen, awsize, awburst}));
            end
            if ($past(rst_n && wvalid && !wready)) begin
                data_waits: assert (wvalid);
                data_is_held: assert ($stable({wdata, wstrb, wlast}));
            end
            if (awvalid) begin
                burst_within_4_kib: assert (awburst == 2'b01 && awsize == 3'd4 && awaddr[3:0] == 0
                                            && {4'd0, awaddr[11:4]} + {4'd0, awlen} < 12'd256);
                bursts_within_limit: assert (unanswered < LIMIT);
            end
            if (wvalid) begin
                data_has_an_address: assert (bursts != 0);
                last_beat_is_marked: assert (wlast == (left == 0));
            end
            model: assert (bursts <= 2 && !(offered && bursts == 2) && (!waiting || awvalid)
                           && unanswered <= LIMIT && written <= LIMIT
                           && unanswered + (awvalid && !offered) == written + bursts);
        end
endmodule
`default_nettype wire
