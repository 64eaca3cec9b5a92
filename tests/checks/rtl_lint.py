"""Lint of the RTL: `python -m tests.checks.rtl_lint`. Warnings are errors.

Verilator's -Wall on the whole machine for every hardware configuration that it can be built for, and slang in
Verilog-2005"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from pyslang import DiagnosticEngine, TextDiagnosticClient
from pyslang.driver import Driver

from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, RTL_FOLDER, TOP, check_shape, sources_of, verilator
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.terminal import accept_all_text

STANDARD = ("--std", "1364-2005")
WARNINGS = ["extra", "error"]
FORMS = ([], ["-DSIMULATION", "-DSLOW_CHECKS"])  # see rtl/include/require.vh


def complaints(hardware: HardwareConfig, top: Path = RTL_FOLDER / f"{TOP}.v") -> list[str]:
    """What either tool says about `top` and the modules inside it; empty when it is clean."""
    sources = [str(path) for path in sources_of(top)]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in verilog_headers(hardware).items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        include = ["-I" + folder, "-I" + str(INCLUDE_FOLDER)]
        found = []
        for form in FORMS:
            found += _verilator(sources, include + form) + _slang(sources, include + form)
        return list(dict.fromkeys(found))


def _verilator(sources: list[str], include: list[str]) -> list[str]:
    command = [str(verilator()), "--lint-only", "-Wall", "--top-module", TOP, *include, *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if re.match(r"%(Warning|Error)(?!: Exiting)", line)]
    return lines or (["verilator: " + done.stderr.strip()] if done.returncode else [])


def _slang(sources: list[str], include: list[str]) -> list[str]:
    driver = Driver()
    driver.addStandardArgs()
    options = [word for option in include for word in (option[:2], option[2:])]
    line = ["slang", *STANDARD, "--top", TOP, *options, *sources]
    if not (driver.parseCommandLine(" ".join(line)) and driver.processOptions() and driver.parseAllSources()):
        return ["slang: cannot read the sources"]
    engine, client = DiagnosticEngine(driver.sourceManager), TextDiagnosticClient()
    engine.addClient(client)
    engine.setWarningOptions(WARNINGS)
    for diagnostic in driver.createCompilation().getAllDiagnostics():
        engine.issue(diagnostic)
    return [text for text in client.getString().splitlines() if ": error: " in text or ": warning: " in text]


def main() -> int:
    """Print complaints by configuration that the Verilog has; 1 when there are any."""
    accept_all_text()
    failed, read = False, []
    for name in hardware_names():
        hardware = load_hardware_config(name)
        try:
            check_shape(hardware)
        except DeviceError as error:
            print(f"{name}: left out, {error}")
            continue
        read.append(name)
        for text in complaints(hardware):
            print(f"{name}: {text}")
            failed = True
    if not failed:
        print(f"RTL lint: clean for {', '.join(read)}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
