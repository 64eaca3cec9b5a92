// SPDX-License-Identifier: MIT
// sum_ring with any products in any order: one slot, any one, has the sum since its last `first`, and wraps as it should.
`default_nettype none
module sum_ring_proof #(
    parameter SLOT_BITS = 7,
    parameter PRODUCT_BITS = 23,
    parameter SUM_BITS = 32
) (
    input wire                           clk,
    input wire                           valid,
    input wire                           first,
    input wire        [SLOT_BITS-1:0]    slot,
    input wire signed [PRODUCT_BITS-1:0] product
);
    (* anyconst *) reg [SLOT_BITS-1:0] drain_slot;
    wire signed [SUM_BITS-1:0] drained;
    sum_ring #(.SLOT_BITS(SLOT_BITS), .PRODUCT_BITS(PRODUCT_BITS), .SUM_BITS(SUM_BITS)) unit (.*);

    reg begun = 1'b0;
    reg signed [SUM_BITS-1:0] sum;
    always @(posedge clk) begin
        if (valid && slot == drain_slot && (first || begun)) begin
            begun <= 1'b1;
            sum <= first ? product : sum + product;
        end
        if (begun) sum_since_first: assert (drained == sum);
    end
endmodule
`default_nettype wire
