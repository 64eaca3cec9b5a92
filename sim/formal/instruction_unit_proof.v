// SPDX-License-Identifier: MIT
// instruction_unit with any program, any verdicts of the rules, and words that come when they like, but were asked for.
`default_nettype none
module instruction_unit_proof (
    input wire         clk,
    input wire         begin_run,
    input wire [63:0]  program_address,
    input wire         fetch_hold,
    input wire         command_ready,
    input wire         word_valid,
    input wire [127:0] word,
    input wire         instruction_ready
);
`include "edgemoe_spec.vh"
    reg rst_n = 1'b0;
    always @(posedge clk) rst_n <= 1'b1;
    wire fetching, fetch_wanted, command_valid, word_ready, header_valid, instruction_valid, past_end;
    wire [63:0] command_address, stream_lines, input_bytes, output_bytes;
    wire [31:0] command_words, instructions, instruction_index;
    wire [4:0] header_fault, static_fault;
    wire [511:0] instruction;
    instruction_unit unit (.*);

    // Words that were asked for and have not come, the address of the next block, and how far the run is.
    wire asks = command_valid && command_ready;
    wire comes = word_valid && word_ready;
    wire taken = instruction_valid && instruction_ready;
    wire stops = instruction[7:0] == OPCODE_HALT || static_fault != FAULT_NONE
        || instruction_index + 32'd1 == instructions;
    reg begun, ended;
    reg [2:0] due;
    reg [63:0] base;
    reg [32:0] blocks;
    reg [31:0] offered;
    reg [127:0] word_0, word_1, word_2, word_3;
    wire [511:0] came = {word_3, word_2, word_1, word_0};
    always @(posedge clk)
        if (!rst_n) begin
            begun <= 0;
            ended <= 0;
            due <= 0;
        end else if (begin_run) begin
            begun <= 1;
            ended <= 0;
            due <= 0;
            base <= program_address;
            blocks <= 0;
            offered <= 0;
        end else begin
            ended <= ended || (taken && stops) || (header_valid && header_fault != FAULT_NONE);
            due <= due + (asks ? 3'd4 : 3'd0) - {2'd0, comes};
            blocks <= blocks + {32'd0, asks};
            offered <= offered + {31'd0, taken};
        end
    always @(posedge clk) begin
        if (comes) {word_3, word_2, word_1, word_0} <= {word, word_3, word_2, word_1};
        if (rst_n && !begin_run && word_valid) assume (fetching);  // the precondition, of data_reader
    end

    wire [4:0] judged = came[31:0] != IDENTITY || came[63:32] != ISA_VERSION || came[511:320] != 0
        ? FAULT_BAD_PROGRAM_HEADER : came[95:64] != CONFIG_HASH ? FAULT_CONFIG_MISMATCH
        : came[127:96] == 0 ? FAULT_BAD_PROGRAM_HEADER : FAULT_NONE;

    always @(posedge clk)
        if (rst_n && !begin_run) begin
            fetching_until_all_has_come: assert (fetching == (due != 0) && (!comes || due != 0));
            if (command_valid) begin
                one_block_at_a_time: assert (due == 0 && command_words == 32'd4 && begun);
                blocks_in_order: assert (command_address == base + {25'd0, blocks, 6'd0});
                nothing_while_held_or_ended: assert (!fetch_hold && !ended);
                one_instruction_ahead: assert (!instruction_valid && blocks == {1'b0, offered} + {32'd0, header_valid});
            end
            if (instruction_valid) begin
                instruction_is_what_came: assert (instruction == came);
                index_counts: assert (instruction_index == offered && header_valid && header_fault == FAULT_NONE);
            end
            if ($past(rst_n && !begin_run && instruction_valid && !instruction_ready))
                instruction_is_held: assert (instruction_valid && $stable({instruction, static_fault, instruction_index}));
            if (past_end && $past(!past_end))
                past_end_after_the_last: assert ($past(taken) && offered == instructions && static_fault == FAULT_NONE);
            if (header_valid && $past(!header_valid))
                header_is_judged: assert (header_fault == judged && instructions == came[127:96]
                    && stream_lines == came[191:128] && input_bytes == came[255:192] && output_bytes == came[319:256]);
        end

    // Invariants.
    localparam [2:0] IDLE = 0, COMMAND = 1, WORDS = 2, HEADER = 3, HEADER_CHECK = 4, LEGALITY = 5, OFFER = 6, END = 7;
    (* hierconn *) wire [2:0] \unit.state ;
    (* hierconn *) wire \unit.of_header ;
    (* hierconn *) wire [1:0] \unit.words_left ;
    wire [2:0] state = \unit.state ;
    always @(posedge clk)
        if (rst_n && state != IDLE) begin
            begins: assert (begun);
            fetches: assert (fetching == (state == WORDS) && (due == 0 || state == WORDS));
            if (state == WORDS) lefts: assert (due == {1'b0, \unit.words_left } + 3'd1);
            headers: assert (state == END || \unit.of_header == !header_valid);
            if (header_valid) faults: assert (header_fault == FAULT_NONE ? instructions != 0 : state == END);
            offers: assert (instruction_valid == (state == OFFER) && (!instruction_valid || header_valid));
            kinds: assert ((state != HEADER && state != HEADER_CHECK) || !header_valid);
            if (state == LEGALITY) legal: assert (header_valid);
            if (state != END)
                counts: assert (instruction_index == offered && !ended && !past_end && (header_valid || offered == 0)
                    && blocks == {1'b0, offered} + {32'd0, header_valid} + {32'd0, state != COMMAND}
                    && (!header_valid || offered < instructions));
            addresses: assert (command_address == base + {25'd0, blocks, 6'd0});
            shifts: assert (state == COMMAND || state == END || (due == 0 ? instruction == came
                : due == 1 ? instruction[511:128] == came[511:128] : due == 2 ? instruction[511:256] == came[511:256]
                : due == 3 ? instruction[511:384] == came[511:384] : due == 4));
        end
    always @(posedge clk)
        if (rst_n && state == IDLE)
            idles: assert (!begun && due == 0 && !fetching && !header_valid && !instruction_valid && !past_end);
endmodule
`default_nettype wire
