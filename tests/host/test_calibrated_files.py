"""`calibrated.safetensors` comes from strangers, too: what fits neither model nor calibration is one sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from edgemoe.cli import main
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.spec.calibrated import CALIBRATED_FILE, load_calibrated
from edgemoe.spec.calibration import Calibration, load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, CheckpointError, load_checkpoint
from edgemoe.spec.files import write_together
from edgemoe.spec.hardware import load_hardware_config
from tests.examples.program import write_checkpoint

LAYER = "backbone.blocks.0.mlp.fc1"
Stored = dict[str, np.ndarray]


def stored(folder: Path, limit: int = 127) -> Stored:
    """A right file: one layer in integers, one norm replaced."""
    _, tensors = load_checkpoint(folder)
    weight = tensors[f"{LAYER}.weight"]
    scale = (np.abs(weight).max(axis=1) / limit).astype(np.float32)
    return {
        f"{LAYER}.integers": np.rint(weight / scale[:, None]).astype(np.int8),
        f"{LAYER}.scale": scale,
        "backbone.blocks.0.norm2.weight": tensors["backbone.blocks.0.norm2.weight"] * 2,
    }


def place(folder: Path, content: bytes, **changes: object) -> Calibration:
    """Write a file and name it in the calibration; returns that."""
    (folder / CALIBRATED_FILE).write_bytes(content)
    path = folder / CALIBRATION_FILE
    data = json.loads(path.read_text(encoding="utf-8"))
    data |= {"tensors_sha256": hashlib.sha256(content).hexdigest(), **changes}
    path.write_text(json.dumps(data), encoding="utf-8")
    return load_calibration(path, load_checkpoint(folder)[0])


def test_what_fits_is_taken(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    config, tensors = load_checkpoint(folder)
    file = stored(folder)
    found = load_calibrated(folder, config, tensors, place(folder, save(file)))
    assert found is not None
    back = np.rint(found.tensors[f"{LAYER}.weight"] / found.steps[LAYER][:, None])
    assert np.array_equal(back, file[f"{LAYER}.integers"])
    own = "backbone.blocks.0.norm2.weight"
    assert np.array_equal(found.tensors[own], 2 * tensors[own])
    assert compile_checkpoint(folder, None, load_hardware_config("micro"))


def test_a_file_that_no_calibration_names_is_not_read(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / CALIBRATED_FILE).write_bytes(b"of an older calibration")
    config, tensors = load_checkpoint(folder)
    assert load_calibrated(folder, config, tensors, load_calibration(folder / CALIBRATION_FILE, config)) is None


def test_a_file_of_another_calibration_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As when the writer was killed between the two files."""
    folder = write_checkpoint(tmp_path / "model")
    place(folder, save(stored(folder)))
    other = stored(folder)
    other[f"{LAYER}.scale"] *= 2
    (folder / CALIBRATED_FILE).write_bytes(save(other))
    arguments = ["compile", "--model", str(folder), "--hardware", "micro", "--out", str(tmp_path / "program")]
    assert main(arguments) == 1
    assert "belongs to another calibration than the one beside it; calibrate again" in capsys.readouterr().err
    (folder / CALIBRATED_FILE).unlink()
    assert main(arguments) == 1
    assert "no such file, but model's calibration rests on it; calibrate again" in capsys.readouterr().err


def changed(name: str, make: Callable[[np.ndarray], np.ndarray]) -> Callable[[Stored], object]:
    return lambda file: file.update({name: make(file[name])})


INTEGERS, SCALE = f"{LAYER}.integers", f"{LAYER}.scale"
NORM = "backbone.blocks.0.norm2.weight"
WRONG: dict[str, tuple[Callable[[Stored], object], str]] = {
    "−128": (changed(INTEGERS, lambda v: np.full_like(v, -128)), r"holds 128; integers lie within ±127"),
    "shape": (changed(INTEGERS, lambda v: v.T.copy()), r"is int8 \(32, 64\); expected int8 \(64, 32\)"),
    "float integers": (changed(INTEGERS, lambda v: v.astype(np.float32)), "is float32 .*; expected int8"),
    "no scale": (lambda file: file.pop(SCALE), f"tensor '{SCALE}' is missing; expected float32"),
    "scale of 0": (changed(SCALE, np.zeros_like), "must be finite and above 0 everywhere"),
    "scale of NaN": (changed(SCALE, lambda v: v * np.float32(np.nan)), "must be finite and above 0 everywhere"),
    "one scale": (changed(SCALE, lambda v: v[:1].copy()), r"is float32 \(1,\); expected float32 \(64,\)"),
    "scale alone": (lambda file: file.pop(INTEGERS), "is a scale without integers"),
    "integers of a norm": (
        lambda file: file.update({"backbone.blocks.0.norm1.integers": np.ones(32, dtype=np.int8)}),
        "'backbone.blocks.0.norm1.integers' does not belong to model 'micro'",
    ),
    "unknown": (lambda file: file.update({"x": np.ones(3, dtype=np.float32)}), "tensor 'x' has no place in the model"),
    "type": (lambda file: file.update({NORM: np.ones(32)}), f"tensor '{NORM}' holds F64; expected I8 or F32"),
    "NaN": (changed(NORM, lambda v: v * np.float32(np.nan)), "holds NaN or infinite values"),
    "shape of a norm": (changed(NORM, lambda v: v[:5].copy()), r"is float32 \(5,\); expected float32 \(32,\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_named(case: str, tmp_path: Path) -> None:
    change, sentence = WRONG[case]
    folder = write_checkpoint(tmp_path / "model")
    file = stored(folder)
    change(file)
    calibration = place(folder, save(file))
    with pytest.raises(CheckpointError, match=sentence):
        load_calibrated(folder, *load_checkpoint(folder), calibration)


def test_integers_of_a_narrow_layer_lie_within_7(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    narrow = place(folder, save(stored(folder, limit=7)), narrow=["blocks.0.fc1"])
    assert load_calibrated(folder, *load_checkpoint(folder), narrow)
    wider = place(folder, save(stored(folder, limit=8)), narrow=["blocks.0.fc1"])
    with pytest.raises(CheckpointError, match=r"holds 8; integers lie within ±7"):
        load_calibrated(folder, *load_checkpoint(folder), wider)


def test_files_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    """The second name is that of a folder, which no file can replace."""
    (tmp_path / "first").write_text("old")
    (tmp_path / "second").mkdir()
    with pytest.raises(OSError, match="second"):
        write_together(tmp_path, {"first": b"new", "third": b"new", "second": b"new"})
    assert (tmp_path / "first").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
    (tmp_path / "second").rmdir()
    write_together(tmp_path, {"first": b"new", "second": b"new"})
    assert [(tmp_path / name).read_bytes() for name in ("first", "second")] == [b"new", b"new"]
