"""Places, routes and packs a netlist with nextpnr and Apicula, both from the package index."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

from benchmarks.route.nextpnr_report import Routed, complaint, read_report
from benchmarks.route.part import CONSTRAINTS, PACK, PACKAGES, PLACE_AND_ROUTE
from edgemoe.devices.build_cache import packaged_tool
from edgemoe.extras import how_to_install

GOAL_MHZ = 50  # what placer and router work for; reaching less is no error


def check_tools() -> None:
    """Raises RuntimeError when nextpnr or Apicula is not installed."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise RuntimeError(
                f"routing needs the package {package}, which is not installed; run: {how_to_install('route')}"
            )


def place_and_route(netlist: Path, seed: int, seconds: float) -> Routed:
    """Beside the netlist: routed.json, nextpnr.json and nextpnr.log. Raises RuntimeError with what nextpnr says where
    it finds no place or no way, or after `seconds`.
    """
    folder = netlist.parent
    (folder / "pins.cst").write_text(CONSTRAINTS, encoding="utf-8")
    tool, *device = PLACE_AND_ROUTE
    command = [packaged_tool(tool), *device, "--vopt", "cst=pins.cst", "--json", netlist.name, "--freq", str(GOAL_MHZ),
               "--timing-allow-fail", "--seed", str(seed), "--report", "nextpnr.json", "--write", "routed.json",
               "--log", "nextpnr.log", "--quiet"]  # fmt: skip
    _run("nextpnr", command, folder, seconds)
    return read_report((folder / "nextpnr.json").read_text(encoding="utf-8"))


def pack(folder: Path, seconds: float) -> Path:
    """The bitstream of routed.json, beside it. Raises RuntimeError with what the packer says."""
    tool, *device = PACK
    _run(tool, [packaged_tool(tool), *device, "-o", "route.fs", "routed.json"], folder, seconds)
    return folder / "route.fs"


def _run(name: str, command: list[str], folder: Path, seconds: float) -> None:
    log = folder / f"{name}.log"
    log.unlink(missing_ok=True)
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        said = complaint(log.read_text(encoding="utf-8") if log.is_file() else "")
        raise RuntimeError(f"{name} was ended after {seconds / 60:.0f} minutes: {said}; its log is {log}") from error
    if done.returncode:
        text = log.read_text(encoding="utf-8") if log.is_file() else done.stdout + done.stderr
        raise RuntimeError(f"{name} ended with {done.returncode}: {complaint(text)}")
