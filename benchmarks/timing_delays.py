"""Delays of the timing estimate, in ns: judged for an UltraScale+ at speed grade −2, not taken from a vendor's tables.

They are chosen so that the order of paths is right and the sum rather too long than too short. What one cell of the
netlist contributes is a list of arcs from input bits to output bits, of starts at a clock edge and of sampled inputs.

  net       0.22 + 0.08·log₂(loads); none on the wires inside a slice: LUT → carry chain, LUT → MUXF7 → MUXF8, carry →
            carry
  clock     0.08 to a register's output, 0.70 of distributed memory and shift registers, 0.95 of a block RAM without its
            output register, 1.50 of an UltraRAM
  address   0.70 through distributed memory and shift registers
  LUT       0.10; another driver of a pin that only a LUT of the slice reaches takes one on its way
  carry     0.19 into a chain, 0.02 for each CARRY4 along it (two are a CARRY8), 0.15 out of it to a sum
  DSP       2.30 from operands to product. Vivado takes registers behind a product into the block where all bits of the
            product lead to them alone: then no net is between, and a bit comes 0.30 after the clock. It takes registers
            of operands too, which is left out here: their nets and the 2.30 count. A block that the Verilog describes
            with all its registers samples its operands, and its sum comes 0.30 after the clock.
  last      0.04 setup of whatever samples, and 0.05 uncertainty of the clock
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from benchmarks.area_synthesis import DSP_CELL

NET, NET_PER_DOUBLING = 0.22, 0.08
REGISTER, DSP_REGISTER, DISTRIBUTED, BLOCK_RAM, ULTRA_RAM = 0.08, 0.30, 0.70, 0.95, 1.50
LUT, DSP = 0.10, 2.30
SETUP, UNCERTAINTY = 0.04, 0.05


class Arc(IntEnum):
    """Kind of a way through a cell."""

    LUT = 0
    CARRY_IN = 1  # from a LUT of the slice, else through one
    CARRY_BYPASS = 2
    CARRY_NEXT = 3
    CARRY_SUM = 4
    MUXF7 = 5
    MUXF8 = 6
    MUX_SELECT = 7
    ADDRESS = 8
    DSP = 9  # operands to a node inside
    DSP_OUT = 10  # that node to the product


# By kind: ns, logic levels as area_levels counts them.
ARC_DELAY = (LUT, 0.19, 0.19, 0.02, 0.15, 0.07, 0.04, 0.08, DISTRIBUTED, DSP, 0.0)
ARC_LEVELS = (1.0, 1.0, 1.0, 0.1, 0.1, 0.5, 0.5, 0.5, 1.0, 6.0, 0.0)


class Driver(IntEnum):
    """What drives a net, as far as it matters to what it leads to."""

    OTHER = 0
    LUT = 1
    CARRY = 2
    MUXF7 = 3
    INSIDE = 4  # no net: a node inside a cell


# Arcs that begin without a net, by driver; and those of which any other driver goes through a LUT first.
DEDICATED = {(Arc.CARRY_IN, Driver.LUT), (Arc.MUXF7, Driver.LUT), (Arc.MUXF8, Driver.MUXF7),
             (Arc.CARRY_NEXT, Driver.CARRY), (Arc.CARRY_SUM, Driver.CARRY), (Arc.DSP_OUT, Driver.INSIDE)}  # fmt: skip
THROUGH_LUT = (Arc.CARRY_IN, Arc.MUXF7)


@dataclass
class Cell:
    """One cell: arcs (from, to, kind), bits that a clock edge starts and when, bits sampled, loads on nets, bits of one
    wire (an inverter vanishes in what follows it). register: bits D and Q of a flip-flop. Bits are the netlist's.
    """

    arcs: list[tuple[int, int, int]] = field(default_factory=list)
    starts: list[tuple[int, float]] = field(default_factory=list)
    sampled: list[tuple[int, str]] = field(default_factory=list)
    loads: list[tuple[int, int]] = field(default_factory=list)  # bit, the kind of arc that begins here or −1
    drives: list[tuple[int, int]] = field(default_factory=list)
    same: tuple[int, int] | None = None
    register: tuple[int, int] | None = None


CLOCKS = {"C", "CLK", "WCLK", "CLKARDCLK", "CLKBWRCLK", "clk"}
# Where one address serves reading alone: its output. Other addresses are sampled too.
READ_PORTS = {f"ADDR{port}": f"DO{port}" for port in "ABCDEFGH"} | {"DPRA": "DPO", "A": "SPO"}


def describe(kind: str, connections: Mapping[str, list[int | str]], directions: Mapping[str, str], inside: int) -> Cell:
    """A cell of a Yosys netlist for xcup; inside: a number that no bit has, for a node of its own.

    Raises RuntimeError for a kind of cell that is not known.
    """
    wires = {port: bits for port, bits in connections.items() if port not in CLOCKS}
    inputs = {port: _bits(bits) for port, bits in wires.items() if directions[port] == "input"}
    outputs = {port: _bits(bits) for port, bits in wires.items() if directions[port] == "output"}
    if kind.startswith("LUT"):
        return _all_to_all(inputs, outputs, Arc.LUT, Driver.LUT)
    if kind == "INV":
        (source,), (target,) = inputs["I"] or [-1], outputs["O"] or [-1]
        return Cell(same=(source, target) if min(source, target) >= 0 else None)
    if kind.startswith("FD"):
        return _register(inputs, outputs)
    if kind == "CARRY4":
        return _carry(wires)
    if kind.startswith("MUXF"):
        return _wide_multiplexer(kind, inputs, outputs)
    if kind == DSP_CELL:
        return _memory(inputs, outputs, DSP_REGISTER)
    if kind.startswith("DSP48"):
        return _product(inputs, outputs, inside)
    if kind.startswith(("RAMB", "URAM")):
        return _memory(inputs, outputs, ULTRA_RAM if kind.startswith("URAM") else BLOCK_RAM)
    if kind.startswith(("RAM", "SRL")):
        return _distributed(kind, inputs, outputs)
    raise RuntimeError(f"cell {kind} is not one whose delay is known; add it to {__file__}")


def _bits(bits: list[int | str]) -> list[int]:
    return [bit for bit in bits if isinstance(bit, int)]


def _all(ports: Mapping[str, list[int]]) -> Iterator[int]:
    for bits in ports.values():
        yield from bits


def _all_to_all(inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]], arc: Arc, driver: Driver) -> Cell:
    cell = Cell()
    for source in _all(inputs):
        cell.loads.append((source, arc))
        cell.arcs += [(source, target, arc) for target in _all(outputs)]
    cell.drives = [(target, driver) for target in _all(outputs)]
    return cell


def _register(inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]]) -> Cell:
    cell = Cell(starts=[(bit, REGISTER) for bit in outputs["Q"]])
    for port, bits in inputs.items():
        cell.sampled += [(bit, port) for bit in bits]
        cell.loads += [(bit, -1) for bit in bits]
    if inputs["D"] and outputs["Q"]:
        cell.register = inputs["D"][0], outputs["Q"][0]
    return cell


def _carry(wires: Mapping[str, list[int | str]]) -> Cell:
    """Bit i of S and DI reaches sum i and carry i and all above; S is bit i's alone, DI passes on only as a carry."""
    cell = Cell()
    for port in ("S", "DI", "CI", "CYINIT"):
        for number, bit in enumerate(wires.get(port, [])):
            if not isinstance(bit, int):
                continue
            first = number if port in ("S", "DI") else 0
            carry = {"S": Arc.CARRY_IN, "CI": Arc.CARRY_NEXT}.get(port, Arc.CARRY_BYPASS)
            total = Arc.CARRY_SUM if port == "CI" else carry
            cell.loads.append((bit, carry))
            for to, kind in (("CO", carry), ("O", total)):
                skip = 1 if port == "DI" and to == "O" else 0
                targets = wires.get(to, [])[first + skip :]
                cell.arcs += [(bit, target, kind) for target in targets if isinstance(target, int)]
    for port in ("CO", "O"):
        cell.drives += [(bit, Driver.CARRY) for bit in _bits(wires.get(port, []))]
    return cell


