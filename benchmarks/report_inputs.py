"""The files that the report takes its figures from; a missing one ends the report with the command that writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemoe.errors import EdgeMoeError

PRECISIONS = ("w8a8", "w16a16")
Row = Mapping[str, Any]
Rows = Sequence[Row]

SOURCES = {
    "bench": "make bench",
    "area": "make area",
    "timing": "make timing",
    "ablation": "make ablation",
    "scaling": "make scaling",
    "arithmetics": "make accuracy",
    "eval": "make eval",
    "bench-csim": "make bench-csim",
    "golden_speed": "make bench",
}
CLOCKS = (200, 250, 300)  # MHz that counted cycles are turned into time at; no board has shown any of them
NO_PART = "simulation-only"  # what such shapes of host/edgemoe/configs/hardware name as their part


def milliseconds(cycles: float, mhz: float) -> float:
    """So many cycles at a clock."""
    return cycles / mhz / 1000


class ReportError(EdgeMoeError, RuntimeError):
    """A figure that no bench has written; the message says which command writes it."""


@dataclass(frozen=True)
class Inputs:
    """Everything that the report shows, as the benches wrote it. published: docs/published.json. dense: frames of dense
    networks, none until `make bench-dense` has counted them.

    model: the one whose frames the report is about; hardware: the shape that it compares with others.
    """

    bench: Row
    area: Rows
    timing: Rows
    ablation: Row
    scaling: Row
    arithmetics: Row
    evaluation: Rows
    csim: Rows
    golden: Rows
    published: Row
    dense: Rows = ()

    @property
    def model(self) -> str:
        """The model of the ablation."""
        return str(self.ablation["model"])

    @property
    def hardware(self) -> str:
        """The shape of the ablation."""
        return str(self.ablation["hardware"])

    def frame(self, hardware: str, tasks: int) -> Row:
        """A counted frame of the model; raises ReportError."""
        for frame in self.bench["frames"]:
            if (frame["model"], frame["hardware"], len(frame["tasks"])) == (self.model, hardware, tasks):
                return frame  # type: ignore[no-any-return]
        raise ReportError(
            f"build/reports/bench.json has no frame of '{self.model}' with {tasks} task(s) on '{hardware}'; "
            f"`{SOURCES['bench']}` counts it"
        )

    def precisions(self) -> Rows:
        """The frame with one task in W8A8 and in W16A16, both on the part that the report is about."""
        part = self.frame(self.hardware, 1)["part"]
        found = {
            frame["precision"]: frame for frame in self.frames() if (frame["part"], len(frame["tasks"])) == (part, 1)
        }
        for precision in PRECISIONS:
            if precision not in found:
                raise ReportError(
                    f"build/reports/bench.json has no frame of '{self.model}' with 1 task in {precision.upper()} on "
                    f"{part}; `{SOURCES['bench']}` counts it"
                )
        return [found[precision] for precision in PRECISIONS]

    def beside(self, design: Row) -> Rows:
        """Our frames that a published design is compared with: the one in its own precision first, then W8A8."""
        eight, sixteen = self.precisions()
        return [eight] if design["precision"].startswith("W8") else [sixteen, eight]

    def published_on(self, board: str) -> Rows:
        """Published accelerators of mixtures of experts on a board."""
        return [design for design in self.published["moe"] if design["board"] == board]

    def frames(self) -> Rows:
        """All counted frames of the model."""
        return [frame for frame in self.bench["frames"] if frame["model"] == self.model]

    def mixed(self) -> Rows:
        """Counted frames of the model with widths by layer."""
        return [frame for frame in self.bench.get("mixed", ()) if frame["model"] == self.model]

    def frames_for_parts(self) -> Rows:
        """Those on shapes that are meant for a part; the others have no area."""
        return [frame for frame in self.frames() if frame["part"] != NO_PART]

    def shape(self, hardware: str) -> Row:
        """Area of a shape; raises ReportError."""
        for shape in self.area:
            if shape["hardware"] == hardware:
                return shape
        raise ReportError(f"build/reports/area.json has no shape '{hardware}'; `{SOURCES['area']}` synthesises it")

    def point(self, sweep: str, value: float, tasks: int = 1) -> Row:
        """A predicted frame; raises ReportError."""
        for point in self.scaling["points"]:
            if (point["sweep"], point["value"], point["tasks"]) == (sweep, value, tasks):
                return point  # type: ignore[no-any-return]
        raise ReportError(
            f"build/reports/scaling.json has no point {sweep} = {value:g}; `{SOURCES['scaling']}` predicts it"
        )


def load_inputs(reports: Path, published: Path) -> Inputs:
    """Read all files; raises ReportError for the first that is missing or not JSON, or whose figures are of no use."""
    read = {name: _read(reports / f"{name}.json", f"`{command}` writes it") for name, command in SOURCES.items()}
    inputs = Inputs(
        bench=read["bench"],
        area=read["area"],
        timing=read["timing"],
        ablation=read["ablation"],
        scaling=read["scaling"],
        arithmetics=read["arithmetics"],
        evaluation=read["eval"],
        csim=read["bench-csim"],
        golden=read["golden_speed"],
        published=_read(published, "it belongs to the sources"),
        dense=_dense(reports / "bench_dense.json"),
    )
    counted = (*inputs.frames(), *inputs.mixed(), *inputs.dense)
    wrong = [f"{f['model']} on {f['hardware']}" for f in counted if not f["bit_exact"]]
    if wrong or not inputs.ablation["bit_exact"]:
        where = ", ".join(wrong) or "the ablation"
        raise ReportError(f"the RTL differs from golden in {where}: its cycles mean nothing")
    if any(each["area_how"] and not each["area"] for each in inputs.ablation["techniques"]):
        raise ReportError("build/reports/ablation.json was made without areas; `make area`, then `make ablation` again")
    one = inputs.frame(inputs.hardware, 1)
    if one["cycles"] != inputs.ablation["cycles"]:
        raise ReportError(
            f"bench.json says {one['cycles']:,} cycles for the frame of which ablation.json says "
            f"{inputs.ablation['cycles']:,}: other weights or another RTL; run `make bench` and `make ablation` again"
        )
    return inputs


def _dense(path: Path) -> Rows:
    if not path.is_file():
        return ()
    frames: Mapping[str, Row] = _read(path, "`make bench-dense` writes it")["frames"]
    return sorted(frames.values(), key=lambda frame: (frame["hardware"], frame["cycles"]))


def _read(path: Path, remedy: str) -> Any:
    if not path.is_file():
        raise ReportError(f"{path} is missing; {remedy}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ReportError(f"{path} is not JSON ({error}); {remedy}") from error
