"""The cycles that the compiler predicts from shapes, against those that the RTL counts, instruction by instruction.

Reproduce one: `edgemoe info --engine rtl --model models/mini --hardware micro`, for tokens spread evenly.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support import frame_of

from benchmarks.rtl_settings import DEFAULT, Setting, program_of
from edgemoe.cli import main
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.program import Program
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.rtl.device import RtlDevice
from edgemoe.devices.rtl.trace import counted_cycles
from edgemoe.frames import expert_loads
from edgemoe.session import Session

Compile = Callable[..., Program]

BOTH = ("semseg", "depth")
CLOSE = 0.05
LONG = 500  # cycles from which an instruction is held to that
WHOLE = 0.01  # for a frame
ENDS = 150  # cycles of its beginning and end, which count in the smallest ones


def compare(program: Program) -> None:
    try:
        device = RtlDevice(program.manifest.hardware)
    except MissingToolError as error:
        pytest.skip(str(error))
    with device, Session(program, device) as session:
        result = session.run(frame_of(program))
        counted = counted_cycles(device, len(program.instructions))
    loads = expert_loads(result.routing, program)
    predicted = [each.cycles for each in predicted_cycles(program, loads)]
    far = [
        f"{label}: {cycles:,} predicted, {count:,} counted"
        for label, cycles, count in zip(program.manifest.labels, predicted, counted, strict=True)
        if count > LONG and abs(cycles - count) > CLOSE * count
    ]
    assert not far, "\n".join(far)
    assert sum(counted) == result.counters["cycles"]
    assert sum(predicted) == pytest.approx(sum(counted), rel=WHOLE, abs=ENDS)


@pytest.mark.parametrize(
    ("model", "hardware"),
    [("micro", "micro"), ("mini", "micro"), pytest.param("micro", "micro_w16a16", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("tasks", [("semseg",), BOTH], ids=len)
def test_prediction_on_the_small_shapes(compiled: Compile, model: str, hardware: str, tasks: tuple[str, ...]) -> None:
    compare(compiled(model, hardware, tasks))


def test_info_shows_the_count_beside_the_prediction(
    checkpoints: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(checkpoints["micro"]), "--hardware", "micro", "--task", "semseg"]
    if main(["info", *arguments, "--engine", "rtl"]):
        pytest.skip(capsys.readouterr().err)
    lines = capsys.readouterr().out.splitlines()
    table = lines[next(at for at, line in enumerate(lines) if line.endswith("RTL count")) :]
    counts = [
        int(line.split()[-1].replace(",", "")) for line in table if line.split()[:1] and line.split()[0].isdecimal()
    ]
    assert counts[0] > counts[-1] > 0
    assert table[-1] == f"RTL, counted in simulation on a frame of noise: {sum(counts):,} cycles"


@pytest.mark.slow
@pytest.mark.parametrize("hardware", ["micro", "kv260", "zcu102", "zcu102_w16a16"])
@pytest.mark.parametrize("model", ["mini", "tiny"])
@pytest.mark.parametrize("tasks", [("semseg",), ("depth",), BOTH], ids="+".join)
def test_prediction_on_every_shape(compiled: Compile, model: str, hardware: str, tasks: tuple[str, ...]) -> None:
    compare(compiled(model, hardware, tasks))


@pytest.mark.slow
@pytest.mark.parametrize("tasks", [("semseg",), BOTH], ids=len)
@pytest.mark.parametrize("setting", [each for each in DEFAULT if each.mixed], ids=lambda each: each.label)
def test_prediction_where_widths_differ_by_layer(setting: Setting, tasks: tuple[str, ...]) -> None:
    """With wide tokens of two tasks the array waits for sums of two digits, which the post lanes take one by one."""
    compare(program_of(Path("models/tiny"), tasks, setting))