def _wide_multiplexer(kind: str, inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]]) -> Cell:
    data, driver = (Arc.MUXF7, Driver.MUXF7) if kind == "MUXF7" else (Arc.MUXF8, Driver.MUXF7)
    cell = _all_to_all({port: bits for port, bits in inputs.items() if port != "S"}, outputs, data, driver)
    select = _all_to_all({"S": inputs.get("S", [])}, outputs, Arc.MUX_SELECT, driver)
    cell.arcs += select.arcs
    cell.loads += select.loads
    return cell


def _product(inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]], inside: int) -> Cell:
    cell = _all_to_all(inputs, {"inside": [inside]}, Arc.DSP, Driver.INSIDE)
    cell.arcs += [(inside, target, Arc.DSP_OUT) for target in _all(outputs)]
    return cell


def _memory(inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]], start: float) -> Cell:
    cell = Cell(starts=[(bit, start) for bit in _all(outputs)])
    for port, bits in inputs.items():
        cell.sampled += [(bit, port) for bit in bits]
        cell.loads += [(bit, -1) for bit in bits]
    return cell


def _distributed(kind: str, inputs: Mapping[str, list[int]], outputs: Mapping[str, list[int]]) -> Cell:
    cell = _memory({}, outputs, DISTRIBUTED)
    written_at = {"RAM32M": "ADDRD", "RAM64M": "ADDRD", "RAM32M16": "ADDRH", "RAM64M8": "ADDRH"}.get(kind, "A")
    for port, bits in inputs.items():
        letters = port.rstrip("0123456789")
        addresses = letters in READ_PORTS
        targets = outputs.get(READ_PORTS[letters], []) if addresses else []
        if letters == "A" and not targets:  # of a memory with one port, of a shift register
            targets = list(_all(outputs))
        for bit in bits:
            cell.loads.append((bit, Arc.ADDRESS if addresses else -1))
            if not addresses or (letters == written_at and not kind.startswith("SRL")):
                cell.sampled.append((bit, port))
            cell.arcs += [(bit, target, Arc.ADDRESS) for target in targets]
    return cell
