// SPDX-License-Identifier: MIT
// Single-pass softmax of one lane: scores in, exponentials out in one sweep, one scale per row.
//
//   m = max ⌈t⌉ over the row's keys, kept while scores are written          (whole octaves, so order-free)
//   e = exp2(t − m) on the way into the array;  total = Σ e in the same sweep
//   factor = round_shift(R·M', 16),  shift = S' + L + b − 17                (R, L) = reciprocal(total), b = RECIPROCAL_BITS
//
// A query is {which of two blocks, tile in the block}; a word holds the scores of OUT_PAR keys.
// The sweep: read_address in cycle 0; query, masks and flags of that step in cycle 7, when `exponentials` leave. Steps of
// all output tiles of a group have the same exponentials; those of the first one are `summed`, added to Σe.
// Precondition: a row is swept at least 3 cycles after its last score was written. What rows that are
// none of the task give has no meaning.
// Latency: 7 for the sweep; about RECIPROCAL_BITS + 6 from a row's last step to its scale, one row at a time.
// Depth: an addition of scores; a maximum of four; see exponential, reciprocal.
`default_nettype none
`include "require.vh"
module softmax #(
    parameter OUT_PAR = 16,  // keys of a word
    parameter IN_PAR = 16,  // keys of a step
    parameter SCORE_BITS = 16,
    parameter SCORE_FRACTION = 6,
    parameter EXPONENTIAL_BITS = 10,
    parameter SCORE_ADDRESS_BITS = 8,
    parameter QUERY_BITS = 4,
    parameter TOTAL_BITS = 21,
    parameter RECIPROCAL_BITS = 16,
    parameter MULTIPLIER_BITS = 16,
    parameter FACTOR_BITS = 16,
    parameter FINE = 0,  // 1: fine exponentials, see exponential
    parameter EXP2_TABLE_BITS = 10,
    parameter [64*EXP2_TABLE_BITS-1:0] EXP2_TABLE = 0,  // entry 0 in the low bits, as in the next two
    parameter FINE_EXP2_HIGH_TABLE_BITS = 16,
    parameter [64*FINE_EXP2_HIGH_TABLE_BITS-1:0] FINE_EXP2_HIGH_TABLE = 0,
    parameter FINE_EXP2_LOW_TABLE_BITS = 17,
    parameter [64*FINE_EXP2_LOW_TABLE_BITS-1:0] FINE_EXP2_LOW_TABLE = 0
) (
    input  wire                               clk,
    input  wire                               rst_n,
    input  wire                               write_valid,
    input  wire                               write_first,
    input  wire [SCORE_ADDRESS_BITS-1:0]      write_address,
    input  wire [OUT_PAR*SCORE_BITS-1:0]      write_scores,
    input  wire [OUT_PAR-1:0]                 write_mask,
    input  wire [SCORE_ADDRESS_BITS-1:0]      read_address,
    input  wire [(OUT_PAR>IN_PAR?$clog2(OUT_PAR/IN_PAR):1)-1:0] read_part,
    input  wire                               step_valid,
    input  wire                               step_summed,
    input  wire                               step_first,
    input  wire                               step_last,
    input  wire [QUERY_BITS-1:0]              step_query,
    input  wire [IN_PAR-1:0]                  step_mask,
    output reg  [IN_PAR*EXPONENTIAL_BITS-1:0] exponentials,
    input  wire [MULTIPLIER_BITS-1:0]         output_multiplier,
    input  wire [5:0]                         output_shift,
    input  wire [QUERY_BITS-1:0]              scale_query,
    output wire [FACTOR_BITS-1:0]             scale_factor,
    output wire [5:0]                         scale_shift,
    output reg  [7:0]                         scaled_rows
);
    localparam READ_PARTS = OUT_PAR / IN_PAR;
    localparam PART_BITS = READ_PARTS > 1 ? $clog2(READ_PARTS) : 1;
    localparam QUARTERS = OUT_PAR / 4;
    localparam OCTAVE_BITS = SCORE_BITS - SCORE_FRACTION + 1;
    localparam signed [OCTAVE_BITS-1:0] LOWEST = {1'b1, {(OCTAVE_BITS-1){1'b0}}};

    // Scores, and their maximum in octaves on the way in: of four keys, then of at most four such.
    reg [OUT_PAR*SCORE_BITS-1:0] scores [0:(1<<SCORE_ADDRESS_BITS)-1];
    reg [OUT_PAR*SCORE_BITS-1:0] word_1;
    reg signed [OCTAVE_BITS-1:0] maxima [0:(1<<QUERY_BITS)-1];
    reg signed [OCTAVE_BITS-1:0] octave_1 [0:OUT_PAR-1];
    reg signed [OCTAVE_BITS-1:0] largest_2 [0:QUARTERS-1];
    reg signed [OCTAVE_BITS-1:0] largest_3;
    reg [3:1] arriving, opening_row;
    reg [QUERY_BITS-1:0] query_1, query_2, query_3;
    reg [QUERY_BITS-1:0] read_query_1;
    reg [PART_BITS-1:0] read_part_1;

    function signed [OCTAVE_BITS-1:0] octave;  // ⌈t⌉
        input [SCORE_BITS-1:0] score;
        octave = {score[SCORE_BITS-1], score[SCORE_BITS-1:SCORE_FRACTION]}
            + {{(OCTAVE_BITS-1){1'b0}}, |score[SCORE_FRACTION-1:0]};
    endfunction

    // All pairs are compared at once, and the flags choose.
    function signed [OCTAVE_BITS-1:0] largest;
        input signed [OCTAVE_BITS-1:0] a, b, c, d;
        reg ab, ac, ad, bc, bd, cd;
        begin
            {ab, ac, ad, bc, bd, cd} = {a >= b, a >= c, a >= d, b >= c, b >= d, c >= d};
            largest = ab && ac && ad ? a : !ab && bc && bd ? b : !ac && !bc && cd ? c : d;
        end
    endfunction

    reg signed [OCTAVE_BITS-1:0] found_3, written_4;  // the maximum of the row, found or written a cycle ago
    reg rewritten_3;
    wire signed [OCTAVE_BITS-1:0] before_3 = rewritten_3 ? written_4 : found_3;
    wire signed [OCTAVE_BITS-1:0] after_3 = opening_row[3] || largest_3 > before_3 ? largest_3 : before_3;
    // Registers of this module alone, last stage first (see dot_product).
    /* verilator lint_off BLKSEQ */
    integer key, quarter;
    always @(posedge clk) begin
        if (arriving[3]) maxima[query_3] <= after_3;
        written_4 <= after_3;
        rewritten_3 <= arriving[3] && query_2 == query_3;
        found_3 <= maxima[query_2];
        largest_3 = largest(largest_2[0], largest_2[QUARTERS>1?1:0], largest_2[QUARTERS>2?2:0], largest_2[QUARTERS>3?3:0]);
        for (quarter = 0; quarter < QUARTERS; quarter = quarter + 1)
            largest_2[quarter] = largest(octave_1[4*quarter], octave_1[4*quarter+1], octave_1[4*quarter+2], octave_1[4*quarter+3]);
        if (write_valid)
            for (key = 0; key < OUT_PAR; key = key + 1)
                octave_1[key] = write_mask[key] ? octave(write_scores[key*SCORE_BITS +: SCORE_BITS]) : LOWEST;
    end
    /* verilator lint_on BLKSEQ */

    always @(posedge clk) begin
        arriving <= rst_n ? {arriving[2:1], write_valid} : 3'd0;
        opening_row <= {opening_row[2:1], write_first};
        query_1 <= write_address[SCORE_ADDRESS_BITS-1 -: QUERY_BITS];
        query_2 <= query_1;
        query_3 <= query_2;
        if (write_valid) scores[write_address] <= write_scores;
        word_1 <= scores[read_address];
        read_query_1 <= read_address[SCORE_ADDRESS_BITS-1 -: QUERY_BITS];
        read_part_1 <= read_part;
    end

    // Exponentials.
    wire signed [OCTAVE_BITS-1:0] maximum_1 = maxima[read_query_1];
    wire [IN_PAR*SCORE_BITS-1:0] part_1;
    wire [IN_PAR*EXPONENTIAL_BITS-1:0] made;
    wire [IN_PAR-1:0] unused_valid;
    genvar lane;
    generate
        if (READ_PARTS > 1) begin : parts
            assign part_1 = word_1[read_part_1*IN_PAR*SCORE_BITS +: IN_PAR*SCORE_BITS];
        end else begin : whole
            assign part_1 = word_1;
            wire unused = &{1'b0, read_part_1};
        end
        for (lane = 0; lane < IN_PAR; lane = lane + 1) begin : keys
            exponential #(
                .FINE_PRODUCT(FINE), .T_BITS(SCORE_BITS), .T_FRACTION(SCORE_FRACTION), .E_BITS(EXPONENTIAL_BITS),
                .EXP2_TABLE_BITS(EXP2_TABLE_BITS), .EXP2_TABLE(EXP2_TABLE),
                .FINE_EXP2_HIGH_TABLE_BITS(FINE_EXP2_HIGH_TABLE_BITS), .FINE_EXP2_HIGH_TABLE(FINE_EXP2_HIGH_TABLE),
                .FINE_EXP2_LOW_TABLE_BITS(FINE_EXP2_LOW_TABLE_BITS), .FINE_EXP2_LOW_TABLE(FINE_EXP2_LOW_TABLE)
            ) power (
                .clk(clk), .rst_n(rst_n), .valid_in(1'b1), .score(part_1[lane*SCORE_BITS +: SCORE_BITS]),
                .octave(maximum_1), .valid_out(unused_valid[lane]),
                .result(made[lane*EXPONENTIAL_BITS +: EXPONENTIAL_BITS]));
        end
    endgenerate
    wire unused = &{1'b0, unused_valid};

    integer position;
    always @*
        for (position = 0; position < IN_PAR; position = position + 1)
            exponentials[position*EXPONENTIAL_BITS +: EXPONENTIAL_BITS] =
                step_mask[position] ? made[position*EXPONENTIAL_BITS +: EXPONENTIAL_BITS] : {EXPONENTIAL_BITS{1'b0}};

    // Σe: two stages of additions, then the row's total.
    reg [TOTAL_BITS-1:0] totals [0:(1<<QUERY_BITS)-1];
    reg [EXPONENTIAL_BITS+1:0] sum_8 [0:IN_PAR/4-1];
    reg [EXPONENTIAL_BITS+4:0] sum_9;
    reg [2:0] summed, last_keys;
    reg [1:0] first_keys;
    reg [QUERY_BITS-1:0] query_8, query_9;
    wire [TOTAL_BITS-1:0] total_before = totals[query_9];
    /* verilator lint_off BLKSEQ */
    integer four, one;
    always @(posedge clk) begin
        if (summed[1])
            totals[query_9] <= (first_keys[1] ? {TOTAL_BITS{1'b0}} : total_before)
                + {{(TOTAL_BITS-EXPONENTIAL_BITS-5){1'b0}}, sum_9};
        sum_9 = {(EXPONENTIAL_BITS+5){1'b0}};
        for (four = 0; four < IN_PAR / 4; four = four + 1) sum_9 = sum_9 + {3'd0, sum_8[four]};
        for (four = 0; four < IN_PAR / 4; four = four + 1) begin
            sum_8[four] = {(EXPONENTIAL_BITS+2){1'b0}};
            for (one = 4 * four; one < 4 * four + 4; one = one + 1)
                sum_8[four] = sum_8[four] + {2'b00, exponentials[one*EXPONENTIAL_BITS +: EXPONENTIAL_BITS]};
        end
    end
    /* verilator lint_on BLKSEQ */
    always @(posedge clk) begin
        summed <= rst_n ? {summed[1:0], step_valid & step_summed} : 3'd0;
        first_keys <= {first_keys[0], step_first};
        last_keys <= {last_keys[1:0], step_last};
        query_8 <= step_query;
        query_9 <= query_8;
    end

    // One division per row, in the order in which rows are complete.
    wire [QUERY_BITS-1:0] divided_query;
    wire none_waiting, divider_ready, divided;
    reg dividing;
    reg [QUERY_BITS-1:0] query_10, scaling_query;
    wire [RECIPROCAL_BITS-1:0] inverse;
    wire [4:0] length;
    wire begin_division = !none_waiting && divider_ready && !dividing;
    wire unused_full;
    wire [4:0] unused_count;
    always @(posedge clk) query_10 <= query_9;
    fifo #(.BITS(QUERY_BITS), .DEPTH(16)) complete_rows (
        .clk(clk), .rst_n(rst_n), .push(summed[2] & last_keys[2]), .value(query_10), .pop(begin_division),
        .front(divided_query), .empty(none_waiting), .full(unused_full), .count(unused_count));
    reciprocal #(.TOTAL_BITS(TOTAL_BITS), .RECIPROCAL_BITS(RECIPROCAL_BITS)) divide (
        .clk(clk), .rst_n(rst_n), .start(begin_division), .ready(divider_ready), .total(totals[divided_query]),
        .done(divided), .result(inverse), .length(length));

    localparam PRODUCT_BITS = RECIPROCAL_BITS + MULTIPLIER_BITS;
    reg [FACTOR_BITS+5:0] scales [0:(1<<QUERY_BITS)-1];
    // R·M' grows with R, whose bits come highest first, one a cycle from 3 cycles after the division begins.
    reg [PRODUCT_BITS-1:0] product;
    reg dividing_1, dividing_2;
    wire [PRODUCT_BITS-1:0] added = {{RECIPROCAL_BITS{1'b0}}, inverse[0] ? output_multiplier : {MULTIPLIER_BITS{1'b0}}};
    reg [5:0] product_shift;
    reg product_valid;
    wire [PRODUCT_BITS-1:0] rounded = product + (1 << (MULTIPLIER_BITS - 1));
    wire [5:0] total_shift = output_shift + {1'b0, length} + RECIPROCAL_BITS[5:0] - MULTIPLIER_BITS[5:0] - 6'd1;
    always @(posedge clk) begin
        dividing <= rst_n & (begin_division | (dividing & !divided));
        if (begin_division) scaling_query <= divided_query;
        dividing_1 <= dividing;
        dividing_2 <= dividing && dividing_1;
        product <= dividing_2 ? {product[PRODUCT_BITS-2:0], 1'b0} + added : {PRODUCT_BITS{1'b0}};
        product_shift <= total_shift;
        product_valid <= rst_n & divided;
        if (product_valid)
            scales[scaling_query] <= {product_shift, rounded[PRODUCT_BITS-1:MULTIPLIER_BITS]};
        scaled_rows <= !rst_n ? 8'd0 : scaled_rows + {7'd0, product_valid};
    end
    assign {scale_shift, scale_factor} = scales[scale_query];
    wire unused_rounding = &{1'b0, inverse[RECIPROCAL_BITS-1:1], rounded[MULTIPLIER_BITS-1:0], unused_full, unused_count};

`ifdef SIMULATION
    reg [31:0] cycle;
    reg [31:0] written [0:(1<<QUERY_BITS)-1];  // in which cycle a query's scores were last written, 0: never
    integer each_query;
    always @(posedge clk) begin
        cycle <= rst_n ? cycle + 1 : 10;
        if (write_valid) written[write_address[SCORE_ADDRESS_BITS-1 -: QUERY_BITS]] <= cycle;
        if (!rst_n) for (each_query = 0; each_query < 1 << QUERY_BITS; each_query = each_query + 1) written[each_query] <= 0;
    end
`endif
    `REQUIRE(rst_n && step_valid, cycle - written[step_query] >= 10, "a row is swept less than 3 cycles after its last score")
endmodule
`default_nettype wire
