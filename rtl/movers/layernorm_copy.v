// SPDX-License-Identifier: MIT
// The residual stream itself for gates that read the input of their block, LANES values a cycle.
//
//   copied = clip(round_shift(x, RESIDUAL_BITS − 16), ±WIDE_LIMIT)
//
// Latency: LATENCY, at least 2, that of layernorm_normalise beside it. Depth: an addition of RESIDUAL_BITS.
`default_nettype none
module layernorm_copy #(
    parameter LANES = 16,
    parameter RESIDUAL_BITS = 16,
    parameter WIDE_LIMIT = 32639,
    parameter LATENCY = 18
) (
    input  wire                           clk,
    input  wire [LANES*RESIDUAL_BITS-1:0] values,
    output wire [LANES*16-1:0]            copied
);
    localparam CUT = RESIDUAL_BITS - 16;
    localparam [RESIDUAL_BITS:0] HALF = CUT > 0 ? 1 << (CUT - 1) : 0;
    reg [(LATENCY-1)*LANES*16-1:0] clipped;
    wire [LANES*16-1:0] next;
    assign copied = clipped[(LATENCY-2)*LANES*16 +: LANES*16];
    always @(posedge clk) clipped <= {clipped[(LATENCY-2)*LANES*16-1:0], next};

    genvar lane;
    generate
        for (lane = 0; lane < LANES; lane = lane + 1) begin : lanes
            wire signed [RESIDUAL_BITS-1:0] value = values[lane*RESIDUAL_BITS +: RESIDUAL_BITS];
            wire signed [RESIDUAL_BITS:0] raised = {value[RESIDUAL_BITS-1], value} + $signed(HALF);
            reg signed [16:0] rounded;
            wire unused = &{1'b0, raised};
            always @(posedge clk) rounded <= raised[RESIDUAL_BITS -: 17];
            assign next[lane*16 +: 16] = rounded > WIDE_LIMIT ? WIDE_LIMIT[15:0]
                                       : rounded < -WIDE_LIMIT ? -WIDE_LIMIT[15:0] : rounded[15:0];
        end
    endgenerate
endmodule
`default_nettype wire
