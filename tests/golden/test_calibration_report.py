"""What calibration shows: losses as measured on the values, rules to choose from, a picture, plain errors."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from edgemoe.cli import main as edgemoe
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedMoe
from edgemoe.extras import how_to_install
from edgemoe.spec.calibration import Range, calibrated_tensors, load_calibration
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import W8A8, W16A16, Precision
from edgemoe_golden.calibrate import calibration_of, drawn_frames, main, observe
from edgemoe_golden.calibration_picture import LIMIT, OUTSIDE, draw_distribution
from edgemoe_golden.calibration_report import EXACT_DB, Grid, decibels, gate_grid, grid, losses, table, weight_losses
from edgemoe_golden.model import M3ViT, TensorRecorder, save_checkpoint
from edgemoe_golden.quantising.pictures import read_folders
from edgemoe_golden.ranges import RULES, Histogram


@pytest.fixture
def checkpoint(model: M3ViT, tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "random", model)
    return tmp_path / "random"


def test_losses_are_those_of_quantising_the_values(model: M3ViT, config: ModelConfig) -> None:
    """The histogram's estimate against rounding every value; within 0.3 dB above 8 values a step."""
    histograms = observe(model, drawn_frames(config, 1), 1)
    calibration = calibration_of(config, histograms, "test", "least-error")
    values: dict[str, list[np.ndarray]] = {}
    for task in config.tasks:
        recorder = TensorRecorder()
        with torch.no_grad():
            for frame in drawn_frames(config, 1):
                model(torch.from_numpy(frame.copy())[None], task.name, recorder)
        for name in ("blocks.0.norm1", "blocks.1.attention", "blocks.0.hidden", "blocks.1.value"):
            values.setdefault(name, []).append(recorder.values[name].double().numpy().ravel())
    found = {(loss.precision, loss.tensor): loss for loss in losses(config, calibration, histograms)}
    for name, parts in values.items():
        seen, loss = np.concatenate(parts), found["w8a8", name]
        steps = 2**loss.bits - (1 if name.endswith("hidden") else 2)
        step = (loss.high - loss.low) / steps
        codes = np.clip(np.rint((seen - loss.low) / step), 0, steps)
        error = ((codes * step + loss.low - seen) ** 2).sum()
        assert loss.sqnr_db == pytest.approx(10 * np.log10((seen**2).sum() / error), abs=0.3), name
        outside = ((seen < loss.low) | (seen > loss.high)).mean()
        assert loss.clipped == pytest.approx(outside, abs=2e-4), name


def test_every_tensor_has_a_loss_and_the_worst_comes_first(model: M3ViT, config: ModelConfig) -> None:
    histograms = observe(model, drawn_frames(config, 1), 1)
    found = losses(config, calibration_of(config, histograms, "test", "least-error"), histograms)
    assert len(found) == 2 * (len(calibrated_tensors(config)) + len(config.moe_blocks))
    coarse = [loss.sqnr_db for loss in found if loss.precision == "w8a8"]
    assert coarse == sorted(coarse)
    assert min(loss.sqnr_db for loss in found if loss.precision == "w16a16") > max(50.0, coarse[0] + 30)
    lines = table(found, 3).splitlines()
    assert len(lines) == 2 * (1 + 3)
    assert lines[1].split()[:3] == [found[0].tensor, str(found[0].bits), f"{found[0].sqnr_db:.1f}"]
    assert len(table(found, None).splitlines()) == 2 + len(found)


def test_least_error_is_never_worse_than_the_other_rules(model: M3ViT, config: ModelConfig) -> None:
    histograms = observe(model, drawn_frames(config, 2), 2)
    sqnr = {
        rule: {
            loss.tensor: loss.sqnr_db
            for loss in losses(config, calibration_of(config, histograms, "test", rule), histograms)
            if loss.precision == "w8a8"
        }
        for rule in RULES
    }
    for rule in RULES:
        assert all(sqnr["least-error"][name] >= value - 0.2 for name, value in sqnr[rule].items()), rule
    assert sqnr["largest"] != sqnr["percentile"]


def test_rules_on_values_with_one_outlier() -> None:
    histogram = Histogram()
    histogram.add(np.append(np.linspace(-1, 1, 200_001), 40).astype(np.float32))
    chosen = {rule: symmetric(histogram).high for rule, (symmetric, _) in RULES.items()}
    assert chosen["largest"] == 40
    assert chosen["percentile"] == pytest.approx(1, abs=0.05)
    assert histogram.clipped(-1.1, 1.1) == pytest.approx(1 / 200_002)


