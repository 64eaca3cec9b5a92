"""Building the HLS sources for C simulation: g++ and the open ap_int headers, kept by a hash of all that goes in."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from edgemoe.devices.base import DeviceError
from edgemoe.devices.builds import build_name, fresh_build, is_built
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.hardware import HardwareConfig

HLS_FOLDER = Path(__file__).resolve().parents[4] / "hls"
BUILD_FOLDER = HLS_FOLDER.parent / "build" / "csim"
SOURCES = ("edgemoe.cpp", "simulation/bridge.cpp")
HEADER_PACKAGE = "da4ml"
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-label")
OPTIMISED = ("-O2", "-march=native")
FLAGS_VARIABLE = "EDGEMOE_CSIM_FLAGS"  # other compiler flags, as for sanitizers


def compiler() -> str:
    """Path of g++; raises DeviceError when there is none."""
    found = shutil.which("g++")
    if found is None:
        raise DeviceError("engine 'csim' needs g++, which is not installed; install your system's C++ compiler")
    return found


def header_folder() -> Path:
    """Folder of the open ap_int.h; raises DeviceError when its package is missing."""
    package = importlib.util.find_spec(HEADER_PACKAGE)
    if package is None or package.submodule_search_locations is None:
        raise DeviceError(
            f"engine 'csim' needs the open ap_int headers of the package '{HEADER_PACKAGE}'; "
            f"install this project with its extra 'csim'"
        )
    return Path(package.submodule_search_locations[0]) / "codegen/hls/source/ap_types/include"


def include_arguments(generated: Path) -> list[str]:
    """Include paths: our stream and wrapper first, the generated header, the package's headers as system headers."""
    return ["-I", str(HLS_FOLDER / "simulation"), "-I", str(generated), "-isystem", str(header_folder())]


def compile_command(generated: Path, flags: Iterable[str], output: Path) -> list[str]:
    """The g++ call that makes the shared library."""
    sources = [str(HLS_FOLDER / source) for source in SOURCES]
    fixed = [compiler(), "-std=c++17", "-fPIC", "-shared", "-pthread", *WARNINGS]
    return [*fixed, *flags, *include_arguments(generated), "-o", str(output), *sources]


def library_path(hardware: HardwareConfig, flags: tuple[str, ...] | None = None) -> Path:
    """The shared library for one configuration, built when its sources, flags or configuration are new.

    flags: None means those of the environment variable EDGEMOE_CSIM_FLAGS, or else optimised ones.

    Raises DeviceError with the compiler's first complaint when it does not build.
    """
    if flags is None:
        flags = tuple(os.environ.get(FLAGS_VARIABLE, "").split()) or OPTIMISED
    header = hls_header(hardware)
    digest = hashlib.sha256(header.encode())
    for path in sorted([*HLS_FOLDER.rglob("*.hpp"), *HLS_FOLDER.rglob("*.cpp"), *HLS_FOLDER.rglob("*.h")]):
        if "generated" not in path.parts:
            digest.update(path.read_bytes())
    digest.update(" ".join((compiler(), *flags, *WARNINGS)).encode())
    folder = BUILD_FOLDER / build_name(hardware, digest.hexdigest())
    library = folder / "edgemoe.so"
    if not is_built("csim", library):
        _build(header, flags, folder)
    return library


def _build(header: str, flags: tuple[str, ...], folder: Path) -> None:
    """Compile; several processes may build the same at once."""
    with fresh_build("csim", folder) as fresh:
        (fresh / "edgemoe_spec.hpp").write_text(header, encoding="utf-8")
        command = compile_command(fresh, flags, fresh / "edgemoe.so")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            complaint = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
            raise DeviceError(f"engine 'csim' does not compile: {complaint}")


def load_library(hardware: HardwareConfig, flags: tuple[str, ...] | None = None) -> ctypes.CDLL:
    """The library in this process."""
    return ctypes.CDLL(os.fspath(library_path(hardware, flags)))
