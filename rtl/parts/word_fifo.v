// SPDX-License-Identifier: MIT
// First in, first out, for what a receiver may hold back.
//
// `count` is what it holds. read_data is what was pushed first, while read_valid; `pop` passes on to the next one.
// Precondition: push only while count < DEPTH; pop only while read_valid. DEPTH is a power of two.
// Latency: 2 from push to read_valid (memory, output register); one a cycle. Depth: a counter and an 8:1 multiplexer.
`default_nettype none
`include "require.vh"
module word_fifo #(
    parameter WIDTH = 128,
    parameter DEPTH = 16
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   push,
    input  wire [WIDTH-1:0]       push_data,
    output reg                    read_valid,
    output reg  [WIDTH-1:0]       read_data,
    input  wire                   pop,
    output reg  [$clog2(DEPTH):0] count
);
    localparam INDEX_BITS = $clog2(DEPTH);
    reg [WIDTH-1:0] entries [0:DEPTH-1];
    reg [INDEX_BITS:0] written, taken;
    wire load = written != taken && (!read_valid || pop);

    always @(posedge clk) begin
        if (push) entries[written[INDEX_BITS-1:0]] <= push_data;
        if (load) read_data <= entries[taken[INDEX_BITS-1:0]];
        if (!rst_n) begin
            written <= {(INDEX_BITS+1){1'b0}};
            taken <= {(INDEX_BITS+1){1'b0}};
            count <= {(INDEX_BITS+1){1'b0}};
            read_valid <= 1'b0;
        end else begin
            if (push) written <= written + 1'b1;
            if (load) taken <= taken + 1'b1;
            if (load) read_valid <= 1'b1;
            else if (pop) read_valid <= 1'b0;
            if (push && !pop) count <= count + 1'b1;
            if (!push && pop) count <= count - 1'b1;
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
    `REQUIRE(rst_n && pop, read_valid, "pop while empty")
endmodule
`default_nettype wire
