"""Models of the sizes that people bring, on shapes that do not hold them: rows in memory, golden's integers everywhere.

Seeded random weights, whose values move no cycle. They take minutes each and belong to `make test-full`; the arithmetic
itself is held on small models in tests/golden/test_streaming.py.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.sizes_models import MODELS, ROOM
from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import require_fit
from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.program import Program
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.residency import Need, is_resident
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.registry import open_device
from edgemoe.frames import expert_loads
from edgemoe.session import Session
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from tests.examples.program import plain_calibration, random_tensors

SHAPES: dict[str, HardwareConfig] = {
    "zcu102_stream": load_hardware_config("zcu102_stream"),
    **{
        name: replace(load_hardware_config(name), name=f"{name}_rows", **ROOM)  # type: ignore[arg-type]
        for name in ("kv260", "micro", "micro_w16a16")
    },
}
ENGINES = ("csim", "rtl")


@cache
def tensors_of(name: str) -> dict[str, np.ndarray]:
    return random_tensors(MODELS[name][0])


def program_of(name: str, hardware: HardwareConfig) -> Program:
    config, tasks = MODELS[name]
    model = quantise(config, tensors_of(name), plain_calibration(config, 24.0), hardware.numbers)
    return compile_model(model, [task.name for task in config.tasks[:tasks]], hardware)


def needs_memory(name: str, hardware: HardwareConfig) -> bool:
    config, tasks = MODELS[name]
    return not is_resident(Need(config, tasks, hardware))


def cases() -> Iterator[object]:
    """All of them long but none of them left out."""
    for shape in SHAPES:
        for name in MODELS:
            yield pytest.param(name, shape, marks=pytest.mark.slow)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("name", "shape"), list(cases()))
def test_every_engine_gives_golden_s_integers(name: str, shape: str, engine: str) -> None:
    hardware = SHAPES[shape]
    if not needs_memory(name, hardware):
        pytest.skip(f"'{name}' stays on the chip of '{shape}'")
    program = program_of(name, hardware)
    model = program.manifest.model
    frame = np.random.default_rng(5).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    results = {}
    for name_of_engine in ("golden", engine):
        try:
            device = open_device(name_of_engine, hardware)
        except MissingToolError as error:
            pytest.skip(str(error))
        with device, Session(program, device) as session:
            results[name_of_engine] = session.run(frame)
    found, expected = results[engine], results["golden"]
    for task, values in expected.outputs.items():
        assert np.array_equal(found.outputs[task], values), task
        assert len(np.unique(values)) > 100
    for task, by_block in expected.routing.items():
        for block, routed in by_block.items():
            assert all(map(np.array_equal, found.routing[task][block], routed)), (task, block)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "shape"), [("DeiT-small", "kv260_stream"), ("small, 2 blocks", "zcu102_stream")])
def test_cycles_with_moves_beside_the_array_are_predicted(name: str, shape: str) -> None:
    """Within 1 %: DeiT-small, of which the shape's buffers hold 85 of 197 rows; attention by slices of its keys."""
    program = program_of(name, load_hardware_config(shape))
    model = program.manifest.model
    frame = np.random.default_rng(5).integers(0, 256, (model.image_height, model.image_width, 3), dtype=np.uint8)
    try:
        device = open_device("rtl", program.manifest.hardware)
    except MissingToolError as error:
        pytest.skip(str(error))
    with device, Session(program, device) as session:
        result = session.run(frame)
    loads = expert_loads(result.routing, program) if program.manifest.routing else None
    predicted = sum(each.cycles for each in predicted_cycles(program, loads))
    assert predicted == pytest.approx(result.counters["cycles"], rel=0.01)


@pytest.mark.parametrize("name", MODELS)
def test_the_shape_for_large_models_takes_them_all(name: str) -> None:
    config, tasks = MODELS[name]
    require_fit(config, tuple(task.name for task in config.tasks[:tasks]), SHAPES["zcu102_stream"])


@pytest.mark.parametrize(("name", "tasks", "most", "busy"), [("small", 1, 24.0e6, 0.85), ("ViT-Base", 1, 10.0e6, 0.85)])
def test_rows_move_while_the_array_works(name: str, tasks: int, most: float, busy: float) -> None:
    """Predicted on the shape for large models; the prediction against counts: tests/system/test_cycles.py."""
    config, hardware = MODELS[f"{name}, 2 tasks" if name == "small" else name][0], SHAPES["zcu102_stream"]
    names = [task.name for task in config.tasks[:tasks]]
    predicted = predicted_cycles(compile_model(hollow_model(config, hardware), names, hardware))
    cycles = sum(each.cycles for each in predicted)
    assert cycles <= most
    assert sum(each.mac for each in predicted) >= busy * cycles


RUN = """
import sys
from pathlib import Path
import numpy as np
from edgemoe.compiler.program import load_program
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
program = load_program(Path(sys.argv[1]))
model = program.manifest.model
with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
    session.run(np.zeros((model.image_height, model.image_width, 3), dtype=np.uint8))
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""  # not resource.getrusage, which a child of a large process begins with its parent's peak


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_golden_takes_less_than_a_gibibyte_for_small(tmp_path: Path) -> None:
    """The whole process: program, memory of the device, prepared weights, one frame."""
    hardware = SHAPES["zcu102_stream"]
    program_of("small, 2 tasks", hardware).save(tmp_path / "program")
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "program")], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < 1 << 20, f"{int(run.stdout):,} KiB"
