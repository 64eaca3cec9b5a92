"""Delays over small netlists drawn by hand: each sum is written out here, term by term."""

from __future__ import annotations

from math import log2
from typing import Any

import pytest

from benchmarks.area_synthesis import Module
from benchmarks.timing import worst_paths
from benchmarks.timing_netlist import Graph, flatten
from benchmarks.timing_paths import Timing, analyse
from edgemoe.tuning.parts import Resources
from tests.rtl.netlists import Cell, cell, lut, module, register

CLOCK, NET, LUT, SETUP, UNCERTAINTY = 0.08, 0.22, 0.10, 0.04, 0.05
LAST = SETUP + UNCERTAINTY


def net(loads: int) -> float:
    return NET + 0.08 * log2(loads)


def as_module(name: str, netlist: dict[str, Any], inside: dict[str, int] | None = None) -> Module:
    return Module(f"\\{name}", name, inside or {}, Resources(), netlist)


def timed(*modules: Module) -> tuple[Graph, Timing]:
    graph = flatten({each.full_name: each for each in modules})
    return graph, analyse(graph)


def worst(cells: list[Cell], inputs: dict[str, list[int]] | None = None) -> float:
    _, timing = timed(as_module("top", module(cells, inputs or {}, {})))
    return float(timing.endpoints.max())


def register_with(enable: int, data: int, value: int) -> Cell:
    return cell("FDRE", {"C": [1], "CE": [enable], "D": [data]}, {"Q": [value]})


def test_a_lut_between_registers() -> None:
    assert worst([register(2, 3), lut([3], 4), register(4, 5)]) == pytest.approx(CLOCK + net(1) + LUT + net(1) + LAST)


def test_an_enable_of_eight_registers() -> None:
    """Eight loads, so 0.22 + 0.08 · 3 on the enable; the clock does not count."""
    cells = [register(2, 3), *(register_with(3, 2, 10 + n) for n in range(8))]
    assert worst(cells) == pytest.approx(CLOCK + 0.46 + LAST)


def test_loads_count_in_every_instance() -> None:
    """Two instances with two registers each behind one port, and one register beside them: five loads."""
    inside = as_module("pair", module([register(5, 6), register(5, 7)], {"d": [5]}, {}))
    boxes = [cell("pair", {"d": [3]}, {}) for _ in range(2)]
    outside = as_module("top", module([register(2, 3), register(3, 4), *boxes], {}, {}), {"\\pair": 2})
    _, timing = timed(inside, outside)
    assert timing.endpoints.max() == pytest.approx(CLOCK + net(5) + LAST)


def test_a_path_through_three_modules() -> None:
    """From a register of one module by a LUT of the top to a LUT and a register of another."""
    source = as_module("source", module([register(2, 3)], {"d": [2]}, {"q": [3]}))
    sink = as_module("sink", module([lut([2], 3), register(3, 4)], {"d": [2]}, {}))
    cells = [cell("source", {"d": [9]}, {"q": [3]}), lut([3], 4), cell("sink", {"d": [4]}, {})]
    graph, timing = timed(source, sink, as_module("top", module(cells, {}, {}), {"\\source": 1, "\\sink": 1}))
    assert timing.endpoints.max() == pytest.approx(CLOCK + 3 * net(1) + 2 * LUT + LAST)
    (path,) = worst_paths(graph, timing, 10)
    assert path.modules == ("source", "top", "sink")
    assert path.levels == 2.0


def test_a_port_that_is_led_through_a_module() -> None:
    """One wire by two names: what both sides drive are the loads of one net."""
    wire = as_module("wire", module([], {"i": [2]}, {"o": [2]}))
    cells = [register(2, 3), cell("wire", {"i": [3]}, {"o": [4]}), register(3, 5), register(4, 6)]
    _, timing = timed(wire, as_module("top", module(cells, {}, {}), {"\\wire": 1}))
    assert timing.endpoints.max() == pytest.approx(CLOCK + net(2) + LAST)


def test_inverters_vanish() -> None:
    cells = [register(2, 3), cell("INV", {"I": [3]}, {"O": [4]}), register(4, 5), register(3, 6)]
    assert worst(cells) == pytest.approx(CLOCK + net(2) + LAST)


def carry(first: int, **wires: list[int]) -> Cell:
    outputs = {"CO": [first, first + 1, first + 2, first + 3], "O": [first + 4, first + 5, first + 6, first + 7]}
    return cell("CARRY4", wires, outputs)


@pytest.mark.parametrize(
    ("cells", "delay"),
    [
        pytest.param([lut([3], 4), carry(10, S=[4])], net(1) + LUT + 0.19, id="LUT of the slice"),
        pytest.param([carry(10, S=[3])], net(1) + LUT + 0.19, id="through a LUT"),
        pytest.param([carry(10, DI=[3])], net(1) + 0.19, id="bypass"),
        pytest.param(
            [lut([3], 4), carry(20, S=[4]), carry(10, CI=[23])], net(1) + LUT + 0.19 + 0.15, id="second block"
        ),
        pytest.param(
            [lut([3], 4), carry(20, S=[4]), carry(30, CI=[23]), carry(10, CI=[33])],
            net(1) + LUT + 0.19 + 0.02 + 0.15,
            id="third block",
        ),
    ],
)
def test_carry_chains(cells: list[Cell], delay: float) -> None:
    assert worst([register(2, 3), *cells, register(17, 40)]) == pytest.approx(CLOCK + delay + net(1) + LAST)


