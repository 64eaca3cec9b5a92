"""A small compiled program from random tensors, NumPy only, for tests of the host package without torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.program import MANIFEST_FILE, PROGRAM_FILE, Program
from edgemoe.compiler.quantise import quantise
from edgemoe.spec.calibration import CALIBRATION_VERSION, Calibration, Range, calibrated_tensors
from edgemoe.spec.checkpoint import CALIBRATION_FILE, CONFIG_FILE, WEIGHTS_FILE, Tensors, tensor_shapes
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.strict import to_dict


def random_tensors(config: ModelConfig, seed: int = 1) -> Tensors:
    """Normal weights; the gains of LayerNorm around 1."""
    rng = np.random.default_rng(seed)
    tensors: Tensors = {}
    for name, shape in tensor_shapes(config).items():
        values = rng.standard_normal(shape).astype(np.float32) / np.float32(np.sqrt(max(shape[-1], 4)))
        is_gain = "norm" in name and name.endswith("weight")
        tensors[name] = (values * 0.1 + 1 if is_gain else values).astype(np.float32)
    return tensors


def plain_calibration(config: ModelConfig, magnitude: float = 6.0) -> Calibration:
    """The same range for every tensor."""
    ranges = {name: Range(-magnitude, magnitude) for name in calibrated_tensors(config)}
    return Calibration(CALIBRATION_VERSION, config.hash(), "for tests", {"w8a8": ranges, "w16a16": ranges})


def small_program(
    tasks: tuple[str, ...] = ("semseg", "depth"), hardware_name: str = "micro", trace: bool = False
) -> Program:
    """The micro model."""
    config, hardware = load_model_config("micro"), load_hardware_config(hardware_name)
    model = quantise(config, random_tensors(config), plain_calibration(config), hardware.numbers)
    return compile_model(model, tasks, hardware, trace)


def forge_program(folder: Path, change: Callable[[dict[str, Any]], object], image: bytes | None = None) -> None:
    """Alter a saved program as a stranger would, with every hash made anew. image: program.bin, None: as it was."""
    manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
    change(manifest)
    text = json.dumps(manifest["hardware"], sort_keys=True)
    identity = hashlib.sha256(text.encode()).digest()[:4]
    manifest["config_hash"] = int.from_bytes(identity, "little")
    words = bytearray(image or (folder / PROGRAM_FILE).read_bytes())
    words[8:12] = identity
    (folder / PROGRAM_FILE).write_bytes(words)
    manifest["sha256"][PROGRAM_FILE] = hashlib.sha256(words).hexdigest()
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest), encoding="utf-8")


def write_checkpoint(folder: Path, config: ModelConfig | None = None, **changes: object) -> Path:
    """A checkpoint folder; `changes` replace tensors by name (dots written as double underscores)."""
    config = config or load_model_config("micro")
    tensors = random_tensors(config)
    for name, value in changes.items():
        tensors[name.replace("__", ".")] = np.asarray(value, dtype=np.float32)
    folder.mkdir(parents=True)
    save_file({name: value.astype(np.float16) for name, value in tensors.items()}, folder / WEIGHTS_FILE)
    (folder / CONFIG_FILE).write_text(json.dumps(to_dict(config)), encoding="utf-8")
    (folder / CALIBRATION_FILE).write_text(json.dumps(to_dict(plain_calibration(config))), encoding="utf-8")
    return folder
