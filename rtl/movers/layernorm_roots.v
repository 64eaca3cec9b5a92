// SPDX-License-Identifier: MIT
// Sums and reciprocal roots of groups of rows that arrive side by side, kept until they are taken.
//
//   sums[r] = Σ x,   1/√(D·Σx² − (Σx)² + ε) ≈ roots[r]·2^−(R + exponents[r] + P/2)        r < GROUP
//
// The rows of a group share one variance unit and one root unit, a cycle each.
// Outputs belong to the oldest group, while `ready`; `take` moves on to the next one.
// Precondition: at most 2^ENTRY_BITS groups not taken; groups end at least GROUP cycles apart; width and epsilon held.
// Latency: 8 + those of layernorm_statistics and reciprocal_root (in turn GROUP, layernorm_variance 5, ready 1).
// Depth: see those; a distributed memory of 2^ENTRY_BITS.
`default_nettype none
`include "require.vh"
module layernorm_roots #(
    parameter GROUP = 1,
    parameter ENTRY_BITS = 6,
    parameter VECTOR = 16,
    parameter RESIDUAL_BITS = 16,
    parameter ROW_SUM_BITS = 26,
    parameter ROW_SQUARES_BITS = 41,
    parameter VARIANCE_BITS = 68,
    parameter ROOT_BITS = 17,
    parameter RSQRT_MANTISSA_BITS = 16,
    parameter RSQRT_FRACTION = 15,
    parameter RSQRT_STEPS = 1,  // Newton steps
    parameter RSQRT_INDEX_BITS = 8,
    parameter RSQRT_TABLE_SIZE = 192,
    parameter RSQRT_TABLE_BITS = 16,
    parameter [RSQRT_TABLE_SIZE*RSQRT_TABLE_BITS-1:0] RSQRT_TABLE = 0  // entry 0 in the low bits
) (
    input  wire                                  clk,
    input  wire                                  rst_n,
    input  wire                                  valid_in,
    input  wire                                  first,
    input  wire                                  last,
    input  wire [GROUP*VECTOR*RESIDUAL_BITS-1:0] values,
    input  wire [10:0]                           width,
    input  wire [63:0]                           epsilon,
    output reg                                   ready,
    input  wire                                  take,
    output wire [GROUP*ROW_SUM_BITS-1:0]         sums,
    output wire [GROUP*ROOT_BITS-1:0]            roots,
    output wire [GROUP*7-1:0]                    exponents
);
    localparam ROW_BITS = VECTOR * RESIDUAL_BITS;
    localparam ENTRIES = 1 << ENTRY_BITS;

    wire [GROUP-1:0] row_done;
    wire [GROUP*ROW_SUM_BITS-1:0] row_sums;
    wire [GROUP*ROW_SQUARES_BITS-1:0] row_squares;
    wire done = row_done[0];

    // One row of the group after the other.
    reg [GROUP-1:0] waiting;
    reg [GROUP*ROW_SUM_BITS-1:0] waiting_sums;
    reg [GROUP*ROW_SQUARES_BITS-1:0] waiting_squares;
    wire [GROUP:0] then_waiting = {1'b0, waiting};
    wire [(GROUP+1)*ROW_SUM_BITS-1:0] then_sums = {{ROW_SUM_BITS{1'b0}}, waiting_sums};
    wire [(GROUP+1)*ROW_SQUARES_BITS-1:0] then_squares = {{ROW_SQUARES_BITS{1'b0}}, waiting_squares};
    always @(posedge clk) begin
        waiting <= !rst_n ? {GROUP{1'b0}} : done ? {GROUP{1'b1}} : then_waiting[GROUP:1];
        waiting_sums <= done ? row_sums : then_sums[ROW_SUM_BITS +: GROUP*ROW_SUM_BITS];
        waiting_squares <= done ? row_squares : then_squares[ROW_SQUARES_BITS +: GROUP*ROW_SQUARES_BITS];
    end

    wire variance_valid, root_valid;
    wire [VARIANCE_BITS-1:0] variance;
    wire [ROOT_BITS-1:0] root;
    wire signed [6:0] exponent;
    layernorm_variance #(
        .RESIDUAL_BITS(RESIDUAL_BITS), .ROW_SUM_BITS(ROW_SUM_BITS), .ROW_SQUARES_BITS(ROW_SQUARES_BITS),
        .VARIANCE_BITS(VARIANCE_BITS)
    ) row_variance (
        .clk(clk), .rst_n(rst_n), .valid_in(waiting[0]), .width(width), .sum(waiting_sums[ROW_SUM_BITS-1:0]),
        .squares(waiting_squares[ROW_SQUARES_BITS-1:0]), .epsilon(epsilon),
        .valid_out(variance_valid), .variance(variance));
    reciprocal_root #(
        .VARIANCE_BITS(VARIANCE_BITS), .RSQRT_MANTISSA_BITS(RSQRT_MANTISSA_BITS), .RSQRT_FRACTION(RSQRT_FRACTION),
        .RSQRT_STEPS(RSQRT_STEPS), .RSQRT_INDEX_BITS(RSQRT_INDEX_BITS), .RSQRT_TABLE_SIZE(RSQRT_TABLE_SIZE),
        .RSQRT_TABLE_BITS(RSQRT_TABLE_BITS), .RSQRT_TABLE(RSQRT_TABLE)
    ) row_root (
        .clk(clk), .rst_n(rst_n), .valid_in(variance_valid), .variance(variance),
        .valid_out(root_valid), .root(root), .exponent(exponent));

    reg [GROUP-1:0] turn;  // one bit: the row that the next root belongs to
    wire [GROUP:0] next_turn = {turn, turn[GROUP-1]};
    reg [ENTRY_BITS-1:0] sum_entry, root_entry, oldest;
    reg [ENTRY_BITS:0] kept;
    wire complete = root_valid & turn[GROUP-1];
    always @(posedge clk)
        if (!rst_n) begin
            turn <= {{(GROUP-1){1'b0}}, 1'b1};
            sum_entry <= {ENTRY_BITS{1'b0}};
            root_entry <= {ENTRY_BITS{1'b0}};
            oldest <= {ENTRY_BITS{1'b0}};
            kept <= {(ENTRY_BITS+1){1'b0}};
            ready <= 1'b0;
        end else begin
            ready <= complete || |kept[ENTRY_BITS:1] || (kept[0] && !take);  // kept is not 0
            if (root_valid) turn <= next_turn[GROUP-1:0];
            sum_entry <= sum_entry + {{(ENTRY_BITS-1){1'b0}}, done};
            root_entry <= root_entry + {{(ENTRY_BITS-1){1'b0}}, complete};
            oldest <= oldest + {{(ENTRY_BITS-1){1'b0}}, take};
            kept <= kept + {{ENTRY_BITS{1'b0}}, complete} - {{ENTRY_BITS{1'b0}}, take};
        end

    wire unused_ends = &{1'b0, then_waiting, then_sums, then_squares, next_turn};

    genvar row;
    generate
        for (row = 0; row < GROUP; row = row + 1) begin : rows
            reg [ROW_SUM_BITS-1:0] kept_sums [0:ENTRIES-1];
            reg [ROOT_BITS+6:0] kept_roots [0:ENTRIES-1];
            layernorm_statistics #(
                .LANES(VECTOR), .RESIDUAL_BITS(RESIDUAL_BITS), .ROW_SUM_BITS(ROW_SUM_BITS),
                .ROW_SQUARES_BITS(ROW_SQUARES_BITS)
            ) statistics (
                .clk(clk), .rst_n(rst_n), .valid_in(valid_in), .first(first), .last(last),
                .values(values[row*ROW_BITS +: ROW_BITS]), .valid_out(row_done[row]),
                .sum(row_sums[row*ROW_SUM_BITS +: ROW_SUM_BITS]),
                .squares(row_squares[row*ROW_SQUARES_BITS +: ROW_SQUARES_BITS]));
            always @(posedge clk) begin
                if (done) kept_sums[sum_entry] <= row_sums[row*ROW_SUM_BITS +: ROW_SUM_BITS];
                if (root_valid & turn[row]) kept_roots[root_entry] <= {exponent, root};
            end
            assign sums[row*ROW_SUM_BITS +: ROW_SUM_BITS] = kept_sums[oldest];
            assign {exponents[row*7 +: 7], roots[row*ROOT_BITS +: ROOT_BITS]} = kept_roots[oldest];
            if (row > 0) begin : together
                wire unused = row_done[row];
            end
        end
    endgenerate

    // Preconditions.
    `REQUIRE(rst_n && complete, !kept[ENTRY_BITS], "more groups than entries")
    `REQUIRE(rst_n && done, then_waiting[GROUP:1] == 0, "groups end less than GROUP cycles apart")
endmodule
`default_nettype wire
