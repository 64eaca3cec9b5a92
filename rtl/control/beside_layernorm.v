// SPDX-License-Identifier: MIT
// When a layer may begin beside the LAYERNORM that makes its rows, and with how many of them.
//
//   beside        all its rows are LAYERNORM's, and the weight buffer can keep its weights: it may be read and checked
//   ready         ready_tiles·steps_of_tile ≥ ⌈left_rows/GROUP⌉·cycles_of_group:  what is written keeps the array busy
//                 until LAYERNORM has written the rest; or all_written
//   all_written   LAYERNORM has written the layer's last row, or does not work
//   whole_row     end of the whole tiles of rows that are written; below the layer's last row until all_written
//
// Rows are compared as differences, which may be negative: LAYERNORM begins with a whole group.
// Precondition: fields of the layer are held; written_row never falls while layernorm_busy.
// Latency: 2 cycles from written_row to all_written and whole_row, 5 to ready; 5 from the fields.
// Depth: an addition of 16 bits; a product of 8 and 16 bits.
`default_nettype none
module beside_layernorm #(
    parameter LANE_BITS = 3,
    parameter LAYERNORM_LANES = 64,
    parameter VECTOR = 16,
    parameter KEPT_LINES = 32736  // lines that the weight buffer keeps
) (
    input  wire        clk,
    input  wire        start_layernorm,  // its rows are those of the fields
    input  wire        layernorm_busy,
    input  wire [15:0] written_row,      // rows of NORM before it are written, while layernorm_busy
    input  wire        reads_norm,       // the layer takes LAYERNORM's rows, and leaves RESIDUAL alone
    input  wire [15:0] rows,
    input  wire [15:0] source_row,
    input  wire [15:0] destination_row,
    input  wire [31:0] lines,            // of its weights
    input  wire [15:0] steps_of_tile,    // of the array, for a tile of rows; 2^16 − 1: or more
    input  wire [6:0]  cycles_of_group,  // of LAYERNORM
    output reg         beside,
    output reg         all_written,
    output reg         ready,            // enough or all_written, a cycle ago
    output reg  [15:0] whole_row
);
    localparam GROUP = LAYERNORM_LANES / VECTOR;  // rows that LAYERNORM makes side by side
    localparam GROUP_BITS = $clog2(GROUP);
    reg [15:0] norm_row, norm_end, end_row, written;
    reg signed [15:0] tiles_written, left_rows;
    wire signed [15:0] rounded = left_rows + GROUP[15:0] - 16'd1;
    reg [7:0] ready_tiles;
    reg [15:0] left_groups;
    reg [23:0] steps_ready, cycles_left;
    reg some, enough;
    always @(posedge clk) begin
        if (start_layernorm) begin
            norm_row <= destination_row;
            norm_end <= destination_row + rows;
        end
        end_row <= source_row + rows;
        beside <= reads_norm && source_row >= norm_row && end_row <= norm_end && lines <= KEPT_LINES[31:0];
        written <= written_row;
        tiles_written <= ($signed(written_row) >>> LANE_BITS) - $signed(source_row >> LANE_BITS);
        left_rows <= end_row - written_row;
        all_written <= !layernorm_busy || left_rows <= 0;
        whole_row <= (written >> LANE_BITS) << LANE_BITS;
        ready_tiles <= tiles_written[15] ? 8'd0 : tiles_written[7:0];
        left_groups <= rounded >>> GROUP_BITS;
        some <= ready_tiles != 8'd0;
        steps_ready <= {16'd0, ready_tiles} * {8'd0, steps_of_tile};
        cycles_left <= {8'd0, left_groups} * {17'd0, cycles_of_group};
        enough <= some && steps_ready >= cycles_left;
        ready <= enough || all_written;
    end
    wire unused = &{1'b0, tiles_written};
endmodule
`default_nettype wire
