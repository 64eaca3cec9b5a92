// SPDX-License-Identifier: MIT
// The unified compute unit, the array with all that feeds and drains it: passes and fetches in, rows of scratchpads out.
//
// Passes wait in a queue of four; `idle` says that none is left and that everything made has been written or handed on.
`default_nettype none
module compute (
    clk, rst_n, pass_room, pass_push, pass, pass_issued, fetch_room, fetch_push, fetch, header_done, header_fault, idle,
    first_key, end_key, vectors, out_features, output_base, multiplier, shift, output_multiplier, output_shift, output_zero,
    activation, biased,
    available, take, take_lines, taken_valid, taken, skip, skip_lines, keep, again, left, closes_part, last_segment, line_valid, line_ready, line,
    array_depth, norm, hidden, gate_input, query, gathered, attention_depth, keys, values,
    residual_read_depth, residual, residual_enable, residual_parts, residual_depth, residual_values,
    write_enable, write_buffer, write_parts, write_depth, write_values, write_wide, wide_result,
    lookup_expert, lookup_index, lookup_destination, lookup_score, logits_valid, logits_row, logits_tile, logits,
    word_valid, word_ready, word_address, word, step_issued, waits_for_weights, waits_for_room, drains, array_idle
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "pass.vh"
`include "fetch.vh"
`include "drain.vh"
    localparam ALL = TOKEN_PAR * VECTOR_BITS;
    localparam ROW_SUMS = OUT_PAR * ACCUMULATOR_BITS;

    input  wire                                    clk;
    input  wire                                    rst_n;
    output wire                                    pass_room;
    input  wire                                    pass_push;
    input  wire [PASS_BITS-1:0]                    pass;
    output wire                                    pass_issued;
    output wire                                    fetch_room;
    input  wire                                    fetch_push;
    input  wire [FETCH_BITS-1:0]                   fetch;
    output wire                                    header_done;
    output wire [4:0]                              header_fault;
    output wire                                    idle;
    input  wire [15:0]                             first_key;
    input  wire [15:0]                             end_key;
    input  wire [VECTORS_BITS-1:0]                 vectors;
    input  wire [15:0]                             out_features;
    input  wire [63:0]                             output_base;
    input  wire [MULTIPLIER_BITS-1:0]              multiplier;
    input  wire [5:0]                              shift;
    input  wire [MULTIPLIER_BITS-1:0]              output_multiplier;
    input  wire [5:0]                              output_shift;
    input  wire [15:0]                             output_zero;
    input  wire [1:0]                              activation;
    input  wire                                    biased;
    input  wire [8:1]                              available;
    output wire                                    take;
    output wire [2:0]                              take_lines;
    input  wire                                    taken_valid;
    input  wire [TILE_BITS-1:0]                    taken;
    output wire                                    skip;
    output wire [31:0]                             skip_lines;
    output wire                                    keep;
    output wire                                    again;
    input  wire [63:0]                             left;
    input  wire                                    closes_part;
    input  wire [31:0]                             last_segment;
    output wire                                    line_valid;
    input  wire                                    line_ready;
    output wire [LINE_BITS-1:0]                    line;
    output wire [TOKEN_PAR*16-1:0]                 array_depth;
    input  wire [ALL-1:0]                          norm;
    input  wire [ALL-1:0]                          hidden;
    input  wire [TOKEN_PAR*VECTOR*16-1:0]          gate_input;
    input  wire [ALL-1:0]                          query;
    input  wire [TOKEN_PAR*GATHERED_BITS-1:0]      gathered;
    output wire [15:0]                             attention_depth;
    input  wire [ALL-1:0]                          keys;
    input  wire [ALL-1:0]                          values;
    output wire [POST_ROWS*16-1:0]                 residual_read_depth;
    input  wire [RESIDUAL_ALL-1:0]                 residual;
    output wire [TOKEN_PAR-1:0]                    residual_enable;
    output wire [OUT_PARTS-1:0]                    residual_parts;
    output wire [POST_ROWS*16-1:0]                 residual_depth;
    output wire [POST_ROWS*RESIDUAL_VECTOR-1:0]    residual_values;
    output wire [TOKEN_PAR-1:0]                    write_enable;
    output wire [3:0]                              write_buffer;
    output wire [OUT_PARTS-1:0]                    write_parts;
    output wire [POST_ROWS*16-1:0]                 write_depth;
    output wire [POST_ROWS*VECTOR_BITS-1:0]        write_values;
    output wire [POST_ROWS*VECTOR*16-1:0]          write_wide;
    input  wire                                    wide_result;
    output wire [7:0]                              lookup_expert;
    output wire [15:0]                             lookup_index;
    input  wire [15:0]                             lookup_destination;
    input  wire [15:0]                             lookup_score;
    output wire [POST_ROWS-1:0]                    logits_valid;
    output wire [POST_ROWS*16-1:0]                 logits_row;
    output wire [7:0]                              logits_tile;
    output wire [POST_ROWS*OUT_PAR*LOGIT_BITS-1:0] logits;
    output wire                                    word_valid;
    input  wire                                    word_ready;
    output wire [63:0]                             word_address;
    output wire [127:0]                            word;
    output wire                                    step_issued;
    output wire                                    waits_for_weights;
    output wire                                    waits_for_room;
    output wire                                    drains;
    output wire                                    array_idle;

    // Right operands.
    wire tile_coming, tile_push, weights_coming, tile_done, tile_room, channel_push, channel_done, stream_idle, stream_waits;
    wire [TILE_BITS-1:0] tile, weights;
    wire [CHANNEL_LINES*LINE_BITS-1:0] channel_lines;
    wire attention_start, attention_busy, attention_reserve;
    wire [FETCH_BITS-1:0] current;
    stream_reader stream (
        .clk(clk), .rst_n(rst_n), .command_valid(fetch_push), .command_ready(fetch_room), .command(fetch),
        .idle(stream_idle), .header_done(header_done), .header_fault(header_fault), .available(available), .take(take),
        .take_lines(take_lines), .taken_valid(taken_valid), .taken(taken), .skip(skip), .skip_lines(skip_lines),
        .keep(keep), .again(again), .left(left), .closes_part(closes_part), .last_segment(last_segment), .weights_coming(weights_coming), .weights(weights), .tile_done(tile_done), .channel_push(channel_push),
        .channel_lines(channel_lines), .channel_done(channel_done), .line_valid(line_valid), .line_ready(line_ready),
        .line(line), .attention_start(attention_start), .attention_busy(attention_busy),
        .attention_reserve(attention_reserve),
        .tile_room(tile_room), .current(current), .waits(stream_waits));
    attention #(
        .TOKEN_PAR(TOKEN_PAR), .IN_PAR(IN_PAR), .OUT_PAR(OUT_PAR), .IN_PARTS(IN_PARTS), .OUT_PARTS(OUT_PARTS),
        .ACTIVATION_BITS(ACTIVATION_BITS), .WEIGHT_BITS(WEIGHT_BITS), .VECTOR_BITS(VECTOR_BITS),
        .TILE_BITS(TILE_BITS), .LANE_BITS(LANE_BITS), .VECTORS_BITS(VECTORS_BITS)
    ) key_value_tiles (
        .clk(clk), .rst_n(rst_n), .start(attention_start), .of_values(current[FETCH_KIND +: 3] == FETCH_VALUES),
        .first_key(SLICES != 0 ? current[FETCH_FIRST_KEY +: 16] : first_key), .vectors(vectors), .head_base(current[FETCH_HEAD_BASE +: VECTORS_BITS]),
        .output_tiles(current[FETCH_OUTPUT_TILES +: 12]), .input_tiles(current[FETCH_INPUT_TILES +: 12]),
        .members(current[FETCH_MEMBERS +: 4]), .busy(attention_busy), .tile_room(tile_room),
        .tile_reserve(attention_reserve), .read_depth(attention_depth), .key_values(keys), .value_values(values),
        .weights_coming(weights_coming), .weights(weights), .tile_coming(tile_coming), .tile_push(tile_push),
        .tile(tile));

    // The array.
    wire [PASS_BITS-1:0] front_pass;
    wire no_pass, full, pass_ready, array_busy, waits_for_tile;
    wire [2:0] unused_count;
    fifo #(.BITS(PASS_BITS), .DEPTH(4)) passes (
        .clk(clk), .rst_n(rst_n), .push(pass_push), .value(pass), .pop(!no_pass && pass_ready), .front(front_pass),
        .empty(no_pass), .full(full), .count(unused_count));
    assign pass_room = !full;

    wire job_valid, job_ready, job_room, freed_valid, all_issued, epilogue_empty;
    wire [JOB_BITS-1:0] job;
    wire [7:0] scores_done, contexts_done, scaled_rows;
    wire [SLOT_BITS:0] freed_slots;
    wire [SLOT_BITS-1:0] drain_slot;
    wire [TOKEN_PAR*ROW_SUMS-1:0] drain_sums;
    wire [TOKEN_PAR-1:0] score_write;
    wire score_first;
    wire [SCORE_ADDRESS_BITS-1:0] score_address;
    wire [POST_ROWS*OUT_PAR*SCORE_BITS-1:0] scores;
    wire [OUT_PAR-1:0] score_mask;
    wire [QUERY_BITS-1:0] scale_query;
    wire [TOKEN_PAR*FACTOR_BITS-1:0] scale_factors;
    wire [TOKEN_PAR*6-1:0] scale_shifts;
    wire job_written;  // all results of one more group
    matmul array (
        .clk(clk), .rst_n(rst_n), .pass_valid(!no_pass), .pass_ready(pass_ready), .pass(front_pass),
        .first_key(first_key), .end_key(end_key), .tile_coming(tile_coming), .tile_push(tile_push), .tile(tile), .tile_done(tile_done),
        .read_depth(array_depth), .norm(norm), .hidden(hidden), .gate_input(gate_input), .query(query),
        .gathered(gathered), .job_valid(job_valid), .job(job), .job_ready(job_ready), .job_room(job_room),
        .freed_valid(freed_valid), .freed_slots(freed_slots), .job_written(job_written),
        .scores_done(scores_done), .contexts_done(contexts_done), .drain_slot(drain_slot), .drain_sums(drain_sums),
        .score_write(score_write), .score_first(score_first), .score_address(score_address), .scores(scores),
        .score_mask(score_mask), .output_multiplier(output_multiplier), .output_shift(output_shift),
        .scale_query(scale_query), .scale_factors(scale_factors), .scale_shifts(scale_shifts),
        .scaled_rows(scaled_rows), .pass_issued(pass_issued), .busy(array_busy), .step_issued(step_issued),
        .waits_for_tile(waits_for_tile), .waits_for_room(waits_for_room));

    // Sums to results.
    wire drain_valid, head_full, head_busy;
    wire [DRAIN_BITS-1:0] drain_step;
    wire [POST_ROWS-1:0] head_valid, placed_valid;
    wire [15:0] head_row;
    wire [11:0] head_tile;
    wire [POST_ROWS*OUT_PAR*OUTPUT_BITS-1:0] head_values, placed_values;
    wire [POST_ROWS*64-1:0] placed_address;
    wire [2:0] row_words;
    wire [5:0] last_outputs;
    drain drain_jobs (
        .clk(clk), .rst_n(rst_n), .job_valid(job_valid), .job(job), .job_ready(job_ready), .job_room(job_room),
        .scaled_rows(scaled_rows), .head_full(head_full), .step_valid(drain_valid), .step(drain_step),
        .freed_valid(freed_valid), .freed_slots(freed_slots), .all_issued(all_issued));
    epilogue results (
        .clk(clk), .rst_n(rst_n), .step_valid(drain_valid), .step(drain_step), .drain_slot(drain_slot),
        .drain_sums(drain_sums), .channel_push(channel_push), .channel_lines(channel_lines),
        .channel_done(channel_done), .scale_query(scale_query), .scale_factors(scale_factors),
        .scale_shifts(scale_shifts), .multiplier(multiplier), .shift(shift), .output_multiplier(output_multiplier),
        .output_shift(output_shift), .output_zero(output_zero), .activation(activation), .biased(biased),
        .first_key(first_key), .end_key(end_key),
        .lookup_expert(lookup_expert), .lookup_index(lookup_index), .lookup_destination(lookup_destination),
        .lookup_score(lookup_score), .score_write(score_write), .score_first(score_first),
        .score_address(score_address), .scores(scores), .score_mask(score_mask), .logits_valid(logits_valid),
        .logits_row(logits_row), .logits_tile(logits_tile), .logits(logits), .head_valid(head_valid),
        .head_row(head_row), .head_tile(head_tile), .head_values(head_values),
        .residual_read_depth(residual_read_depth), .residual_read(residual), .residual_enable(residual_enable),
        .residual_parts(residual_parts), .residual_depth(residual_depth), .residual_values(residual_values),
        .write_enable(write_enable), .write_buffer(write_buffer), .write_parts(write_parts),
        .write_depth(write_depth), .write_values(write_values), .write_wide(write_wide),
        .wide_result(wide_result), .scores_done(scores_done),
        .contexts_done(contexts_done), .job_written(job_written), .empty(epilogue_empty));
    head_place #(.POST_ROWS(POST_ROWS), .OUT_PAR(OUT_PAR), .OUTPUT_BITS(OUTPUT_BITS)) head_rows (
        .clk(clk), .rst_n(rst_n), .valid_in(head_valid), .row(head_row), .tile(head_tile), .values_in(head_values),
        .out_features(out_features), .base(output_base), .valid_out(placed_valid), .address(placed_address),
        .row_words(row_words), .last_outputs(last_outputs), .values(placed_values));
    head #(.POST_ROWS(POST_ROWS), .OUT_PAR(OUT_PAR), .OUTPUT_BITS(OUTPUT_BITS)) outputs (
        .clk(clk), .rst_n(rst_n), .row_valid(placed_valid), .row_address(placed_address), .row_words(row_words),
        .last_outputs(last_outputs), .values(placed_values), .almost_full(head_full), .busy(head_busy),
        .word_valid(word_valid), .word_ready(word_ready), .word_address(word_address), .word(word));

    assign array_idle = no_pass && !array_busy;
    assign drains = drain_valid || !epilogue_empty;
    // Lines that come late are late for some more cycles, on their way from the buffer to the array.
    reg [5:0] waited;
    always @(posedge clk) waited <= {waited[4:0], stream_waits};
    assign waits_for_weights = waits_for_tile && (stream_waits || |waited);
    // Sums that have left the post lanes reach the head's queue within a few cycles; epilogue_empty covers those.
    assign idle = array_idle && !job_valid && all_issued && epilogue_empty && stream_idle && !head_busy;
    wire unused = &{1'b0, unused_count, current};
endmodule
`default_nettype wire
