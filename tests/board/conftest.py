"""The board that a self-test runs on: EDGEMOE_BOARD=zcu102, kv260 or pynq_zu; every test is skipped without one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgemoe.devices.registry import ENGINES
from edgemoe.pynq.board import SIMULATED_VARIABLE

BOARD_VARIABLE = "EDGEMOE_BOARD"
MODEL = Path(__file__).resolve().parents[2] / "models" / "mini"


def board_name() -> str | None:
    """The board to test; a simulated one is enough to try the self-test itself."""
    return os.environ.get(BOARD_VARIABLE) or ("zcu102" if os.environ.get(SIMULATED_VARIABLE) else None)


@pytest.fixture(scope="session")
def model_folder() -> Path:
    """The checkpoint that comes with the repository."""
    return MODEL


@pytest.fixture(scope="session")
def accelerator() -> Iterator[Any]:
    """On the board, with the shipped model, open for all tests; a board that does not open is an error."""
    from edgemoe import Accelerator

    name = board_name()
    if name is None:
        boards = ", ".join(each for each, engine in ENGINES.items() if engine.board)
        pytest.skip(f"no board: set {BOARD_VARIABLE} to {boards} on one (docs/driver.md)")
    with Accelerator(name, timeout=60.0) as opened:
        opened.load(MODEL)
        yield opened


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is for boards."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.board)
