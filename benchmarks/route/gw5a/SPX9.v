// SPDX-License-Identifier: MIT
// What a block RAM of Gowin's GW5A does with one port and 18 bits a word, for simulation.
//
// A word is read where CE is high and stays; what is written shows at once (WRITE_MODE 1). AD[1:0] enable the word's
// bytes of 9 bits. Written from the block's description, not from the maker's model.
// Latency: 1.
`default_nettype none
module SPX9 #(
    parameter [287:0] INIT_RAM_00 = 288'd0, INIT_RAM_01 = 288'd0, INIT_RAM_02 = 288'd0, INIT_RAM_03 = 288'd0,
    parameter [287:0] INIT_RAM_04 = 288'd0, INIT_RAM_05 = 288'd0, INIT_RAM_06 = 288'd0, INIT_RAM_07 = 288'd0,
    parameter [287:0] INIT_RAM_08 = 288'd0, INIT_RAM_09 = 288'd0, INIT_RAM_0A = 288'd0, INIT_RAM_0B = 288'd0,
    parameter [287:0] INIT_RAM_0C = 288'd0, INIT_RAM_0D = 288'd0, INIT_RAM_0E = 288'd0, INIT_RAM_0F = 288'd0,
    parameter [287:0] INIT_RAM_10 = 288'd0, INIT_RAM_11 = 288'd0, INIT_RAM_12 = 288'd0, INIT_RAM_13 = 288'd0,
    parameter [287:0] INIT_RAM_14 = 288'd0, INIT_RAM_15 = 288'd0, INIT_RAM_16 = 288'd0, INIT_RAM_17 = 288'd0,
    parameter [287:0] INIT_RAM_18 = 288'd0, INIT_RAM_19 = 288'd0, INIT_RAM_1A = 288'd0, INIT_RAM_1B = 288'd0,
    parameter [287:0] INIT_RAM_1C = 288'd0, INIT_RAM_1D = 288'd0, INIT_RAM_1E = 288'd0, INIT_RAM_1F = 288'd0,
    parameter [287:0] INIT_RAM_20 = 288'd0, INIT_RAM_21 = 288'd0, INIT_RAM_22 = 288'd0, INIT_RAM_23 = 288'd0,
    parameter [287:0] INIT_RAM_24 = 288'd0, INIT_RAM_25 = 288'd0, INIT_RAM_26 = 288'd0, INIT_RAM_27 = 288'd0,
    parameter [287:0] INIT_RAM_28 = 288'd0, INIT_RAM_29 = 288'd0, INIT_RAM_2A = 288'd0, INIT_RAM_2B = 288'd0,
    parameter [287:0] INIT_RAM_2C = 288'd0, INIT_RAM_2D = 288'd0, INIT_RAM_2E = 288'd0, INIT_RAM_2F = 288'd0,
    parameter [287:0] INIT_RAM_30 = 288'd0, INIT_RAM_31 = 288'd0, INIT_RAM_32 = 288'd0, INIT_RAM_33 = 288'd0,
    parameter [287:0] INIT_RAM_34 = 288'd0, INIT_RAM_35 = 288'd0, INIT_RAM_36 = 288'd0, INIT_RAM_37 = 288'd0,
    parameter [287:0] INIT_RAM_38 = 288'd0, INIT_RAM_39 = 288'd0, INIT_RAM_3A = 288'd0, INIT_RAM_3B = 288'd0,
    parameter [287:0] INIT_RAM_3C = 288'd0, INIT_RAM_3D = 288'd0, INIT_RAM_3E = 288'd0, INIT_RAM_3F = 288'd0,
    parameter READ_MODE = 1'b0,
    parameter WRITE_MODE = 2'b01,
    parameter BIT_WIDTH = 18,
    parameter BLK_SEL = 3'd0,
    parameter RESET_MODE = "SYNC"
) (
    input  wire        CLK, CE, OCE, RESET, WRE,
    input  wire [13:0] AD,
    input  wire [35:0] DI,
    input  wire [2:0]  BLKSEL,
    output reg  [35:0] DO
);
    localparam [18431:0] START = {
        INIT_RAM_3F, INIT_RAM_3E, INIT_RAM_3D, INIT_RAM_3C, INIT_RAM_3B, INIT_RAM_3A, INIT_RAM_39, INIT_RAM_38,
        INIT_RAM_37, INIT_RAM_36, INIT_RAM_35, INIT_RAM_34, INIT_RAM_33, INIT_RAM_32, INIT_RAM_31, INIT_RAM_30,
        INIT_RAM_2F, INIT_RAM_2E, INIT_RAM_2D, INIT_RAM_2C, INIT_RAM_2B, INIT_RAM_2A, INIT_RAM_29, INIT_RAM_28,
        INIT_RAM_27, INIT_RAM_26, INIT_RAM_25, INIT_RAM_24, INIT_RAM_23, INIT_RAM_22, INIT_RAM_21, INIT_RAM_20,
        INIT_RAM_1F, INIT_RAM_1E, INIT_RAM_1D, INIT_RAM_1C, INIT_RAM_1B, INIT_RAM_1A, INIT_RAM_19, INIT_RAM_18,
        INIT_RAM_17, INIT_RAM_16, INIT_RAM_15, INIT_RAM_14, INIT_RAM_13, INIT_RAM_12, INIT_RAM_11, INIT_RAM_10,
        INIT_RAM_0F, INIT_RAM_0E, INIT_RAM_0D, INIT_RAM_0C, INIT_RAM_0B, INIT_RAM_0A, INIT_RAM_09, INIT_RAM_08,
        INIT_RAM_07, INIT_RAM_06, INIT_RAM_05, INIT_RAM_04, INIT_RAM_03, INIT_RAM_02, INIT_RAM_01, INIT_RAM_00};
    reg [17:0] words [0:1023];
    integer place;
    initial for (place = 0; place < 1024; place = place + 1) words[place] = START[18*place +: 18];
    wire [17:0] written = {AD[1] ? DI[17:9] : words[AD[13:4]][17:9], AD[0] ? DI[8:0] : words[AD[13:4]][8:0]};
    always @(posedge CLK)
        if (CE) begin
            DO <= {18'd0, WRE ? written : words[AD[13:4]]};
            if (WRE) words[AD[13:4]] <= written;
        end
    wire unused = &{1'b0, OCE, RESET, BLKSEL, AD[3:2], DI[35:18]};

    // Other modes are not modelled: elaboration stops at a module of that name, which there is not.
    generate
        if (BIT_WIDTH != 18 || READ_MODE != 1'b0 || WRITE_MODE != 2'b01) begin : refused
            words_must_have_18_bits stop ();
        end
    endgenerate
endmodule
`default_nettype wire
