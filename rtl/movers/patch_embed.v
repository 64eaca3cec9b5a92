// SPDX-License-Identifier: MIT
// PATCH_EMBED before the array: the position embedding into RESIDUAL, a frame's patches into HIDDEN.
//
//   RESIDUAL[destination_row + row][o] = position[row][o]      row ≤ rows, lines of values of RESIDUAL_BYTES each
//   HIDDEN[row][f] = pixel − 128                               row < rows, words of 16 pixels, f fastest
//
// Two halves that may run side by side. A line is one vector (W16A16) or two (W8A8), taken one after the other; what is
// left of the last line is dropped with it.
// Precondition: fields are held while busy; position_vectors = out_features/16, patch_vectors = in_features/16.
// Latency: one vector a cycle; 1 from line or word to write. Depth: a multiplexer of two halves of a line.
`default_nettype none
module patch_embed #(
    parameter RESIDUAL_BITS = 16,
    parameter RESIDUAL_BYTES = 2,  // of a value in a line
    parameter ACTIVATION_BITS = 8,
    parameter VECTOR_BITS = 128,
    parameter LINE_BITS = 512,
    parameter LANE_BITS = 3,
    parameter DEPTH_BITS = 16,
    parameter VECTORS_BITS = 11
) (
    input  wire                        clk,
    input  wire                        rst_n,
    input  wire                        start_positions,
    input  wire                        start_patches,
    input  wire [15:0]                 rows,
    input  wire [15:0]                 destination_row,
    input  wire [VECTORS_BITS-1:0]     position_vectors,
    input  wire [VECTORS_BITS-1:0]     patch_vectors,
    output wire                        busy,
    input  wire                        line_valid,
    output wire                        line_ready,
    input  wire [LINE_BITS-1:0]        line,
    output reg                         residual_enable,
    output reg  [LANE_BITS-1:0]        residual_bank,
    output reg  [DEPTH_BITS-1:0]       residual_depth,
    output reg  [16*RESIDUAL_BITS-1:0] residual_values,
    input  wire                        word_valid,
    output wire                        word_ready,
    input  wire [127:0]                word,
    output reg                         hidden_enable,
    output reg  [LANE_BITS-1:0]        hidden_bank,
    output reg  [DEPTH_BITS-1:0]       hidden_depth,
    output reg  [VECTOR_BITS-1:0]      hidden_values
);
    localparam VALUE_BITS = 8 * RESIDUAL_BYTES;  // of a value in a line
    localparam ALONE = 16 * VALUE_BITS == LINE_BITS;  // a line is one vector

    // Positions.
    wire position_active, position_last;
    wire [LANE_BITS-1:0] position_bank;
    wire [DEPTH_BITS-1:0] position_depth;
    wire [15:0] position_row, patch_row;
    wire [VECTORS_BITS-1:0] position_vector, patch_vector;
    wire position_last_vector, patch_last_vector;
    wire position_moves = position_active && line_valid;
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) positions (
        .clk(clk), .rst_n(rst_n), .start(start_positions), .first_row(destination_row), .rows(rows + 16'd1),
        .vectors(position_vectors), .advance(line_valid), .active(position_active), .row(position_row),
        .bank(position_bank), .depth(position_depth), .vector(position_vector), .last_vector(position_last_vector),
        .last(position_last));

    reg second;
    wire [16*VALUE_BITS-1:0] part = second ? line[LINE_BITS-1 -: 16*VALUE_BITS] : line[16*VALUE_BITS-1:0];
    integer value;
    assign line_ready = position_active && (ALONE || second || position_last);
    always @(posedge clk) begin
        if (start_positions) second <= 1'b0;
        else if (position_moves) second <= !second && !ALONE;
        residual_enable <= rst_n & position_moves;
        residual_bank <= position_bank;
        residual_depth <= position_depth;
        for (value = 0; value < 16; value = value + 1)
            residual_values[value*RESIDUAL_BITS +: RESIDUAL_BITS] <= part[value*VALUE_BITS +: RESIDUAL_BITS];
    end

    // Patches: a pixel less 128 is the pixel with its highest bit turned over, signed.
    wire patch_active, patch_last;
    wire [LANE_BITS-1:0] patch_bank;
    wire [DEPTH_BITS-1:0] patch_depth;
    assign word_ready = patch_active;
    wire patch_moves = patch_active && word_valid;
    row_walk #(.LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS), .DEPTH_BITS(DEPTH_BITS)) patches (
        .clk(clk), .rst_n(rst_n), .start(start_patches), .first_row(16'd0), .rows(rows),
        .vectors(patch_vectors), .advance(word_valid), .active(patch_active), .row(patch_row),
        .bank(patch_bank), .depth(patch_depth), .vector(patch_vector), .last_vector(patch_last_vector),
        .last(patch_last));
    integer pixel;
    always @(posedge clk) begin
        hidden_enable <= rst_n & patch_moves;
        hidden_bank <= patch_bank;
        hidden_depth <= patch_depth;
        for (pixel = 0; pixel < 16; pixel = pixel + 1)
            hidden_values[pixel*ACTIVATION_BITS +: ACTIVATION_BITS] <=
                {{(ACTIVATION_BITS-7){~word[8*pixel+7]}}, word[8*pixel +: 7]};
    end

    // row_walk says `active` 3 cycles after start.
    reg [2:1] positions_starting, patches_starting;
    always @(posedge clk) begin
        positions_starting <= rst_n ? {positions_starting[1], start_positions} : 2'd0;
        patches_starting <= rst_n ? {patches_starting[1], start_patches} : 2'd0;
    end
    assign busy = |positions_starting || |patches_starting || position_active || patch_active || residual_enable
                || hidden_enable;
    wire unused = &{1'b0, position_row, patch_row, position_vector, patch_vector, position_last_vector,
                    patch_last_vector, patch_last};
endmodule
`default_nettype wire
