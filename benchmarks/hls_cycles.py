"""Cycles of each kind of instruction in the HLS schedule beside the RTL's: `python -m benchmarks.hls_cycles`.

Both are models, from shapes alone: `edgemoe.compiler.hls_cycles`, and `edgemoe.compiler.cycles`, which the RTL's counts
confirm (tests/system/test_cycles.py). With --write the table in docs/hardware/hls.md is written anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tabulate import tabulate

from benchmarks.page_tables import placed
from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.hls_cycles import predicted_hls_cycles
from edgemoe.compiler.hollow import hollow_model
from edgemoe.spec.hardware import DEFAULT_HARDWARE, hardware_names, load_hardware_config
from edgemoe.spec.model import load_model_config, model_names
from edgemoe.spec.terminal import accept_all_text

PAGE = Path(__file__).resolve().parents[1] / "docs" / "hardware" / "hls.md"
MODEL = "tiny"
COMMAND = "python -m benchmarks.hls_cycles --write"
HEADER = ("step", "instructions", "array steps", "RTL", "HLS", "HLS − RTL")


class Step(NamedTuple):
    """All instructions of one kind. array: steps that the array takes at least; rtl, hls: predicted cycles."""

    name: str
    instructions: int
    array: int
    rtl: int
    hls: int

    def plus(self, array: int, rtl: int, hls: int) -> Step:
        """With one instruction more."""
        return Step(self.name, self.instructions + 1, self.array + array, self.rtl + rtl, self.hls + hls)


def steps(model_name: str, hardware_name: str, tasks: Sequence[str] = ()) -> list[Step]:
    """Kinds of instructions in order of first use, then all of them; tasks: empty for all of the model's."""
    model, hardware = load_model_config(model_name), load_hardware_config(hardware_name)
    names = [task.name for task in model.tasks]
    program = compile_model(hollow_model(model, hardware), tasks or names, hardware)
    kinds: dict[str, Step] = {}
    total = Step("all", 0, 0, 0, 0)
    columns = (program.manifest.labels, predicted_cycles(program), predicted_hls_cycles(program))
    for label, ours, hls in zip(*columns, strict=True):
        name = _kind(label, names)
        kinds[name] = kinds.get(name, Step(name, 0, 0, 0, 0)).plus(ours.mac, ours.cycles, hls)
        total = total.plus(ours.mac, ours.cycles, hls)
    return [*kinds.values(), total]


def _kind(label: str, tasks: Sequence[str]) -> str:
    """`block 3 gate depth routing` → `gate routing`; norms alike."""
    words = [word for word in label.split() if word not in tasks]
    words = words[2:] if words[0] == "block" else words
    return " ".join("norm" if word in ("norm1", "norm2") else word for word in words)


def rows(found: Sequence[Step]) -> list[tuple[str, ...]]:
    """Cells of the table."""
    return [
        (each.name, str(each.instructions), *(f"{n:,}" for n in (each.array, each.rtl, each.hls)),
         f"{each.hls - each.rtl:+,}".replace("-", "−"))
        for each in found
    ]  # fmt: skip


def page(text: str) -> str:
    """docs/hardware/hls.md with its table written anew: one task of `tiny`, and the sums of both."""
    one, both = steps(MODEL, DEFAULT_HARDWARE, ("semseg",)), steps(MODEL, DEFAULT_HARDWARE)
    cells = rows([*one[:-1], one[-1]._replace(name="one task"), both[-1]._replace(name="two tasks")])
    lines = [f"| {' | '.join(HEADER)} |", "| --- |" + " ---: |" * (len(HEADER) - 1)]
    lines += [f"| {' | '.join(row)} |" for row in cells]
    return placed(text, "cycles", COMMAND, lines, PAGE)


def main() -> int:
    """Print the table, or write the page's."""
    accept_all_text()
    parser = argparse.ArgumentParser(description="Cycles of the HLS schedule beside the RTL's")
    parser.add_argument("--config", choices=model_names(), default=MODEL)
    parser.add_argument("--hardware", choices=hardware_names(), default=DEFAULT_HARDWARE)
    parser.add_argument("--task", action="append", default=[], help="of the model's tasks; all by default")
    parser.add_argument("--write", action="store_true", help="write the table in docs/hardware/hls.md")
    options = parser.parse_args()
    if options.write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    aligned = ("left", *["right"] * (len(HEADER) - 1))
    found = steps(options.config, options.hardware, options.task)
    print(tabulate(rows(found), HEADER, colalign=aligned, disable_numparse=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
