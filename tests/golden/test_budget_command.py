"""`edgemoe calibrate … --budget`: what it writes, that it repeats and goes on, and what it refuses in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemoe.cli import main as edgemoe
from edgemoe.compiler.quantise import quantise
from edgemoe.spec.calibrated import CALIBRATED_FILE, load_calibrated
from edgemoe.spec.calibration import Calibration, load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, load_checkpoint
from edgemoe.spec.precision import W8A8
from edgemoe_golden.budget.command import REMEMBERED_FILE, parse_budget
from edgemoe_golden.budget.sensitivity import Sensitivity
from edgemoe_golden.model import M3ViT, save_checkpoint


@pytest.fixture
def given(model: M3ViT, tmp_path: Path) -> list[str]:
    """Arguments of the command for a random model with pictures of another size; two steps, for speed."""
    save_checkpoint(tmp_path / "random", model)
    rng = np.random.default_rng(1)
    (tmp_path / "street").mkdir()
    for index in range(4):
        picture = Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8))
        picture.save(tmp_path / "street" / f"{index}.png")
    report = str(tmp_path / "report")
    return ["calibrate", str(tmp_path / "random"), "--pictures", str(tmp_path / "street"), "--report", report,
            "--without", "ranges,zero-points,equalise"]  # fmt: skip


def files(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in (CALIBRATION_FILE, CALIBRATED_FILE)]


def calibration_of(folder: Path) -> Calibration:
    """Read with its tensors, which must be such as quantise takes."""
    config, tensors = load_checkpoint(folder)
    calibration = load_calibration(folder / CALIBRATION_FILE, config)
    quantise(config, tensors, calibration, W8A8, load_calibrated(folder, config, tensors, calibration))
    return calibration


def test_widths_are_chosen_and_the_steps_taken_again_for_them(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "random"
    assert edgemoe(given) == 0
    without = files(folder), calibration_of(folder)
    assert edgemoe([*given, "--budget", "1%"]) == 0
    text = capsys.readouterr().out
    assert "chosen, steps as for 8 bits" in text
    assert "chosen, steps taken again" in text
    chosen = files(folder), calibration_of(folder)
    assert chosen[1].wide
    assert chosen[1].steps == without[1].steps != ()
    assert chosen[0][1] != without[0][1]
    assert edgemoe([*given, "--budget", "1%"]) == 0
    assert files(folder) == chosen[0], "from a mixed calibration, the search starts from 8 bits again"
    assert edgemoe([*given, "--budget", "0%"]) == 0
    assert (files(folder)[1], calibration_of(folder).wide) == (without[0][1], ())


@pytest.mark.slow
def test_a_command_that_was_interrupted_goes_on_to_the_same_files(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, measured = tmp_path / "random", Sensitivity.with_widths
    assert edgemoe(given) == 0
    before, counts = files(folder), []

    def cut_off(own: Sensitivity, *change: object) -> float:
        counts.append(change)
        if len(counts) == 5:
            raise KeyboardInterrupt
        return measured(own, *change)  # type: ignore[arg-type]

    monkeypatch.setattr(Sensitivity, "with_widths", cut_off)
    assert edgemoe([*given, "--budget", "1%"]) == 130
    assert files(folder) == before
    assert (folder / REMEMBERED_FILE).is_file()
    assert edgemoe([*given, "--budget", "1%"]) == 0
    resumed, again = files(folder), len(counts) - 5
    assert not (folder / REMEMBERED_FILE).exists()
    assert edgemoe([*given, "--budget", "1%"]) == 0
    assert files(folder) == resumed
    assert len(counts) - 5 - again == again + 4, "four measurements were kept"


def test_pictures_of_another_shape_are_said_to_be_stretched(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (60, 20), (200, 0, 0)).save(tmp_path / "street" / "long.png")
    assert edgemoe(given) == 0
    sentence = "1 of 5 pictures are of another shape than the model's 32×48 and are stretched to it; cut them as"
    assert capsys.readouterr().out.startswith(sentence)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), ("10", 0.1), ("0.1", 0.1), (" 15 % ", 0.15), ("0%", 0.0)])
def test_a_budget_is_a_percentage_or_a_share(text: str, share: float) -> None:
    assert parse_budget(text) == pytest.approx(share)


REFUSED = {
    "1000 %": (["--budget", "1000%"], "--budget 1000%: expected 0 … 400 % more cycles, as in --budget 10%"),
    "negative": (["--budget=-5%"], "--budget -5%: expected 0 … 400 % more cycles"),
    "no number": (["--budget", "some"], "--budget some: expected 0 … 400 % more cycles"),
    "fine hardware": (["--budget", "10%", "--hardware", "zcu102_w16a16"], "widths are for w8a8, this is w16a16"),
    "no such hardware": (["--budget", "10%", "--hardware", "nowhere"], "nowhere"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_budget_that_cannot_be_is_one_sentence(
    case: str, given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, sentence = REFUSED[case]
    assert edgemoe([*given, *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert sentence in lines[-1]
    assert not (tmp_path / "random" / CALIBRATION_FILE).exists()
