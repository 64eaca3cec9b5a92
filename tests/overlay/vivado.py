"""A checkout with a stand-in for Vivado, and the block design that its recorded commands describe."""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from edgemoe.overlay.build import main
from edgemoe.spec.board import load_board

REPOSITORY = Path(__file__).resolve().parents[2]
STUBS = Path(__file__).with_name("vivado_stubs.tcl")
BOARDS = "xilinx.com:zcu102:part0:3.3 xilinx.com:zcu102:part0:3.4 xilinx.com:kv260_som:part0:1.4 "
BOARDS += "xilinx.com:zcu104:part0:1.1 avnet.com:ultra96v2:part0:1.2 "
BOARDS += "tul.com.tw:pynqzu:part0:1.1 tul.com.tw:pynq-z2:part0:1.0 www.digilentinc.com:pynq-z1:part0:1.0"
UTILISATION = """\
| Site Type                  |  Used  | Fixed | Prohibited | Available | Util% |
| CLB LUTs                   | 101034 |     0 |          0 |    274080 | 36.86 |
|   LUT as Logic             |  99000 |     0 |          0 |    274080 | 36.12 |
| CLB Registers              | 150000 |     0 |          0 |    548160 | 27.36 |
| Block RAM Tile    |  411.5 |     0 |          0 |       912 | 45.12 |
| URAM              |      0 |     0 |          0 |         0 |  0.00 |
| DSPs           | 1100 |     0 |          0 |      2520 | 43.65 |
"""
UTILISATION_7 = """\
| Site Type                  |  Used  | Fixed | Prohibited | Available | Util% |
| Slice LUTs                 |  46500 |     0 |          0 |     53200 | 87.41 |
|   LUT as Logic             |  38000 |     0 |          0 |     53200 | 71.43 |
| Slice Registers            |  45000 |     0 |          0 |    106400 | 42.29 |
| Block RAM Tile    |  133.5 |     0 |          0 |       140 | 95.36 |
| DSPs           |  198 |     0 |          0 |       220 | 90.00 |
"""


@dataclass
class Design:
    """What the recorded commands build. Nets and buses map every pin to the pins it is connected with."""

    commands: list[list[str]]
    cells: dict[str, str] = field(default_factory=dict)
    nets: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    buses: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    properties: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    addresses: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, *words in self.commands:
            if name == "create_bd_cell":
                self.cells[words[-1]] = words[words.index("-vlnv") + 1]
            elif name in ("connect_bd_net", "connect_bd_intf_net"):
                graph = self.nets if name == "connect_bd_net" else self.buses
                left, right = words
                graph[left].add(right)
                graph[right].add(left)
            elif name == "set_property" and words[0] == "-dict":
                pairs = words[1].split()
                self.properties[words[2]].update(zip(pairs[::2], pairs[1::2], strict=True))
            elif name == "set_property":
                self.properties[words[2]][words[0]] = words[1]
            elif name == "assign_bd_address":
                option = dict(pairwise(words))
                where = option["-target_address_space"], words[-1]
                self.addresses[where] = option.get("-offset", ""), option.get("-range", "")

    def calls(self, name: str) -> list[list[str]]:
        """Arguments of every call of one command."""
        return [words for command, *words in self.commands if command == name]


@dataclass
class Checkout:
    """A folder that looks like the repository, with both engines there, and a `vivado` on the PATH."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    record: Path

    def build(self, board: str, engine: str, hardware: str | None = None) -> int:
        """`make bitstream`; returns its exit status."""
        extra = ["--hardware", hardware] if hardware else []
        return main([board, engine, "--root", str(self.root), *extra])

    def design(self) -> Design:
        """What the last build asked Vivado for."""
        return Design([line.split("\t") for line in self.record.read_text(encoding="utf-8").splitlines()])

    def set(self, **values: str) -> None:
        """Settings of the stand-in."""
        for name, value in values.items():
            self.monkeypatch.setenv(f"VIVADO_{name.upper()}", value)


def make_checkout(folder: Path, monkeypatch: pytest.MonkeyPatch, board: str) -> Checkout:
    """A checkout whose stand-in for Vivado succeeds for `board`; skips where there is no tclsh."""
    tclsh = shutil.which("tclsh")
    if tclsh is None:
        pytest.skip("tclsh is not installed; on Debian it is in the package tcl")
    root, tools = folder / "repository", folder / "tools"
    for each in (
        root / "rtl",
        root / "build" / "hls" / "zcu102" / "ip",
        root / "build" / "hls" / "kv260" / "ip",
        tools,
    ):
        each.mkdir(parents=True)
    (root / "bitstreams").symlink_to(REPOSITORY / "bitstreams")
    (root / "rtl" / "edgemoe_top.v").write_text("module edgemoe_top (input ap_clk);\nendmodule\n", encoding="utf-8")
    for name in ("generated", "include", "compute"):
        (root / "rtl" / name).symlink_to(REPOSITORY / "rtl" / name)
    for name in ("zcu102", "kv260"):
        text = "<xilinx:xilinxVersion>2025.2</xilinx:xilinxVersion>"
        (root / "build" / "hls" / name / "ip" / "component.xml").write_text(text, encoding="utf-8")
    vivado = tools / "vivado"
    vivado.write_text(f'#!/bin/sh\nexec {tclsh} {STUBS} "$@"\n', encoding="utf-8")
    vivado.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    checkout = Checkout(root, monkeypatch, folder / "record.txt")
    handoff = REPOSITORY / "bitstreams" / "generated" / board / "edgemoe.hwh"
    checkout.set(record=str(checkout.record), boards=BOARDS, handoff=str(handoff))
    report = UTILISATION_7 if load_board(board).part.startswith("xc7") else UTILISATION
    checkout.set(utilisation=report, slack="0.112", progress="100%")
    return checkout
