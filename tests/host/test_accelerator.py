"""Accelerator: a model on an engine in three lines; closing and errors leave nothing behind."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from edgemoe import Accelerator
from edgemoe.devices.base import DeviceError
from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.errors import EdgeMoeError
from edgemoe.session import SessionError
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.strict import ConfigError
from tests.examples.program import write_checkpoint

FRAME = np.random.default_rng(5).integers(0, 256, (60, 100, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


def test_three_lines_give_a_result_and_engines_agree(checkpoint: Path) -> None:
    results = []
    for engine in ("golden", "csim"):
        try:
            with Accelerator(engine, "micro") as accelerator:
                accelerator.load(checkpoint)
                results.append(accelerator(FRAME, tasks=("semseg", "depth")))
        except DeviceError as error:
            pytest.skip(str(error))
    assert [result.engine for result in results] == ["golden", "csim"]
    for task in ("semseg", "depth"):
        assert np.array_equal(results[0].outputs[task], results[1].outputs[task])


def test_tasks_may_change_from_frame_to_frame(checkpoint: Path) -> None:
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        both = accelerator(FRAME)
        assert set(both.outputs) == {"semseg", "depth"}
        alone = accelerator(FRAME, tasks=["depth"])
        assert set(alone.outputs) == {"depth"}
        assert np.array_equal(alone.outputs["depth"], both.outputs["depth"])


def test_closing_gives_everything_back_and_is_final(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = FlatMemory()
    accelerator = Accelerator("golden", "micro")
    monkeypatch.setattr(accelerator._device, "_memory", memory)
    accelerator.load(checkpoint)
    accelerator(FRAME)
    assert memory.allocated > 0
    accelerator.load(checkpoint)
    assert memory.allocated == 0
    accelerator(FRAME)
    accelerator.close()
    accelerator.close()
    assert memory.allocated == 0
    with pytest.raises(SessionError, match="is closed"):
        accelerator(FRAME)


def test_hundreds_of_frames_leak_nothing(checkpoint: Path) -> None:
    """Python's own count of live bytes: the process' size would also count what other tests left behind."""
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        for _ in range(10):
            accelerator(FRAME, tasks=("depth",))
        tracemalloc.start()
        try:
            accelerator(FRAME, tasks=("depth",))
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(300):
                accelerator(FRAME, tasks=("depth",))
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 50_000, "bytes"
        finally:
            tracemalloc.stop()


def test_errors_are_sentences_and_the_next_call_works(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="unknown device 'zcu1'"):
        Accelerator("zcu1")
    with pytest.raises(ConfigError, match="no hardware configuration 'zcu1'"):
        Accelerator("golden", "zcu1")
    with Accelerator("golden", "micro") as accelerator:
        with pytest.raises(SessionError, match="no model is loaded"):
            accelerator(FRAME)
        accelerator.load(tmp_path / "nowhere")
        with pytest.raises((CheckpointError, ConfigError)):
            accelerator(FRAME)
        accelerator.load(checkpoint)
        with pytest.raises(ConfigError, match="has no task 'normals'"):
            accelerator(FRAME, tasks=("normals",))
        with pytest.raises(ValueError, match="expected uint8"):
            accelerator(FRAME.astype(float))  # type: ignore[arg-type]
        with pytest.raises(EdgeMoeError, match="a frame is a NumPy array"):
            accelerator("street.png")  # type: ignore[arg-type]
        assert set(accelerator(FRAME).outputs) == {"semseg", "depth"}


def test_one_task_may_be_named_by_itself(checkpoint: Path) -> None:
    """A string is a sequence of letters, too, and `no task 'd'` helps nobody."""
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        assert set(accelerator(FRAME, tasks="depth").outputs) == {"depth"}
        assert [set(result.outputs) for result in accelerator.stream([FRAME], tasks="semseg")] == [{"semseg"}]
