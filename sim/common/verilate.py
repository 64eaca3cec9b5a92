"""Compiling a Verilated unit for cocotb, with what all units share compiled once: Verilator's runtime and its headers.

Most units are small: of the time that g++ takes for one, three quarters go into Verilator's headers. They are compiled
ahead with the first unit, with the flags of its makefile.
"""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cocotb_tools.runner import get_runner

from edgemoe.devices.build_cache import digest_of
from edgemoe.devices.rtl.build import (
    INCLUDE_FOLDER,
    LARGE_FILES,
    MAKE_PYTHON,
    MAKE_VARIABLES,
    RUNTIME,
    keep_runtime,
    verilator,
)
from edgemoe.spec.files import whole_folder
from edgemoe.spec.places import BUILDS

BUILD_ARGS = ("-Wno-fatal", "--no-public-flat-rw", "--public-depth", "1", "--threads", "1", *LARGE_FILES)
MAKE_FLAGS = f"-- {' '.join(MAKE_VARIABLES)}"
TOOLS = (BUILD_ARGS, MAKE_FLAGS, *(importlib.metadata.version(name) for name in ("verilator", "cocotb")))
DEFINES = {"SIMULATION": 1, "SLOW_CHECKS": 1}  # preconditions are checked, see rtl/include/require.vh
CACHE = BUILDS / "sim"
HEADERS = '#include "verilated.h"\n#include "verilated_vpi.h"\n'
COMMON = "common.h"
# The flags are those of a unit's makefile: g++ takes a header that was compiled with the same ones, and passes over
# one that was not.
AHEAD = "%.h.gch: %.h\n\t$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header -o $@ $<"
# g++ reads one compiled header for a file: where Verilator makes several files, they leave out the one that it makes.
ONE_HEADER = "VK_PCH_I_FAST= VK_PCH_I_SLOW="
RUNTIME_AGE_SECONDS = 3600


def compile_unit(
    folder: Path, top: str, sources: Sequence[Path], constants: Path, parameters: Mapping[str, str], waves: bool
) -> None:
    """Verilate and compile `top` into `folder`. Raises SystemExit, RuntimeError or CalledProcessError as cocotb's
    runner does; what the tools said is in `folder`'s build.log.
    """
    os.environ["PATH"] = f"{verilator().parent}{os.pathsep}{os.environ['PATH']}"
    runtime, headers = (CACHE / f"{name}-{digest_of((HEADERS, AHEAD, *TOOLS))}" for name in ("runtime", "headers"))
    for compiled in runtime.glob(RUNTIME):
        shutil.copy(compiled, folder)
        later = time.time() + RUNTIME_AGE_SECONDS  # newer than the Makefile to come, so that make keeps it
        os.utime(folder / compiled.name, (later, later))
    ahead = ("-CFLAGS", f"-include {COMMON}") if headers.exists() else ()
    os.environ["MAKEFLAGS"] = f"{MAKE_FLAGS} {MAKE_PYTHON} {ONE_HEADER if ahead else ''}"
    for name in (COMMON, f"{COMMON}.gch") if ahead else ():
        (folder / name).symlink_to(headers / name)
    get_runner("verilator").build(
        sources=sources, includes=[constants, INCLUDE_FOLDER], parameters=parameters, defines=DEFINES,
        build_args=(*BUILD_ARGS, *ahead), hdl_toplevel=top, build_dir=folder, waves=waves,
        log_file=folder / "build.log", timescale=("1ns", "1ps"),
    )  # fmt: skip
    if not waves and not runtime.exists():
        keep_runtime(folder, runtime)
    if not waves and not headers.exists():
        _compile_headers(folder, headers)


def _compile_headers(unit: Path, headers: Path) -> None:
    """Compile Verilator's headers with the flags of a unit's makefile into `headers`, whole or not at all."""
    with whole_folder(headers, "keep") as fresh:
        (fresh / COMMON).write_text(HEADERS, encoding="utf-8")
        make = ["make", "-C", str(unit), "-f", "Vtop.mk", "--eval", AHEAD, str(fresh / f"{COMMON}.gch")]
        subprocess.run(make, check=True, capture_output=True)
