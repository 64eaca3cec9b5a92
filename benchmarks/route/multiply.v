// SPDX-License-Identifier: MIT
// For Yosys' techmap: a signed product of 27 × 18 bits, as mul2dsp.v cuts them, is a DSP block of Gowin's GW5A.
module \$__MUL27X18 (input [26:0] A, input [17:0] B, output [44:0] Y);
    parameter A_WIDTH = 27;
    parameter B_WIDTH = 18;
    parameter Y_WIDTH = 45;
    parameter A_SIGNED = 1;
    parameter B_SIGNED = 1;
    wire [47:0] full;
    MULTALU27X18 _TECHMAP_REPLACE_ (
        .A(A), .B(B), .C(48'd0), .D(26'd0), .SIA(27'd0), .CASI(48'd0),
        .ACCSEL(1'b0), .PSEL(1'b0), .ASEL(1'b0), .PADDSUB(1'b0), .CSEL(1'b0), .CASISEL(1'b0), .ADDSUB(2'd0),
        .CLK(2'd0), .CE(2'd0), .RESET(2'd0), .DOUT(full));
    assign Y = full[44:0];
endmodule
