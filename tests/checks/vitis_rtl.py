"""Checks Verilog that Vitis HLS generated against the specification: `python -m tests.checks.vitis_rtl FOLDER`.

Ports of the top and addresses of the control slave must be those of docs/registers.md, so that the same driver and the
same benches serve it. Read with pyverilog.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pyverilog.vparser import ast
from pyverilog.vparser.parser import VerilogParser

from edgemoe.spec.generate.vitis import TOP
from edgemoe.spec.registers import REGISTERS
from edgemoe.spec.terminal import accept_all_text

CONTROL = ("AWVALID", "AWREADY", "AWADDR", "WVALID", "WREADY", "WDATA", "WSTRB", "BVALID", "BREADY", "BRESP")
CONTROL += ("ARVALID", "ARREADY", "ARADDR", "RVALID", "RREADY", "RDATA", "RRESP")
MASTER = ("ARVALID", "ARREADY", "ARADDR", "ARLEN", "RVALID", "RREADY", "RDATA", "RLAST", "RRESP")
VERILOG_WORDS = ("input", "output")  # Vitis appends _r to arguments that are keywords of Verilog
MASTERS = ("gmem_data", "gmem0", "gmem1", "gmem2", "gmem3")


def expected_ports() -> set[str]:
    """Ports that the top must have; it may have more."""
    ports = {"ap_clk", "ap_rst_n", "interrupt"}
    ports |= {f"s_axi_control_{name}" for name in CONTROL}
    ports |= {f"m_axi_{master}_{name}" for master in MASTERS for name in MASTER}
    return ports | {f"m_axi_gmem_data_{name}" for name in ("AWVALID", "AWADDR", "WVALID", "WDATA", "BVALID", "BRESP")}


def expected_addresses() -> dict[str, int]:
    """Addresses in the control slave, by the names that Vitis gives them."""
    found = {}
    for register in REGISTERS:
        if register.kind == "control":
            continue
        suffix = "_R" if register.name in VERILOG_WORDS else ""
        name = f"ADDR_{register.name.upper()}{suffix}"
        found[f"{name}_DATA_0"] = register.offset
        if register.kind != "scalar":
            found[f"{name}_DATA_1"] = register.offset + 4
    return found


def check(folder: Path) -> list[str]:
    """Complaints about the Verilog in a folder."""
    return [*_ports(folder), *_addresses(folder)]


def _ports(folder: Path) -> Iterator[str]:
    module = _module(folder, TOP)
    if module is None:
        yield f"{folder}: no Verilog file defines module {TOP}; give Vitis' folder of generated Verilog"
        return
    there = {name for port in module.portlist.ports for name in _port_names(port)}
    for name in sorted(expected_ports() - there):
        yield f"{TOP}: port {name} is missing"


def _port_names(port: ast.Node) -> Iterator[str]:
    if isinstance(port, ast.Ioport):
        yield port.first.name
    else:
        yield port.name


def _addresses(folder: Path) -> Iterator[str]:
    module = _module(folder, f"{TOP}_control_s_axi")
    if module is None:
        yield f"{folder}: no Verilog file defines module {TOP}_control_s_axi"
        return
    there = dict(_constants(module))
    for name, address in expected_addresses().items():
        if name not in there:
            yield f"{TOP}_control_s_axi: {name} is missing"
        elif there[name] != address:
            yield f"{TOP}_control_s_axi: {name} is 0x{there[name]:03X}, the register map has 0x{address:03X}"


def _constants(node: ast.Node) -> Iterator[tuple[str, int]]:
    for child in node.children():
        if isinstance(child, ast.Localparam | ast.Parameter):
            match = re.fullmatch(r"(?:\d*'h([0-9A-Fa-f]+))|(\d+)", str(child.value.var))
            if match:
                yield child.name, int(match[1], 16) if match[1] else int(match[2])
        yield from _constants(child)


def _module(folder: Path, name: str) -> ast.ModuleDef | None:
    for path in sorted(folder.rglob("*.v")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if re.search(rf"^\s*module\s+{name}\b", text, re.MULTILINE):
            plain = re.sub(r"^\s*`(timescale|default_nettype).*$", "", text, flags=re.MULTILINE)
            with tempfile.TemporaryDirectory() as scratch:
                tree = VerilogParser(outputdir=scratch, debug=False).parse(plain)
            return next(d for d in tree.description.definitions if d.name == name)
    return None


def main() -> int:
    """Print complaints; 1 when there are any."""
    accept_all_text()
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        print("usage: make test-vitis-rtl RTL_DIR=FOLDER, the folder with the Verilog that Vitis generated")
        return 2
    complaints = check(Path(sys.argv[1]))
    print("\n".join(complaints) or f"{sys.argv[1]}: ports and register addresses are those of the specification")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
