"""What a run leaves in a checkpoint folder: `calibration.json` and, beside it, `calibrated.safetensors`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from edgemoe.spec.calibrated import CALIBRATED_FILE, INTEGERS, SCALE
from edgemoe.spec.calibration import (
    CALIBRATION_VERSION,
    WIDE,
    Calibration,
    Range,
    calibrated_tensors,
    mixable_activations,
    mixable_layers,
)
from edgemoe.spec.checkpoint import CALIBRATION_FILE
from edgemoe.spec.files import write_together
from edgemoe.spec.precision import NARROW_LIMIT, W8A8
from edgemoe.spec.strict import to_dict
from edgemoe_golden.calibration_report import Loss, decibels, worst_first
from edgemoe_golden.quantising.options import STEPS
from edgemoe_golden.quantising.work import Work


def tensors_of(work: Work) -> dict[str, NDArray[np.generic]]:
    """Contents of `calibrated.safetensors`: integers and scales of rounded layers, and float tensors to replace."""
    tensors: dict[str, NDArray[np.generic]] = {}
    for layer, parts in work.result.layers.items():
        shape = tuple(work.state[f"{layer}.weight"].shape)
        tensors[layer + INTEGERS] = np.stack([part.integers for part in parts]).reshape(shape)
        tensors[layer + SCALE] = np.stack([part.scale for part in parts]).reshape(shape[:-1])
    for name, value in work.state.items():
        if name.endswith((".bias", ".norm1.weight", ".norm2.weight", ".norm.weight", ".w_gate")):
            tensors[name] = value.numpy().astype(np.float32)
    return tensors


def calibration_of(work: Work, scores: Mapping[str, Range], fine: dict[str, Range], provenance: str) -> Calibration:
    """Ranges of all tensors. scores: of attention scores, which have no grid of their own. fine: those of W16A16."""
    config, options = work.config, work.options
    coarse, wide = ({**scores, **ranges} for ranges in (work.result.ranges, work.result.wide))
    names = calibrated_tensors(config)
    ranges = {"w8a8": {name: coarse[name] for name in names}, WIDE: {name: wide[name] for name in names}}
    return Calibration(
        CALIBRATION_VERSION,
        config.hash(),
        f"{provenance}, all tasks of '{config.name}'",
        {**ranges, "w16a16": fine},
        tuple(name for name in mixable_activations(config) if name in options.wide),
        tuple(name for name in mixable_layers(config) if name in options.narrow),
        steps=tuple(step for step in STEPS if step in options.steps),
    )


def write_calibrated(folder: Path, calibration: Calibration, stored: Mapping[str, NDArray[np.generic]]) -> Calibration:
    """Write both files, or leave both as they were; returns what `calibration.json` says.

    stored: contents of `calibrated.safetensors`, from `tensors_of`.
    """
    content = save(dict(stored), {"format": "edgemoe"})
    calibration = replace(calibration, tensors_sha256=hashlib.sha256(content).hexdigest())
    text = json.dumps(to_dict(calibration), indent=1) + "\n"
    write_together(folder, {CALIBRATED_FILE: content, CALIBRATION_FILE: text.encode()})
    return calibration


def rounded_losses(work: Work) -> list[Loss]:
    """Error of every rounded layer against its weights as rewritten, of a layer alone; the worst first."""
    found = []
    for layer, parts in work.result.layers.items():
        weight = work.state[f"{layer}.weight"].numpy().astype(np.float64)
        stands_for = np.stack([part.weight for part in parts]).reshape(weight.shape)
        high = float(np.abs(weight).max())
        sqnr = decibels(float((weight**2).sum()), float(((stands_for - weight) ** 2).sum()))
        bits = 4 if work.options.weight_limit(layer) == NARROW_LIMIT else W8A8.weight_bits
        clipped = float((np.abs(weight) > np.abs(stands_for).max(axis=-1, keepdims=True) * 1.01).mean())
        found.append(Loss(f"{layer}.weight", W8A8.name, "weight", bits, -high, high, sqnr, clipped))
    return worst_first(found)
