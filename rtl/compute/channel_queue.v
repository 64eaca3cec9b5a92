// SPDX-License-Identifier: MIT
// Channel records of output tiles, from the weight stream to the post lanes: docs/memory.md.
//
// Latency: 1. Precondition: at most CHANNEL_QUEUE tiles wait.
`default_nettype none
module channel_queue #(
    parameter OUT_PAR = 16,
    parameter CHANNEL_BYTES = 8,  // of a record
    parameter ACCUMULATOR_BITS = 32,
    parameter MULTIPLIER_BITS = 16,
    parameter CHANNEL_QUEUE = 16  // output tiles that may wait
) (
    input  wire                                clk,
    input  wire                                rst_n,
    input  wire                                push,
    input  wire [OUT_PAR*CHANNEL_BYTES*8-1:0]  lines,
    input  wire                                pop,
    output wire [OUT_PAR*ACCUMULATOR_BITS-1:0] biases,
    output wire [OUT_PAR*MULTIPLIER_BITS-1:0]  multipliers,
    output wire [OUT_PAR*6-1:0]                shifts
);
    localparam HALF = 4 * CHANNEL_BYTES;  // bits of the bias field
    localparam CHANNEL_BITS = ACCUMULATOR_BITS + MULTIPLIER_BITS + 6;  // bias, multiplier, shift

    wire [OUT_PAR*CHANNEL_BITS-1:0] decoded;
    wire [OUT_PAR*CHANNEL_BITS-1:0] front;
    wire unused_empty, unused_full;
    wire [$clog2(CHANNEL_QUEUE):0] unused_count;
    genvar n;
    generate
        for (n = 0; n < OUT_PAR; n = n + 1) begin : channels
            wire [2*HALF-1:0] line_record = lines[2*HALF*n +: 2*HALF];
            wire [CHANNEL_BITS-1:0] record = front[CHANNEL_BITS*n +: CHANNEL_BITS];
            assign decoded[CHANNEL_BITS*n +: CHANNEL_BITS] =
                {line_record[HALF+16 +: 6], line_record[HALF +: 16], line_record[ACCUMULATOR_BITS-1:0]};
            assign {shifts[6*n +: 6], multipliers[16*n +: 16], biases[ACCUMULATOR_BITS*n +: ACCUMULATOR_BITS]} = record;
            wire unused = &{1'b0, line_record};
        end
    endgenerate
    fifo #(.BITS(OUT_PAR * CHANNEL_BITS), .DEPTH(CHANNEL_QUEUE)) queue (
        .clk(clk), .rst_n(rst_n), .push(push), .value(decoded), .pop(pop), .front(front),
        .empty(unused_empty), .full(unused_full), .count(unused_count));
    wire unused = &{1'b0, unused_empty, unused_full, unused_count};
endmodule
`default_nettype wire
