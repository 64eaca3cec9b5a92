"""Reads the RTL with pyverilog, checks its top against the specification, and draws docs/hardware/rtl_hierarchy.md.

    python -m tests.checks.rtl_top            complaints, 1 when there are any
    python -m tests.checks.rtl_top --write    also writes the page

Checked: pins of the top (name, direction, width: those of Vitis HLS), that it has no parameters of its own, the
constants in the generated headers (register offsets, shapes), and that the control slave uses every offset and has the
outputs in the order of the register map. Verilog that Vitis generated is checked by tests.checks.vitis_rtl.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pyverilog.ast_code_generator.codegen import ASTCodeGenerator
from pyverilog.vparser import ast
from pyverilog.vparser.parser import VerilogParser

from edgemoe.devices.rtl.build import RTL_FOLDER, TOP, modules, sources_of
from edgemoe.spec.generate.headers import verilog_header
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.registers import OFFSETS, REGISTERS
from edgemoe.spec.terminal import accept_all_text
from tests.checks.vitis_rtl import expected_ports

PAGE = RTL_FOLDER.parent / "docs" / "hardware" / "rtl_hierarchy.md"
SLAVE = "control_registers"
WIDTHS = {"ADDR": 64, "LEN": 8, "SIZE": 3, "BURST": 2, "LOCK": 1, "CACHE": 4, "PROT": 3, "QOS": 4, "DATA": 128}
WIDTHS |= {"STRB": 16, "RESP": 2, "LAST": 1, "ID": 1, "VALID": 1, "READY": 1}
CONTROL_WIDTHS = {"DATA": 32, "STRB": 4, "ADDR": 12}
SHAPE = ("token_par", "in_par", "out_par", "post_lanes", "layernorm_lanes", "ports", "prefetch_bytes", "max_rows")
SHAPE += ("max_tokens", "max_width", "max_experts", "max_top_k", "row_elements", "hidden_elements", "ultra_ram")


@dataclass(frozen=True)
class Pin:
    """One port of a module."""

    direction: str
    width: int


def expected_pin(name: str) -> Pin:
    """Direction and width by name; raises KeyError for a name that is no pin of AXI4."""
    if name in ("ap_clk", "ap_rst_n", "interrupt"):
        return Pin("output" if name == "interrupt" else "input", 1)
    match = re.fullmatch(r"(s_axi_control|m_axi_gmem\w*?)_(AW|W|B|AR|R)(ADDR|LEN|SIZE|BURST|LOCK|CACHE|PROT|QOS|DATA|"
                         r"STRB|RESP|LAST|ID|VALID|READY)", name)  # fmt: skip
    if match is None:
        raise KeyError(name)
    port, channel, kind = match.groups()
    slave = port == "s_axi_control"
    from_master = (channel in ("AW", "W", "AR")) != (kind == "READY")
    widths = WIDTHS | CONTROL_WIDTHS if slave else WIDTHS
    return Pin("input" if from_master == slave else "output", widths[kind])


def check(folder: Path = RTL_FOLDER) -> list[str]:
    """Complaints about the top in `folder`."""
    return [
        *check_pins(folder),
        *check_slave(folder),
        *(text for name in hardware_names() for text in check_header(name)),
    ]


def check_pins(folder: Path) -> Iterator[str]:
    """Pins and parameters of the top."""
    module = parse(folder / f"{TOP}.v")
    there = pins(module)
    for name in sorted(expected_ports() - there.keys()):
        yield f"{TOP}: port {name} is missing"
    for name, pin in there.items():
        try:
            wanted = expected_pin(name)
        except KeyError:
            yield f"{TOP}: port {name} is none of AXI4's, nor one of Vitis HLS'"
            continue
        if pin != wanted:
            yield (f"{TOP}: port {name} is {pin.direction} [{pin.width}], "
                   f"it must be {wanted.direction} [{wanted.width}]")  # fmt: skip
    if module.paramlist is not None and module.paramlist.params:
        yield f"{TOP}: has parameters; what differs between builds comes from the generated header"


def check_slave(folder: Path) -> Iterator[str]:
    """The control slave names every register of the map, and its outputs stand in the order of the map."""
    module = parse(modules(folder)[SLAVE])
    used = {node.name for node in walk(module) if isinstance(node, ast.Identifier)}
    inputs = {register.name for register in REGISTERS if register.kind != "output"}
    for name in sorted(inputs | {"identity"}):
        if f"REG_{name.upper()}" not in used:
            yield f"{SLAVE}: REG_{name.upper()} is not used, so register {name} cannot be where the map has it"
    outputs = [register.name for register in REGISTERS if register.kind == "output"]
    first, last = outputs.index("cycles"), outputs.index("experts_run")
    wanted = [*outputs[:first], "counters", *outputs[last:]]
    found = next((names for names in _concatenations(module) if set(names) == set(wanted)), None)
    if found is None:
        yield f"{SLAVE}: no concatenation of the outputs {', '.join(wanted)}"
    elif found[::-1] != wanted:
        yield f"{SLAVE}: outputs stand in the order {', '.join(found[::-1])}; the map has {', '.join(wanted)}"


def _concatenations(module: ast.Node) -> Iterator[list[str]]:
    """Names in each concatenation of concatenations, most significant first."""
    for node in walk(module):
        if isinstance(node, ast.Concat):
            yield [part.name for part in walk(node) if isinstance(part, ast.Identifier)]


def check_header(name: str, text: str | None = None) -> Iterator[str]:
    """Constants of a generated header, read back by another reader, are the specification's."""
    hardware = load_hardware_config(name)
    values = constants(verilog_header(hardware) if text is None else text)
    wanted = {f"REG_{register.upper()}": offset for register, offset in OFFSETS.items()}
    wanted |= {field.upper(): getattr(hardware, field) for field in SHAPE} | {"CONFIG_HASH": hardware.hash()}
    for constant, value in wanted.items():
        if values.get(constant) != value:
            yield f"{name}: {constant} is {values.get(constant)} in the header, the specification has {value}"


