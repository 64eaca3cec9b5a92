"""`small` and its five-task variant: they compile for a u50 and run there in bounded memory; a zcu102 refuses them."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from frame_memory import frame_for

from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.scratchpads import Scratchpads
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe_golden.model import head_maps, load_checkpoint_model
from sim.common.random_checkpoint import random_checkpoint

U50, ZCU102 = load_hardware_config("u50"), load_hardware_config("zcu102")
MODELS = ("small", "small_pascal")

PEAK_MEBIBYTES = 2048
"""Of a process that compiles and runs: float32 weights (288 MB), scores of 12 heads × 1201² in 64 bits (138 MB)."""

REFUSALS = {
    "small": ("semseg, depth", 2402, 1201, 768),
    "small_pascal": ("semseg, human_parts, sal, normals, edge", 5125, 1025, 384),
}
"""Tasks, rows of all tasks together, tokens of one, hidden width of an expert."""


@pytest.fixture(scope="module", params=MODELS)
def two_blocks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One dense and one MoE block at full width and full size of picture, random weights."""
    config = load_model_config(request.param)
    shallow = replace(config, name=f"{config.name}_two_blocks", depth=2, moe_blocks=(1,))
    return random_checkpoint(shallow, tmp_path_factory.mktemp("models") / request.param, scenes=1)


def decibels(expected: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10((expected**2).sum() / ((found - expected) ** 2).sum()))


def assert_close_to_float(folder: Path, outputs: dict[str, np.ndarray], least: float) -> None:
    model = load_checkpoint_model(folder)
    frame = torch.from_numpy(frame_for(model.config))[None]
    for task, found in outputs.items():
        with torch.inference_mode():
            expected = head_maps(model(frame, task), model.config)[0].numpy()
        assert decibels(expected, found) > least, f"task '{task}'"


def test_two_blocks_compile_for_a_u50_and_give_what_float_gives(two_blocks: Path) -> None:
    last = load_model_config(two_blocks / "config.json").tasks[-1].name
    program = compile_checkpoint(two_blocks, [last], U50)
    with open_device("golden", U50) as device, Session(program, device) as session:
        result = session.run(frame_for(program.manifest.model))
    assert_close_to_float(two_blocks, result.outputs, 25)


def test_a_zcu102_refuses_them_with_the_numbers(two_blocks: Path) -> None:
    tasks, rows, tokens, hidden = REFUSALS[two_blocks.name]
    with pytest.raises(DoesNotFitError) as refused:
        compile_checkpoint(two_blocks, None, ZCU102)
    text = str(refused.value)
    assert f"does not fit hardware 'zcu102' for tasks {tasks} together:" in text
    for line in (
        f"(tasks × tokens): needs {rows:,} rows, there are {ZCU102.max_rows}",
        f"keys of attention: needs {tokens:,} tokens, there are {ZCU102.max_tokens}",
        f"LayerNorm width: needs 384 features, there are {ZCU102.max_width}",
    ):
        assert line in text
    assert f"rows in whole tiles × width): needs {ZCU102.room(rows, 384):,} elements" in text
    assert f"HIDDEN (all tokens at one expert × expert hidden width): needs {ZCU102.room(rows, hidden):,} el" in text


def run_apart(folder: Path, outputs: Path, frames: int) -> list[float]:
    """Peak in MiB after compiling and after each frame of all tasks, in a process of its own."""
    command = [sys.executable, "-m", "frame_memory", str(folder), str(outputs), "--frames", str(frames)]
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path})
    peaks: list[float] = json.loads(done.stdout)
    print(f"{folder.name}: peak in MiB after compiling, after frames: {', '.join(f'{peak:.0f}' for peak in peaks)}")
    return peaks


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_all_tasks_run_on_the_golden_engine_in_bounded_memory(name: str, tmp_path: Path) -> None:
    folder = random_checkpoint(load_model_config(name), tmp_path / name, scenes=1)
    peaks = run_apart(folder, tmp_path / "outputs.npz", 1)
    assert max(peaks) <= PEAK_MEBIBYTES
    outputs = dict(np.load(tmp_path / "outputs.npz"))
    assert list(outputs) == [task.name for task in load_model_config(name).tasks]
    assert_close_to_float(folder, outputs, 10)


@pytest.mark.slow
def test_memory_does_not_grow_with_frames(two_blocks: Path, tmp_path: Path) -> None:
    """The allocator settles in the first frames; a frame's residual stream alone would be 1 % of the peak and more."""
    peaks = run_apart(two_blocks, tmp_path / "outputs.npz", 7)
    assert peaks[-1] <= 1.005 * peaks[-4]


def test_a_frame_leaves_no_scratchpads_behind() -> None:
    """Without waiting for the collector: at 2402 rows the scratchpads of one frame take 75 MB and more."""
    folder = Path(__file__).resolve().parents[2] / "models" / "mini"
    program = compile_checkpoint(folder, None, ZCU102)
    gc.collect()
    gc.disable()
    try:
        with open_device("golden", ZCU102) as device, Session(program, device) as session:
            session.run(frame_for(program.manifest.model))
            assert not [each for each in gc.get_objects() if type(each) in (GoldenMachine, Scratchpads)]
    finally:
        gc.enable()
