// SPDX-License-Identifier: MIT
// The accelerator between its control registers and its memory units.
//
// Words of data_reader go to the program, while PATCH_EMBED executes to the patches, or to LOAD, which leaves the reader to
// the program whenever that asks for an instruction; words for data_writer come from STORE or HEAD. STREAMING: LOAD and
// STORE work beside the instructions behind them (move_queue). The instruction that executes stands in `instruction`; trace_index is its number, for simulations.
`default_nettype none
`include "require.vh"
module edgemoe_core (
    clk, rst_n, engine_rst_n, begin_run, stream_lines, begin_ranges, range_begin, range_lines, part_push, part_end_line,
    part_times, written, program_address, input_address, output_address,
    header_valid, header_fault, halted, fault, index, experts_run, segments_dropped, progress, counts_running,
    available, take, take_lines, taken_valid, taken, skip, skip_lines, hold_back, keep, again, left,
    command_valid, command_ready, command_address, command_words, read_valid, read_ready, read_word,
    word_valid, word_ready, word_address, word, weight_beats, read_beat, write_beat, counters
);
`include "edgemoe_spec.vh"
`include "edgemoe_machine.vh"
`include "pass.vh"
`include "fetch.vh"
    localparam ALL = TOKEN_PAR * VECTOR_BITS;

    input  wire                 clk;
    input  wire                 rst_n;
    input  wire                 engine_rst_n;
    input  wire                 begin_run;
    output wire [63:0]          stream_lines;
    output wire                 begin_ranges;   // STREAMING: the stream begins
    output wire                 range_begin;
    output wire [63:0]          range_lines;    // all lines of the stream, or of the range that begins
    output wire                 part_push;
    output wire [57:0]          part_end_line;
    output wire [15:0]          part_times;
    input  wire                 written;        // memory has answered for all writes
    input  wire [63:0]          program_address;
    input  wire [63:0]          input_address;
    input  wire [63:0]          output_address;
    output wire                 header_valid;
    output wire [4:0]           header_fault;
    output wire                 halted;
    output wire [4:0]           fault;
    output wire [31:0]          index;
    output wire [31:0]          experts_run;
    output wire [31:0]          segments_dropped;
    output reg                  progress;
    input  wire                 counts_running;
    input  wire [8:1]           available;
    output wire                 take;
    output wire [2:0]           take_lines;
    input  wire                 taken_valid;
    input  wire [TILE_BITS-1:0] taken;
    output wire                 skip;
    output wire [31:0]          skip_lines;
    output reg                  hold_back;      // weights are prefetched slowly until a frame's patches have come
    output wire                 keep;
    output wire                 again;
    input  wire [63:0]          left;
    output wire                 command_valid;
    input  wire                 command_ready;
    output wire [63:0]          command_address;
    output wire [31:0]          command_words;
    input  wire                 read_valid;
    output wire                 read_ready;
    input  wire [127:0]         read_word;
    output wire                 word_valid;
    input  wire                 word_ready;
    output wire [63:0]          word_address;
    output wire [127:0]         word;
    input  wire [PORTS-1:0]     weight_beats;
    input  wire                 read_beat;
    input  wire                 write_beat;
    output wire [10*64-1:0]     counters;

    // Program and rules.
    wire fetch_hold, fetching, fetch_wanted, load_due, unit_command, unit_word_ready, instruction_valid, instruction_ready, past_end;
    wire [63:0] unit_address, input_bytes, output_bytes;
    wire [31:0] unit_words, instruction_index, instructions;
    wire [511:0] next_instruction, instruction;
    wire [4:0] static_fault, check_fault;
    wire check, check_done, commit;
    wire patch_command, patching, program_words;
    instruction_unit program_reader (
        .clk(clk), .rst_n(rst_n), .begin_run(begin_run), .program_address(program_address),
        .fetch_hold(fetch_hold || load_due), .fetching(fetching), .fetch_wanted(fetch_wanted), .command_valid(unit_command), .command_ready(command_ready),
        .command_address(unit_address), .command_words(unit_words), .word_valid(read_valid && program_words),
        .word_ready(unit_word_ready), .word(read_word), .header_valid(header_valid), .header_fault(header_fault),
        .instructions(instructions), .stream_lines(stream_lines), .input_bytes(input_bytes), .output_bytes(output_bytes),
        .instruction_valid(instruction_valid), .instruction_ready(instruction_ready), .instruction(next_instruction),
        .static_fault(static_fault), .instruction_index(instruction_index), .past_end(past_end));

    wire [MAX_EXPERTS*16-1:0] lengths;
    wire [15:0] longest, source_end, destination_end;
    wire [8:0] queues_end;
    wire closes_part, access, access_writes;
    wire [31:0] last_segment;
    wire [3:0] access_scratchpad;
    wire [15:0] access_row, access_width;
    wire [16:0] access_row_end;
    state_rules rules (
        .clk(clk), .rst_n(rst_n), .begin_run(begin_run), .check(check), .instruction(instruction), .longest(longest),
        .queues_end(queues_end), .source_end(source_end), .destination_end(destination_end), .done(check_done),
        .fault(check_fault), .commit(commit), .stream_lines(stream_lines), .part_push(part_push),
        .part_end_line(part_end_line), .part_times(part_times), .begin_stream(begin_ranges), .range_begin(range_begin),
        .range_lines(range_lines), .closes_part(closes_part), .last_segment(last_segment), .access(access),
        .access_writes(access_writes), .access_scratchpad(access_scratchpad), .access_row(access_row),
        .access_row_end(access_row_end), .access_width(access_width));

    // What the instruction that executes says.
