"""Building the HLS sources for C simulation: g++ and the open ap_int headers, kept by a hash of all that goes in."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.build_cache import BuildCache, digest_of, run_tool
from edgemoe.extras import how_to_install
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.places import BUILDS, REPOSITORY

HLS_FOLDER = REPOSITORY / "hls"
BUILD_FOLDER = BUILDS / "csim"
TOP, BRIDGE = "edgemoe.cpp", "simulation/bridge.cpp"  # one unit: apart, both would instantiate the whole machine
LIBRARY = "edgemoe.so"
HEADER_PACKAGE = "da4ml"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-label")
OPTIMISED = ("-O2", "-march=native")
FLAGS_VARIABLE = "EDGEMOE_CSIM_FLAGS"  # other compiler flags, as for sanitizers


def compiler() -> str:
    """Path of g++; raises MissingToolError when there is none."""
    found = shutil.which("g++")
    if found is None:
        raise MissingToolError("engine 'csim' needs g++, which is not installed; install your system's C++ compiler")
    return found


def header_folder() -> Path:
    """Folder of the open ap_int.h; raises MissingToolError when its package is missing."""
    package = importlib.util.find_spec(HEADER_PACKAGE)
    if package is None or package.submodule_search_locations is None:
        raise MissingToolError(
            f"engine 'csim' needs the open ap_int headers of the package '{HEADER_PACKAGE}'; "
            f"run: {how_to_install('csim', '--no-deps')}"
        )
    return Path(package.submodule_search_locations[0]) / "codegen/hls/source/ap_types/include"


def include_arguments(generated: Path) -> list[str]:
    """Include paths: our stream and wrapper first, the generated header, the package's headers as system headers."""
    return ["-I", str(HLS_FOLDER / "simulation"), "-I", str(generated), "-isystem", str(header_folder())]


def compile_command(generated: Path, flags: Iterable[str], output: Path) -> list[str]:
    """The g++ call that makes the shared library."""
    top, bridge = str(HLS_FOLDER / TOP), str(HLS_FOLDER / BRIDGE)
    fixed = [compiler(), "-std=c++17", "-fPIC", "-shared", "-pthread", *WARNINGS]
    return [*fixed, *flags, *include_arguments(generated), "-o", str(output), "-include", top, bridge]


def library_path(hardware: HardwareConfig, flags: tuple[str, ...] | None = None) -> Path:
    """The shared library for one configuration, built when its sources, flags or configuration are new.

    flags: None means those of the environment variable EDGEMOE_CSIM_FLAGS, or else optimised ones.

    Raises DeviceError with the compiler's first complaint when it does not build.
    """
    if flags is None:
        flags = tuple(os.environ.get(FLAGS_VARIABLE, "").split()) or OPTIMISED
    header = hls_header(hardware)
    sources = sorted([*HLS_FOLDER.rglob("*.hpp"), *HLS_FOLDER.rglob("*.cpp"), *HLS_FOLDER.rglob("*.h")])
    written = [path for path in sources if "generated" not in path.relative_to(HLS_FOLDER).parts]
    digest = digest_of((header, compiler(), flags, WARNINGS), written)

    def build(folder: Path) -> None:
        _build(header, flags, folder)

    saying = f"building the C simulation for hardware '{hardware.name}', once (less than a minute) …"
    return BuildCache(BUILD_FOLDER, "engine 'csim'").entry(hardware.name, digest, LIBRARY, build, saying) / LIBRARY


def _build(header: str, flags: tuple[str, ...], folder: Path) -> None:
    (folder / "edgemoe_spec.hpp").write_text(header, encoding="utf-8")
    done = run_tool(compile_command(folder, flags, folder / LIBRARY))
    if done.returncode:
        complaint = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
        raise DeviceError(f"engine 'csim' does not compile: {complaint}")


def load_library(hardware: HardwareConfig, flags: tuple[str, ...] | None = None) -> ctypes.CDLL:
    """The library in this process."""
    return ctypes.CDLL(os.fspath(library_path(hardware, flags)))
