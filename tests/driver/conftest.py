"""A micro model with random weights, what the golden engine makes of it, and simulated boards; all on real PYNQ."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from simulated_boards import BOARD

from edgemoe.compiler.program import Program
from edgemoe.devices.base import Bytes, MissingToolError
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from tests.examples.program import small_program, write_checkpoint


@pytest.fixture(scope="session")
def program() -> Program:
    """The micro model, both tasks, for hardware `micro`."""
    return small_program()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a checkpoint folder."""
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


@pytest.fixture(scope="session")
def frames(program: Program) -> Any:
    """Five different frames of the model's size."""
    import numpy as np

    model = program.manifest.model
    shape = (5, model.image_height, model.image_width, 3)
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="session")
def expected(program: Program, frames: Any) -> list[Bytes]:
    """The output region of every frame, from the golden engine without PYNQ."""
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        return [session.run_raw(frame) for frame in frames]


@pytest.fixture
def make_board(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """make_board(engine, hardware, **options of SimulatedBoard) → PynqDevice; closed at the end of the test."""
    from edgemoe.pynq.simulated.board import SimulatedBoard
    from edgemoe.pynq.simulated.install import install, write_simulated_overlay

    made: list[Any] = []

    def make(engine: str = "golden", hardware: HardwareConfig | None = None, **options: Any) -> Any:
        hardware = hardware or load_hardware_config("micro")
        try:
            board = SimulatedBoard(open_device(engine, hardware), **options)
        except MissingToolError as error:
            pytest.skip(str(error))
        folder = Path(tempfile.mkdtemp(prefix="overlay", dir=tmp_path))
        made.append(install(board, write_simulated_overlay(folder, BOARD, hardware)))
        return made[-1]

    yield make
    for device in reversed(made):
        device.close()


@pytest.fixture
def board(make_board: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    """A PynqDevice on a simulated board; with the golden engine, unless a test asks for others."""
    return make_board(getattr(request, "param", "golden"))
