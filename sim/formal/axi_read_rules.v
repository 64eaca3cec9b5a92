// SPDX-License-Identifier: MIT
// Rules of AXI4 that a read master keeps, and what it may expect of memory: beats only for accepted addresses, and the
// last one of a burst marked. The model leaves open how many of 16 beats at most each burst has, but for their sum, so
// that any memory keeps to it.
//
// in_flight: bursts whose address is accepted and whose last beat has not come; due: beats that have not come.
`default_nettype none
module axi_read_rules #(
    parameter LIMIT = 16  // bursts in flight at most
) (
    input  wire        clk,
    input  wire        rst_n,
    input  wire [63:0] araddr,
    input  wire [7:0]  arlen,
    input  wire [2:0]  arsize,
    input  wire [1:0]  arburst,
    input  wire        arvalid,
    input  wire        arready,
    input  wire        rvalid,
    input  wire        rready,
    input  wire        rlast,
    output reg  [5:0]  in_flight,
    output reg  [11:0] due
);
    wire accepted = arvalid && arready;
    wire beat = rvalid && rready;
    wire ended = beat && rlast;
    always @(posedge clk)
        if (!rst_n) begin
            in_flight <= 0;
            due <= 0;
        end else begin
            in_flight <= in_flight + {5'd0, accepted} - {5'd0, ended};
            due <= due + (accepted ? {4'd0, arlen} + 12'd1 : 12'd0) - {11'd0, beat};
        end

    function possible;  // so many beats in so many bursts
        input [11:0] beats;
        input [5:0] bursts;
        possible = beats >= {6'd0, bursts} && beats <= {2'd0, bursts, 4'd0};
    endfunction

    // Memory.
    wire [5:0] bursts_after = in_flight - {5'd0, rlast};
    wire [11:0] beats_after = due - 12'd1;
    always @(posedge clk)
        if (rst_n) begin
            if (rvalid) assume (in_flight != 0 && possible(beats_after, bursts_after));
            if ($past(rst_n && rvalid && !rready)) assume (rvalid && $stable(rlast));
        end

    // The master.
    always @(posedge clk)
        if (rst_n) begin
            if ($past(rst_n && arvalid && !arready)) begin
                address_waits: assert (arvalid);
                address_is_held: assert ($stable({araddr, arlen, arsize, arburst}));
            end
            if (arvalid) begin
                burst_within_4_kib: assert (arburst == 2'b01 && arsize == 3'd4 && araddr[3:0] == 0
                                            && {4'd0, araddr[11:4]} + {4'd0, arlen} < 12'd256);
                burst_of_16_at_most: assert (arlen < 16);
                bursts_within_limit: assert (in_flight < LIMIT);
            end
            burst_model: assert (possible(due, in_flight) && in_flight <= LIMIT);
        end
endmodule
`default_nettype wire
