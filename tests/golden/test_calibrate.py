"""Calibration covers every tensor, repeats exactly, and its clipping is the best there is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edgemoe.spec.calibration import calibrated_tensors, load_calibration
from edgemoe.spec.checkpoint import load_checkpoint
from edgemoe.spec.strict import to_dict
from edgemoe_golden.calibrate import calibrate
from edgemoe_golden.model import M3ViT, TensorRecorder
from edgemoe_golden.model.recorder import calibrated_name
from edgemoe_golden.ranges import Histogram, asymmetric_range, symmetric_range, widened_range

SHIPPED = Path(__file__).resolve().parents[2] / "models" / "mini"


def test_every_tensor_has_a_range_in_both_precisions(model: M3ViT, tmp_path: Path) -> None:
    calibration = calibrate(model, 3)
    assert sorted(calibration.ranges) == ["w16a16", "w8a8"]
    for ranges in calibration.ranges.values():
        assert list(ranges) == calibrated_tensors(model.config)
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(to_dict(calibration)))
    assert load_calibration(path, model.config) == calibration


def test_calibration_repeats_exactly(model: M3ViT) -> None:
    assert calibrate(model, 2) == calibrate(model, 2)


def test_recorded_names_cover_the_calibrated_tensors(model: M3ViT, frames: torch.Tensor) -> None:
    names: set[str | None] = set()
    for task in model.config.tasks:
        recorder = TensorRecorder()
        with torch.no_grad():
            model(frames, task.name, recorder)
        names |= {calibrated_name(name) for name in recorder.values}
    assert names - {None} == set(calibrated_tensors(model.config))


def test_residual_is_never_clipped_and_hidden_keeps_its_lower_limit(model: M3ViT) -> None:
    coarse = calibrate(model, 2).ranges["w8a8"]
    recorder = TensorRecorder()
    from edgemoe_golden.calibrate import CALIBRATION_SEEDS, RESIDUAL_MARGIN
    from edgemoe_golden.scenes import draw_scene

    scene = draw_scene(CALIBRATION_SEEDS[1], model.config.image_height, model.config.image_width)
    with torch.no_grad():
        model(torch.from_numpy(scene.image)[None], "depth", recorder)
    largest = max(float(v.abs().max()) for name, v in recorder.values.items() if name.endswith("residual"))
    assert coarse["residual"].magnitude >= largest * RESIDUAL_MARGIN * (1 - 1e-6)
    assert coarse["blocks.0.hidden"].low <= float(recorder.values["blocks.0.hidden"].min())


def quantised_error(values: np.ndarray, low: float, high: float, steps: int) -> float:
    scale = (high - low) / steps
    codes = np.clip(np.round((values - low) / scale), 0, steps)
    return float(((codes * scale + low - values) ** 2).sum())


@pytest.mark.parametrize("kind", ["gauss", "laplace", "outlier"])
def test_clipping_beats_every_other_limit(kind: str) -> None:
    """Against brute force over real quantisation; the histogram's estimate may cost 2 %."""
    rng = np.random.default_rng(8)
    values = rng.laplace(size=40_000) if kind == "laplace" else rng.standard_normal(40_000)
    if kind == "outlier":
        values[:3] = 40
    histogram = Histogram()
    for part in np.array_split(values.astype(np.float32), 5):
        histogram.add(part)
    chosen = symmetric_range(histogram)
    assert chosen.low == -chosen.high
    best = min(quantised_error(values, -c, c, 254) for c in np.linspace(0.25, 1, 80) * np.abs(values).max())
    assert quantised_error(values, chosen.low, chosen.high, 254) <= 1.02 * best


def test_asymmetric_range_starts_at_the_lowest_value() -> None:
    histogram = Histogram()
    histogram.add(np.array([-0.17, 0.0, 1.0, 2.0], dtype=np.float32))
    found = asymmetric_range(histogram)
    assert found.low == np.float32(-0.17)
    assert found.high == 2.0


def test_histogram_keeps_exact_limits_while_it_widens() -> None:
    histogram = Histogram()
    for scale in (1e-7, 1e-3, 1.0, 1e4):
        histogram.add(np.array([-scale, scale / 2], dtype=np.float32))
    assert (histogram.low, histogram.high) == (-1e4, 5e3)
    assert widened_range(histogram, 1.5).high == 1.5e4


def test_activations_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        Histogram().add(np.array([1.0, np.nan], dtype=np.float32))


def test_the_shipped_checkpoint_is_complete_and_small() -> None:
    config, _ = load_checkpoint(SHIPPED)
    calibration = load_calibration(SHIPPED / "calibration.json", config)
    assert sorted(calibration.ranges) == ["w16a16", "w8a8"]
    assert (SHIPPED / "weights.safetensors").stat().st_size <= 2_000_000
    assert config.tokens == 129
