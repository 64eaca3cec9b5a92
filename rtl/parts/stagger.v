// SPDX-License-Identifier: MIT
// Element n of a vector comes out n cycles late: what a chain of multiply_add wants of its operands.
//
// Latency: n. Depth: none.
`default_nettype none
module stagger #(
    parameter LANES = 16,
    parameter BITS = 11
) (
    input  wire                  clk,
    input  wire [LANES*BITS-1:0] values,
    output wire [LANES*BITS-1:0] staggered
);
    assign staggered[BITS-1:0] = values[BITS-1:0];
    genvar n;
    generate
        for (n = 1; n < LANES; n = n + 1) begin : delays
            reg [(LANES-n)*BITS-1:0] later;  // of elements n … LANES − 1
            if (n == 1) begin : first
                always @(posedge clk) later <= values[LANES*BITS-1:BITS];
            end else begin : next
                always @(posedge clk) later <= delays[n-1].later[(LANES-n+1)*BITS-1:BITS];
            end
            assign staggered[n*BITS +: BITS] = later[BITS-1:0];
        end
    endgenerate
endmodule
`default_nettype wire
