// SPDX-License-Identifier: MIT
// COPY: rows of the residual stream to other rows, one vector a cycle.
//
//   RESIDUAL[destination_row + row] = RESIDUAL[source_row + row],  row < rows; the two ranges do not overlap
//
// Two walks over as many rows run side by side, one over what is read and one over what is written READ_DELAY later: the
// vector itself never comes here.
// Precondition: fields are held while busy; rows and vectors are at least 1.
// Latency: busy for rows · vectors + 6 cycles. Depth: see row_walk.
`default_nettype none
module copy #(
    parameter READ_LATENCY = 2,
    parameter LANE_BITS = 3,
    parameter DEPTH_BITS = 16,
    parameter VECTORS_BITS = 11
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    start,
    input  wire [15:0]             rows,
    input  wire [VECTORS_BITS-1:0] vectors,
    input  wire [15:0]             source_row,
    input  wire [15:0]             destination_row,
    output wire                    busy,
    output wire [LANE_BITS-1:0]    read_bank,
    output wire [DEPTH_BITS-1:0]   read_depth,
    output wire                    write_enable,
    output wire [LANE_BITS-1:0]    write_bank,
    output wire [DEPTH_BITS-1:0]   write_depth
);
    localparam READ_DELAY = READ_LATENCY + 1;

    wire reading, writing, unused_vector_ends, unused_end, unused_other_vector_ends, unused_other_end;
    wire [15:0] unused_row, unused_other_row;
    wire [VECTORS_BITS-1:0] unused_vector, unused_other_vector;
    wire [LANE_BITS-1:0] bank;
    wire [DEPTH_BITS-1:0] depth;
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) from (
        .clk(clk), .rst_n(rst_n), .start(start), .first_row(source_row), .rows(rows), .vectors(vectors),
        .advance(1'b1), .active(reading), .row(unused_row), .bank(read_bank), .depth(read_depth),
        .vector(unused_vector), .last_vector(unused_vector_ends), .last(unused_end));
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) to (
        .clk(clk), .rst_n(rst_n), .start(start), .first_row(destination_row), .rows(rows), .vectors(vectors),
        .advance(1'b1), .active(writing), .row(unused_other_row), .bank(bank), .depth(depth),
        .vector(unused_other_vector), .last_vector(unused_other_vector_ends), .last(unused_other_end));

    reg [READ_DELAY*LANE_BITS-1:0] banks;
    reg [READ_DELAY*DEPTH_BITS-1:0] depths;
    reg [READ_DELAY-1:0] valid;
    reg [2:1] loading;  // row_walk says `active` 3 cycles after its start
    always @(posedge clk) begin
        loading <= rst_n ? {loading[1], start} : 2'd0;
        valid <= rst_n ? {valid[READ_DELAY-2:0], writing} : {READ_DELAY{1'b0}};
        banks <= {banks[(READ_DELAY-1)*LANE_BITS-1:0], bank};
        depths <= {depths[(READ_DELAY-1)*DEPTH_BITS-1:0], depth};
    end
    assign write_enable = valid[READ_DELAY-1];
    assign write_bank = banks[READ_DELAY*LANE_BITS-1 -: LANE_BITS];
    assign write_depth = depths[READ_DELAY*DEPTH_BITS-1 -: DEPTH_BITS];
    assign busy = |loading || writing || |valid;
    wire unused = &{1'b0, reading, unused_row, unused_vector, unused_vector_ends, unused_end,
                    unused_other_row, unused_other_vector, unused_other_vector_ends, unused_other_end};
endmodule
`default_nettype wire
