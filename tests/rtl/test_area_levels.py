"""Longest paths of small netlists, drawn by hand in the form that Yosys writes, also through modules inside."""

from __future__ import annotations

import pytest

from benchmarks.area_levels import Timing, analyse
from benchmarks.area_synthesis import DSP_CELL
from edgemoe.tuning.parts import Resources
from tests.rtl.netlists import Cell, cell, lut, module, register


def chain(length: int, first: int) -> list[Cell]:
    """LUTs in a row from bit `first` to bit `first + length`."""
    return [lut([first + n, first + n], first + n + 1) for n in range(length)]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_luts_between_registers(length: int) -> None:
    cells = [register(2, 10), *chain(length, 10), register(10 + length, 3)]
    timing = analyse(module(cells, {"d": [2]}, {"q": [3]}), {})
    assert timing.worst == length
    assert (timing.starts, timing.ends, timing.through) == ({"q": 0.0}, {"d": 0.0}, {})


def test_from_input_to_output_and_to_a_register() -> None:
    cells = [*chain(3, 10), register(12, 3)]
    timing = analyse(module(cells, {"d": [10]}, {"q": [3], "o": [13]}), {})
    assert timing.through == {("d", "o"): 3.0}
    assert timing.ends == {"d": 2.0}
    assert timing.worst == 3.0


def test_paths_go_on_through_modules_inside() -> None:
    """Register, two LUTs, a module that takes three more to a register of its own or four to its output, one LUT."""
    inside = Timing(9.0, (), {"o": 1.0}, {"d": 3.0}, {("d", "o"): 4.0})
    box = cell("box", {"d": [12]}, {"o": [20]})
    cells = [register(2, 10), *chain(2, 10), box, *chain(1, 20), register(21, 3)]
    outside = module(cells, {"d": [2]}, {"q": [3]})
    assert analyse(outside, {"\\box": inside}).worst == 9.0  # its own
    assert analyse(outside, {"\\box": Timing(0.0, (), inside.starts, inside.ends, inside.through)}).worst == 7.0


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs", "levels"),
    [
        ("DSP48E2", {"A": [10]}, {"P": [11]}, 6.0),
        ("MUXF7", {"I0": [10]}, {"O": [11]}, 0.5),
        ("INV", {"I": [10]}, {"O": [11]}, 0.0),
        ("RAM32M", {"ADDRA": [10]}, {"DOA": [11]}, 1.0),
        ("CARRY4", {"S": [10]}, {"O": [11]}, 1.0),
        ("CARRY4", {"CI": [10]}, {"O": [11]}, 0.1),
    ],
)
def test_weights(kind: str, inputs: dict[str, list[int]], outputs: dict[str, list[int]], levels: float) -> None:
    cells = [register(2, 9), lut([9], 10), cell(kind, inputs, outputs), register(11, 3)]
    assert analyse(module(cells, {"d": [2]}, {"q": [3]}), {}).worst == pytest.approx(1 + levels)


def test_a_dsp_cell_has_its_registers_inside() -> None:
    cells = [*chain(2, 10), cell(DSP_CELL, {"clk": [1], "a": [12]}, {"sum": [20]}), *chain(3, 20), register(23, 3)]
    timing = analyse(module(cells, {"d": [10]}, {"q": [3]}), {})
    assert (timing.worst, timing.ends, timing.through) == (3.0, {"d": 2.0}, {})


def test_block_ram_begins_late() -> None:
    cells = [cell("RAMB36E2", {"ADDR": [2]}, {"DO": [10]}), *chain(1, 10), register(11, 3)]
    assert analyse(module(cells, {"d": [2]}, {"q": [3]}), {}).worst == 4.0


def test_a_loop_between_modules_ends() -> None:
    inside = Timing(1.0, (), {}, {}, {("d", "o"): 1.0})
    cells = [cell("box", {"d": [11]}, {"o": [10]}), cell("box", {"d": [10]}, {"o": [11]}), register(10, 3)]
    assert analyse(module(cells, {}, {"q": [3]}), {"\\box": inside}).worst == 1.0


def test_resources_add_up() -> None:
    assert Resources(lut=1, bram36=0.5) + Resources(ff=2, bram36=1.0) == Resources(lut=1, ff=2, bram36=1.5)
    assert Resources(dsp=2, bram36=0.5).times(3) == Resources(dsp=6, bram36=1.5)
