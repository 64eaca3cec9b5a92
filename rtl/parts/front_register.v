// SPDX-License-Identifier: MIT
// The output register of word_fifo: what is taken next, loaded while it is empty or popped.
//
// A module of its own because its enable drives every bit of it: in one module with the counters, which load by nearly
// the same condition, synthesis shares that net with them, and they wait for it.
// Latency: 1.
`default_nettype none
module front_register #(
    parameter BITS = 128
) (
    input  wire            clk,
    input  wire            empty,
    input  wire            pop,
    input  wire [BITS-1:0] next,
    output reg  [BITS-1:0] front
);
    always @(posedge clk)
        if (empty || pop) front <= next;  // of no meaning where nothing waits
endmodule
`default_nettype wire
