"""Readers take what is valid, and end well on a fixed sample of what is not; `make fuzz` goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.readers import READERS
from tests.fuzz.target import Target


@pytest.mark.parametrize("target", READERS, ids=lambda target: target.name)
def test_valid_files_are_read(target: Target, tmp_path: Path) -> None:
    """Else all mutations of them would be refused for the same reason."""
    given, out = tmp_path / "in", tmp_path / "out"
    for number in range(8):
        given.mkdir()
        out.mkdir()
        target.valid(given, target.rng(1, number))
        assert target.attempt(given, out) == "read"
        given.rename(tmp_path / f"in{number}")
        out.rename(tmp_path / f"out{number}")
