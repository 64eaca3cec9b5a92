"""Hardware handoff files (.hwh): written from the specification, read, and compared with what Vivado wrote."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as Xml

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.board import Board, board_names, load_board
from edgemoe.spec.files import read_limited, write_text
from edgemoe.spec.generate.handoff import hardware_handoff
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.interface import CLOCK_PIN, INTERRUPT_PIN, IP_NAME
from edgemoe.spec.names import complaint, is_text, shown

MAX_BYTES = 64 << 20
_DEFAULT_BOARD = "zcu102"
_NAMED = 8  # blocks that a message lists
_LONGEST_NAME = 200
_DIGITS = 80  # of a number, in whatever base
_ENCODING = re.compile(r"""\s*<\?xml[^>]*?\bencoding\s*=\s*["']([^"']*)["']""")


class HandoffError(EdgeMoeError, ValueError):
    """A .hwh that cannot be read, or that holds no accelerator; the message says what was found."""


@dataclass(frozen=True)
class Handoff:
    """What a .hwh says about the accelerator.

    instance, vlnv: its cell in the block design. base, size: its register window.
    registers: offset → name. memory: (master, memory port, base, bytes), sorted.
    clock_mhz: at its clock pin, None where the file does not say. interrupt: whether its interrupt leads anywhere.
    """

    instance: str
    vlnv: str
    base: int
    size: int
    registers: dict[int, str]
    memory: tuple[tuple[str, str, int, int], ...]
    clock_mhz: float | None
    interrupt: bool


def board_of(hardware: HardwareConfig) -> Board:
    """The first board that is built with this configuration; the ZCU102 for those that are only simulated."""
    for name in board_names():
        board = load_board(name)
        if hardware.name in board.hardware:
            return board
    return load_board(_DEFAULT_BOARD)


def handoff_text(hardware: HardwareConfig, board: Board | None = None) -> str:
    """The .hwh of a configuration on a board (default: `board_of`); raises ConfigError when they do not go together."""
    return hardware_handoff(hardware, board or board_of(hardware))


def write_handoff(path: Path, hardware: HardwareConfig, board: Board | None = None) -> None:
    """Write the .hwh beside a bitstream; both files need the same name but for the suffix."""
    write_text(path, handoff_text(hardware, board))


def read_handoff(path: Path) -> Handoff:
    """Read a file; raises HandoffError."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise HandoffError(f"{path}: {size:,} bytes, a hardware handoff file has at most {MAX_BYTES:,}")
        text = read_limited(path, MAX_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise HandoffError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise HandoffError(f"{path}: not a hardware handoff file (it is not text)") from error
    return parse_handoff(text, str(path))


def parse_handoff(text: str, where: str) -> Handoff:
    """Read XML text; raises HandoffError beginning with `where`."""
    encoding = _ENCODING.match(text)
    if encoding and encoding[1].lower() != "utf-8":  # another reader could find something else in the same bytes
        raise HandoffError(f"{where}: is in {shown(encoding[1])}, Vivado writes UTF-8; take the file that Vivado wrote")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise HandoffError(f"{where}: declares entities, which Vivado never does; take the file that Vivado wrote")
    try:
        root = Xml.fromstring(text)
    except Xml.ParseError as error:
        raise HandoffError(f"{where}: not XML ({complaint(error)}); take the .hwh that Vivado wrote") from error
    try:
        return _accelerator(root, where)
    except (KeyError, ValueError, OverflowError) as error:
        if isinstance(error, HandoffError):
            raise
        raise HandoffError(f"{where}: an attribute is missing or no number ({complaint(error)})") from error


def _accelerator(root: Xml.Element, where: str) -> Handoff:
    modules = {module.attrib["INSTANCE"]: module for module in root.iter("MODULE")}
    found = [module for module in modules.values() if f":{IP_NAME}:" in module.attrib.get("VLNV", "")]
    if len(found) != 1:
        names = sorted({module.attrib.get("VLNV", "?").split(":")[-2:][0] for module in modules.values()})
        there = (
            ", ".join(shown(name)[1:-1] for name in names[:_NAMED]) + (", …" if len(names) > _NAMED else "") or "none"
        )
        raise HandoffError(f"{where}: expected one block named '{IP_NAME}', found {len(found)}; the blocks are {there}")
    module, (name,) = found[0], [name for name, each in modules.items() if each is found[0]]
    windows = [
        _bounds(area)
        for each in modules.values()
        for area in each.iter("MEMRANGE")
        if area.get("INSTANCE") == name and area.get("MEMTYPE") == "REGISTER"
    ]
    if not windows:
        raise HandoffError(f"{where}: no master reaches the registers of '{name}'; assign its address in the design")
    handoff = Handoff(
        instance=name,
        vlnv=module.attrib["VLNV"],
        base=windows[0][0],
        size=windows[0][1],
        registers=dict(_registers(module)),
        memory=tuple(sorted(_memory(module))),
        clock_mhz=_clock(module),
        interrupt=any(pin.find(".//CONNECTION") is not None for pin in _pins(module, INTERRUPT_PIN)),
    )
    named = [handoff.instance, handoff.vlnv, *handoff.registers.values()]
    for text in (*named, *(each for area in handoff.memory for each in area[:2])):
        if not is_text(text) or len(text) > _LONGEST_NAME:
            raise HandoffError(f"{where}: {shown(text)} is no name; take the .hwh that Vivado wrote")
    return handoff


def _bounds(area: Xml.Element) -> tuple[int, int]:
    base, high = _number(area.attrib["BASEVALUE"], 16), _number(area.attrib["HIGHVALUE"], 16)
    if high < base:
        raise ValueError(f"a range ends at 0x{high:X}, before its beginning 0x{base:X}")
    return base, high - base + 1


def _number(text: str, base: int) -> int:
    """An attribute; raises ValueError unless it is a number of 64 bits."""
    value = int(text, base) if len(text) <= _DIGITS else -1
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{shown(text)} does not fit 64 bits")
    return value


def _registers(module: Xml.Element) -> list[tuple[int, str]]:
    found = []
    for register in module.iter("REGISTER"):
        for each in register.findall("PROPERTY"):
            if each.get("NAME") == "ADDRESS_OFFSET":
                found.append((_number(each.attrib["VALUE"], 0), plain_name(register.attrib["NAME"])))
    return found


def plain_name(name: str) -> str:
    """Name of a register without the `_r` that Vitis adds to words that Verilog keeps for itself, as in input_r_1."""
    return re.sub(r"_r(?=_|$)", "", name)


def _memory(module: Xml.Element) -> list[tuple[str, str, int, int]]:
    return [
        (area.attrib["MASTERBUSINTERFACE"], area.attrib["SLAVEBUSINTERFACE"], *_bounds(area))
        for area in module.iter("MEMRANGE")
        if area.get("MEMTYPE") == "MEMORY"
    ]


def _pins(module: Xml.Element, name: str) -> list[Xml.Element]:
    return [pin for pin in module.iter("PORT") if pin.get("NAME") == name]


def _clock(module: Xml.Element) -> float | None:
    values = [pin.get("CLKFREQUENCY") for pin in _pins(module, CLOCK_PIN)]
    return _number(values[0], 10) / 1e6 if values and values[0] else None
