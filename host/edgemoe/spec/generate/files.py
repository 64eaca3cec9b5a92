"""Which files are generated, and which of those in a checkout are stale."""

from __future__ import annotations

from pathlib import Path

from edgemoe.spec.board import board_names, load_board
from edgemoe.spec.generate.handoff import hardware_handoff
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.generate.machine import common_headers, verilog_headers
from edgemoe.spec.generate.pages import isa_page, memory_page, numbers_page, registers_page
from edgemoe.spec.generate.vitis import vitis_cfg, vitis_tcl
from edgemoe.spec.generate.vivado import vivado_tcl
from edgemoe.spec.hardware import hardware_names, load_hardware_config


def generated_files() -> dict[str, str]:
    """Text of every generated file by its path from the repository root."""
    files = {
        "docs/isa.md": isa_page(),
        "docs/registers.md": registers_page(),
        "docs/numbers.md": numbers_page(),
        "docs/memory.md": memory_page(),
        **common_headers(),
    }
    for name in hardware_names():
        hardware = load_hardware_config(name)
        files[f"hls/generated/{name}/edgemoe_spec.hpp"] = hls_header(hardware)
        files[f"hls/generated/{name}/vitis.tcl"] = vitis_tcl(hardware)
        files[f"hls/generated/{name}/vitis.cfg"] = vitis_cfg(hardware)
        files |= {f"rtl/generated/{name}/{header}": text for header, text in verilog_headers(hardware).items()}
    for name in board_names():
        board = load_board(name)
        usual = load_hardware_config(board.hardware[0])
        files[f"bitstreams/generated/{name}/edgemoe.hwh"] = hardware_handoff(usual, board)
        for each in board.hardware:
            files[f"bitstreams/generated/{name}/{each}.tcl"] = vivado_tcl(load_hardware_config(each), board)
    return files


def stale_files(root: Path) -> list[str]:
    """Paths of generated files that are missing or differ from what the specification gives now."""
    stale = []
    for name, text in generated_files().items():
        path = root / name
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    return stale
