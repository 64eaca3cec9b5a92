"""The board that a self-test runs on: EDGEMOE_BOARD=zcu102 or another's name; every test is skipped without one.

To try the self-test itself a simulated board is enough (EDGEMOE_SIMULATED_BOARD). Where that is the Verilog, model and
hardware are small ones, because the shipped model takes seconds a frame there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgemoe.devices.registry import ENGINES
from edgemoe.pynq.board import SIMULATED_VARIABLE

BOARD_VARIABLE = "EDGEMOE_BOARD"
TESTS = Path(__file__).resolve().parents[1]
MODEL = TESTS.parent / "models" / "mini"
SIMULATED = os.environ.get(SIMULATED_VARIABLE)
SMALL = SIMULATED == "rtl"


def board_name() -> str | None:
    """The board to test."""
    return os.environ.get(BOARD_VARIABLE) or ("zcu102" if SIMULATED else None)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint that comes with the repository, or a small one with random weights."""
    if not SMALL:
        return MODEL
    from tests.examples.program import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


@pytest.fixture(scope="session")
def accelerator(model_folder: Path) -> Iterator[Any]:
    """On the board, with its model, open for all tests; a board that does not open is an error."""
    from edgemoe import Accelerator

    name = board_name()
    if name is None:
        boards = ", ".join(each for each, engine in ENGINES.items() if engine.board)
        pytest.skip(f"no board: set {BOARD_VARIABLE} to {boards} on one (docs/hardware/driver.md)")
    with Accelerator(name, "micro" if SMALL else None, timeout=60.0) as opened:
        opened.load(model_folder)
        yield opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is for boards."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.board)
