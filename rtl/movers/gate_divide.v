// SPDX-License-Identifier: MIT
// Quotients of exponentials by their sum, one a cycle, one bit per stage.
//
//   quotient = min(⌊dividend·2^16 / divisor⌋, 2^16 − 1)
//
// remainder ← 2·remainder; where it reaches the divisor, subtract that and append 1, else 0. A dividend equal to the
// divisor gives ones only, which is the bound.
// Precondition: 0 ≤ dividend ≤ divisor, 1 ≤ divisor.
// Latency: 16. Depth: a compare-and-subtract of DIVISOR_BITS + 1 bits.
`default_nettype none
`include "require.vh"
module gate_divide #(
    parameter DIVISOR_BITS = 20,
    parameter TAG_BITS = 4
) (
    input  wire                    clk,
    input  wire                    rst_n,
    input  wire                    valid_in,
    input  wire [15:0]             dividend,
    input  wire [DIVISOR_BITS-1:0] divisor,
    input  wire [TAG_BITS-1:0]     tag_in,
    output wire                    valid_out,
    output reg  [15:0]             quotient,
    output reg  [TAG_BITS-1:0]     tag_out
);
    localparam STAGES = 16;

    // Registers of this module alone, last stage first (see dot_product); entry 0 is what comes in.
    /* verilator lint_off BLKSEQ */
    reg [DIVISOR_BITS-1:0] remainders [0:STAGES-1];
    reg [DIVISOR_BITS-1:0] divisors [0:STAGES-1];
    reg [STAGES-1:0] quotients [0:STAGES-1];
    reg [TAG_BITS-1:0] tags [0:STAGES-1];
    reg [DIVISOR_BITS:0] doubled;
    reg reached;
    integer stage;
    always @(posedge clk) begin
        remainders[0] = {{(DIVISOR_BITS-16){1'b0}}, dividend};
        divisors[0] = divisor;
        quotients[0] = {STAGES{1'b0}};
        tags[0] = tag_in;
        quotient <= {quotients[STAGES-1][STAGES-2:0], {remainders[STAGES-1], 1'b0} >= {1'b0, divisors[STAGES-1]}};
        tag_out <= tags[STAGES-1];
        for (stage = STAGES - 1; stage > 0; stage = stage - 1) begin
            doubled = {remainders[stage-1], 1'b0};
            reached = doubled >= {1'b0, divisors[stage-1]};
            remainders[stage] = doubled[DIVISOR_BITS-1:0] - (reached ? divisors[stage-1] : {DIVISOR_BITS{1'b0}});
            quotients[stage] = {quotients[stage-1][STAGES-2:0], reached};
            divisors[stage] = divisors[stage-1];
            tags[stage] = tags[stage-1];
        end
    end
    /* verilator lint_on BLKSEQ */

    reg [STAGES:1] valid;
    always @(posedge clk) valid <= rst_n ? {valid[STAGES-1:1], valid_in} : {STAGES{1'b0}};
    assign valid_out = valid[STAGES];

    // Preconditions.
    `REQUIRE(rst_n && valid_in, divisor != 0 && {{(DIVISOR_BITS-16){1'b0}}, dividend} <= divisor, "dividend is above the divisor, or that is 0")
endmodule
`default_nettype wire
