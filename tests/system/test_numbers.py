"""`make numbers`: every setting on a small network, its figures, pictures and file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import numbers, numbers_networks, numbers_page
from benchmarks.numbers_own import own
from benchmarks.numbers_settings import AFTER, ALL_W4, BEFORE, EXPERTS_W4, FINE, WIDE
from edgemoe.errors import ArgumentError
from edgemoe_golden.quantising.options import Options
from tests.examples.program import write_checkpoint

pytest.importorskip("matplotlib")


@pytest.mark.slow
def test_every_setting_of_a_small_network_is_measured_drawn_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "REPORT", tmp_path / "numbers.json")
    monkeypatch.setattr(numbers_networks, "KEPT", tmp_path / "kept")
    checkpoint = write_checkpoint(tmp_path / "model")
    of = own(checkpoint, 2)
    rows = numbers.measured(of)
    names = [row["setting"] for row in rows]
    assert names[:2] == [FINE, BEFORE]
    assert {AFTER, WIDE, "mixed, 10 % more cycles"} <= set(names)
    by_name = {row["setting"]: row for row in rows}
    assert by_name[BEFORE]["more_cycles"] == 0
    assert 0 < by_name["mixed, 10 % more cycles"]["more_cycles"] <= 0.1
    assert by_name[WIDE]["more_cycles"] > 0
    assert by_name[FINE]["same_experts"] >= by_name[WIDE]["same_experts"]
    assert all(numbers.table(of, rows).count(f"\n{row['setting']}  ") == 1 for row in rows)
    again = own(checkpoint, 2)
    monkeypatch.setattr("edgemoe_golden.quantising.recipe.quantise_network", None)
    assert numbers.measured(again) == rows, "a run that was ended goes on from what it kept"
    of = again
    kept = numbers.report("micro", of, rows, 1.0)
    numbers.keep("other", {"rows": []})
    numbers.keep("micro", kept)
    content = json.loads((tmp_path / "numbers.json").read_text())
    assert set(content) == {"other", "micro"}
    kinds = {AFTER: Options(), ALL_W4: Options(narrow=frozenset({"blocks.0.qkv"}))}
    for setting, options in kinds.items():
        assert [step["step"] for step in content["micro"]["steps"][setting][1:]] == list(options.able)
    assert set(content["micro"]["worst"]) == {"before", "after"}
    assert len(list(tmp_path.glob("numbers_micro_*.png"))) == 3


def test_a_network_that_cannot_be_had_is_left_out_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(numbers, "REPORT", tmp_path / "numbers.json")
    numbers.main(["--networks", "edge_moe"])
    numbers.main(["--networks", "edge_moe", "--dense", str(tmp_path)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("edge_moe is left out: its weights are not part of this repository; name their folder")
    assert second.endswith("Edge-MoE's dense weights, *.float32.bin, are not there")
    assert not (tmp_path / "numbers.json").exists()


def test_the_page_takes_its_tables_from_the_file() -> None:
    """A second writing changes nothing; what a bar misses is bold, one of mIoU counts from the float network's."""
    row = {"cycles": 1, "seconds": 2.0, "rmse": 0.1, "wide": []}
    found = [
        {**row, "setting": AFTER, "miou": 0.7, "same_experts": 97.0, "more_cycles": 0.0},
        {**row, "setting": "mixed, 20 % more cycles", "miou": 0.7, "same_experts": 98.0, "more_cycles": 0.19},
        {**row, "setting": EXPERTS_W4, "miou": 0.69, "same_experts": 98.0, "more_cycles": 0.0},
    ]
    gains = [
        {"step": "plain", "learned_db": 3.0, "unseen_db": 2.0, "kept": True},
        {"step": "ranges", "learned_db": 4.0, "unseen_db": 1.0, "kept": False},
    ]
    narrow = [*gains, {"step": "asymmetric", "learned_db": 9.0, "unseen_db": 4.0, "kept": True}]
    report = {"tiny": {"rows": found, "steps": {AFTER: gains, ALL_W4: narrow}, "float": {"miou": 0.7, "rmse": 0.1}}}
    page = numbers_page.updated(numbers_page.PAGE.read_text(encoding="utf-8"), report)
    assert "| mixed, 20 % more cycles | 0.7000 | 0.1000 | 98.00 % | 19.0 % | 2 s |\n" in page
    assert "| mixed, 20 % more cycles | 0.7000, **98.00 %** |\n" in page
    assert "IoU 0.6970, same experts 97.00 % | experts W4 | **0.6900**, 98.00 % |\n" in page
    assert "| ranges | 4.0 dB | 1.0 dB (−1.0), left out | 1.0 dB (−1.0), left out |\n" in page
    assert "| asymmetric |  |  | 4.0 dB (+2.0) |\n" in page
    assert numbers_page.updated(page, report) == page
    with pytest.raises(ArgumentError, match="has no place for 'tiny'"):
        numbers_page.updated("# Nothing", report)


def test_the_page_has_a_place_for_every_network() -> None:
    page = numbers_page.PAGE.read_text(encoding="utf-8")
    assert set(numbers_page.BARS) == set(numbers.NETWORKS)
    assert all(f"<!-- {name}: written" in page and f"<!-- end of {name}, bars -->" in page for name in numbers.NETWORKS)
