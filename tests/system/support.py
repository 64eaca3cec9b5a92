"""Running programs, for the system tests."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program
from edgemoe.devices.registry import open_device
from edgemoe.results import FrameResult
from edgemoe.session import Session
from edgemoe_golden.scenes import draw_scene


@cache
def scene(height: int, width: int, seed: int = 27) -> NDArray[np.uint8]:
    """A drawn street of that size."""
    return draw_scene(seed, height, width).image


def frame_of(program: Program, seed: int = 27) -> NDArray[np.uint8]:
    """A frame that the program takes."""
    model = program.manifest.model
    return scene(model.image_height, model.image_width, seed)


def result_of(program: Program, engine: str = "golden", seed: int = 27) -> FrameResult:
    """One frame on a fresh device."""
    with open_device(engine, program.manifest.hardware) as device, Session(program, device) as session:
        return session.run(frame_of(program, seed))


def assert_same(left: FrameResult, right: FrameResult, task: str) -> None:
    """Every output and every routing entry of one task, with ==."""
    assert np.array_equal(left.outputs[task], right.outputs[task]), f"outputs of {task} differ"
    assert left.routing[task].keys() == right.routing[task].keys()
    for block, (experts, scores) in left.routing[task].items():
        assert np.array_equal(experts, right.routing[task][block][0]), f"experts of {task}, block {block} differ"
        assert np.array_equal(scores, right.routing[task][block][1]), f"scores of {task}, block {block} differ"
