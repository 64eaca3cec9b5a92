// SPDX-License-Identifier: MIT
// Reciprocal of a softmax sum by exact floor division, one quotient bit per cycle.
//
//   (R, L) with 1/total ≈ R·2^−(L + b − 1):  L = bit length of total,  R = ⌊(2^(L+b−1) − 1) / total⌋,  b = RECIPROCAL_BITS
//
// The dividend is all ones, so its first L − 1 bits are the first remainder, and every step shifts a one in:
//   remainder ← 2·remainder + 1;  where it reaches total, subtract total and append 1 to the quotient, else 0.
// Precondition: start only while ready. The reciprocal of 0 has no meaning.
// Latency: b + 2 cycles from start to done, ready again with done. Result and length stay until the next start.
// Depth: a compare-and-subtract of TOTAL_BITS + 1 bits; a priority encoder of TOTAL_BITS bits at the start.
`default_nettype none
`include "require.vh"
module reciprocal #(
    parameter TOTAL_BITS = 21,
    parameter RECIPROCAL_BITS = 16
) (
    input  wire                       clk,
    input  wire                       rst_n,
    input  wire                       start,
    output wire                       ready,
    input  wire [TOTAL_BITS-1:0]      total,
    output reg                        done,
    output reg  [RECIPROCAL_BITS-1:0] result,
    output reg  [4:0]                 length
);
    localparam COUNT_BITS = 5;

    reg busy;
    reg [COUNT_BITS-1:0] steps_left;
    reg [TOTAL_BITS-1:0] divisor, remainder;
    reg first;
    assign ready = !busy;

    // All bits below the highest one that is set, and how many there are.
    reg [TOTAL_BITS-1:0] below;
    reg [COUNT_BITS-1:0] bit_length;
    integer position;
    always @* begin
        bit_length = {COUNT_BITS{1'b0}};
        below = {TOTAL_BITS{1'b0}};
        for (position = 0; position < TOTAL_BITS; position = position + 1) begin
            if (divisor[position]) bit_length = position[COUNT_BITS-1:0] + 1'b1;
            below[position] = |(divisor >> (position + 1));
        end
    end

    wire [TOTAL_BITS:0] dividend = {remainder, 1'b1};
    wire [TOTAL_BITS-1:0] difference = dividend[TOTAL_BITS-1:0] - divisor;  // right where it is used, below 2^TOTAL_BITS
    wire reached = dividend >= {1'b0, divisor};

    always @(posedge clk) begin
        done <= 1'b0;
        if (!rst_n) busy <= 1'b0;
        else if (!busy) begin
            busy <= start;
            first <= 1'b1;
            divisor <= total;
            steps_left <= RECIPROCAL_BITS[COUNT_BITS-1:0];
        end else if (first) begin
            first <= 1'b0;
            remainder <= below;
            length <= bit_length;
        end else begin
            remainder <= reached ? difference : dividend[TOTAL_BITS-1:0];
            result <= {result[RECIPROCAL_BITS-2:0], reached};
            steps_left <= steps_left - 1'b1;
            if (steps_left == 1) begin
                busy <= 1'b0;
                done <= 1'b1;
            end
        end
    end

    // Preconditions.
    `REQUIRE(rst_n && start, ready, "start while busy")
endmodule
`default_nettype wire
