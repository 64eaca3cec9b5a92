// SPDX-License-Identifier: MIT
// Where products go in the rings of sums of a few outputs: registers of their own, so that none drives all outputs.
//
// A module, as registers with the same inputs would become one. Latency: 1. Depth: 0.
`default_nettype none
module sum_place #(
    parameter SLOT_BITS = 7
) (
    input  wire                 clk,
    input  wire                 rst_n,
    input  wire                 valid_in,
    input  wire                 first_in,
    input  wire [SLOT_BITS-1:0] slot_in,
    output reg                  valid,
    output reg                  first,
    output reg  [SLOT_BITS-1:0] slot
);
    always @(posedge clk) begin
        valid <= rst_n && valid_in;
        first <= first_in;
        slot <= slot_in;
    end
endmodule
`default_nettype wire
