// SPDX-License-Identifier: MIT
// The scratchpads and the units that move rows of them: LAYERNORM, COPY, STORE, LOAD, PATCH_EMBED's loads, GATE, EXPERTS' queues.
//
// Each unit takes its fields from the instruction that executes; LAYERNORM keeps its own, as it may work on while the
// next one executes. ROUTING stands here as well: one entry row per token.
// Latency: that of the units; 4 from a routing row to its entries.
`default_nettype none
module row_units (
    clk, rst_n, of_layernorm, of_copy, of_store, of_experts, instruction, move_buffer, move_rows, move_row, move_features, move_address, move_pitch,
    start_layernorm, start_copy, start_store, start_load, start_positions, start_patches, start_gate, note_gate, clear_queues,
    start_gather, gather_expert, layernorm_busy, written_row, copy_busy, store_busy, load_busy, patch_busy, gather_busy, gate_busy,
    lengths, longest, queues_end, source_end, destination_end, line_valid, line_ready, line,
    read_valid, read_ready, read_word, load_hold, load_due, load_command, load_command_ready, load_address, load_words, load_valid, load_ready,
    word_valid, word_ready, word_address, word,
    array_depth, norm, hidden, gate_input, query, gathered, attention_depth, key_values, value_values,
    epilogue_read_depth, residual, epilogue_residual_enable, epilogue_residual_parts, epilogue_residual_depth,
    epilogue_residual_values, epilogue_enable, epilogue_buffer, epilogue_parts, epilogue_depth, epilogue_values,
    epilogue_wide, lookup_expert, lookup_index, lookup_destination, lookup_score, logits_valid, logits_row, logits_tile, logits, moves
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
    localparam ALL = TOKEN_PAR * VECTOR_BITS;
    localparam DEPTHS = TOKEN_PAR * DEPTH_BITS;

    input  wire                                    clk;
    input  wire                                    rst_n;
    input  wire                                    of_layernorm;
    input  wire                                    of_copy;
    input  wire                                    of_store;
    input  wire                                    of_experts;
    input  wire [511:0]                            instruction;
    input  wire [3:0]                              move_buffer;    // of STORE or LOAD, and its other fields
    input  wire [15:0]                             move_rows;
    input  wire [15:0]                             move_row;
    input  wire [15:0]                             move_features;
    input  wire [63:0]                             move_address;
    input  wire [15:0]                             move_pitch;
    input  wire                                    start_layernorm;
    input  wire                                    start_copy;
    input  wire                                    start_store;
    input  wire                                    start_load;
    input  wire                                    start_positions;
    input  wire                                    start_patches;
    input  wire                                    start_gate;
    input  wire                                    note_gate;
    input  wire                                    clear_queues;
    input  wire                                    start_gather;
    input  wire [7:0]                              gather_expert;
    output wire                                    layernorm_busy;
    output wire [15:0]                             written_row;    // LAYERNORM's
    output wire                                    copy_busy;
    output wire                                    store_busy;
    output wire                                    load_busy;
    output wire                                    patch_busy;
    output wire                                    gather_busy;
    output wire                                    gate_busy;
    output wire [MAX_EXPERTS*16-1:0]               lengths;
    output wire [15:0]                             longest;
    output wire [8:0]                              queues_end;
    output wire [15:0]                             source_end;
    output wire [15:0]                             destination_end;
    input  wire                                    line_valid;
    output wire                                    line_ready;
    input  wire [LINE_BITS-1:0]                    line;
    input  wire                                    read_valid;
    output wire                                    read_ready;
    input  wire [127:0]                            read_word;
    input  wire                                    load_hold;
    output wire                                    load_due;
    output wire                                    load_command;
    input  wire                                    load_command_ready;
    output wire [63:0]                             load_address;
    output wire [31:0]                             load_words;
    input  wire                                    load_valid;
    output wire                                    load_ready;
    output wire                                    word_valid;
    input  wire                                    word_ready;
    output wire [63:0]                             word_address;
    output wire [127:0]                            word;
    input  wire [DEPTHS-1:0]                       array_depth;
    output wire [ALL-1:0]                          norm;
    output wire [ALL-1:0]                          hidden;
    output wire [TOKEN_PAR*VECTOR*16-1:0]          gate_input;
    output wire [ALL-1:0]                          query;
    output wire [TOKEN_PAR*GATHERED_BITS-1:0]      gathered;
    input  wire [15:0]                             attention_depth;
    output wire [ALL-1:0]                          key_values;
    output wire [ALL-1:0]                          value_values;
    input  wire [POST_ROWS*DEPTH_BITS-1:0]         epilogue_read_depth;
    output wire [RESIDUAL_ALL-1:0]                 residual;
    input  wire [TOKEN_PAR-1:0]                    epilogue_residual_enable;
    input  wire [OUT_PARTS-1:0]                    epilogue_residual_parts;
    input  wire [POST_ROWS*DEPTH_BITS-1:0]         epilogue_residual_depth;
    input  wire [POST_ROWS*RESIDUAL_VECTOR-1:0]    epilogue_residual_values;
    input  wire [TOKEN_PAR-1:0]                    epilogue_enable;
    input  wire [3:0]                              epilogue_buffer;
    input  wire [OUT_PARTS-1:0]                    epilogue_parts;
    input  wire [POST_ROWS*DEPTH_BITS-1:0]         epilogue_depth;
    input  wire [POST_ROWS*VECTOR_BITS-1:0]        epilogue_values;
    input  wire [POST_ROWS*VECTOR*16-1:0]          epilogue_wide;
    input  wire [7:0]                              lookup_expert;
    input  wire [15:0]                             lookup_index;
    output wire [15:0]                             lookup_destination;
    output wire [15:0]                             lookup_score;
    input  wire [POST_ROWS-1:0]                    logits_valid;
    input  wire [POST_ROWS*16-1:0]                 logits_row;
    input  wire [7:0]                              logits_tile;
    input  wire [POST_ROWS*OUT_PAR*LOGIT_BITS-1:0] logits;
    output wire                                    moves;

`include "instruction_fields.vh"
    wire [VECTORS_BITS-1:0] vectors = in_features[4 +: VECTORS_BITS];
    wire [VECTORS_BITS-1:0] move_vectors = move_features[4 +: VECTORS_BITS];

    // Units begin a cycle after they are told; the instruction is held.
    reg begin_layernorm, begin_copy, begin_store, begin_positions, begin_patches, begin_gate;
    always @(posedge clk) begin
        begin_layernorm <= rst_n & start_layernorm;
        begin_copy <= rst_n & start_copy;
        begin_store <= rst_n & start_store;
        begin_positions <= rst_n & start_positions;
        begin_patches <= rst_n & start_patches;
        begin_gate <= rst_n & start_gate;
    end

    wire layernorm_works = begin_layernorm || layernorm_busy;
    reg layernorm_reads, copy_reads, experts_read;
    reg [15:0] norm_rows, norm_source, norm_destination;
    reg [6:0] norm_vectors;
    reg [5:0] norm_shift, norm_gate_shift;
    reg norm_gate_copy, norm_residual_copy;
    reg [63:0] norm_epsilon;
    always @(posedge clk) begin
        layernorm_reads <= of_layernorm || layernorm_busy;
        copy_reads <= of_copy && !layernorm_busy;  // not before they begin
        experts_read <= of_experts && !layernorm_busy;
        if (!layernorm_works) begin
            {norm_rows, norm_source, norm_destination, norm_vectors} <= {rows, source_row, destination_row, vectors[6:0]};
            {norm_shift, norm_gate_shift} <= {shift[5:0], output_shift[5:0]};
            {norm_gate_copy, norm_residual_copy, norm_epsilon} <= {gate_copy, residual_copy, epsilon};
        end
    end

    wire [15:0] layernorm_read_depth, copy_read_depth, store_depth;
    wire [TOKEN_PAR-1:0] layernorm_enable, layernorm_gate_enable;
    wire [DEPTHS-1:0] layernorm_depth;
    wire copy_enable;
    wire [LANE_BITS-1:0] copy_read_bank, copy_bank;
    wire [15:0] copy_depth;
    wire [LAYERNORM_LANES*ACTIVATION_BITS-1:0] layernorm_norm;
    wire [LAYERNORM_LANES*16-1:0] layernorm_gate;
    layernorm #(
        .TOKEN_PAR(TOKEN_PAR), .LAYERNORM_LANES(LAYERNORM_LANES), .VECTOR(VECTOR), .MAX_WIDTH(MAX_WIDTH),
        .RESIDUAL_BITS(RESIDUAL_BITS), .ROW_SUM_BITS(ROW_SUM_BITS), .ROW_SQUARES_BITS(ROW_SQUARES_BITS),
        .VARIANCE_BITS(VARIANCE_BITS), .ROOT_BITS(ROOT_BITS), .ACTIVATION_BITS(ACTIVATION_BITS), .GAIN_BITS(GAIN_BITS),
        .OFFSET_BITS(OFFSET_BITS), .NORMALISED_BITS(NORMALISED_BITS), .NORMALISED_FRACTION(NORMALISED_FRACTION),
        .WIDE_LIMIT(WIDE_LIMIT), .DSP_WIDE_BITS(DSP_WIDE_BITS), .FINE(FINE), .GATE_FORMS(GATE_FORMS),
        .RSQRT_MANTISSA_BITS(RSQRT_MANTISSA_BITS), .RSQRT_FRACTION(RSQRT_FRACTION), .RSQRT_STEPS(RSQRT_STEPS), .RSQRT_INDEX_BITS(RSQRT_INDEX_BITS),
        .RSQRT_TABLE_SIZE(RSQRT_TABLE_SIZE), .RSQRT_TABLE_BITS(RSQRT_TABLE_BITS), .RSQRT_TABLE(RSQRT_TABLE)
    ) layernorm_unit (
        .clk(clk), .rst_n(rst_n), .start(begin_layernorm), .busy(layernorm_busy), .written_row(written_row), .rows(norm_rows),
        .source_row(norm_source), .destination_row(norm_destination), .vectors(norm_vectors),
        .width({norm_vectors, 4'd0}), .shift(norm_shift), .gate_shift(norm_gate_shift),
        .gate_copy(norm_gate_copy), .residual_copy(norm_residual_copy), .epsilon(norm_epsilon),
        .affine_valid(line_valid && of_layernorm), .affine_line(line), .read_depth(layernorm_read_depth),
        .residual_values(residual), .write_enable(layernorm_enable), .write_depth(layernorm_depth),
        .norm_values(layernorm_norm), .gate_enable(layernorm_gate_enable), .gate_values(layernorm_gate));
    copy #(
        .READ_LATENCY(READ_LATENCY), .LANE_BITS(LANE_BITS), .DEPTH_BITS(DEPTH_BITS), .VECTORS_BITS(VECTORS_BITS)
    ) copy_unit (
        .clk(clk), .rst_n(rst_n), .start(begin_copy), .rows(rows), .vectors(vectors), .source_row(source_row),
        .destination_row(destination_row), .busy(copy_busy), .read_bank(copy_read_bank), .read_depth(copy_read_depth),
        .write_enable(copy_enable), .write_bank(copy_bank), .write_depth(copy_depth));

    wire [LANE_BITS-1:0] store_bank;
    wire [VECTOR*32-1:0] store_values;
    wire [15:0] store_routing_row;
    reg [MAX_TOP_K*32-1:0] routing_1, routing_2, routing_3, routing_4;
    store #(
        .ACTIVATION_BITS(ACTIVATION_BITS), .RESIDUAL_BYTES(RESIDUAL_BYTES), .MAX_TOP_K(MAX_TOP_K),
        .STREAMING(STREAMING), .VALUES_LATENCY(VALUES_LATENCY), .BUFFER_RESIDUAL(BUFFER_RESIDUAL),
        .BUFFER_GATE_INPUT(BUFFER_GATE_INPUT), .BUFFER_ROUTING(BUFFER_ROUTING), .LANE_BITS(LANE_BITS),
        .DEPTH_BITS(DEPTH_BITS), .VECTORS_BITS(VECTORS_BITS)
    ) store_unit (
        .clk(clk), .rst_n(rst_n), .start(begin_store), .source(move_buffer), .rows(move_rows), .vectors(move_vectors),
        .entries(move_features[4:0]), .source_row(move_row), .address(move_address), .pitch(move_pitch), .busy(store_busy),
        .read_bank(store_bank), .read_depth(store_depth), .bank_values(store_values), .routing_row(store_routing_row),
        .routing_values(routing_4), .word_valid(word_valid), .word_ready(word_ready), .word_address(word_address),
        .word(word));

    wire load_enable;
    wire [LANE_BITS-1:0] load_bank;
    wire [15:0] load_depth;
    wire [VECTOR_BITS-1:0] load_activations;
    wire [VECTOR*16-1:0] load_gate;
    wire [RESIDUAL_VECTOR-1:0] load_residual;
    generate
        if (STREAMING != 0) begin : loads
            reg begin_load;
            always @(posedge clk) begin_load <= rst_n & start_load;
            load #(
                .ACTIVATION_BITS(ACTIVATION_BITS), .RESIDUAL_BITS(RESIDUAL_BITS), .RESIDUAL_BYTES(RESIDUAL_BYTES),
                .WIDE_LIMIT(WIDE_LIMIT), .BUFFER_RESIDUAL(BUFFER_RESIDUAL), .BUFFER_GATE_INPUT(BUFFER_GATE_INPUT),
                .LANE_BITS(LANE_BITS), .DEPTH_BITS(DEPTH_BITS), .VECTORS_BITS(VECTORS_BITS)
            ) load_unit (
                .clk(clk), .rst_n(rst_n), .start(begin_load), .destination(move_buffer), .rows(move_rows),
                .vectors(move_vectors), .destination_row(move_row), .address(move_address), .pitch(move_pitch),
                .busy(load_busy), .hold(load_hold), .due(load_due), .command_valid(load_command), .command_ready(load_command_ready), .command_address(load_address),
                .command_words(load_words), .word_valid(load_valid), .word_ready(load_ready), .word(read_word),
                .write_enable(load_enable), .write_bank(load_bank), .write_depth(load_depth),
                .activation_values(load_activations), .gate_values(load_gate), .residual_values(load_residual));
        end else begin : no_loads
            assign {load_busy, load_due, load_command, load_address, load_words, load_ready, load_enable, load_bank, load_depth,
                    load_activations, load_gate, load_residual} = 0;
            wire unused_load = &{1'b0, start_load, load_hold, load_command_ready, load_valid};
        end
    endgenerate

    wire position_enable, patch_enable;
    wire [LANE_BITS-1:0] position_bank, patch_bank;
    wire [15:0] position_depth, patch_depth;
    wire [RESIDUAL_VECTOR-1:0] position_values;
    wire [VECTOR_BITS-1:0] patch_values;
    wire patch_line_ready;
    assign line_ready = patch_line_ready;
    patch_embed #(
        .RESIDUAL_BITS(RESIDUAL_BITS), .RESIDUAL_BYTES(RESIDUAL_BYTES), .ACTIVATION_BITS(ACTIVATION_BITS),
        .VECTOR_BITS(VECTOR_BITS), .LINE_BITS(LINE_BITS), .LANE_BITS(LANE_BITS), .DEPTH_BITS(DEPTH_BITS),
        .VECTORS_BITS(VECTORS_BITS)
    ) patch_embed_unit (
        .clk(clk), .rst_n(rst_n), .start_positions(begin_positions), .start_patches(begin_patches), .rows(rows),
        .destination_row(destination_row), .position_vectors(out_features[4 +: VECTORS_BITS]), .patch_vectors(vectors),
        .busy(patch_busy), .line_valid(line_valid), .line_ready(patch_line_ready), .line(line),
        .residual_enable(position_enable), .residual_bank(position_bank), .residual_depth(position_depth),
        .residual_values(position_values), .word_valid(read_valid), .word_ready(read_ready), .word(read_word),
        .hidden_enable(patch_enable), .hidden_bank(patch_bank), .hidden_depth(patch_depth),
        .hidden_values(patch_values));

    wire push_valid, routing_valid;
    wire [7:0] push_expert;
    wire [15:0] push_source, push_destination, push_score, routing_row;
    wire [MAX_TOP_K*32-1:0] routing_entries;
    gate #(
        .POST_ROWS(POST_ROWS), .OUT_PAR(OUT_PAR), .MAX_EXPERTS(MAX_EXPERTS), .MAX_TOP_K(MAX_TOP_K),
        .MAX_ROWS(MAX_ROWS), .LOGIT_BITS(LOGIT_BITS), .GATE_CYCLES(GATE_CYCLES), .GATE_TURNS(GATE_TURNS), .GATE_FORMS(GATE_FORMS),
        .GATE_LOGIT_BITS(GATE_LOGIT_BITS),
        .GATE_FRACTION(GATE_FRACTION), .GATE_EXPONENTIAL_BITS(GATE_EXPONENTIAL_BITS),
        .FINE_EXP2_HIGH_TABLE_BITS(FINE_EXP2_HIGH_TABLE_BITS), .FINE_EXP2_HIGH_TABLE(FINE_EXP2_HIGH_TABLE),
        .FINE_EXP2_LOW_TABLE_BITS(FINE_EXP2_LOW_TABLE_BITS), .FINE_EXP2_LOW_TABLE(FINE_EXP2_LOW_TABLE)
    ) gate_unit (
        .clk(clk), .rst_n(rst_n), .start(begin_gate), .busy(gate_busy), .rows(rows), .source_row(source_row),
        .destination_row(destination_row), .experts(experts), .top_k(top_k), .multiplier(multiplier),
        .shift(shift[5:0]), .renormalise(renormalise), .logits_valid(logits_valid), .logits_row(logits_row), .logits_tile(logits_tile),
        .logits(logits), .push_valid(push_valid), .push_expert(push_expert), .push_source(push_source),
        .push_destination(push_destination), .push_score(push_score), .routing_valid(routing_valid),
        .routing_row(routing_row), .routing_entries(routing_entries));

    localparam ROUTING_BITS = $clog2(MAX_ROWS);
    reg [MAX_TOP_K*32-1:0] routing_rows [0:(1<<ROUTING_BITS)-1];
    always @(posedge clk) begin
        if (routing_valid) routing_rows[routing_row[ROUTING_BITS-1:0]] <= routing_entries;
        routing_1 <= routing_rows[store_routing_row[ROUTING_BITS-1:0]];
        routing_2 <= routing_1;
        routing_3 <= routing_2;
        routing_4 <= routing_3;
    end

    wire [LANE_BITS-1:0] gather_read_bank, gather_bank;
    wire [15:0] gather_read_depth, gather_depth;
    wire [GATHERED_BITS-1:0] token_vector, gather_values;
    wire gather_enable;
    experts #(
        .MAX_EXPERTS(MAX_EXPERTS), .MAX_ROWS(MAX_ROWS), .VECTOR_BITS(GATHERED_BITS), .LANE_BITS(LANE_BITS),
        .DEPTH_BITS(DEPTH_BITS), .VECTORS_BITS(VECTORS_BITS)
    ) expert_queues (
        .clk(clk), .rst_n(rst_n), .clear(clear_queues), .push_valid(push_valid), .push_expert(push_expert),
        .push_source(push_source), .push_destination(push_destination), .push_score(push_score),
        .note_gate(note_gate), .gate_source_end(source_row + rows), .gate_destination_end(destination_row + rows),
        .lengths(lengths), .longest(longest), .queues_end(queues_end), .source_end(source_end),
        .destination_end(destination_end), .lookup_expert(lookup_expert), .lookup_index(lookup_index),
        .lookup_destination(lookup_destination), .lookup_score(lookup_score), .start_gather(start_gather),
        .gather_expert(gather_expert), .vectors(vectors), .busy(gather_busy), .norm_read_bank(gather_read_bank),
        .norm_read_depth(gather_read_depth), .norm_vector(token_vector), .write_enable(gather_enable),
        .write_bank(gather_bank), .write_depth(gather_depth), .write_values(gather_values));

    scratchpads #(
        .TOKEN_PAR(TOKEN_PAR), .POST_ROWS(POST_ROWS), .LAYERNORM_LANES(LAYERNORM_LANES), .VECTOR(VECTOR),
        .ACTIVATION_BITS(ACTIVATION_BITS), .VECTOR_BITS(VECTOR_BITS), .RESIDUAL_BITS(RESIDUAL_BITS), .RESIDUAL_VECTOR(RESIDUAL_VECTOR), .GATHERED_BITS(GATHERED_BITS),
        .WIDE_TOKENS(WIDE_TOKENS), .STREAMING(STREAMING), .OUT_PARTS(OUT_PARTS), .ROW_DEPTH(ROW_DEPTH), .HIDDEN_DEPTH(HIDDEN_DEPTH),
        .GATHERED_FIRST(GATHERED_FIRST), .ULTRA_RAM(ULTRA_RAM), .LANE_BITS(LANE_BITS), .DEPTH_BITS(DEPTH_BITS),
        .BUFFER_RESIDUAL(BUFFER_RESIDUAL), .BUFFER_NORM(BUFFER_NORM), .BUFFER_GATE_INPUT(BUFFER_GATE_INPUT),
        .BUFFER_QUERY(BUFFER_QUERY), .BUFFER_KEY(BUFFER_KEY), .BUFFER_VALUE(BUFFER_VALUE),
        .BUFFER_HIDDEN(BUFFER_HIDDEN)
    ) buffers (
        .clk(clk), .of_layernorm(layernorm_reads), .of_copy(copy_reads), .of_store(of_store), .of_experts(experts_read),
        .array_depth(array_depth), .norm(norm), .hidden(hidden), .gate_input(gate_input), .query(query),
        .gathered(gathered), .attention_depth(attention_depth), .keys(key_values), .values(value_values), .residual(residual),
        .epilogue_read_depth(epilogue_read_depth), .epilogue_residual_enable(epilogue_residual_enable),
        .epilogue_residual_parts(epilogue_residual_parts), .epilogue_residual_depth(epilogue_residual_depth),
        .epilogue_residual_values(epilogue_residual_values), .epilogue_enable(epilogue_enable),
        .epilogue_buffer(epilogue_buffer), .epilogue_parts(epilogue_parts), .epilogue_depth(epilogue_depth),
        .epilogue_values(epilogue_values), .epilogue_wide(epilogue_wide), .gather_wide(wide_source),
        .layernorm_read_depth(layernorm_read_depth),
        .layernorm_enable(layernorm_enable), .layernorm_depth(layernorm_depth), .layernorm_norm(layernorm_norm),
        .layernorm_gate_enable(layernorm_gate_enable), .layernorm_gate(layernorm_gate),
        .copy_read_bank(copy_read_bank), .copy_read_depth(copy_read_depth), .copy_enable(copy_enable), .copy_bank(copy_bank),
        .copy_depth(copy_depth), .position_enable(position_enable), .position_bank(position_bank),
        .position_depth(position_depth), .position_values(position_values), .patch_enable(patch_enable),
        .patch_bank(patch_bank), .patch_depth(patch_depth), .patch_values(patch_values),
        .load_enable(load_enable), .load_destination(move_buffer), .load_bank(load_bank), .load_depth(load_depth),
        .load_activations(load_activations), .load_gate(load_gate), .load_residual(load_residual),
        .gather_read_bank(gather_read_bank), .gather_read_depth(gather_read_depth), .token_vector(token_vector),
        .gather_enable(gather_enable), .gather_bank(gather_bank), .gather_depth(gather_depth),
        .gather_values(gather_values), .store_source(move_buffer), .store_bank(store_bank), .store_depth(store_depth),
        .store_values(store_values));

    assign moves = |layernorm_enable || copy_enable || position_enable || patch_enable || gather_enable || load_enable || push_valid
        || (word_valid && word_ready);
    wire unused = &{1'b0, instruction, move_features, store_routing_row, routing_row};
endmodule
`default_nettype wire
