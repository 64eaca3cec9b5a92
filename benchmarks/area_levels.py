"""Longest combinational path of a synthesised module, in logic levels, from its Yosys netlist.

A level is what a LUT with its routing takes. Weights of other cells, chosen to count about as Vivado counts levels: a
carry chain 1 and 0.1 for each CARRY4 further along it, MUXF7/8/9 0.5, distributed RAM and shift registers 1 from their
address or from the clock; block RAM 3 and URAM 4 from the clock, as they have no output register here (Vivado pulls in
the one that follows); a DSP block 6 from its operands to its sum, less where it has registers inside (area_dsp), unless
it is a DSP_CELL. Inverters vanish. Paths begin and end at registers, memories and the module's ports, and go on through
the modules inside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks import area_dsp
from benchmarks.area_synthesis import DSP_CELL

CARRY = {"CARRY4", "CARRY8"}
CARRY_STEP, CARRY_ENTRY, WIDE_MUX = 0.1, 1.0, 0.5
CLOCK_TO_OUTPUT = {
    "RAMB18E1": 3.0,
    "RAMB36E1": 3.0,
    "RAMB18E2": 3.0,
    "RAMB36E2": 3.0,
    "URAM288": 4.0,
    "SRL16E": 1.0,
    "SRLC32E": 1.0,
}
Arcs = dict[tuple[str, str], float]


@dataclass(frozen=True)
class Timing:
    """What a module looks like from outside, and its longest path.

    starts: levels from a register inside to an output; ends: from an input to a register inside; through: from an input
    to an output; worst: the longest of all, with the cells or wires along it.
    """

    worst: float
    path: tuple[str, ...]
    starts: dict[str, float] = field(default_factory=dict)
    ends: dict[str, float] = field(default_factory=dict)
    through: Arcs = field(default_factory=dict)


@dataclass
class _Node:
    """One output port of one cell: its bits, its arcs from bits, and its level from a clock (None: none)."""

    label: str
    outputs: list[int]
    arcs: list[tuple[int, float]]
    start: float | None


def analyse(module: Mapping[str, Any], inside: Mapping[str, Timing]) -> Timing:
    """Timing of one module of a Yosys JSON netlist; `inside`: of the modules that it instantiates, by full name."""
    inside = {name.removeprefix("\\"): timing for name, timing in inside.items()}
    names = _bit_names(module)
    nodes: list[_Node] = []
    final: list[tuple[int, float, str]] = []  # bits that end a path, with what follows inside a cell
    for name, cell in module["cells"].items():
        for node in _nodes(name, cell, inside):
            nodes.append(node)
        final += _ends(name, cell, inside)
    order = _ordered(nodes)
    inputs = {port: _bits(p["bits"]) for port, p in module["ports"].items() if p["direction"] == "input"}
    outputs = {port: _bits(p["bits"]) for port, p in module["ports"].items() if p["direction"] == "output"}

    clocked, trail = _arrivals(order, {})
    worst, where = 0.0, -1
    for bit, more, _ in final:
        if bit in clocked and clocked[bit] + more > worst:
            worst, where = clocked[bit] + more, bit
    starts = {port: max(clocked[bit] for bit in bits if bit in clocked) for port, bits in outputs.items()
              if any(bit in clocked for bit in bits)}  # fmt: skip
    for port, level in starts.items():
        if level > worst:
            worst, where = level, max((bit for bit in outputs[port] if bit in clocked), key=lambda bit: clocked[bit])
    path = _path(where, trail, names)
    ends: dict[str, float] = {}
    through: dict[tuple[str, str], float] = {}
    for port, bits in inputs.items():
        reached, steps = _arrivals(order, dict.fromkeys(bits, 0.0), clocks=False)
        last = [(reached[bit] + more, bit) for bit, more, _ in final if bit in reached]
        if last:
            ends[port] = max(last)[0]
        arcs = {out: [(reached[bit], bit) for bit in wires if bit in reached] for out, wires in outputs.items()}
        through |= {(port, out): max(found)[0] for out, found in arcs.items() if found}
        for level, bit in (*last, *(item for found in arcs.values() for item in found)):
            if level > worst:
                worst, path = level, (f"port {port}", *_path(bit, steps, names))
    worst = max([worst, *(inside[cell["type"]].worst for cell in module["cells"].values() if cell["type"] in inside)])
    return Timing(worst, path, starts, ends, through)


def _bits(bits: Iterable[int | str]) -> list[int]:
    return [bit for bit in bits if isinstance(bit, int)]


def _bit_names(module: Mapping[str, Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if not net.get("hide_name"):
            for bit in _bits(net["bits"]):
                names.setdefault(bit, name)
    return names


def _nodes(name: str, cell: Mapping[str, Any], inside: Mapping[str, Timing]) -> Iterable[_Node]:
    kind, wires = cell["type"], {port: _bits(bits) for port, bits in cell["connections"].items()}
    directions = cell["port_directions"]
    incoming = [port for port in wires if directions[port] == "input"]
    for out in (port for port in wires if directions[port] == "output"):
        start: float | None = None
        arcs: list[tuple[int, float]] = []
        if kind in inside:
            timing = inside[kind]
            start = timing.starts.get(out)
            arcs = [(bit, timing.through[port, out]) for port in incoming if (port, out) in timing.through
                    for bit in wires[port]]  # fmt: skip
        elif kind.startswith("FD") or kind == DSP_CELL or kind in CLOCK_TO_OUTPUT:
            start = CLOCK_TO_OUTPUT.get(kind, 0.0)
            if kind.startswith("SRL"):
                arcs = [(bit, 1.0) for port in incoming if port.startswith("A") for bit in wires[port]]
        elif kind.startswith("RAM"):
            start = 1.0
            arcs = [(bit, 1.0) for port in incoming if port.startswith(("A", "DPRA")) for bit in wires[port]]
        elif kind in CARRY:
            arcs = [(bit, CARRY_STEP if port == "CI" else CARRY_ENTRY) for port in incoming for bit in wires[port]]
        elif kind.startswith("DSP48"):
            start = area_dsp.start_of(cell)
            levels = {port: area_dsp.through(cell, port) for port in incoming}
            arcs = [(bit, level) for port, level in levels.items() if level is not None for bit in wires[port]]
        else:
            weight = WIDE_MUX if kind.startswith("MUXF") else 0.0 if kind == "INV" else 1.0
            arcs = [(bit, weight) for port in incoming for bit in wires[port]]
        yield _Node(f"{kind} {name}" if kind in inside else kind, wires[out], arcs, start)


def _ends(name: str, cell: Mapping[str, Any], inside: Mapping[str, Timing]) -> list[tuple[int, float, str]]:
    """Inputs of a cell that a clock edge samples."""
    kind = cell["type"]
    found = []
    for port, bits in cell["connections"].items():
        if cell["port_directions"][port] != "input":
            continue
        if kind in inside:
            more = inside[kind].ends.get(port)
        elif kind.startswith("DSP48"):
            more = area_dsp.end_at(cell, port)
        else:
            clocked = kind == DSP_CELL or kind.startswith(("FD", "RAM", "URAM", "SRL"))
            sampled = clocked and port not in ("C", "CLK", "WCLK", "clk")
            more = 0.0 if sampled else None
        if more is not None:
            found += [(bit, more, name) for bit in _bits(bits)]
    return found


def _ordered(nodes: list[_Node]) -> list[_Node]:
    """Every node after those that drive it; a loop between ports of modules is cut where it is entered."""
    driver = {bit: number for number, node in enumerate(nodes) for bit in node.outputs}
    state = [0] * len(nodes)
    order: list[_Node] = []
    for root in range(len(nodes)):
        if state[root]:
            continue
        stack = [(root, iter({driver[bit] for bit, _ in nodes[root].arcs if bit in driver}))]
        state[root] = 1
        while stack:
            number, waiting = stack[-1]
            following = next((other for other in waiting if not state[other]), None)
            if following is None:
                order.append(nodes[number])
                stack.pop()
            else:
                state[following] = 1
                stack.append((following, iter({driver[bit] for bit, _ in nodes[following].arcs if bit in driver})))
    return order


def _arrivals(
    order: list[_Node], begin: dict[int, float], clocks: bool = True
) -> tuple[dict[int, float], dict[int, tuple[int | None, str]]]:
    """Level at which each bit is settled, from registers (`clocks`) or from the bits in `begin`; and where from."""
    arrival, trail = dict(begin), defaultdict[int, tuple[int | None, str]](lambda: (None, ""))
    for node in order:
        best, origin = (node.start, None) if clocks else (None, None)
        for bit, weight in node.arcs:
            level = arrival.get(bit)
            if level is not None and (best is None or level + weight > best):
                best, origin = level + weight, bit
        if best is not None:
            for bit in node.outputs:
                arrival[bit], trail[bit] = best, (origin, node.label)
    return arrival, trail


def _path(bit: int, trail: Mapping[int, tuple[int | None, str]], names: Mapping[int, str]) -> tuple[str, ...]:
    """Named wires along a path, and the cells between wires without a name, first to last."""
    steps: list[str] = []
    while bit in trail:
        origin, label = trail[bit]
        steps.append(names.get(bit, label))
        if origin is None:
            break
        bit = origin
    if bit in names and bit not in trail:
        steps.append(names[bit])
    return tuple(reversed(steps))