def constants(header: str) -> dict[str, int]:
    """Integer localparams of a header; tables are left out."""
    plain = "\n".join(line for line in header.splitlines() if re.match(r"localparam \w+ = [^{\[]*;", line))
    module = _parse(f"module header;\n{plain}\nendmodule\n")
    found = {}
    for node in walk(module):
        if isinstance(node, ast.Localparam) and isinstance(node.value.var, ast.IntConst):
            found[node.name] = _integer(node.value.var)
    return found


def _integer(node: ast.Node) -> int:
    digits = str(node.value)
    match = re.fullmatch(r"\d*'h([0-9A-Fa-f_]+)", digits)
    return int(match[1], 16) if match else int(digits)


@cache
def parse(path: Path) -> ast.ModuleDef:
    """The module in a file of our RTL, without what it includes."""
    return _parse(path.read_text(encoding="utf-8"))


def _parse(text: str) -> ast.ModuleDef:
    """What pyverilog does not know of Verilog-2005 is of no matter here: types of functions and of their inputs."""
    plain = re.sub(r"`KEEP\b", "", text)
    plain = re.sub(r"^\s*`.*$", "", plain, flags=re.MULTILINE)
    plain = re.sub(r"\bfunction(\s+automatic)?\s+signed\b", "function", plain)
    plain = re.sub(r"\binput\s+integer\b", "input", plain)
    module: ast.ModuleDef = _parser().parse(plain).description.definitions[0]
    return module


@cache
def _parser() -> VerilogParser:
    """One for all: making its tables takes longer than parsing; it leaves them in a folder of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        return VerilogParser(outputdir=scratch, debug=False)


def walk(node: ast.Node) -> Iterator[ast.Node]:
    """A node and all below it, in the order of the source."""
    yield node
    for child in node.children():
        yield from walk(child)


def pins(module: ast.ModuleDef) -> dict[str, Pin]:
    """Ports, declared in the list or after it."""
    found = {}
    for node in walk(module):
        if isinstance(node, ast.Input | ast.Output | ast.Inout):
            width = 1 if node.width is None else _integer(node.width.msb) - _integer(node.width.lsb) + 1
            found[node.name] = Pin(type(node).__name__.lower(), width)
    return found


@dataclass(frozen=True)
class Instance:
    """One line of the drawing: `name` of module `kind`; times: the loops around it, outermost first."""

    name: str
    kind: str
    times: tuple[str, ...]


def instances(node: ast.Node, times: tuple[str, ...] = ()) -> Iterator[Instance]:
    """Instances below a node, in the order of the source."""
    for child in node.children():
        if isinstance(child, ast.InstanceList):
            for each in child.instances:
                yield Instance(each.name, child.module, times)
        elif isinstance(child, ast.ForStatement):
            yield from instances(child, (*times, _expression(child.cond.right)))
        else:
            yield from instances(child, times)


def _expression(node: ast.Node) -> str:
    text: str = ASTCodeGenerator().visit(node)
    return text.strip("()")


def page() -> str:
    """docs/hardware/rtl_hierarchy.md: the tree below the top, then each module's first sentence."""
    modules = {path.stem: path for path in sources_of(RTL_FOLDER / f"{TOP}.v")}
    tree: list[str] = []

    def draw(kind: str, label: str, depth: int) -> None:
        known = any(line.split(" · ")[0].strip() == kind and line.endswith(" ↓") for line in tree)
        inside = [each for each in instances(parse(modules[kind])) if each.kind in modules]
        tree.append(f"{'  ' * depth}{kind}{label}{' ↓' if inside and not known else ''}")
        for each in () if known else inside:
            times = "".join(f" × {count}" for count in each.times)
            draw(each.kind, f"{' · ' + each.name if each.name != each.kind else ''}{times}", depth + 1)

    draw(TOP, "", 0)
    tree = [line.removesuffix(" ↓") for line in tree]
    lines = ["<!-- Generated by `make hierarchy` from rtl/; do not edit. -->", "", "# Modules of the RTL engine", ""]
    lines += [
        "Module · name of the instance × how often. What stands inside a module is drawn once; where builds differ,"
    ]
    lines += ["every alternative is drawn.", ""]
    lines += ["```", *tree, "```", "", "| module | |", "| --- | --- |"]
    lines += [f"| `{name}` | {summary(path)} |" for name, path in modules.items()]
    return "\n".join(lines) + "\n"


def summary(path: Path) -> str:
    """The first sentence of a module's header."""
    header = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("//") or line.strip() == "//":
            break
        header += [] if "SPDX" in line else [line.removeprefix("//").strip()]
    return re.split(r"(?<=[.:])\s", " ".join(header) + " ")[0].rstrip(".:")


def main() -> int:
    """Print complaints; write the page with --write."""
    accept_all_text()
    found = check()
    print("\n".join(found) or f"{TOP}: pins, constants and register offsets are those of the specification")
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        found.append(f"{PAGE.name} is stale; run `make hierarchy`")
        print(found[-1])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
