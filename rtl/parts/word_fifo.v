// SPDX-License-Identifier: MIT
// A queue with an output register, for what a receiver may hold back. The oldest entry stands at `front` while not empty.
//
// Ports are those of fifo. Beside it because its front is read from memory in the receiver's cycle, this one a cycle
// before: words for memory are chosen and held back by logic that leaves no time for that, and may come a cycle later.
// `count` includes the output register.
// Precondition: push only while count < DEPTH; pop only while not empty. DEPTH is a power of two.
// Latency: 2 from push to front (memory, output register); one a cycle. Depth: a counter and an 8:1 multiplexer.
`default_nettype none
`include "require.vh"
module word_fifo #(
    parameter BITS = 128,
    parameter DEPTH = 16
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   push,
    input  wire [BITS-1:0]        value,
    input  wire                   pop,
    output reg  [BITS-1:0]        front,
    output wire                   empty,
    output wire [$clog2(DEPTH):0] count
);
    localparam INDEX_BITS = $clog2(DEPTH);
    reg [BITS-1:0] entries [0:DEPTH-1];
    wire [INDEX_BITS:0] written, taken;
    word_fifo_counters #(.INDEX_BITS(INDEX_BITS)) counters (
        .clk(clk), .rst_n(rst_n), .push(push), .pop(pop), .written(written), .taken(taken), .empty(empty), .count(count));
    wire unused = &{1'b0, written[INDEX_BITS], taken[INDEX_BITS]};

    always @(posedge clk) begin
        if (push) entries[written[INDEX_BITS-1:0]] <= value;
        if (empty || pop) front <= entries[taken[INDEX_BITS-1:0]];  // of no meaning where nothing waits
    end

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (DEPTH != 1 << INDEX_BITS) begin : refused
            depth_must_be_a_power_of_two stop ();
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && push, count < DEPTH, "push while full")
    `REQUIRE(rst_n && pop, !empty, "pop while empty")
endmodule
`default_nettype wire
