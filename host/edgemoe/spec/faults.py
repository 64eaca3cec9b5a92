"""Fault codes: why a run ended early. An engine that meets one halts, keeps the instruction's index, and writes nothing
further; the next start begins afresh.
"""

from __future__ import annotations

from enum import IntEnum


class Fault(IntEnum):
    """Value of the `error_code` register. 0 means that the run ended well."""

    NONE = 0
    BAD_PROGRAM_HEADER = 1
    CONFIG_MISMATCH = 2
    ILLEGAL_OPCODE = 3
    ILLEGAL_FIELD = 4
    ILLEGAL_OPERAND = 5
    BUFFER_RANGE = 6
    TOO_MANY_EXPERTS = 7
    SEGMENT_MISMATCH = 8
    ADDRESS_RANGE = 9
    STREAM_END = 10
    BUS_READ = 11
    BUS_WRITE = 12
    WATCHDOG = 13


FAULT_TEXT: dict[Fault, str] = {
    Fault.NONE: "no fault",
    Fault.BAD_PROGRAM_HEADER: "the program does not begin with this instruction set's magic word and version",
    Fault.CONFIG_MISMATCH: "the program was built for another hardware configuration",
    Fault.ILLEGAL_OPCODE: "the opcode is unknown",
    Fault.ILLEGAL_FIELD: "a field is outside its range, or one that this opcode does not use is not zero",
    Fault.ILLEGAL_OPERAND: "this opcode may not use that buffer, or reads rows of it that this run has not written so",
    Fault.BUFFER_RANGE: "rows × features do not fit the buffer they name",
    Fault.TOO_MANY_EXPERTS: "more experts, or more experts per token, than the hardware was built for",
    Fault.SEGMENT_MISMATCH: "the weight stream delivered another segment than the instruction expects",
    Fault.ADDRESS_RANGE: "a memory access lies outside the input or output region, or is not aligned to 16 bytes",
    Fault.STREAM_END: "the program ran past its last instruction, or the weight stream ended too early",
    Fault.BUS_READ: "memory answered a read with an error (SLVERR or DECERR)",
    Fault.BUS_WRITE: "memory answered a write with an error (SLVERR or DECERR)",
    Fault.WATCHDOG: "nothing happened for `watchdog_cycles` cycles",
}

# HLS sees neither AXI responses nor a bus that hangs: those codes exist in RTL builds only.
RTL_ONLY_FAULTS = frozenset({Fault.BUS_READ, Fault.BUS_WRITE, Fault.WATCHDOG})
