// SPDX-License-Identifier: MIT
// The sums of one output of one lane: a ring of slots, one of which grows while another is drained.
//
//   sums[slot] (+)= product        (first: the sum begins here)
//
// A module of its own so that its addresses come from outside: then synthesis makes one dual-port memory of LUTs, whose
// write port also reads. With the address registers in sight it moves them into read ports, and two memories are left.
// Precondition: a slot is drained only after its last product.
// Latency: a product is in its sum after the clock edge; drained at once. Depth: a memory of LUTs and an addition.
`default_nettype none
module sum_ring #(
    parameter SLOT_BITS = 7,
    parameter PRODUCT_BITS = 23,
    parameter SUM_BITS = 32
) (
    input  wire                           clk,
    input  wire                           valid,
    input  wire                           first,
    input  wire        [SLOT_BITS-1:0]    slot,
    input  wire signed [PRODUCT_BITS-1:0] product,
    input  wire        [SLOT_BITS-1:0]    drain_slot,
    output wire signed [SUM_BITS-1:0]     drained
);
    reg signed [SUM_BITS-1:0] sums [0:(1<<SLOT_BITS)-1];
    always @(posedge clk)
        if (valid)
            sums[slot] <= {{(SUM_BITS-PRODUCT_BITS){product[PRODUCT_BITS-1]}}, product}
                + (first ? {SUM_BITS{1'b0}} : sums[slot]);
    assign drained = sums[drain_slot];
endmodule
`default_nettype wire
