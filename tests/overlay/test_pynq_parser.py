"""The generated .hwh through PYNQ's own parser, of the version that is installed (`make test-pynq`)."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import Any

import pytest

from edgemoe.overlay.hardware_handoff import write_handoff
from edgemoe.spec.board import board_names, load_board
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.interface import CONTROL_RANGE, VLNV, bus_registers, master_ports
from edgemoe.spec.processing_system import ULTRASCALE_PLUS, ZYNQ_7000

frontends = pytest.importorskip("pynqmetadata.frontends", reason="pynq is not installed here; run `make test-pynq`")
FIRST_INTERRUPT = {ULTRASCALE_PLUS: 121, ZYNQ_7000: 61}
BUILDS = [(name, hardware) for name in board_names() for hardware in load_board(name).hardware]


def parser_class() -> Any:
    """4.x keeps it in pynqmetadata, 3.1 in pynq."""
    for module in ("pynqmetadata.views.runtime.runtime_metadata_parser", "pynq.metadata.runtime_metadata_parser"):
        try:
            return importlib.import_module(module).RuntimeMetadataParser
        except ModuleNotFoundError:
            continue
    raise AssertionError("no RuntimeMetadataParser in this pynq")


@pytest.fixture(params=BUILDS, ids=["-".join(build) for build in BUILDS])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Any, Any]:
    """Board, hardware configuration, and PYNQ's view of their .hwh, read without a warning."""
    board, hardware = load_board(request.param[0]), load_hardware_config(request.param[1])
    path = tmp_path / "edgemoe.hwh"
    write_handoff(path, hardware, board)
    make = parser_class()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return board, hardware, make(frontends.Metadata(input=str(path)))


def test_the_accelerator_is_found_with_address_and_type(build: tuple[Any, Any, Any]) -> None:
    cell, base = build[2].ip_dict["edgemoe_0"], build[0].processing_system.control_base
    assert (cell["type"], cell["phys_addr"], cell["addr_range"]) == (VLNV, base, CONTROL_RANGE)
    assert cell["memtype"] == "REGISTER"


def test_registers_have_their_offsets_and_fields(build: tuple[Any, Any, Any]) -> None:
    registers = build[2].ip_dict["edgemoe_0"]["registers"]
    seen = {name: (each["address_offset"], each["size"], each["access"]) for name, each in registers.items()}
    assert seen == {word.name: (word.offset, 32, word.access) for word in bus_registers()}
    bits = {name: (each["bit_offset"], each["bit_width"]) for name, each in registers["CTRL"]["fields"].items()}
    assert bits == {"AP_START": (0, 1), "AP_DONE": (1, 1), "AP_IDLE": (2, 1), "AP_READY": (3, 1)}


def test_the_interrupt_leads_through_a_controller_to_the_processor(build: tuple[Any, Any, Any]) -> None:
    board, _, parser = build
    line = FIRST_INTERRUPT[board.processing_system]
    assert parser.interrupt_controllers == {"axi_intc_0": {"parent": "", "index": 0, "raw_irq": line}}
    pin = parser.ip_dict["edgemoe_0"]["interrupts"]["interrupt"]
    assert (pin["controller"], pin["index"]) == ("axi_intc_0", 0)
    assert parser.ip_dict["axi_intc_0"]["phys_addr"] == board.processing_system.control_base + CONTROL_RANGE


def test_every_master_reaches_the_boards_memory(build: tuple[Any, Any, Any]) -> None:
    board, hardware, parser = build
    ports = parser.md.blocks["edgemoe_0"].ports
    for master in master_ports(hardware):
        reached = {entry["block"]: entry["memtype"] for entry in ports[master.name].addrmap.values()}
        wanted = board.memory(board.connections(hardware)[master.name])
        assert reached == {area.block: "memory" for area in wanted}


def test_the_clock_is_the_boards(build: tuple[Any, Any, Any]) -> None:
    board, _, parser = build
    clocks = parser.clock_dict
    assert [clocks[index]["enable"] for index in range(4)] == [1, 0, 0, 0]
    assert (clocks[0]["divisor0"], clocks[0]["divisor1"]) == (board.clock_divisor, 1)
    if "frequency" in clocks[0] and board.processing_system is ULTRASCALE_PLUS:  # 4.0 knows no Zynq-7000's
        assert clocks[0]["frequency"] == pytest.approx(board.clock_mhz)