@pytest.mark.parametrize("slack", [-1e-4, 0.0, 1e-6], ids=lambda value: f"{value:g}")
def test_values_that_crowd_at_the_lower_limit_are_not_taken_for_clipped(slack: float) -> None:
    """GELU's: half of all within 0.0001 of its minimum, much less than a bin of the histogram."""
    values = np.append(-0.17 + np.linspace(0, 1e-4, 5000), np.linspace(-0.1, 3, 5000)).astype(np.float32)
    histogram = Histogram()
    histogram.add(values)
    low = float(values.min()) + slack
    outside = float((values < low).mean())
    assert histogram.clipped(low, 3) == pytest.approx(outside, abs=0.006)
    assert histogram.clipped(low, 2) == pytest.approx(outside + float((values > 2).mean()), abs=0.006)


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        ("blocks.0.norm1", Grid(-2, 2, 254, 8)),
        ("residual", Grid(-2, 2, 65534, 16)),
        ("heads.depth.output", Grid(-2, 2, 65534, 16)),
        ("blocks.0.hidden", Grid(-0.5, 2, 255, 8)),
    ],
)
def test_grids_are_those_of_the_arithmetic(tensor: str, expected: Grid) -> None:
    assert grid(tensor, Range(-0.5, 2.0), W8A8) == expected


def test_scores_have_a_fixed_grid_in_octaves() -> None:
    for precision, fraction in ((W8A8, 6), (W16A16, 12)):
        scores = grid("blocks.0.scores", Range(-1, 1), precision)
        assert (scores.high - scores.low) / scores.steps == pytest.approx(np.log(2) / 2**fraction)


@pytest.mark.parametrize("precision", [W8A8, W16A16], ids=lambda p: p.name)
def test_the_gate_reads_16_bits_in_either_precision(precision: Precision, model: M3ViT, config: ModelConfig) -> None:
    gate = gate_grid(Range(-2, 2), precision)
    assert gate.bits == 16
    assert (gate.high - gate.low) / gate.steps == pytest.approx(2 * 2 / 2**16, rel=0.01)
    histograms = observe(model, drawn_frames(config, 1), 1)
    found = losses(config, calibration_of(config, histograms, "test", "largest"), histograms)
    own = {loss.tensor: loss for loss in found if loss.precision == precision.name}
    for block in config.moe_blocks:
        saved = own[f"blocks.{block}.gate.input"].sqnr_db - own[f"blocks.{block}.norm2"].sqnr_db
        assert saved == pytest.approx(48 if precision is W8A8 else 0, abs=1)


@pytest.mark.parametrize("precision", [W8A8, W16A16], ids=lambda p: p.name)
def test_weight_losses_are_those_of_the_compilers_integers(precision: Precision, model: M3ViT) -> None:
    config = model.config
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    histograms = observe(model, drawn_frames(config, 1), 1)
    integers = quantise(config, tensors, calibration_of(config, histograms, "test", "least-error"), precision)
    found = {loss.tensor: loss for loss in weight_losses(config, tensors, precision)}
    sparse = integers.blocks[config.moe_blocks[0]]
    assert isinstance(sparse.mlp, QuantisedMoe)
    name = f"backbone.blocks.{config.moe_blocks[0]}"
    cases = {
        f"{name}.attn.qkv.weight": sparse.attention.qkv.weight,
        f"{name}.mlp.experts.h4toh.weight": np.stack([expert.down.weight for expert in sparse.mlp.experts]),
        f"heads.{config.tasks[0].name}.linear.weight": integers.heads[config.tasks[0].name].linear.weight,
    }
    for tensor, codes in cases.items():
        weight = tensors[tensor].astype(np.float64)
        scale = np.abs(weight).max(axis=-1, keepdims=True) / np.abs(codes).max(axis=-1, keepdims=True)
        error = ((codes * scale - weight) ** 2).sum()
        assert found[tensor].sqnr_db == pytest.approx(10 * np.log10((weight**2).sum() / error), abs=0.01), tensor
    gates = [loss for tensor, loss in found.items() if tensor.endswith("w_gate")]
    assert len(gates) == len(config.moe_blocks) * len(config.tasks)
    assert all(loss.bits == 16 and loss.sqnr_db > 70 for loss in gates)


def test_a_tensor_without_error_has_a_finite_figure() -> None:
    assert decibels(0.0, 0.0) == decibels(1.0, 0.0) == EXACT_DB
    assert decibels(100.0, 1.0) == pytest.approx(20)


