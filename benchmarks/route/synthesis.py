"""A module of the RTL as cells of the part, by Yosys: alone, as what is simulated, and in the shell, as what is routed.

Yosys infers no DSP blocks for this family. The two modules of the RTL that hold most multiplications are replaced by
those of gw5a/, which use the blocks' registers and have the same ports and latency; other products are cut by Yosys'
mul2dsp.v and mapped by multiply.v.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.route.shell import SHELL, ports_of, shell
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, TOP, check_shape, modules, sources_of
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import HardwareConfig
from sim.common.runner import specified
from sim.common.yosys import run_script
from sim.examples.machine import small_hardware

CELLS = Path(__file__).resolve().parent / "gw5a"
PRODUCT = CELLS.parent / "multiply.v"
MAPPED = ("multiply_add", "multiplier")
# The module while it is worked on: Yosys puts parameters into names, and the old one may still be taken.
INNER = "route_inside"
# Products with a narrow operand, as of the residues of a chain, stay in LUTs.
PRODUCTS = """\
techmap -map +/mul2dsp.v -D DSP_A_MAXWIDTH=27 -D DSP_B_MAXWIDTH=18 -D DSP_A_MINWIDTH=7 -D DSP_B_MINWIDTH=7 \
    -D DSP_SIGNEDONLY -D DSP_NAME=$__MUL27X18
techmap -map multiply.v
chtype -set $mul t:$__soft_mul
"""
MACHINE = f"""\
read_verilog -DSYNTHESIS -I. {{files}}
read_verilog -specify -lib +/gowin/cells_sim.v
read_verilog -specify -lib +/gowin/cells_xtra_gw5a.v
{{given}}
hierarchy -check -top {{top}}
rename -top {INNER}
proc
flatten -noscopeinfo
opt_expr
opt_clean
opt -nodffe -nosdff
wreduce
peepopt
opt_clean
{PRODUCTS}
synth_gowin -family gw5a -noiopads -nodsp -top {INNER} -run coarse:map_luts
abc -lut 4
clean
synth_gowin -family gw5a -noiopads -top {INNER} -run map_cells:
setattr -unset top {INNER}
write_rtlil machine.il
write_verilog -noattr machine.v
"""
ROUND_IT = f"""\
read_rtlil machine.il
blackbox {INNER}
read_verilog shell.v
synth_gowin -family gw5a -top {SHELL} -noflatten
delete {INNER}
read_rtlil machine.il
hierarchy -check -top {SHELL}
flatten -noscopeinfo
opt_clean
write_json shell.json
"""
# What simulates: every cell becomes what its model says, and nothing is optimised after that.
MODELS = """\
read_rtlil machine.il
read_verilog +/gowin/cells_sim.v
read_verilog -overwrite {models}
hierarchy -check -top {inner}
proc
flatten -noscopeinfo
clean
rename {inner} {top}
write_verilog -noattr simulated.v
"""


@dataclass(frozen=True)
class Netlists:
    """machine: Verilog of the module as cells of the part; routed: JSON of it in the shell, for nextpnr."""

    machine: Path
    routed: Path


def small() -> HardwareConfig:
    """The smallest machine that runs every instruction: 128 MAC/cycle, 16 rows, 8 tokens, 4 experts, 8 KiB prefetch."""
    return replace(small_hardware("w8a8"), name="route", token_par=2, prefetch_bytes=8192)


def synthesise(hardware: HardwareConfig, folder: Path, top: str = TOP) -> Netlists:
    """Netlists of a module in `folder`, which is filled. Its parameters are those of the specification, as in a bench.

    Raises DeviceError for a shape that the RTL does not have, RuntimeError with Yosys' error.
    """
    check_shape(hardware)
    known = modules() | {name: CELLS / f"{name}.v" for name in MAPPED}
    if top not in known:
        raise RuntimeError(f"rtl/ has no module {top}; there are {', '.join(known)}")
    sources = sources_of(known[top], known)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (*sources, *INCLUDE_FOLDER.glob("*.vh"), PRODUCT):
        shutil.copy(path, folder)
    for name, text in verilog_headers(hardware).items():
        (folder / name).write_text(text, encoding="utf-8")
    values = "".join(f" -set {name} {value}" for name, value in specified(known[top], hardware).items())
    given = f"chparam{values} {top}" if values else ""
    run_script(MACHINE.format(files=" ".join(path.name for path in sources), top=top, given=given), folder)
    ports = ports_of((folder / "machine.v").read_text(encoding="utf-8"))
    (folder / "shell.v").write_text(shell(INNER, ports, hardware.ports), encoding="utf-8")
    run_script(ROUND_IT, folder)
    return Netlists(folder / "machine.v", folder / "shell.json")


def for_simulation(folder: Path, top: str = TOP) -> Path:
    """Verilog of the module of `synthesise` in `folder` without cells of the part, each replaced by its model."""
    for path in CELLS.glob("*.v"):
        shutil.copy(path, folder)
    run_script(MODELS.format(models=" ".join(path.name for path in model_files()), inner=INNER, top=top), folder)
    return folder / "simulated.v"


def model_files() -> Sequence[Path]:
    """Models of the part's blocks that the package of Yosys has no models of."""
    return sorted(path for path in CELLS.glob("*.v") if path.stem not in MAPPED)
