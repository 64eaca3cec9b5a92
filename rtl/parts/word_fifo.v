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
`include "attributes.vh"
module word_fifo #(
    parameter BITS = 128,
    parameter DEPTH = 16
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   push,
    input  wire [BITS-1:0]        value,
    input  wire                   pop,
    output wire [BITS-1:0]        front,
    output reg                    empty,
    output reg  [$clog2(DEPTH):0] count
);
    localparam INDEX_BITS = $clog2(DEPTH);
    reg [BITS-1:0] entries [0:DEPTH-1];
    reg [INDEX_BITS:0] written, taken;
    reg waits;  // something in memory: written is not taken
    // `KEEP: what is compared comes before the choice, as `pop` is late.
    `KEEP wire last_waits = written == taken + 1'b1;
    wire [INDEX_BITS:0] kept = count + {{INDEX_BITS{1'b0}}, push};
    wire [INDEX_BITS:0] next_count;
    late_choice #(.BITS(INDEX_BITS + 1)) of_pop (
        .late(pop), .if_set(kept - 1'b1), .if_clear(kept), .chosen(next_count));
    wire load = waits && (empty || pop);
    front_register #(.BITS(BITS)) output_register (
        .clk(clk), .empty(empty), .pop(pop), .next(entries[taken[INDEX_BITS-1:0]]), .front(front));

    always @(posedge clk) begin
        if (push) entries[written[INDEX_BITS-1:0]] <= value;
        if (!rst_n) begin
            written <= {(INDEX_BITS+1){1'b0}};
            taken <= {(INDEX_BITS+1){1'b0}};
            count <= {(INDEX_BITS+1){1'b0}};
            empty <= 1'b1;
            waits <= 1'b0;
        end else begin
            if (push) written <= written + 1'b1;
            if (load) taken <= taken + 1'b1;
            waits <= push || (waits && !(load && last_waits));
            empty <= !waits && (empty || pop);
            count <= next_count;
        end
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
