"""Proofs of the AXI4-Lite slave and of the fetch of instructions."""

from __future__ import annotations

from sim.formal.proof import Induction, Mutant, Proof, Property

REGISTERS, FETCH = "control/control_registers.v", "control/instruction_unit.v"

CONTROL_REGISTERS = Proof(
    "control_registers_proof", "control_registers", Induction(4), slow=True,
    invariants=("held", "words", "values", "reads", "read_words", "runs"),
    properties=(
        Property("write_response_waits", "BVALID stays until BREADY",
                 Mutant(REGISTERS, "write || (s_axi_control_BVALID && !s_axi_control_BREADY)", "write")),
        Property("read_data_waits", "RVALID and the data stay until RREADY",
                 Mutant(REGISTERS, "read || (s_axi_control_RVALID && !s_axi_control_RREADY)", "read")),
        Property("one_response_a_write", "a response only for an address and its data, and always OKAY",
                 Mutant(REGISTERS, "address_held && data_held && !s_axi", "address_held && !s_axi")),
        Property("writes_do_not_pile_up", "every write has its own response",
                 Mutant(REGISTERS, "address_held && data_held && !s_axi_control_BVALID", "address_held && data_held")),
        Property("one_answer_a_read", "read data only for an address, once, and always OKAY",
                 Mutant(REGISTERS, "(s_axi_control_RVALID && !s_axi_control_RREADY)",
                        "(s_axi_control_RVALID && !(s_axi_control_RREADY && idle))")),
        Property("one_read_at_a_time", "no address is taken while read data waits",
                 Mutant(REGISTERS, "reading == 0 && !s_axi_control_RVALID;", "reading == 0;")),
        Property("reset_is_quiet", "after reset no response, no data, no start, no interrupt",
                 Mutant(REGISTERS, "            data_held <= 1'b0;\n            s_axi_control_BVALID <= 1'b0;",
                        "            data_held <= 1'b0;\n            s_axi_control_BVALID <= 1'b1;")),
        Property("registers_keep_what_was_written", "a register has the bytes written to it last, and no other write's",
                 Mutant(REGISTERS, "write_word < 32;", "write_word < 64;")),
        Property("reads_give_it_back", "a register reads as it was written",
                 Mutant(REGISTERS, "inputs[read_word[4:0]]", "inputs[{read_word[4:1], 1'b0}]")),
        Property("unmapped_reads_0", "what is beyond the map reads 0",
                 Mutant(REGISTERS, "row < OUTPUTS;", "row < OUTPUTS + 1;")),
        Property("start_for_each_written_one", "start follows a 1 written while no run is on, once the machine is idle",
                 Mutant(REGISTERS, "start <= pending && idle;", "start <= pending;")),
        Property("done_until_it_is_read", "done is told by the next read of the control register, and once",
                 Mutant(REGISTERS, "done_flag <= done || (done_flag && !read_control);",
                        "done_flag <= done || (done_flag && !read);")),
        Property("interrupt_while_status", "interrupt while an enabled status is set and not cleared",
                 Mutant(REGISTERS, "interrupt_on && interrupt_status != 0;", "interrupt_on && interrupt_status[0];")),
    ),
)  # fmt: skip

INSTRUCTION_UNIT = Proof(
    "instruction_unit_proof", "instruction_unit", Induction(3), beside=("legality",), slow=True,
    invariants=("begins", "fetches", "lefts", "headers", "faults", "offers", "kinds", "legal", "counts", "addresses",
                "shifts", "idles"),
    properties=(
        Property("fetching_until_all_has_come", "fetching: words were asked for and have not all come",
                 Mutant(FETCH, "if (words_left == 0) begin", "if (words_left == 1) begin")),
        Property("one_block_at_a_time", "a block is asked for when the one before has come",
                 Mutant(FETCH, "command_valid = fetch_wanted &&", "command_valid = state[2:1] == 0 &&")),
        Property("blocks_in_order", "header, then instructions, one after the other from program_address on",
                 Mutant(FETCH, "command_address + INSTRUCTION_BYTES;", "command_address + MEMORY_WORD_BYTES;"), 20),
        Property("nothing_while_held_or_ended", "no fetch during fetch_hold, nor after a fault, HALT or the last one",
                 Mutant(FETCH, "fetch_wanted && !fetch_hold &&", "fetch_wanted &&")),
        Property("one_instruction_ahead", "the next instruction is fetched once the one before is taken",
                 Mutant(FETCH, "state <= OFFER;", "state <= COMMAND;"), 20),
        Property("instruction_is_what_came", "an instruction is its four words",
                 Mutant(FETCH, "{word, instruction[511:128]}", "{instruction[383:0], word}"), 20),
        Property("index_counts", "instructions are offered after a good header, numbered from 0",
                 Mutant(FETCH, "instruction_index + 32'd1;", "instruction_index + 32'd2;"), 28),
        Property("instruction_is_held", "an instruction is held until it is taken",
                 Mutant(FETCH, "if (instruction_ready) begin", "if (instruction_ready || fetch_hold) begin"), 20),
        Property("past_end_after_the_last", "past_end only after the last one, which was legal",
                 Mutant(FETCH, "past_end <= last_one && !halts && legal;", "past_end <= last_one && !halts;"), 20),
        Property("header_is_judged", "a header is refused for magic, version, reserved words; hash; no instruction",
                 Mutant(FETCH, "instruction[511:320] == 0", "instruction[511:384] == 0")),
    ),
)  # fmt: skip

PROOFS = (CONTROL_REGISTERS, INSTRUCTION_UNIT)
