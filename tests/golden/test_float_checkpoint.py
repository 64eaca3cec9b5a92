"""Checkpoints come back as they were saved, and unusable ones are refused by name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from edgemoe.spec.checkpoint import WEIGHTS_FILE, CheckpointError
from edgemoe_golden.model import M3ViT, load_checkpoint_model, save_checkpoint


def test_saved_weights_come_back_rounded_to_half_precision(model: M3ViT, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, model)
    loaded = load_checkpoint_model(tmp_path)
    assert loaded.config == model.config
    assert not loaded.training
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float()), name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "weights.safetensors"]


NAME = "backbone.blocks.1.mlp.gate.1.w_gate"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors[NAME].__setitem__((3, 1), np.nan), f"'{NAME}' holds NaN or infinite"),
        (
            lambda tensors: tensors.update({NAME: tensors[NAME].T.copy()}),
            f"'{NAME}' has shape (4, 32); expected (32, 4)",
        ),
        (lambda tensors: tensors.pop(NAME), f"'{NAME}' is missing"),
        (lambda tensors: tensors.update(extra=np.zeros(3, np.float16)), "'extra' does not belong to model 'micro'"),
    ],
    ids=["nan", "shape", "missing", "unknown"],
)
def test_bad_tensors_are_named(model: M3ViT, tmp_path: Path, change: object, message: str) -> None:
    save_checkpoint(tmp_path, model)
    tensors = load_file(tmp_path / WEIGHTS_FILE)
    change(tensors)
    save_file(tensors, tmp_path / WEIGHTS_FILE)
    with pytest.raises(CheckpointError) as error:
        load_checkpoint_model(tmp_path)
    assert message in str(error.value)


def test_unsafe_weights_are_not_saved(model: M3ViT, tmp_path: Path) -> None:
    with torch.no_grad():
        model.backbone.cls_token[0, 0, 0] = 1e6
    with pytest.raises(CheckpointError, match=r"as float16, tensor 'backbone.cls_token' holds NaN or infinite"):
        save_checkpoint(tmp_path / "new", model)
    assert not (tmp_path / "new").exists()
