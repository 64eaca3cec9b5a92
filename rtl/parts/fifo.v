// SPDX-License-Identifier: MIT
// A small queue in LUT RAM. The oldest entry stands at `front` while not empty.
//
// Precondition: push only while not full, pop only while not empty; both in one cycle are fine.
// Latency: what is pushed stands at `front` one cycle later. Depth: `empty` and `full` are registers.
`default_nettype none
`include "require.vh"
`include "attributes.vh"
module fifo #(
    parameter BITS = 8,
    parameter DEPTH = 4
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   push,
    input  wire [BITS-1:0]        value,
    input  wire                   pop,
    output wire [BITS-1:0]        front,
    output reg                    empty,
    output reg                    full,
    output reg  [$clog2(DEPTH):0] count
);
    localparam INDEX_BITS = $clog2(DEPTH);
    localparam [INDEX_BITS-1:0] LAST = DEPTH[INDEX_BITS-1:0] - 1'b1;

    reg [BITS-1:0] entries [0:DEPTH-1];
    reg [INDEX_BITS-1:0] first, next;
    assign front = entries[first];
    // `KEEP: the additions come before the choice between them, as push and pop are late.
    `KEEP wire [INDEX_BITS:0] one_more = count + 1'b1;
    `KEEP wire [INDEX_BITS:0] one_less = count - 1'b1;
    `KEEP wire one_left = count == {{INDEX_BITS{1'b0}}, 1'b1};
    `KEEP wire room_for_one = count == DEPTH[INDEX_BITS:0] - 1'b1;

    always @(posedge clk) begin
        if (push) entries[next] <= value;
        if (!rst_n) begin
            first <= {INDEX_BITS{1'b0}};
            next <= {INDEX_BITS{1'b0}};
            count <= {(INDEX_BITS+1){1'b0}};
            empty <= 1'b1;
            full <= 1'b0;
        end else begin
            if (push) next <= next == LAST ? {INDEX_BITS{1'b0}} : next + 1'b1;
            if (pop) first <= first == LAST ? {INDEX_BITS{1'b0}} : first + 1'b1;
            if (push && !pop) count <= one_more;
            if (!push && pop) count <= one_less;
            empty <= !push && (pop ? one_left : empty);
            full <= !pop && (push ? room_for_one : full);
        end
    end

    // Preconditions.
    `REQUIRE(rst_n && push, !full, "push while full")
    `REQUIRE(rst_n && pop, !empty, "pop while empty")
endmodule
`default_nettype wire
