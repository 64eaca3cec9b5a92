// SPDX-License-Identifier: MIT
// Where the outputs of a head go, and how many words of a row's tile exist.
//
//   address = base + (row + r)·pitch + 2·OUT_PAR·tile,  pitch = 2·out_features rounded up to words;  r < POST_ROWS
//   last_outputs = outputs of this tile that exist;  row_words = ⌈last_outputs / 8⌉
//
// Latency: 4. Depth: a 16 × 18-bit multiplication; a 64-bit addition.
`default_nettype none
module head_place #(
    parameter POST_ROWS = 2,
    parameter OUT_PAR = 16,
    parameter OUTPUT_BITS = 16
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire [POST_ROWS-1:0]    valid_in,
    input  wire [15:0]             row,
    input  wire [11:0]             tile,
    input  wire [POST_ROWS*OUT_PAR*OUTPUT_BITS-1:0] values_in,
    input  wire [15:0]             out_features,
    input  wire [63:0]             base,
    output wire [POST_ROWS-1:0]    valid_out,
    output reg  [POST_ROWS*64-1:0] address,
    output reg  [2:0]              row_words,
    output reg  [5:0]              last_outputs,
    output reg  [POST_ROWS*OUT_PAR*OUTPUT_BITS-1:0] values
);
    localparam VALUES_BITS = POST_ROWS * OUT_PAR * OUTPUT_BITS;

    reg [17:0] pitch;  // the instruction is held
    reg [11:0] tile_1;
    reg [15:0] beyond;
    reg [4*POST_ROWS-1:0] valid;
    reg [VALUES_BITS-1:0] values_1, values_2, values_3;
    reg [15:0] row_1 [0:POST_ROWS-1];  // a first row before the pass wraps around to its second
    reg [33:0] product_2 [0:POST_ROWS-1];
    reg [33:0] offset_3 [0:POST_ROWS-1];
    reg [17:0] column_2;
    reg [5:0] outputs_3;
    integer r;
    always @(posedge clk) begin
        pitch <= (({2'b00, out_features} << 1) + 18'd15) & ~18'd15;
        valid <= rst_n ? {valid[3*POST_ROWS-1:0], valid_in} : {4*POST_ROWS{1'b0}};
        tile_1 <= tile;
        for (r = 0; r < POST_ROWS; r = r + 1) begin
            row_1[r] <= row + r[15:0];
            product_2[r] <= row_1[r] * pitch;
            offset_3[r] <= product_2[r] + {16'd0, column_2};
            address[r*64 +: 64] <= base + {30'd0, offset_3[r]};
        end
        column_2 <= {6'd0, tile_1} * (2 * OUT_PAR);
        beyond <= out_features - tile_1 * OUT_PAR[15:0];
        outputs_3 <= beyond > OUT_PAR[15:0] ? OUT_PAR[5:0] : beyond[5:0];
        last_outputs <= outputs_3;
        row_words <= outputs_3[5:3] + {2'b00, |outputs_3[2:0]};
        values_1 <= values_in;
        values_2 <= values_1;
        values_3 <= values_2;
        values <= values_3;
    end
    assign valid_out = valid[4*POST_ROWS-1 -: POST_ROWS];
endmodule
`default_nettype wire
