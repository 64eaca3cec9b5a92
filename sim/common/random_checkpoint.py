"""A checkpoint of any shape with seeded random weights, calibrated, for tests and benches that need no sense."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from edgemoe.spec.checkpoint import CALIBRATION_FILE, WEIGHTS_FILE
from edgemoe.spec.files import write_text
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.strict import to_dict
from edgemoe_golden.calibrate import calibrate
from edgemoe_golden.model import M3ViT, save_checkpoint

_DEVIATION = 0.1  # large enough that experts, gates and biases all matter


def random_checkpoint(config: ModelConfig, folder: Path, seed: int = 0, scenes: int = 2) -> Path:
    """Write `folder` and return it."""
    torch.manual_seed(seed)
    model = M3ViT(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * _DEVIATION)
    save_checkpoint(folder, model)
    write_text(folder / CALIBRATION_FILE, json.dumps(to_dict(calibrate(model, scenes))) + "\n")
    return folder


def checkpoint_or_random(folder: Path, spare: Path) -> Path:
    """`folder`; where it has no weights, a random checkpoint of the model that it is named after, written into `spare`.

    Says so on standard output. Raises ConfigError when there is no model of that name.
    """
    if (folder / WEIGHTS_FILE).is_file():
        return folder
    print(f"{folder} has no weights: seeded random ones of the shape '{folder.name}' are used")
    return random_checkpoint(load_model_config(folder.name), spare / folder.name)