@pytest.mark.parametrize(
    ("cells", "delay"),
    [
        pytest.param([lut([3], 4), cell("MUXF7", {"I0": [4]}, {"O": [9]})], net(1) + LUT + 0.07, id="F7 behind a LUT"),
        pytest.param([cell("MUXF7", {"I0": [3]}, {"O": [9]})], net(1) + LUT + 0.07, id="F7 behind a register"),
        pytest.param([cell("MUXF7", {"S": [3]}, {"O": [9]})], net(1) + 0.08, id="select"),
        pytest.param(
            [lut([3], 4), cell("MUXF7", {"I0": [4]}, {"O": [5]}), cell("MUXF8", {"I1": [5]}, {"O": [9]})],
            net(1) + LUT + 0.07 + 0.04,
            id="F8",
        ),
        pytest.param([cell("RAM32M", {"ADDRA": [3]}, {"DOA": [9]})], net(1) + 0.70, id="address"),
        pytest.param([cell("SRL16E", {"A0": [3], "D": [2]}, {"Q": [9]})], net(1) + 0.70, id="length of a shift"),
    ],
)
def test_ways_through_cells(cells: list[Cell], delay: float) -> None:
    assert worst([register(2, 3), *cells, register(9, 40)]) == pytest.approx(CLOCK + delay + net(1) + LAST)


@pytest.mark.parametrize(
    ("kind", "inputs", "output", "start"),
    [("RAM32M", {"DIA": [2]}, "DOA", 0.70), ("SRL16E", {"D": [2]}, "Q", 0.70), ("RAMB36E2", {}, "DOUTADOUT", 0.95),
     ("URAM288", {}, "DOUT_A", 1.50), ("multiply_add", {"a": [2]}, "sum", 0.30)],
)  # fmt: skip
def test_clock_to_memory_output(kind: str, inputs: dict[str, list[int]], output: str, start: float) -> None:
    assert worst([cell(kind, inputs, {output: [9]}), register(9, 40)]) == pytest.approx(start + net(1) + LAST)


@pytest.mark.parametrize(
    ("kind", "port", "sampled"),
    [("RAM32M", "ADDRA", False), ("RAM32M", "ADDRD", True), ("RAM64X1D", "DPRA0", False), ("RAM64X1D", "A0", True),
     ("RAM64X1D", "WE", True), ("multiply_add", "a", True), ("RAMB18E2", "WEA", True), ("SRL16E", "A0", False),
     ("FDRE", "R", True)],
)  # fmt: skip
def test_what_a_clock_edge_samples(kind: str, port: str, sampled: bool) -> None:
    output = "Q" if kind in ("FDRE", "SRL16E") else "DOA"
    inputs = {port: [3]} | ({"D": [2]} if kind == "FDRE" else {})
    _, timing = timed(as_module("top", module([register(2, 3), cell(kind, inputs, {output: [9]})], {}, {})))
    assert (timing.endpoints.max() == pytest.approx(CLOCK + net(1) + LAST)) == sampled


def test_a_product_with_registers_in_its_block() -> None:
    """No net to the registers; they come 0.30 after the clock."""
    block = cell("DSP48E2", {"A": [3]}, {"P": [10, 11]})
    inside = [register(2, 3), block, register(10, 20), register(11, 21)]
    assert worst(inside) == pytest.approx(CLOCK + net(1) + 2.30 + LAST)
    luts = [lut([20], 30)]
    for number in range(30, 60):
        luts.append(lut([number], number + 1))
    path = 0.30 + 31 * (net(1) + LUT) + net(1) + LAST
    assert worst([*inside, *luts, register(60, 70)]) == pytest.approx(path)


def test_a_product_without() -> None:
    """One of its bits also leads to logic, so that no bit has its register inside."""
    block = cell("DSP48E2", {"A": [3]}, {"P": [10, 11]})
    cells = [register(2, 3), block, register(10, 20), register(11, 21), lut([11], 12), register(12, 22)]
    assert worst(cells) == pytest.approx(CLOCK + net(1) + 2.30 + net(2) + LUT + net(1) + LAST)


def test_ports_of_the_top_are_registers_outside() -> None:
    _, timing = timed(as_module("top", module([lut([2], 3)], {"i": [2]}, {"o": [3]})))
    assert timing.endpoints.max() == pytest.approx(CLOCK + net(1) + LUT + net(1) + LAST)


def test_what_no_clock_reaches_ends_nowhere() -> None:
    _, timing = timed(as_module("top", module([lut([2], 3), register(3, 4)], {}, {})))
    assert timing.endpoints.max() == float("-inf")


def test_bits_of_one_register_are_one_path() -> None:
    cells = [register(2, 3), register(2, 4), lut([3], 5), register(5, 6), lut([4], 7), lut([7], 8), register(8, 9)]
    netlist = module(cells, {}, {})
    netlist["netnames"] = {"from": {"bits": [3, 4]}, "to": {"bits": [6, 9]}}
    graph, timing = timed(as_module("top", netlist))
    (path,) = worst_paths(graph, timing, 10)
    assert (path.start, path.end, path.endpoints, path.levels) == ("top.from[1]", "top.to[1]", 2, 2.0)
    assert path.ns == round(CLOCK + 3 * net(1) + 2 * LUT + LAST, 2)
    assert path.nets == ("from[1] (1)",)


def test_a_loop_is_refused() -> None:
    with pytest.raises(RuntimeError, match="2 nets form a loop"):
        worst([lut([3], 4), lut([4], 3)])


def test_an_unknown_cell_is_refused() -> None:
    with pytest.raises(RuntimeError, match="cell MULT_AND is not one whose delay is known"):
        worst([cell("MULT_AND", {"A": [2]}, {"O": [3]})])
