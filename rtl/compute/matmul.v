// SPDX-License-Identifier: MIT
// The array: TOKEN_PAR lanes of IN_PAR × OUT_PAR multiplications; all layers come through here.
//
// Right tiles wait in a queue (tile_push), are packed once, and move from lane to lane one cycle behind each other, with
// the steps: lane p works on its row one cycle after lane p − 1 (attention reordering). So a step takes one right tile from
// the queue's front and one left vector per lane from its own bank, whatever TOKEN_PAR is.
// Precondition: every tile_coming is followed, in their order, by a tile_push 0 to 8 cycles later: a step may begin before
// its tile has come.
// Latency: 8 cycles from a step to its tile in lane 0; see matmul_lane. Tile layout: [OUT_PAR][IN_PAR], docs/memory.md.
`default_nettype none
`include "require.vh"
module matmul (
    clk, rst_n, pass_valid, pass_ready, pass, first_key, end_key, tile_coming, tile_push, tile, tile_done,
    read_depth, norm, hidden, gate_input, query, gathered, job_valid, job, job_ready, job_room, freed_valid, freed_slots,
    job_written, scores_done, contexts_done, drain_slot, drain_sums, score_write, score_first, score_address, scores,
    score_mask, output_multiplier, output_shift, scale_query, scale_factors, scale_shifts, scaled_rows,
    pass_issued, busy, step_issued, waits_for_tile, waits_for_room
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "step.vh"
`include "pass.vh"
    localparam ROW_SUMS = OUT_PAR * ACCUMULATOR_BITS;
    localparam ROW_SCORES = OUT_PAR * SCORE_BITS;

    input  wire                             clk;
    input  wire                             rst_n;
    input  wire                             pass_valid;
    output wire                             pass_ready;
    input  wire [PASS_BITS-1:0]             pass;
    input  wire [15:0]                      first_key;
    input  wire [15:0]                      end_key;
    input  wire                             tile_coming;
    input  wire                             tile_push;
    input  wire [TILE_BITS-1:0]             tile;
    output wire                             tile_done;
    output wire [TOKEN_PAR*16-1:0]          read_depth;
    input  wire [TOKEN_PAR*VECTOR_BITS-1:0] norm;
    input  wire [TOKEN_PAR*VECTOR_BITS-1:0] hidden;
    input  wire [TOKEN_PAR*VECTOR*16-1:0]   gate_input;
    input  wire [TOKEN_PAR*VECTOR_BITS-1:0] query;
    input  wire [TOKEN_PAR*GATHERED_BITS-1:0] gathered;
    output wire                             job_valid;
    output wire [JOB_BITS-1:0]              job;
    output wire                             job_ready;
    input  wire                             job_room;
    input  wire                             freed_valid;
    input  wire [SLOT_BITS:0]               freed_slots;
    input  wire                             job_written;
    input  wire [7:0]                       scores_done;
    input  wire [7:0]                       contexts_done;
    input  wire [SLOT_BITS-1:0]             drain_slot;
    output wire [TOKEN_PAR*ROW_SUMS-1:0]    drain_sums;
    input  wire [TOKEN_PAR-1:0]             score_write;
    input  wire                             score_first;
    input  wire [SCORE_ADDRESS_BITS-1:0]    score_address;
    input  wire [POST_ROWS*ROW_SCORES-1:0]  scores;
    input  wire [OUT_PAR-1:0]               score_mask;
    input  wire [MULTIPLIER_BITS-1:0]       output_multiplier;
    input  wire [5:0]                       output_shift;
    input  wire [QUERY_BITS-1:0]            scale_query;
    output wire [TOKEN_PAR*FACTOR_BITS-1:0] scale_factors;
    output wire [TOKEN_PAR*6-1:0]           scale_shifts;
    output wire [7:0]                       scaled_rows;
    output wire                             pass_issued;
    output wire                             busy;
    output wire                             step_issued;
    output wire                             waits_for_tile;
    output wire                             waits_for_room;

    wire [STEP_BITS-1:0] first_step;
    matmul_steps steps (
        .clk(clk), .rst_n(rst_n), .pass_valid(pass_valid), .pass_ready(pass_ready), .pass(pass),
        .first_key(first_key), .end_key(end_key), .tile_coming(tile_coming), .tile_done(tile_done), .step(first_step),
        .job_valid(job_valid), .job(job), .job_ready(job_ready), .job_room(job_room),
        .freed_valid(freed_valid), .freed_slots(freed_slots), .job_written(job_written), .scores_done(scores_done),
        .contexts_done(contexts_done), .pass_issued(pass_issued), .busy(busy),
        .waits_for_tile(waits_for_tile), .waits_for_room(waits_for_room));
    assign step_issued = first_step[STEP_VALID];

    // Right tiles: the front is that of the step in cycle 7 of lane 0.
    wire [TILE_BITS-1:0] front;
    wire unused_empty, unused_full;
    wire [$clog2(TILE_QUEUE):0] unused_count;
    fifo #(.BITS(TILE_BITS), .DEPTH(TILE_QUEUE)) tiles (
        .clk(clk), .rst_n(rst_n), .push(tile_push), .value(tile), .pop(tile_done), .front(front),
        .empty(unused_empty), .full(unused_full), .count(unused_count));

    wire [(TOKEN_PAR+1)*STEP_BITS-1:0] step_of_lane;
    wire [(TOKEN_PAR+1)*PACKED_TILE_BITS-1:0] tile_of_lane;
    wire [TOKEN_PAR*8-1:0] scaled;
    assign step_of_lane[STEP_BITS-1:0] = first_step;
    assign scaled_rows = scaled[TOKEN_PAR*8-1 -: 8];  // the last lane is the last to divide
    genvar pair, lane, output_;
    wire [TILE_BITS-1:0] staggered;
    generate
        for (output_ = 0; output_ < OUT_PAR; output_ = output_ + 1) begin : delays
            stagger #(.LANES(IN_PAR), .BITS(WEIGHT_BITS)) weight_delays (
                .clk(clk), .values(front[output_*IN_PAR*WEIGHT_BITS +: IN_PAR*WEIGHT_BITS]),
                .staggered(staggered[output_*IN_PAR*WEIGHT_BITS +: IN_PAR*WEIGHT_BITS]));
        end
        for (pair = 0; pair < OUT_PAR / 2; pair = pair + 1) begin : packing
            pack_weights #(
                .LANES(IN_PAR), .WEIGHT_BITS(WEIGHT_BITS), .PAIR_SHIFT(PAIR_SHIFT), .PACKED_BITS(PACKED_BITS), .FINE(FINE)
            ) pack (
                .clk(clk), .weights_0(staggered[2*pair*IN_PAR*WEIGHT_BITS +: IN_PAR*WEIGHT_BITS]),
                .weights_1(staggered[(2*pair+1)*IN_PAR*WEIGHT_BITS +: IN_PAR*WEIGHT_BITS]),
                .packed_weights(tile_of_lane[pair*IN_PAR*PACKED_BITS +: IN_PAR*PACKED_BITS]));
        end
        for (lane = 0; lane < TOKEN_PAR; lane = lane + 1) begin : lanes
            matmul_lane row (
                .clk(clk), .rst_n(rst_n),
                .step(step_of_lane[lane*STEP_BITS +: STEP_BITS]),
                .step_out(step_of_lane[(lane+1)*STEP_BITS +: STEP_BITS]),
                .tile(tile_of_lane[lane*PACKED_TILE_BITS +: PACKED_TILE_BITS]),
                .tile_out(tile_of_lane[(lane+1)*PACKED_TILE_BITS +: PACKED_TILE_BITS]),
                .read_depth(read_depth[lane*16 +: 16]), .norm(norm[lane*VECTOR_BITS +: VECTOR_BITS]),
                .hidden(hidden[lane*VECTOR_BITS +: VECTOR_BITS]),
                .gate_input(gate_input[lane*VECTOR*16 +: VECTOR*16]),
                .query(query[lane*VECTOR_BITS +: VECTOR_BITS]),
                .gathered(gathered[lane*GATHERED_BITS +: GATHERED_BITS]),
                .drain_slot(drain_slot), .drain_sums(drain_sums[lane*ROW_SUMS +: ROW_SUMS]),
                .score_write(score_write[lane]), .score_first(score_first), .score_address(score_address),
                .scores(scores[(lane%POST_ROWS)*ROW_SCORES +: ROW_SCORES]), .score_mask(score_mask),
                .output_multiplier(output_multiplier), .output_shift(output_shift),
                .scale_query(scale_query), .scale_factor(scale_factors[lane*FACTOR_BITS +: FACTOR_BITS]),
                .scale_shift(scale_shifts[lane*6 +: 6]), .scaled_rows(scaled[lane*8 +: 8]));
        end
    endgenerate

    // Preconditions.
`ifdef SIMULATION
    reg [6:0] stepping;
    always @(posedge clk) stepping <= rst_n ? {stepping[5:0], step_issued} : 7'd0;
    `REQUIRE(rst_n && stepping[6], !unused_empty, "a tile came later than 8 cycles after tile_coming")
`endif
    wire unused = &{1'b0, unused_empty, unused_full, unused_count, scaled,
                    step_of_lane[TOKEN_PAR*STEP_BITS +: STEP_BITS],
                    tile_of_lane[TOKEN_PAR*PACKED_TILE_BITS +: PACKED_TILE_BITS]};
endmodule
`default_nettype wire
