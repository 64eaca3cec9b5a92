"""Self-test on a board: `EDGEMOE_BOARD=zcu102 pytest -m board`. A stranger can run it and send us its last lines.

Compares the board with the golden integers, computed here, value by value; leaves nothing behind on the board.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemoe import Accelerator
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.devices.base import DeviceError
from edgemoe.devices.registry import open_device
from edgemoe.measure import measure, same_values
from edgemoe.session import Session, SessionError
from edgemoe.spec.hardware import load_hardware_config

TASKS = ("semseg", "depth")


@pytest.fixture(scope="session")
def pictures() -> Any:
    """Four frames of noise, larger than the model's."""
    return np.random.default_rng(11).integers(0, 256, (4, 200, 400, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def golden(accelerator: Any, model_folder: Path, pictures: Any) -> list[Any]:
    """What the reference makes of them, on this processor."""
    with Accelerator("golden", accelerator.hardware) as reference:
        reference.load(model_folder)
        return [reference(picture) for picture in pictures]


def test_what_is_being_tested(accelerator: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Prints what the report should say; fails when the board does not name its bitstream."""
    facts = accelerator.device.facts()
    with capsys.disabled():
        print(f"\n{json.dumps(facts, indent=1)}")
    assert facts["bitstream"]["config_hash"] == f"0x{accelerator.hardware.hash():08X}"


@pytest.mark.parametrize("tasks", [TASKS, TASKS[:1], TASKS[1:]], ids="+".join)
def test_every_value_is_the_reference_s(
    accelerator: Any, pictures: Any, golden: list[Any], tasks: tuple[str, ...]
) -> None:
    for picture, expected in zip(pictures, golden, strict=True):
        result = accelerator(picture, tasks)
        for task in tasks:
            assert np.array_equal(result.outputs[task], expected.outputs[task]), f"values of {task}"
            for block, (experts, scores) in expected.routing[task].items():
                assert np.array_equal(result.routing[task][block][0], experts), f"experts of {task}, block {block}"
                assert np.array_equal(result.routing[task][block][1], scores), f"scores of {task}, block {block}"


def test_frames_in_flight_keep_their_order(accelerator: Any, pictures: Any, golden: list[Any]) -> None:
    results = list(accelerator.stream(picture for _ in range(3) for picture in pictures))
    assert len(results) == 12
    for index, result in enumerate(results):
        assert same_values(result, golden[index % 4]), f"frame {index}"


def test_counters_count_the_experts(accelerator: Any, pictures: Any) -> None:
    result = accelerator(pictures[0], TASKS)
    used = {block for blocks in result.routing.values() for block in blocks}
    chosen = sum(
        len(np.unique(np.concatenate([blocks[block][0].ravel() for blocks in result.routing.values()])))
        for block in used
    )
    assert result.counters["experts_run"] == chosen


def test_many_frames_leave_nothing_behind(accelerator: Any, pictures: Any) -> None:
    list(accelerator.stream(pictures[:2]))
    before = accelerator.device.buffers
    for _ in accelerator.stream(pictures[index % 4] for index in range(60)):
        pass
    assert accelerator.device.buffers == before


def test_a_second_user_is_refused(accelerator: Any) -> None:
    with pytest.raises(DeviceError, match="already uses the accelerator"):
        open_device(accelerator.device.name, accelerator.hardware)


def test_a_damaged_program_stops_with_its_instruction(
    accelerator: Any, model_folder: Path, pictures: Any, golden: list[Any]
) -> None:
    program = compile_checkpoint(model_folder, TASKS, accelerator.hardware)
    words = program.words.copy()
    words[2, 0] |= 0xFF
    model = program.manifest.model
    frame = np.zeros((model.image_height, model.image_width, 3), np.uint8)
    with (
        Session(replace(program, words=words), accelerator.device, timeout=60) as session,
        pytest.raises(SessionError, match=r"stopped at instruction 2 opcode 255 .* with ILLEGAL_OPCODE"),
    ):
        session.run(frame)
    assert same_values(accelerator(pictures[0]), golden[0]), "the next run is good"


def test_a_run_that_is_given_up_is_ended(
    accelerator: Any, model_folder: Path, pictures: Any, golden: list[Any]
) -> None:
    """A time-out of nothing: the run is waited for or ended by loading the bitstream again; the next one is good."""
    program = compile_checkpoint(model_folder, TASKS, accelerator.hardware)
    model = program.manifest.model
    frame = np.zeros((model.image_height, model.image_width, 3), np.uint8)
    with (
        Session(program, accelerator.device, timeout=0.0) as session,
        pytest.raises(SessionError, match="did not finish within 0 s"),
    ):
        session.run(frame)
    assert same_values(accelerator(pictures[0]), golden[0])


def test_a_program_for_other_hardware_is_refused(accelerator: Any, model_folder: Path) -> None:
    other = load_hardware_config("micro_w16a16" if accelerator.hardware.name == "micro" else "micro")
    with pytest.raises(ValueError, match="compile"):
        Session(compile_checkpoint(model_folder, TASKS, other), accelerator.device)


def test_power_is_measured_where_there_are_rails(accelerator: Any, model_folder: Path) -> None:
    program = compile_checkpoint(model_folder, TASKS, accelerator.hardware)
    model = program.manifest.model
    frame = np.zeros((model.image_height, model.image_width, 3), np.uint8)
    rails = accelerator.device.power_rails()
    with Session(program, accelerator.device, timeout=60) as session:
        found, _ = measure(session, frame, 3, 1.0 if rails else 0.1, rails)
    assert found.steady
    assert (found.power is None) == (not rails)
