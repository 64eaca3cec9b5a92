// SPDX-License-Identifier: MIT
// Fetches a program through data_reader: its header, then one instruction ahead of the one that executes, each already
// checked against rules 1 … 6.
//
//   header_fault: BAD_PROGRAM_HEADER (magic, version, reserved words), CONFIG_MISMATCH, BAD_PROGRAM_HEADER (empty)
//
// begin_run starts afresh, whatever was going on. After a header or instruction with a fault, after HALT and after the
// last instruction nothing more is fetched. No fetch starts while fetch_hold is high; `fetching` says that one has been
// commanded and its words have not all come, so whoever raises fetch_hold waits until fetching is low.
// Precondition: program_address is held during the run; no word comes that was not commanded here.
// Latency: an instruction is offered 19 cycles after its last word. past_end: the last instruction has been taken, it
// was legal and not HALT. The fields of an instruction are held while instruction_valid waits for instruction_ready, and
// after that until the first word of the next one.
// Depth: a comparison of 32 bits; a 64-bit addition.
`default_nettype none
`include "require.vh"
module instruction_unit (
    input  wire         clk,
    input  wire         rst_n,
    input  wire         begin_run,
    input  wire [63:0]  program_address,
    input  wire         fetch_hold,
    output reg          fetching,
    output wire         fetch_wanted,  // a fetch waits for fetch_hold or for the reader
    output wire         command_valid,
    input  wire         command_ready,
    output reg  [63:0]  command_address,
    output wire [31:0]  command_words,
    input  wire         word_valid,
    output wire         word_ready,
    input  wire [127:0] word,
    output reg          header_valid,
    output reg  [4:0]   header_fault,
    output reg  [31:0]  instructions,
    output reg  [63:0]  stream_lines,
    output reg  [63:0]  input_bytes,
    output reg  [63:0]  output_bytes,
    output reg          instruction_valid,
    input  wire         instruction_ready,
    output reg  [511:0] instruction,
    output reg  [4:0]   static_fault,
    output reg  [31:0]  instruction_index,
    output reg          past_end
);
`include "edgemoe_spec.vh"
    localparam BLOCK_WORDS = INSTRUCTION_BYTES / MEMORY_WORD_BYTES;  // the header, or one instruction

`include "instruction_fields.vh"
    // What happens next to the block: command, words, header or legality, offer.
    localparam [2:0] IDLE = 0, COMMAND = 1, WORDS = 2, HEADER = 3, HEADER_CHECK = 4, LEGALITY = 5, OFFER = 6, END = 7;
    reg [2:0] state;
    reg of_header, check;
    reg [1:0] words_left;
    reg magic_kept, version_kept, hash_kept, reserved_kept, any_instruction;

    wire checked;
    wire [4:0] fault;
    legality rules (.clk(clk), .rst_n(rst_n & ~begin_run), .start(check), .instruction(instruction),
                    .input_bytes(input_bytes), .output_bytes(output_bytes), .done(checked), .fault(fault));

    assign fetch_wanted = state == COMMAND;
    assign command_valid = fetch_wanted && !fetch_hold && !begin_run;  // none of an earlier run
    assign command_words = BLOCK_WORDS;
    assign word_ready = state == WORDS;
    wire bad_header = !(magic_kept && version_kept && reserved_kept);
    wire last_one = instruction_index + 32'd1 == instructions;
    wire halts = opcode == OPCODE_HALT[7:0];
    wire legal = static_fault == FAULT_NONE[4:0];

    always @(posedge clk) begin
        check <= 1'b0;
        // Comparisons of a header stand one cycle after its words.
        magic_kept <= instruction[31:0] == IDENTITY;
        version_kept <= instruction[63:32] == ISA_VERSION;
        hash_kept <= instruction[95:64] == CONFIG_HASH;
        any_instruction <= instruction[127:96] != 0;
        reserved_kept <= instruction[511:320] == 0;
        case (state)
            COMMAND:
                if (command_valid && command_ready) begin
                    fetching <= 1'b1;
                    words_left <= BLOCK_WORDS[1:0] - 2'd1;
                    command_address <= command_address + INSTRUCTION_BYTES;
                    state <= WORDS;
                end
            WORDS:
                if (word_valid) begin
                    instruction <= {word, instruction[511:128]};
                    words_left <= words_left - 2'd1;
                    if (words_left == 0) begin
                        fetching <= 1'b0;
                        check <= !of_header;
                        state <= of_header ? HEADER : LEGALITY;
                    end
                end
            HEADER: state <= HEADER_CHECK;
            HEADER_CHECK: begin
                of_header <= 1'b0;
                header_valid <= 1'b1;
                header_fault <= bad_header ? FAULT_BAD_PROGRAM_HEADER[4:0]
                    : !hash_kept ? FAULT_CONFIG_MISMATCH[4:0]
                    : !any_instruction ? FAULT_BAD_PROGRAM_HEADER[4:0] : FAULT_NONE[4:0];
                instructions <= instruction[127:96];
                stream_lines <= instruction[191:128];
                input_bytes <= instruction[255:192];
                output_bytes <= instruction[319:256];
                state <= bad_header || !hash_kept || !any_instruction ? END : COMMAND;
            end
            LEGALITY:
                if (checked) begin
                    static_fault <= fault;
                    instruction_valid <= 1'b1;
                    state <= OFFER;
                end
            OFFER:
                if (instruction_ready) begin
                    instruction_valid <= 1'b0;
                    past_end <= last_one && !halts && legal;
                    if (!legal || halts || last_one) begin
                        state <= END;
                    end else begin
                        instruction_index <= instruction_index + 32'd1;
                        state <= COMMAND;
                    end
                end
            default: ;
        endcase
        if (begin_run) begin
            command_address <= program_address;
            of_header <= 1'b1;
            instruction_index <= 32'd0;
            state <= COMMAND;
        end
        if (!rst_n) state <= IDLE;
        if (!rst_n || begin_run) begin
            fetching <= 1'b0;
            header_valid <= 1'b0;
            instruction_valid <= 1'b0;
            past_end <= 1'b0;
        end
    end

    // Preconditions.
    `REQUIRE(rst_n && word_valid && !begin_run, fetching, "a word that was not asked for")
endmodule
`default_nettype wire
