"""Calibrated tensors: what the quantiser puts in the place of a checkpoint's own tensors in W8A8 builds.

`calibrated.safetensors` holds, beside `calibration.json`, which names its SHA-256:

    NAME.integers   int8, the shape of NAME.weight: weights in integers, within ±127, ±7 in narrow layers
    NAME.scale      float32 [outputs], of all experts [E, outputs]: what one of them is worth, per output channel
    any other       float32 under the name of a tensor of the checkpoint, in its shape: γ, β, biases, gates

The patch embedding's integers are of its weights as pixels meet them, divided by 255·pixel_std. W16A16 builds keep the
checkpoint's own tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.calibration import Calibration, layer_of
from edgemoe.spec.checkpoint import CheckpointError, Tensors, read_stored, tensor_shapes
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import shown
from edgemoe.spec.precision import NARROW_LIMIT, W8A8

CALIBRATED_FILE = "calibrated.safetensors"
PATCH_EMBED = "backbone.patch_embed.proj"
INTEGERS, SCALE = ".integers", ".scale"
_TYPES = {"I8": "<i1", "F32": "<f4"}

Steps = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Calibrated:
    """tensors: all of the checkpoint's, replaced where the file has better. steps: NAME → scale of rounded layers.

    A rounded layer's weight is integers·scale, from which the scale gives the integers back exactly.
    """

    tensors: Tensors
    steps: Steps


def load_calibrated(folder: Path, config: ModelConfig, tensors: Tensors, calibration: Calibration) -> Calibrated | None:
    """What a checkpoint folder has beside its calibration; None where the calibration names no such file.

    Raises CheckpointError naming the tensor that is wrong, or for a file that is missing or of another calibration.
    """
    if not calibration.tensors_sha256:
        return None
    path = folder / CALIBRATED_FILE
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file, but {folder.name}'s calibration rests on it; calibrate again")
    stored, digest = read_stored(path, config.name, tensor_shapes(config).values())
    if digest != calibration.tensors_sha256:
        raise CheckpointError(f"{path}: belongs to another calibration than the one beside it; calibrate again")
    try:
        return merged(config, tensors, calibration, {name: _array(name, **facts) for name, facts in stored})
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _array(name: str, dtype: str, shape: list[int], data: bytearray) -> NDArray[np.generic]:
    if dtype not in _TYPES:
        raise CheckpointError(f"tensor {shown(name)} holds {dtype}; expected {' or '.join(_TYPES)}")
    return np.frombuffer(data, dtype=_TYPES[dtype]).reshape(shape)


def merged(
    config: ModelConfig, tensors: Tensors, calibration: Calibration, stored: Mapping[str, NDArray[np.generic]]
) -> Calibrated:
    """`tensors` with a file's contents in their place; raises CheckpointError naming a tensor that does not fit."""
    shapes, found, steps = tensor_shapes(config), dict(tensors), Steps()
    for name, values in stored.items():
        layer = name.removesuffix(INTEGERS)
        if name.endswith(INTEGERS):
            shape = shapes.get(f"{layer}.weight", ())
            if len(shape) < 2:
                raise CheckpointError(f"tensor {shown(name)} does not belong to model '{config.name}'")
            scale = _scale(layer, stored, shape)
            limit = NARROW_LIMIT if layer_of(layer) in calibration.narrow else 2 ** (W8A8.weight_bits - 1) - 1
            found[f"{layer}.weight"] = _weight(config, layer, _integers(name, values, shape, limit), scale)
            steps[layer] = scale
        elif not name.endswith(SCALE):
            found[name] = _floats(name, values, shapes)
        elif name.removesuffix(SCALE) + INTEGERS not in stored:
            raise CheckpointError(f"tensor {shown(name)} is a scale without integers")
    return Calibrated(found, steps)


def _integers(name: str, values: NDArray[np.generic], shape: tuple[int, ...], limit: int) -> NDArray[np.float32]:
    if values.dtype != np.int8 or values.shape != shape:
        raise CheckpointError(f"tensor '{name}' is {values.dtype} {values.shape}; expected int8 {shape}")
    wide = values.astype(np.float32)
    if np.abs(wide).max(initial=0) > limit:
        raise CheckpointError(f"tensor '{name}' holds {int(np.abs(wide).max())}; integers lie within ±{limit}")
    return wide


def _scale(layer: str, stored: Mapping[str, NDArray[np.generic]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    name, outputs = f"{layer}{SCALE}", shape[:2] if len(shape) == 3 else shape[:1]
    found = stored.get(name)
    if found is None or found.dtype != np.float32 or found.shape != outputs:
        state = "is missing" if found is None else f"is {found.dtype} {found.shape}"
        raise CheckpointError(f"tensor '{name}' {state}; expected float32 {outputs}")
    scale = found.astype(np.float32)
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        raise CheckpointError(f"tensor '{name}' must be finite and above 0 everywhere")
    return scale


def _floats(name: str, values: NDArray[np.generic], shapes: dict[str, tuple[int, ...]]) -> NDArray[np.float32]:
    if name not in shapes:
        raise CheckpointError(f"tensor {shown(name)} has no place in the model")
    if values.dtype != np.float32 or values.shape != shapes[name]:
        raise CheckpointError(f"tensor '{name}' is {values.dtype} {values.shape}; expected float32 {shapes[name]}")
    floats = values.astype(np.float32)
    if not np.isfinite(floats).all():
        raise CheckpointError(f"tensor '{name}' holds NaN or infinite values")
    return floats


def _weight(
    config: ModelConfig, layer: str, integers: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    each = scale.reshape(*scale.shape, *[1] * (integers.ndim - scale.ndim))
    if layer != PATCH_EMBED:
        return integers * each
    pixel = 255.0 * np.array(config.pixel_std)[:, None, None]
    return (integers * each * pixel).astype(np.float32)
