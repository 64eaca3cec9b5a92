"""`edgemoe bench`: latency, frame rate, and power with what the board takes at rest subtracted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemoe import cli
from edgemoe.compiler.program import Program
from edgemoe.devices.golden.device import GoldenDevice
from edgemoe.measure import measure
from edgemoe.pynq.power import _reader
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from tests.examples.program import small_program, write_checkpoint

MICRO = load_hardware_config("micro")


@pytest.fixture(scope="module")
def program() -> Program:
    return small_program()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


class _Metered(GoldenDevice):
    """A rail of 5 W that takes 2 W more during a run, and one of 1 W that does not care."""

    running = False

    def _run(self) -> None:
        self.running = True
        super()._run()
        self.running = False

    def power_rails(self) -> dict[str, Callable[[], float]]:
        return {"VCCINT": lambda: 7.0 if self.running else 5.0, "VCCAUX": lambda: 1.0}


def frame_for(program: Program) -> Any:
    model = program.manifest.model
    return np.random.default_rng(2).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)


def test_power_is_what_a_frame_adds_to_rest(program: Program) -> None:
    device = _Metered(MICRO)
    with Session(program, device) as session:
        found, _ = measure(session, frame_for(program), 2, 0.3, device.power_rails())
    power = found.power
    assert power is not None
    assert power.rested == {"VCCINT": 5.0, "VCCAUX": 1.0}
    assert power.rested_watts == 6.0
    assert 6.0 < power.busy_watts <= 8.0
    added = power.busy_watts - power.rested_watts
    assert power.joules_per_frame == pytest.approx(added * power.seconds / found.streamed)
    assert power.joules_per_frame == pytest.approx(added / found.frames_per_second)


def test_times_are_counted_over_the_frames_asked_for(program: Program) -> None:
    seen = []
    with Session(program, GoldenDevice(MICRO)) as session:
        found, result = measure(session, frame_for(program), 5, 0.05, {}, lambda: seen.append(1))
        expected = session.run(frame_for(program))
    assert (found.frames, len(seen)) == (5, 5)
    assert found.streamed >= 3
    for spread in (found.latency_ms, found.engine_ms):
        assert 0 < spread.shortest <= spread.median <= spread.p95 <= spread.longest
    assert found.engine_ms.median < found.latency_ms.median
    assert found.steady
    assert found.power is None
    assert found.counters == result.counters == expected.counters


class _Wavering(GoldenDevice):
    """The lowest byte of the output region changes from run to run."""

    def _run(self) -> None:
        super()._run()
        self._memory.view(self._pointer("output"), 1)[:] += np.uint8(self.count)
        self.count += 1

    count = 0


def test_values_that_change_from_frame_to_frame_are_seen(program: Program) -> None:
    with Session(program, _Wavering(MICRO)) as session:
        assert not measure(session, frame_for(program), 2, 0.01, {})[0].steady


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = cli.main(["bench", *arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_the_command_prints_a_table_and_writes_json(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports" / "bench.json"
    common = ["--model", str(checkpoint), "--hardware", "micro", "--frames", "2", "--seconds", "0.05"]
    status, text, _ = run([*common, "--check", "--out", str(out)], capsys)
    assert status == 0
    assert "power not measured: this device has no power rails" in text
    assert "values are equal to the golden engine's" in text
    report = json.loads(out.read_text(encoding="utf-8"))
    assert (report["device"], report["hardware"], report["tasks"]) == ("golden", "micro", ["semseg", "depth"])
    assert (report["power"], report["equal_to_golden"], report["steady"]) == (None, True, True)
    assert report["facts"] == {"kind": "simulation on the host"}


def test_a_wrong_engine_fails(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--model", str(checkpoint), "--hardware", "micro", "--frames", "1", "--seconds", "0.05"]
    out = ["--out", str(tmp_path / "bench.json")]
    status, text, _ = run([*common, "--device", "corrupted", "--check", *out], capsys)
    assert status == 1
    assert "values are DIFFERENT from the golden engine's" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--frames", "0"], "--frames and --seconds must be positive, found 0 and 3"),
        (["--seconds", "-1"], "must be positive"),
        (["--rails", "VCCINT"], "no power rail 'VCCINT'; there are none"),
        (["--input", "nowhere.png"], "'nowhere.png' does not exist"),
        (["--device", "zcu1"], "unknown device 'zcu1'"),
    ],
)
def test_what_cannot_be_measured_is_said(
    checkpoint: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    status, _, error = run(["--model", str(checkpoint), "--hardware", "micro", *words], capsys)
    assert status == 1
    assert error.startswith("edgemoe: ")
    assert message in error


class _Sensor:
    def __init__(self, value: float) -> None:
        self.value = value


class _Rail:
    def __init__(self, **sensors: float) -> None:
        self.power = self.voltage = self.current = None
        for name, value in sensors.items():
            setattr(self, name, _Sensor(value))


@pytest.mark.parametrize(
    ("rail", "watts"),
    [
        (_Rail(power=3.5, voltage=1.0, current=1.0), 3.5),
        (_Rail(voltage=0.85, current=2.0), pytest.approx(1.7)),
        (_Rail(voltage=0.85), None),
    ],
    ids=["power", "voltage and current", "neither"],
)
def test_watts_of_a_rail(rail: _Rail, watts: float | None) -> None:
    read = _reader(rail)
    assert (None if read is None else read()) == watts
