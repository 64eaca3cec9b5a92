// SPDX-License-Identifier: MIT
// Walks over rows vector by vector and says where each one lies: bank and depth of a scratchpad.
//
//   row r = first_row … first_row + rows − 1, vector v = 0 … vectors − 1, v fastest
//   bank = r mod TOKEN_PAR,  depth = ⌊r / TOKEN_PAR⌋·vectors + v
//
// start loads the fields; `active` then stays up until the last vector has been passed by `advance`.
// Precondition: rows and vectors are at least 1; start only while active is low and 2 cycles after the last start.
// Latency: active 3 cycles after start; a new place the cycle after advance. Depth: a 16-bit addition, one multiplication.
`default_nettype none
`include "require.vh"
module row_walk #(
    parameter LANE_BITS = 3,  // TOKEN_PAR = 2^LANE_BITS
    parameter VECTORS_BITS = 11,
    parameter DEPTH_BITS = 16
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    start,
    input  wire [15:0]             first_row,
    input  wire [15:0]             rows,
    input  wire [VECTORS_BITS-1:0] vectors,
    input  wire                    advance,
    output reg                     active,
    output reg  [15:0]             row,
    output wire [LANE_BITS-1:0]    bank,
    output reg  [DEPTH_BITS-1:0]   depth,
    output reg  [VECTORS_BITS-1:0] vector,
    output reg                     last_vector,  // of its row
    output reg                     last  // of all
);
    reg [15:0] rows_left, first_tile;
    reg [VECTORS_BITS-1:0] row_vectors, vectors_left;
    reg [DEPTH_BITS-1:0] row_depth;
    reg [2:1] loading;
    assign bank = row[LANE_BITS-1:0];
    reg last_row;

    reg [DEPTH_BITS-1:0] product;  // of the first row's tile, in a register of its own, which the multiplier has
    always @(posedge clk) product <= first_tile * row_vectors;
    reg [DEPTH_BITS-1:0] next_tile_depth;  // row_depth stands for two cycles at least, as TOKEN_PAR is 2 or more
    wire [DEPTH_BITS-1:0] tile_depth = &bank ? next_tile_depth : row_depth;
    always @(posedge clk) begin
        next_tile_depth <= (loading[2] ? product : row_depth) + {{(DEPTH_BITS-VECTORS_BITS){1'b0}}, row_vectors};
        loading <= {loading[1], start};
        if (start) begin
            row <= first_row;
            first_tile <= first_row >> LANE_BITS;
            rows_left <= rows;
            row_vectors <= vectors;
            vectors_left <= vectors;
            vector <= {VECTORS_BITS{1'b0}};
        end else if (active && advance) begin
            vector <= vector + 1'b1;
            depth <= depth + 1'b1;
            vectors_left <= vectors_left - 1'b1;
            last_vector <= vectors_left == 2;
            last <= vectors_left == 2 && last_row;
            if (last_vector) begin
                vector <= {VECTORS_BITS{1'b0}};
                vectors_left <= row_vectors;
                last_vector <= row_vectors == 1;
                row <= row + 16'd1;
                rows_left <= rows_left - 16'd1;
                last_row <= rows_left == 2;
                last <= row_vectors == 1 && rows_left == 2;
                row_depth <= tile_depth;
                depth <= tile_depth;
            end
            if (last) active <= 1'b0;
        end
        if (loading[1]) begin
            last_vector <= row_vectors == 1;
            last_row <= rows_left == 1;
        end
        if (loading[2]) begin
            row_depth <= product;
            depth <= product;
            last <= last_vector && last_row;
            active <= 1'b1;
        end
        if (!rst_n) begin
            loading <= 2'd0;
            active <= 1'b0;
        end
    end

    // Preconditions.
    `REQUIRE(rst_n && start, rows != 0 && vectors != 0, "no rows or no vectors")
    `REQUIRE(rst_n && start, !active && !loading[1], "start while it walks")
endmodule
`default_nettype wire
