"""Yosys' netlist of a module as Verilog, so that a bench can run on what synthesis made of the sources.

Flattened; logic is gates of two inputs, multiplexers and flip-flops. Multipliers and memories stay whole, as a part has
blocks for both. What simulation and synthesis read differently (an incomplete sensitivity list, a blocking assignment,
a width cut off) shows here.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgemoe.spec.files import write_text
from sim.common.yosys import run_script

SCRIPT = """\
read_verilog -DSYNTHESIS -I. {files}
{parameters}
hierarchy -check -top {top}
proc
flatten
opt -full
wreduce
peepopt
opt_clean
alumacc
share
opt
memory -nomap
opt -full
techmap * t:$mul %d
opt -full
clean
rename -top mapped_top
write_verilog -noattr netlist.v
"""  # Yosys puts a module's parameters into its name, so that only it can give the old name back


def write_netlist(
    folder: Path, top: str, sources: Sequence[Path], headers: Sequence[Path], parameters: Mapping[str, str]
) -> Path:
    """`folder`/netlist.v with one module, `top`, for these parameters. Raises RuntimeError with Yosys' error."""
    work = folder / "yosys"
    work.mkdir(parents=True)
    for path in (*sources, *headers):
        shutil.copy(path, work)
    given = "".join(f" -set {name} {value}" for name, value in parameters.items())
    script = SCRIPT.format(
        files=" ".join(path.name for path in sources), top=top, parameters=f"chparam{given} {top}" if given else ""
    )
    run_script(script, work)
    text = (work / "netlist.v").read_text(encoding="utf-8")
    path = folder / "netlist.v"
    write_text(path, text.replace("module mapped_top(", f"module {top}(", 1))
    return path
