// SPDX-License-Identifier: MIT
// Where a row of a drain step goes: bank and depth of its scratchpad vector.
//
//   target = row + OFFSET;  bank = target mod TOKEN_PAR;  depth = ⌊target / TOKEN_PAR⌋·vectors + vector
//
// row and vectors arrive in cycle 4 of the step, vector in 6.
// The depth stands in cycles 11, 19 and 23, the bank a cycle before, and two before the last. Depth: a small multiplication.
`default_nettype none
module drain_place #(
    parameter OFFSET = 0,
    parameter LANE_BITS = 3,
    parameter VECTORS_BITS = 11,
    parameter DEPTH_BITS = 16
) (
    input  wire                    clk,
    input  wire [15:0]             row_4,
    input  wire [VECTORS_BITS-1:0] vectors_4,
    input  wire [VECTORS_BITS-1:0] vector_6,
    output wire [LANE_BITS-1:0]    bank_10,
    output wire [DEPTH_BITS-1:0]   depth_11,
    output wire [LANE_BITS-1:0]    bank_18,
    output wire [DEPTH_BITS-1:0]   depth_19,
    output wire [LANE_BITS-1:0]    bank_21,
    output wire [LANE_BITS-1:0]    bank_22,
    output wire [DEPTH_BITS-1:0]   depth_23
);
    reg [15:0] target_5;
    reg [VECTORS_BITS-1:0] vectors_5;
    reg [LANE_BITS-1:0] bank_6;
    reg [DEPTH_BITS-1:0] product_6;
    reg [16*LANE_BITS-1:0] banks;    // cycles 7 … 22, the youngest in the low bits
    reg [17*DEPTH_BITS-1:0] depths;  // cycles 7 … 23
    wire [DEPTH_BITS+VECTORS_BITS-1:0] product = {{LANE_BITS{1'b0}}, target_5[15:LANE_BITS]} * vectors_5;
    wire unused = &{1'b0, product[DEPTH_BITS +: VECTORS_BITS]};
    always @(posedge clk) begin
        target_5 <= row_4 + OFFSET[15:0];
        vectors_5 <= vectors_4;
        bank_6 <= target_5[LANE_BITS-1:0];
        product_6 <= product[DEPTH_BITS-1:0];
        banks <= {banks[15*LANE_BITS-1:0], bank_6};
        depths <= {depths[16*DEPTH_BITS-1:0], product_6 + {{(DEPTH_BITS-VECTORS_BITS){1'b0}}, vector_6}};
    end
    assign bank_10 = banks[3*LANE_BITS +: LANE_BITS];
    assign bank_18 = banks[11*LANE_BITS +: LANE_BITS];
    assign bank_21 = banks[14*LANE_BITS +: LANE_BITS];
    assign bank_22 = banks[15*LANE_BITS +: LANE_BITS];
    assign depth_11 = depths[4*DEPTH_BITS +: DEPTH_BITS];
    assign depth_19 = depths[12*DEPTH_BITS +: DEPTH_BITS];
    assign depth_23 = depths[16*DEPTH_BITS +: DEPTH_BITS];
endmodule
`default_nettype wire
