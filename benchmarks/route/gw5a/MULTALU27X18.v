// SPDX-License-Identifier: MIT
// What the DSP block of Gowin's GW5A does in the modes that multiply_add and multiplier use, for simulation.
//
//   DOUT = C + A·B,  signed;  registers of A, B and A·B as asked for by "CLK0", all with CE[0]
//
// Written from the block's description, not from the maker's model: what a part does has not been compared.
// Latency: one cycle for each register on the way.
`default_nettype none
module MULTALU27X18 #(
    parameter AREG_CLK = "BYPASS",
    parameter BREG_CLK = "BYPASS",
    parameter PREG_CLK = "BYPASS"
) (
    input  wire [26:0] A, SIA,
    input  wire [17:0] B,
    input  wire [47:0] C, CASI,
    input  wire [25:0] D,
    input  wire        ACCSEL, PSEL, ASEL, PADDSUB, CSEL, CASISEL,
    input  wire [1:0]  ADDSUB, CLK, CE, RESET,
    output wire [47:0] DOUT, CASO,
    output wire [26:0] SOA
);
    reg signed [26:0] a_register;
    reg signed [17:0] b_register;
    reg signed [44:0] product_register;
    wire signed [26:0] a = AREG_CLK == "CLK0" ? a_register : A;
    wire signed [17:0] b = BREG_CLK == "CLK0" ? b_register : B;
    wire signed [44:0] product = a * b;
    wire signed [44:0] added = PREG_CLK == "CLK0" ? product_register : product;
    always @(posedge CLK[0])
        if (CE[0]) begin
            a_register <= A;
            b_register <= B;
            product_register <= product;
        end
    assign DOUT = C + {{3{added[44]}}, added};
    assign CASO = 48'd0;
    assign SOA = 27'd0;
    wire unused = &{1'b0, SIA, CASI, D, ACCSEL, PSEL, ASEL, PADDSUB, CSEL, CASISEL, ADDSUB, CLK[1], CE[1], RESET};
endmodule
`default_nettype wire
