"""`make real` where nothing can be fetched, and how it compares maps; the run itself needs a package index."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import real, real_sources
from benchmarks.real_sources import CALIBRATING, MEASURED, PHOTOGRAPHS, UnavailableError


def test_without_a_package_index_it_is_skipped_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(real_sources, "FOLDER", tmp_path)
    monkeypatch.setattr(real_sources.sys, "executable", "false")
    assert real.main([]) == 0
    said = capsys.readouterr().out.strip()
    assert said.startswith("skipped: the package scikit-image==0.26.0 cannot be had here")
    assert "\n" not in said


def test_another_network_than_the_measured_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_sources, "FOLDER", tmp_path)
    path = tmp_path / real_sources.NETWORK.name / real_sources.NETWORK_MEMBER
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    with pytest.raises(UnavailableError, match="is not that of the network that was measured"):
        real_sources.network()


def test_no_photograph_both_calibrates_and_is_measured() -> None:
    assert not {each.name for each in CALIBRATING} & {each.name for each in MEASURED}
    assert len(CALIBRATING) + len(MEASURED) == len(PHOTOGRAPHS)
    assert all(each.licence and each.author for each in PHOTOGRAPHS)


def test_maps_agree_by_correlation_and_overlap() -> None:
    theirs = np.array([[0.9, 0.8], [0.1, 0.2]], np.float32)
    same = real.agreement("a", "w8a8", theirs, theirs)
    assert (same.correlation, same.overlap, same.difference) == (pytest.approx(1), 1, 0)
    half = real.agreement("a", "w8a8", np.array([[0.9, 0.4], [0.1, 0.2]], np.float32), theirs)
    assert half.overlap == 0.5
    flat = real.agreement("a", "w8a8", theirs / 2, theirs / 4)
    assert flat.overlap is None
    assert real.summary([half, flat], "w8a8") == (pytest.approx((half.correlation + flat.correlation) / 2), 0.5)
