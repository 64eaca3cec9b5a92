"""`python -m edgemoe.overlay.check_handoff FILE.hwh --board zcu102`: does Vivado's file agree with the specification?

Prints what differs, one sentence each, and fails; prints one line when nothing does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from edgemoe.errors import EdgeMoeError
from edgemoe.overlay.hardware_handoff import Handoff, handoff_text, parse_handoff, read_handoff
from edgemoe.spec.board import Board, board_names, load_board
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.terminal import accept_all_text

_CLOCK_TOLERANCE = 1e-3


def differences(found: Handoff, hardware: HardwareConfig, board: Board) -> list[str]:
    """What differs from the specification, in sentences; empty when nothing does.

    Registers are compared by address, because Vitis renames some. Memory must be reached through the right port; that
    Vivado opens a larger window than the board has memory for is no difference.
    """
    expected = parse_handoff(handoff_text(hardware, board), "the specification")
    return [*_cell(found, expected), *_registers(found, expected), *_memory(found, expected)]


def _cell(found: Handoff, expected: Handoff) -> Iterator[str]:
    if found.vlnv != expected.vlnv:
        yield f"the block is {found.vlnv}, the driver binds to {expected.vlnv}"
    if (found.base, found.size) != (expected.base, expected.size):
        yield (
            f"registers lie at 0x{found.base:X} ({found.size:,} bytes), the specification puts them at "
            f"0x{expected.base:X} ({expected.size:,} bytes)"
        )
    if found.clock_mhz is None or expected.clock_mhz is None:
        yield "the clock pin names no frequency"
    elif abs(found.clock_mhz - expected.clock_mhz) > _CLOCK_TOLERANCE * expected.clock_mhz:
        yield f"the clock is {found.clock_mhz:g} MHz, the board's is {expected.clock_mhz:g} MHz"
    if not found.interrupt:
        yield "the interrupt is not connected"


def _registers(found: Handoff, expected: Handoff) -> Iterator[str]:
    for offset, name in expected.registers.items():
        if offset not in found.registers:
            yield f"register {name} at 0x{offset:03X} is missing"
        elif found.registers[offset] != name:
            yield f"register 0x{offset:03X} is {found.registers[offset]}, the specification has {name} there"
    for offset, name in found.registers.items():
        if offset not in expected.registers:
            yield f"register {name} at 0x{offset:03X} is not in the specification"


def _memory(found: Handoff, expected: Handoff) -> Iterator[str]:
    ports = {master: port for master, port, *_ in expected.memory}
    for master, port, base, size in expected.memory:
        through = [area for area in found.memory if area[:2] == (master, port)]
        if not any(low <= base and base + size <= low + length for *_, low, length in through):
            yield f"{master} does not reach {size:,} bytes at 0x{base:X} through {port}"
    for master, port in sorted({area[:2] for area in found.memory}):
        if master in ports and port != ports[master]:
            yield f"{master} is connected to {port}, the specification has {ports[master]} for it"


def main(words: list[str] | None = None) -> int:
    """Run the command; 1 when something differs, 2 when there is nothing to compare."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m edgemoe.overlay.check_handoff", description=__doc__)
    parser.add_argument("file", type=Path, help="the .hwh that Vivado wrote")
    parser.add_argument("--board", required=True, help=", ".join(board_names()))
    parser.add_argument("--hardware", help="hardware configuration (default: the board's usual one)")
    options = parser.parse_args(words)
    try:
        board = load_board(options.board)
        hardware = load_hardware_config(options.hardware or board.hardware[0])
        complaints = differences(read_handoff(options.file), hardware, board)
    except EdgeMoeError as error:
        print(error, file=sys.stderr)
        return 2
    if complaints:
        print(f"{options.file} differs from the specification of '{hardware.name}' on '{board.name}':")
        print("\n".join(f"  {complaint}" for complaint in complaints))
        return 1
    print(f"{options.file}: registers, addresses, memory, clock and interrupt are those of the specification")
    return 0


if __name__ == "__main__":
    sys.exit(main())