`include "instruction_fields.vh"
    wire [VECTORS_BITS-1:0] vectors = in_features[4 +: VECTORS_BITS];
    wire executing;
    reg executes;  // a cycle later, when the opcode has been decoded
    reg of_layernorm, of_copy, of_store, of_load, of_repeat, of_experts, of_attention, of_patch, of_head;
    wire of_array = executes && !of_layernorm && !of_copy && !of_store && !of_load && !of_repeat;
    always @(posedge clk) begin
        executes <= executing;
        of_layernorm <= executing && opcode == OPCODE_LAYERNORM[7:0];
        of_copy <= executing && opcode == OPCODE_COPY[7:0];
        of_store <= executing && opcode == OPCODE_STORE[7:0];
        of_load <= STREAMING != 0 && executing && opcode == OPCODE_LOAD[7:0];
        of_repeat <= STREAMING != 0 && executing && opcode == OPCODE_REPEAT[7:0];
        of_experts <= executing && opcode == OPCODE_EXPERTS[7:0];
        of_attention <= executing && opcode == OPCODE_ATTENTION[7:0];
        of_patch <= executing && opcode == OPCODE_PATCH_EMBED[7:0];
        of_head <= executing && opcode == OPCODE_HEAD[7:0];
    end
    reg [63:0] input_at, output_at;
    reg [31:0] input_words;
    always @(posedge clk) begin
        input_at <= input_address + address;
        output_at <= output_address + address;
        input_words <= {16'd0, rows} * {21'd0, vectors};
    end

    // ATTENTION's keys, held long before they are used.
    wire other_keys = STREAMING != 0 && keys != 0;
    wire [15:0] first_key = other_keys ? key_row : source_row;
    reg [15:0] end_key;
    always @(posedge clk) end_key <= first_key + (other_keys ? keys : rows);

    // Execution.
    wire fetch_room, fetch_push, header_done, pass_room, pass_push, pass_issued, compute_idle;
    wire [4:0] segment_fault;
    wire [FETCH_BITS-1:0] fetch;
    wire [PASS_BITS-1:0] pass;
    wire start_layernorm, start_copy, start_store, start_load, start_positions, start_patches, start_gate, note_gate, clear_queues;
    wire start_gather, layernorm_busy, copy_busy, store_busy, load_busy, patch_busy, gather_busy, gate_busy;
    wire [7:0] gather_expert;
    wire [15:0] written_row;
    reg rows_busy;  // a cycle late, which those who wait for it allow for
    always @(posedge clk)
        rows_busy <= copy_busy || (STREAMING == 0 && store_busy) || patch_busy || gather_busy;

    // STORE and LOAD: the one that is done, which without the queue is the instruction that executes.
    wire move, blocked, moves_room, moves_idle, storing;
    wire [3:0] move_buffer;
    wire [15:0] move_rows, move_row, move_features, move_pitch;
    wire [63:0] move_address;
    generate
        if (STREAMING != 0) begin : queued
            reg all_written;
            always @(posedge clk) all_written <= written;
            move_queue #(
                .BUFFER_QUERY(BUFFER_QUERY), .BUFFER_VALUE(BUFFER_VALUE), .BUFFER_ROUTING(BUFFER_ROUTING)
            ) background (
                .clk(clk), .rst_n(engine_rst_n), .push(move), .loads(of_load), .scratchpad(of_load ? destination : source),
                .rows(rows), .first_row(of_load ? destination_row : source_row), .features(in_features),
                .address(output_at), .pitch(pitch), .room(moves_room), .idle(moves_idle), .check(check),
                .exclusive(of_patch || of_head), .of_experts(of_experts), .access(access),
                .access_writes(access_writes), .access_scratchpad(access_scratchpad), .access_first(access_row),
                .access_end(access_row_end), .access_features(access_width), .blocked(blocked),
                .written(all_written), .busy(load_busy || store_busy), .start_load(start_load),
                .start_store(start_store), .storing(storing), .move_scratchpad(move_buffer), .move_rows(move_rows),
                .move_first_row(move_row), .move_features(move_features), .move_address(move_address),
                .move_pitch(move_pitch));
        end else begin : at_once
            // Not before it begins, beside LAYERNORM.
            reg has_ports;
            always @(posedge clk) has_ports <= of_store && (!layernorm_busy || source == BUFFER_ROUTING[3:0]);
            assign {blocked, moves_room, moves_idle, storing, start_store, start_load} =
                {1'b0, 1'b1, 1'b1, has_ports, move, 1'b0};
            assign {move_buffer, move_rows, move_row, move_features} = {source, rows, source_row, in_features};
            assign {move_address, move_pitch} = {output_at, pitch};
            wire unused_moves = &{1'b0, access, access_writes, access_scratchpad, access_row, access_row_end,
                                  access_width, of_head, load_busy, written};
        end
    endgenerate
    reg accepts;  // a cycle late; a run begins with some cycles without an instruction
    always @(posedge clk) accepts <= counts_running && !halted;
    sequencer instruction_sequencer (
        .clk(clk), .rst_n(engine_rst_n), .instruction_valid(instruction_valid && accepts),
        .instruction_ready(instruction_ready), .instruction_in(next_instruction), .static_fault(static_fault),
        .index_in(instruction_index), .past_end(past_end), .check(check), .check_done(check_done),
        .check_fault(check_fault), .commit(commit), .instruction(instruction), .index(index), .fetch_room(fetch_room),
        .fetch_push(fetch_push), .fetch(fetch), .header_done(header_done), .header_fault(segment_fault),
        .pass_room(pass_room), .pass_push(pass_push), .pass(pass), .pass_issued(pass_issued),
        .compute_idle(compute_idle), .start_layernorm(start_layernorm), .layernorm_busy(layernorm_busy), .written_row(written_row), .start_copy(start_copy),
        .move(move), .blocked(blocked), .moves_room(moves_room), .moves_idle(moves_idle), .start_positions(start_positions), .start_patches(start_patches),
        .start_gate(start_gate), .note_gate(note_gate), .clear_queues(clear_queues), .start_gather(start_gather),
        .gather_expert(gather_expert), .rows_busy(rows_busy),
        .gate_busy(gate_busy), .lengths(lengths), .fetch_hold(fetch_hold), .fetching(fetching),
        .patch_command(patch_command), .patch_command_ready(command_ready), .executing(executing), .halted(halted),
        .fault(fault), .experts_run(experts_run), .segments_dropped(segments_dropped));

    wire [TOKEN_PAR*16-1:0] array_depth;
    wire [POST_ROWS*16-1:0] residual_read_depth, residual_depth, write_depth;
    wire [ALL-1:0] norm, hidden, query, key_values, value_values;
    wire [POST_ROWS*VECTOR_BITS-1:0] write_values;
    wire [TOKEN_PAR*GATHERED_BITS-1:0] gathered;
    wire [TOKEN_PAR*VECTOR*16-1:0] gate_input;
    wire [POST_ROWS*VECTOR*16-1:0] write_wide;
    wire [15:0] attention_depth;
    wire [RESIDUAL_ALL-1:0] residual;
    wire [POST_ROWS*RESIDUAL_VECTOR-1:0] residual_values;
    wire [TOKEN_PAR-1:0] residual_enable, write_enable;
    wire [OUT_PARTS-1:0] residual_parts, write_parts;
    wire [3:0] write_buffer;
    wire [7:0] lookup_expert, logits_tile;
    wire [15:0] lookup_index, lookup_destination, lookup_score;
    wire [POST_ROWS-1:0] logits_valid;
    wire [POST_ROWS*16-1:0] logits_row;
    wire [POST_ROWS*OUT_PAR*LOGIT_BITS-1:0] logits;
    wire line_valid, patch_line_ready, head_word_valid, store_word_valid;
    wire [LINE_BITS-1:0] line;
    wire [63:0] head_word_address, store_word_address;
    wire [127:0] head_word, store_word;
    wire step_issued, waits_for_weights, waits_for_room, drains, array_idle;
    compute compute_unit (
        .clk(clk), .rst_n(engine_rst_n), .pass_room(pass_room), .pass_push(pass_push), .pass(pass),
        .pass_issued(pass_issued), .fetch_room(fetch_room), .fetch_push(fetch_push), .fetch(fetch),
        .header_done(header_done), .header_fault(segment_fault), .idle(compute_idle), .first_key(first_key),
        .end_key(end_key), .vectors(vectors), .out_features(out_features), .output_base(output_at), .multiplier(multiplier),
        .shift(shift[5:0]), .output_multiplier(output_multiplier), .output_shift(output_shift[5:0]),
        .output_zero(output_zero), .activation(activation), .biased(biased), .available(available), .take(take), .take_lines(take_lines),
        .taken_valid(taken_valid), .taken(taken), .skip(skip), .skip_lines(skip_lines), .keep(keep), .again(again), .left(left),
        .closes_part(closes_part), .last_segment(last_segment), .line_valid(line_valid), .line_ready(of_layernorm || patch_line_ready), .line(line),
        .array_depth(array_depth), .norm(norm), .hidden(hidden), .gate_input(gate_input), .query(query),
        .gathered(gathered), .attention_depth(attention_depth), .keys(key_values), .values(value_values),
        .residual_read_depth(residual_read_depth), .residual(residual), .residual_enable(residual_enable),
        .residual_parts(residual_parts), .residual_depth(residual_depth), .residual_values(residual_values),
        .write_enable(write_enable), .write_buffer(write_buffer), .write_parts(write_parts), .write_depth(write_depth),
        .write_values(write_values), .write_wide(write_wide), .wide_result(wide_result), .lookup_expert(lookup_expert), .lookup_index(lookup_index),
        .lookup_destination(lookup_destination), .lookup_score(lookup_score), .logits_valid(logits_valid),
        .logits_row(logits_row), .logits_tile(logits_tile), .logits(logits), .word_valid(head_word_valid),
        .word_ready(word_ready), .word_address(head_word_address), .word(head_word),
        .step_issued(step_issued), .waits_for_weights(waits_for_weights), .waits_for_room(waits_for_room),
        .drains(drains), .array_idle(array_idle));

    wire patch_word_ready, load_word_ready, load_command, rows_move;
    wire [63:0] load_address;
    wire [31:0] load_words;
    row_units row_movers (
        .clk(clk), .rst_n(engine_rst_n), .of_layernorm(of_layernorm), .of_copy(of_copy), .of_store(storing),
        .of_experts(of_experts), .instruction(instruction), .move_buffer(move_buffer), .move_rows(move_rows),
        .move_row(move_row), .move_features(move_features), .move_address(move_address), .move_pitch(move_pitch),
        .start_layernorm(start_layernorm), .start_copy(start_copy), .start_store(start_store),
        .start_load(start_load), .start_positions(start_positions), .start_patches(start_patches), .start_gate(start_gate),
        .note_gate(note_gate), .clear_queues(clear_queues), .start_gather(start_gather),
        .gather_expert(gather_expert), .layernorm_busy(layernorm_busy), .written_row(written_row), .copy_busy(copy_busy), .store_busy(store_busy),
        .load_busy(load_busy),
        .patch_busy(patch_busy), .gather_busy(gather_busy), .gate_busy(gate_busy), .lengths(lengths),
        .longest(longest), .queues_end(queues_end), .source_end(source_end), .destination_end(destination_end),
        .line_valid(line_valid), .line_ready(patch_line_ready), .line(line), .read_valid(read_valid && patching),
        .read_ready(patch_word_ready), .read_word(read_word), .load_hold((fetch_wanted && !fetch_hold) || fetching), .load_due(load_due), .load_command(load_command),
        .load_command_ready(command_ready), .load_address(load_address), .load_words(load_words),
        .load_valid(read_valid && load_due), .load_ready(load_word_ready), .word_valid(store_word_valid),
        .word_ready(word_ready), .word_address(store_word_address), .word(store_word),
        .array_depth(array_depth), .norm(norm), .hidden(hidden), .gate_input(gate_input), .query(query),
        .gathered(gathered), .attention_depth(attention_depth), .key_values(key_values), .value_values(value_values),
        .epilogue_read_depth(residual_read_depth), .residual(residual), .epilogue_residual_enable(residual_enable),
        .epilogue_residual_parts(residual_parts), .epilogue_residual_depth(residual_depth),
        .epilogue_residual_values(residual_values), .epilogue_enable(write_enable), .epilogue_buffer(write_buffer),
        .epilogue_parts(write_parts), .epilogue_depth(write_depth), .epilogue_values(write_values),
        .epilogue_wide(write_wide),
        .lookup_expert(lookup_expert), .lookup_index(lookup_index), .lookup_destination(lookup_destination),
        .lookup_score(lookup_score), .logits_valid(logits_valid), .logits_row(logits_row), .logits_tile(logits_tile),
        .logits(logits), .moves(rows_move));
    // HEAD and STORE never have words at the same time.
    assign word_valid = store_word_valid || head_word_valid;
    assign word_address = storing ? store_word_address : head_word_address;
    assign word = storing ? store_word : head_word;

    // The reader: the program's words, or a frame's patches; those of a PATCH_EMBED that met a fault are its own until the
    // next run.
    reg patch_words;
    always @(posedge clk)
        if (!engine_rst_n) patch_words <= 1'b0;
        else if (start_patches) patch_words <= 1'b1;
        else if (!of_patch && !halted) patch_words <= 1'b0;
    assign patching = patch_words;
    assign program_words = !patch_words && !load_due;
    assign command_valid = patch_command || unit_command || load_command;
    // While fetch_hold is up, the program fetches nothing; patches are asked for when LOAD is done.
    assign command_address = load_command ? load_address : fetch_hold ? input_at : unit_address;
    assign command_words = load_command ? load_words : fetch_hold ? input_words : unit_words;
    assign read_ready = patching ? patch_word_ready : load_due ? load_word_ready : unit_word_ready;

    always @(posedge clk)
        hold_back <= begin_run || (hold_back && !pass_push && (!executes || of_patch || of_repeat));

    reg stepped;
    always @(posedge clk) begin
        progress <= step_issued || drains || rows_move || |weight_beats || read_beat || write_beat || check;
        stepped <= executes && (stepped || step_issued);
    end
    counters #(.PORTS(PORTS)) run_counters (
        .clk(clk), .rst_n(engine_rst_n), .running(counts_running), .executing(executes), .of_layernorm(of_layernorm),
        .of_attention(of_attention), .of_array(of_array), .step_issued(step_issued),
        .waits_for_weights(waits_for_weights), .waits_for_room(waits_for_room), .drains(drains),
        .array_idle(array_idle), .stepped(stepped), .weight_beats(weight_beats), .read_beat(read_beat),
        .write_beat(write_beat), .values(counters));
    /* verilator lint_off UNUSEDSIGNAL */
    reg [31:0] index_before, trace_index /* verilator public_flat_rd */;  // as late as the counters
    always @(posedge clk) begin
        index_before <= index;
        trace_index <= index_before;
    end
    /* verilator lint_on UNUSEDSIGNAL */
    wire unused = &{1'b0, instructions, input_bytes, output_bytes, instruction, trace_index, written};

    // Shapes that cannot be built: elaboration stops at a module of that name, which there is not.
    generate
        if (TOKEN_PAR < 2) begin : refused_1
            token_par_must_be_2_or_more stop ();
        end
        if (OUT_PAR != 8 && OUT_PAR != 16) begin : refused_2
            out_par_must_be_8_or_16 stop ();
        end
        if (IN_PAR > OUT_PAR) begin : refused_3
            in_par_must_be_at_most_out_par stop ();
        end
        if (IN_PAR % TOKEN_PAR != 0) begin : refused_4
            in_par_must_be_a_multiple_of_token_par stop ();
        end
        if (MAX_TOP_K > 8) begin : refused_5
            max_top_k_must_be_at_most_8 stop ();
        end
        if (MAX_ROWS > 127 * TOKEN_PAR) begin : refused_6
            max_rows_must_be_at_most_127_tiles_of_token_par stop ();
        end
    endgenerate

    // After a fault those on their way still come.
    `REQUIRE(engine_rst_n && gather_busy, of_experts || fault != FAULT_NONE[4:0], "rows are gathered after their instruction")
endmodule
`default_nettype wire