def test_the_command_writes_ranges_losses_and_a_picture(
    checkpoint: Path, config: ModelConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([str(checkpoint), "--scenes", "2", "--rule", "percentile", "--report", str(tmp_path / "report")])
    text = capsys.readouterr().out
    assert "SQNR dB" in text
    assert "by rule 'percentile'" in text
    load_calibration(checkpoint / "calibration.json", config)
    written = json.loads((tmp_path / "report/calibration_random.json").read_text())
    activations = {loss["tensor"] for loss in written if loss["kind"] == "activation"}
    assert activations == set(calibrated_tensors(config))
    assert {loss["kind"] for loss in written} == {"activation", "gate", "weight"}
    assert np.asarray(Image.open(tmp_path / "report/calibration_random.png")).std() > 0


def test_ranges_that_are_there_can_be_judged_and_kept(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = ["--scenes", "1", "--report", str(tmp_path / "report")]
    main([str(checkpoint), "--rule", "largest", *report])
    before = (checkpoint / "calibration.json").read_bytes()
    losses_before = (tmp_path / "report/calibration_random.json").read_text()
    main([str(checkpoint), "--keep", *report])
    assert (checkpoint / "calibration.json").read_bytes() == before
    assert (tmp_path / "report/calibration_random.json").read_text() == losses_before
    assert "kept as they are" in capsys.readouterr().out


def test_without_matplotlib_ranges_are_still_written_and_the_drawing_is_missed_in_words(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    main([str(checkpoint), "--scenes", "1", "--report", str(tmp_path / "report")])
    assert f"none drawn (a drawing needs matplotlib; run: {how_to_install('plots')})" in capsys.readouterr().out
    assert (checkpoint / "calibration.json").is_file()
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["calibration_random.json"]


def test_the_picture_shows_both_limits_of_the_grid() -> None:
    histogram = Histogram()
    histogram.add(np.linspace(-3, 2, 10_001, dtype=np.float32))
    picture = np.asarray(draw_distribution(histogram, -1.5, 1.5, "tensor", "remark").convert("RGB"))
    limit, outside = ImageColor.getrgb(LIMIT), ImageColor.getrgb(OUTSIDE)
    lines = np.flatnonzero((picture == limit).all(-1).sum(axis=0) > 200)
    clipped = np.flatnonzero((picture == outside).all(-1).sum(axis=0) > 100)
    assert len(lines) == 2 * 2, "two lines of two pixels"
    assert clipped.min() < lines.min() < lines.max() < clipped.max()
    shown = clipped.max() - clipped.min()
    assert lines.max() - lines.min() == pytest.approx(3 / 5 * shown, rel=0.01)


def test_pictures_of_any_size_can_be_looked_at(checkpoint: Path, config: ModelConfig, tmp_path: Path) -> None:
    folder = tmp_path / "street"
    folder.mkdir()
    Image.new("RGB", (70, 50), (10, 200, 30)).save(folder / "a.png")
    Image.new("L", (30, 20), 90).save(folder / "b.jpg")
    main([str(checkpoint), "--pictures", str(folder), "--report", str(tmp_path / "report")])
    calibration = load_calibration(checkpoint / "calibration.json", config)
    assert calibration.provenance.startswith("edgemoe_golden.calibrate on 2 pictures of 'street'")


@pytest.mark.parametrize("kind", ["empty", "broken"])
def test_pictures_that_cannot_be_used_are_named(
    kind: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "street"
    folder.mkdir()
    if kind == "broken":
        (folder / "a.png").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as ended:
        main([str(checkpoint), "--pictures", str(folder), "--report", str(tmp_path / "report")])
    assert ended.value.code == 1
    broken = "0 pictures in 'street' (skipped: 'a.png' is not a picture that can be read; accepted are"
    expected = broken if kind == "broken" else "street: no pictures; expected files ending in"
    assert expected in capsys.readouterr().err
    assert not (checkpoint / "calibration.json").exists()


def test_a_picture_that_cannot_be_read_is_skipped_and_the_others_are_looked_at(
    checkpoint: Path, config: ModelConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """As `edgemoe run` does; and nothing is written where the user happens to be."""
    folder, here = tmp_path / "street", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    (folder / "0.jpg").write_bytes(b"no picture")
    (folder / "phone.heic").write_bytes(b"\0" * 16)
    for index in range(1, 4):
        Image.new("RGB", (48, 32), (index * 40, 200, 30)).save(folder / f"{index}.png")
    assert edgemoe(["calibrate", str(checkpoint), "--pictures", str(folder), "--rule", "largest"]) == 1
    said = capsys.readouterr().err
    assert "edgemoe: skipped: '0.jpg' is not a picture that can be read" in said
    assert "edgemoe: skipped: 'phone.heic' is HEIC, which is not read here; save it as JPEG" in said
    calibration = load_calibration(checkpoint / "calibration.json", config)
    assert calibration.provenance.startswith("edgemoe_golden.calibrate on 3 pictures of 'street'")
    rows = json.loads((checkpoint / "report/calibration_random.json").read_text())
    assert [Path(row["source"]).name for row in rows if row["kind"] == "skipped"] == ["phone.heic", "0.jpg"]
    assert not list(here.iterdir())


def test_pictures_are_read_upright_as_run_reads_them(config: ModelConfig, tmp_path: Path) -> None:
    """A phone's picture lies on its side in its file, and says so."""
    rng = np.random.default_rng(1)
    size = (config.image_height, config.image_width, 3)
    upright = [rng.integers(0, 256, size, dtype=np.uint8) for _ in range(2)]
    exif = Image.Exif()
    exif[0x0112] = 6
    for index, picture in enumerate(upright):
        Image.fromarray(np.rot90(picture).copy()).save(tmp_path / f"{index}.png", exif=exif)
    found = read_folders(config, [tmp_path])
    assert found.stretched == 0
    assert all((frame == picture).all() for frame, picture in zip(found.frames, upright, strict=True))


def test_a_percent_sign_stands_once_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        edgemoe(["calibrate", "--help"])
    text = capsys.readouterr().out
    assert "%%" not in text
    assert "10%" in text
