"""Readers take what is valid, and end well on a fixed sample of what is not; `make fuzz` goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.campaign import Budget, Campaign
from tests.fuzz.readers import READERS
from tests.fuzz.target import Target

CASES = {"files": 60, "video": 30, "torch": 40, "onnx": 60}
GROUPS = sorted({target.group for target in READERS})
NEEDS = {"video": ("cv2",), "torch": ("torch", "scipy"), "onnx": ("torch", "scipy", "onnx", "onnxruntime")}


@pytest.fixture(autouse=True)
def extras(request: pytest.FixtureRequest) -> None:
    """Skip what needs a package that is not there."""
    found = request.node.callspec.params
    group = found["group"] if "group" in found else found["target"].group
    for package in NEEDS.get(group, ()):
        pytest.importorskip(package, reason=f"{package} is not installed here")


@pytest.mark.parametrize("target", READERS, ids=lambda target: target.name)
def test_valid_files_are_read(target: Target, tmp_path: Path) -> None:
    """Else all mutations of them would be refused for the same reason."""
    given, out = tmp_path / "in", tmp_path / "out"
    for number in range(4):
        given.mkdir()
        out.mkdir()
        target.valid(given, target.rng(1, number))
        assert target.attempt(given, out) == "read"
        given.rename(tmp_path / f"in{number}")
        out.rename(tmp_path / f"out{number}")


@pytest.mark.parametrize("group", GROUPS)
def test_mutated_files_are_read_or_refused_with_a_sentence(group: str, tmp_path: Path) -> None:
    """Within the limits of memory and time, and without anything half-written."""
    targets = [target for target in READERS if target.group == group]
    for tally in Campaign(targets, 1, tmp_path).run(Budget(cases=CASES[group])):
        assert not tally.places, f"{tally.target.name}: {tally.places}; repeat: make fuzz REPLAY={tally.kept[0]}"
        assert tally.cases == CASES[group]
        assert set(tally.outcomes) == {"read", "refused"}, "this sample shows only one side"
