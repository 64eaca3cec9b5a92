"""The table of models and shapes: what is planned follows the design note's formula, and what differs is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import sizes, sizes_models
from benchmarks.sizes import planned
from benchmarks.sizes_models import MODELS, case
from benchmarks.sizes_table import joined, read_table, table
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from edgemoe.spec.model import load_model_config

QUICK = ("DeiT-small", "ViT-Base", "small, 2 blocks")
STREAMED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in MODELS if name != "tiny"]


@pytest.mark.parametrize("name", STREAMED)
def test_traffic_of_large_models_is_the_formula_s(name: str) -> None:
    """Rows and weights, to the byte."""
    row = planned(case(name, load_hardware_config("zcu102_stream")))
    assert row["rows"] == row["rows_formula"]
    assert (row["rows"] > 0) == (name not in ("DeiT-small", "DINOv2-small, 257 tokens")), "only these stay on the chip"
    assert row["weights"] == row["weights_formula"]


@pytest.mark.parametrize("shipped", hardware_names())
def test_every_shipped_shape_takes_every_model_by_blocks_if_not_as_it_is(shipped: str) -> None:
    hardware = load_hardware_config(shipped)
    for name in MODELS:
        found = case(name, hardware)
        assert found.as_shipped == (found.hardware == hardware)
        arrays = [(each.token_par, each.in_par, each.out_par, each.precision) for each in (found.hardware, hardware)]
        assert arrays[0] == arrays[1]


def test_what_fits_neither_way_is_refused() -> None:
    narrow = replace(load_hardware_config("micro"), max_experts=8)
    with pytest.raises(DoesNotFitError, match="experts"):
        case("small, 1 task", narrow)


def test_a_model_that_stays_on_the_chip_moves_no_rows() -> None:
    row = planned(case("tiny", load_hardware_config("zcu102")))
    assert (row["as_shipped"], row["turns"], row["rows"], row["rows_formula"]) == (True, 1, 0, 0)
    assert row["weights"] == row["weights_formula"]


@pytest.fixture
def micro_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The table has one small model; the report and the page lie in a folder of their own."""
    monkeypatch.setattr(sizes_models, "MODELS", {"micro": (load_model_config("micro"), 2)})
    monkeypatch.setattr(sizes, "MODELS", sizes_models.MODELS)
    monkeypatch.setattr(sizes, "REPORT", tmp_path / "sizes.json")
    monkeypatch.setattr(sizes, "PAGE", tmp_path / "sizes.md")
    (tmp_path / "sizes.md").write_text(
        f"# Sizes\n<!-- sizes: written by `{sizes.COMMAND}` -->\nold\n<!-- end of sizes -->\n", encoding="utf-8"
    )
    return tmp_path


def test_a_run_writes_report_and_page_and_goes_on(micro_alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--hardware", "micro", "--engines", "csim", "--write"]
    assert sizes.main(words) == 0
    page = (micro_alone / "sizes.md").read_text(encoding="utf-8")
    assert "\nold\n" not in page
    assert "| `micro` |" in page
    assert "= golden" in page
    written = json.loads((micro_alone / "sizes.json").read_text(encoding="utf-8"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sizes, "run", lambda *_: pytest.fail("it is known"))
        assert sizes.main(words) == 0
    for row in written["engines"].values():
        row["equal"] = False
    (micro_alone / "sizes.json").write_text(json.dumps(written), encoding="utf-8")
    capsys.readouterr()
    assert sizes.main(words) == 1
    assert "DIFFERS" in capsys.readouterr().out
    assert "DIFFERS" in (micro_alone / "sizes.md").read_text(encoding="utf-8")


LINE = ("tiny", "`micro`", "1", "3,451,967", "", "", "96", "18.6", "13.3", "= golden", "–")
COUNTED = (*LINE[:4], "3,344,822", "-0.1", *LINE[6:-1], "= golden")
OTHER = ("tiny", "`micro_w16a16`", *LINE[2:])


def test_a_page_keeps_the_lines_that_a_run_does_not_have() -> None:
    """The page is the record: a computer that has run one shape has no report of the others."""
    page = ["text", *table([OTHER, COUNTED]), "more"]
    assert read_table(page) == [OTHER, COUNTED]
    differs, planned_anew = (*LINE[:-2], "DIFFERS", "–"), (*LINE[:3], "3,451,968", *LINE[4:])
    not_run, gone = (*LINE[:-2], "–", "–"), ("gone", *LINE[1:])
    assert joined([OTHER], [LINE], ["tiny"]) == [LINE, OTHER]
    assert joined([LINE], [COUNTED], ["tiny"]) == [COUNTED]
    assert joined([COUNTED], [LINE], ["tiny"]) == [COUNTED], "the RTL's figures stand"
    assert joined([COUNTED], [not_run], ["tiny"]) == [COUNTED]
    assert joined([COUNTED], [differs], ["tiny"]) == [(*COUNTED[:-2], "DIFFERS", "= golden")]
    assert joined([COUNTED], [planned_anew], ["tiny"]) == [planned_anew], "of another program"
    counted_anew, by_blocks = (
        (*planned_anew[:4], *COUNTED[4:-2], "–", "= golden"),
        (*LINE[:2], "3", *COUNTED[3:-2], "–", "–"),
    )
    assert joined([COUNTED], [counted_anew], ["tiny"]) == [(*counted_anew[:-2], "= golden", "= golden")]
    assert joined([COUNTED], [by_blocks], ["tiny"]) == [by_blocks], "the C simulation ran another program"
    assert joined([gone], [LINE], ["tiny"]) == [LINE]


def test_the_page_s_table_is_read_whole() -> None:
    lines = sizes.PAGE.read_text(encoding="utf-8").splitlines()
    written = [line for line in lines if line.startswith("|")]
    assert table(joined(read_table(lines), [], list(MODELS))) == written
