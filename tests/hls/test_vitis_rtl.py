"""The check of Vitis-generated Verilog: passes on a skeleton of what Vitis writes, and finds each deviation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checks.vitis_rtl import TOP, check, expected_addresses, expected_ports


def skeleton(folder: Path, ports: set[str], addresses: dict[str, int]) -> Path:
    """Two files in the style of Vitis HLS: a port list with declarations after it, and address constants."""
    names = sorted(ports)
    declared = "\n".join(f"input [31:0] {name};" for name in names)
    (folder / f"{TOP}.v").write_text(
        f"`timescale 1 ns / 1 ps\nmodule {TOP} (\n{', '.join(names)}\n);\n{declared}\nendmodule\n", encoding="utf-8"
    )
    constants = ",\n".join(f"{name} = 10'h{address:03x}" for name, address in addresses.items())
    (folder / f"{TOP}_control_s_axi.v").write_text(
        f"`timescale 1ns/1ps\nmodule {TOP}_control_s_axi\n#(parameter\nC_S_AXI_ADDR_WIDTH = 10\n)(\n"
        f"input wire ACLK\n);\nlocalparam\n{constants};\nendmodule\n",
        encoding="utf-8",
    )
    return folder


def test_what_agrees_has_no_complaints(tmp_path: Path) -> None:
    assert check(skeleton(tmp_path, expected_ports(), expected_addresses())) == []


def test_a_missing_port_is_named(tmp_path: Path) -> None:
    ports = expected_ports() - {"m_axi_gmem2_ARADDR"}
    assert check(skeleton(tmp_path, ports, expected_addresses())) == [f"{TOP}: port m_axi_gmem2_ARADDR is missing"]


def test_a_moved_register_is_named_with_both_addresses(tmp_path: Path) -> None:
    addresses = {**expected_addresses(), "ADDR_OUTPUT_R_DATA_0": 0x2C}
    (complaint,) = check(skeleton(tmp_path, expected_ports(), addresses))
    assert complaint.endswith("ADDR_OUTPUT_R_DATA_0 is 0x02C, the register map has 0x028")


def test_arguments_that_are_words_of_verilog_have_the_names_that_vitis_gives_them() -> None:
    """An argument `input` is `input_r` in generated files."""
    assert {"ADDR_INPUT_R_DATA_0", "ADDR_OUTPUT_R_DATA_0", "ADDR_PROGRAM_DATA_0"} <= set(expected_addresses())


def test_a_missing_register_is_named(tmp_path: Path) -> None:
    addresses = {name: at for name, at in expected_addresses().items() if name != "ADDR_ERROR_CODE_DATA_0"}
    (complaint,) = check(skeleton(tmp_path, expected_ports(), addresses))
    assert complaint.endswith("ADDR_ERROR_CODE_DATA_0 is missing")


def test_a_folder_without_the_top_is_refused(tmp_path: Path) -> None:
    assert any("no Verilog file defines module edgemoe_top" in text for text in check(tmp_path))


@pytest.mark.parametrize("name", ["ADDR_PROGRAM_DATA_1", "ADDR_WATCHDOG_CYCLES_DATA_0", "ADDR_EXPERTS_RUN_DATA_1"])
def test_every_kind_of_register_is_looked_at(name: str) -> None:
    assert name in expected_addresses()
