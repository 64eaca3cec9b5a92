"""What is checked of the RTL as text: clean lint, pins and offsets of the specification, a fresh drawing; and that each
check finds what it is for.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgemoe.devices.rtl.build import RTL_FOLDER, TOP, modules
from edgemoe.spec.generate.headers import verilog_header
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from tests.checks.rtl_lint import complaints
from tests.checks.rtl_top import PAGE, check, check_header, check_pins, check_slave, page

MICRO = load_hardware_config("micro")


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name == "micro" else pytest.mark.slow)
                                  for name in hardware_names()])  # fmt: skip
def test_lint_is_clean(name: str) -> None:
    assert complaints(load_hardware_config(name)) == []


def test_the_top_is_the_specifications() -> None:
    assert check() == []


def test_the_drawing_is_fresh() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"{PAGE.name} is stale; run `make hierarchy`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wire [3:0] narrow = 5'd17;", "verilator|%Warning-WIDTH"),
        ("wire nowhere;", "%Warning-UNUSED"),
        ("wire late = early; wire early = 1'b0;", "used before its declaration"),
    ],
)
def test_lint_finds(text: str, said: str, tmp_path: Path) -> None:
    top = tmp_path / "small_top.v"
    top.write_text(f"module {TOP} (input ap_clk, output out);\n{text}\nassign out = ap_clk;\nendmodule\n", "utf-8")
    assert any(part in line for part in said.split("|") for line in complaints(MICRO, top))


def changed(folder: Path, name: str, before: str, after: str) -> Path:
    """A copy of the RTL in which one text of one file is another."""
    copy = folder / "rtl"
    shutil.copytree(RTL_FOLDER, copy)
    path = modules(copy)[name]
    text = path.read_text(encoding="utf-8")
    assert text.count(before) >= 1
    path.write_text(text.replace(before, after), encoding="utf-8")
    return copy


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("interrupt", "irq", "port interrupt is missing"),
        ("m_axi_gmem2_ARLEN", "m_axi_gmem2_ALEN", "port m_axi_gmem2_ALEN is none of AXI4's"),
        (
            "input wire [127:0] m_axi_gmem3_RDATA",
            "input wire [63:0] m_axi_gmem3_RDATA",
            "is input [64], it must be input [128]",
        ),
        ("output wire interrupt", "input wire interrupt", "port interrupt is input [1], it must be output [1]"),
        (f"module {TOP} (", f"module {TOP} #(parameter LANES = 4) (", "has parameters"),
    ],
)
def test_a_top_with_other_pins_is_found(before: str, after: str, said: str, tmp_path: Path) -> None:
    found = list(check_pins(changed(tmp_path, TOP, before, after)))
    assert any(said in text for text in found), found


def test_a_register_that_the_slave_does_not_have_is_found(tmp_path: Path) -> None:
    folder = changed(tmp_path, "control_registers", "REG_WATCHDOG_CYCLES", "25 * 4")
    assert any("REG_WATCHDOG_CYCLES is not used" in text for text in check_slave(folder))


def test_outputs_in_another_order_are_found(tmp_path: Path) -> None:
    folder = changed(tmp_path, "control_registers", "{32'd0, segments_dropped}, {32'd0, experts_run}",
                     "{32'd0, experts_run}, {32'd0, segments_dropped}")  # fmt: skip
    assert any("outputs stand in the order" in text for text in check_slave(folder))


def test_a_moved_offset_in_a_header_is_found() -> None:
    header = verilog_header(MICRO)
    assert list(check_header("micro", header)) == []
    (found,) = check_header("micro", header.replace("REG_OUTPUT = 40;", "REG_OUTPUT = 44;"))
    assert found == "micro: REG_OUTPUT is 44 in the header, the specification has 40"
