"""Calibration files: the value range of every activation tensor, measured on pictures by `edgemoe calibrate`.

One set of ranges serves all tasks of a model, so that one task alone and all tasks together give the same integers.
Ranges are kept per precision, because the best clipping differs between 8 and 16 bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from edgemoe.spec.model import ModelConfig
from edgemoe.spec.names import shown
from edgemoe.spec.precision import W16A16, precision_named
from edgemoe.spec.strict import ConfigError, from_dict, read_json

CALIBRATION_VERSION = 1
WIDE = "wide"
"""Ranges of 16-bit activations in W8A8 builds: they have headroom, and are those of the calibrated tensors."""

_LARGEST = 1e30  # so that no product of scales leaves the range of float64


@dataclass(frozen=True)
class Range:
    """Smallest and largest value that a tensor should represent; values outside saturate."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low <= self.high):
            raise ConfigError(f"range {self.low} … {self.high} is not an interval of finite numbers")
        if self.magnitude > _LARGEST:
            raise ConfigError(f"range {self.low} … {self.high} is wider than ±{_LARGEST:g}")

    @property
    def magnitude(self) -> float:
        """Largest absolute value, never 0 so that a scale can be made of it."""
        return max(abs(self.low), abs(self.high), 1e-6)


@dataclass(frozen=True)
class Calibration:
    """Ranges by precision name (`w8a8`, `w16a16`), then tensor name; `provenance` says how they were measured.

    wide: activations that have 16 bits in W8A8 builds, with their ranges of `wide`, without those of `w16a16`; names of
    `mixable_activations`. narrow: layers that have weights of 4 bits there; names of `mixable_layers`.
    tensors_sha256: of `calibrated.safetensors` beside it, where the ranges `w8a8` and `wide` are those of its tensors.
    steps: of the quantiser that made them, so that they can be made again for other widths.
    """

    version: int
    model_hash: int
    provenance: str
    ranges: dict[str, dict[str, Range]]
    wide: tuple[str, ...] = ()
    narrow: tuple[str, ...] = ()
    tensors_sha256: str = ""
    steps: tuple[str, ...] = ()

    def of_wide(self, tensor: str) -> Range:
        """Range of an activation of 16 bits in W8A8 builds; raises ConfigError when it was not calibrated."""
        return self.of(WIDE if WIDE in self.ranges else W16A16.name, tensor)

    def of(self, precision: str, tensor: str) -> Range:
        """Range of one tensor; raises ConfigError when it was not calibrated."""
        try:
            return self.ranges[precision][tensor]
        except KeyError:
            raise ConfigError(f"no calibrated range for tensor '{tensor}' in precision '{precision}'") from None


def calibrated_tensors(config: ModelConfig) -> list[str]:
    """Names of all activation tensors that need a range.

    residual: the residual stream anywhere, all tasks. blocks.i.norm1/norm2: LayerNorm outputs.
    blocks.i.query/key/value: after bias (key without its bias, which softmax cancels).
    blocks.i.scores: q·k/√head_width before softmax. blocks.i.attention: P·V. blocks.i.hidden: after GELU
    (all experts). heads.t.norm, heads.t.output.
    """
    names = ["residual"]
    for index in range(config.depth):
        parts = ("norm1", "query", "key", "value", "scores", "attention", "norm2", "hidden")
        names += [f"blocks.{index}.{part}" for part in parts]
    for task in config.tasks:
        names += [f"heads.{task.name}.norm", f"heads.{task.name}.output"]
    return names


def mixable_activations(config: ModelConfig) -> list[str]:
    """Activations that may have 8 or 16 bits in W8A8 builds, in order of use.

    blocks.i.norm1: what QKV reads. blocks.i.qkv: query, key and value. blocks.i.attention: what the projection reads.
    blocks.i.norm2: what the MLP or the experts read. blocks.i.hidden: what their second layer reads.
    heads.t.norm: what a head reads.
    """
    parts = ("norm1", "qkv", "attention", "norm2", "hidden")
    names = [f"blocks.{index}.{part}" for index in range(config.depth) for part in parts]
    return names + [f"heads.{task.name}.norm" for task in config.tasks]


def is_inner(activation: str) -> bool:
    """Whether it needs the option `wide_inner` of the hardware for 16 bits: queries, keys, values, a hidden layer."""
    return activation.endswith((".qkv", ".hidden"))


def mixable_layers(config: ModelConfig) -> list[str]:
    """Layers whose weights may have 8 or 4 bits in W8A8 builds, in order of use; all experts of a block together."""
    names = ["patch_embed"]
    for index in range(config.depth):
        parts = ("experts",) if index in config.moe_blocks else ("fc1", "fc2")
        names += [f"blocks.{index}.{part}" for part in ("qkv", "proj", *parts)]
    return names + [f"heads.{task.name}.linear" for task in config.tasks]


def activation_of(tensor: str) -> str:
    """Name in `mixable_activations` of a calibrated tensor: query, key and value have one width."""
    start, _, part = tensor.rpartition(".")
    return f"{start}.qkv" if part in ("query", "key", "value") else tensor


def layer_of(name: str) -> str:
    """Name in `mixable_layers` of a layer's tensors: `backbone.blocks.1.mlp.experts.htoh4` → `blocks.1.experts`."""
    if name.startswith("backbone.patch_embed."):
        return "patch_embed"
    parts = name.removeprefix("backbone.").split(".")
    if parts[0] != "blocks":
        return name
    return f"blocks.{parts[1]}.{'experts' if 'experts' in parts else parts[-1]}"


def _check_mixed(calibration: Calibration, config: ModelConfig, name: str) -> None:
    """Raise ConfigError for a name in `wide` or `narrow` that the model does not have, or has twice."""
    known = {"wide": mixable_activations(config), "narrow": mixable_layers(config)}
    for key, names in known.items():
        given = getattr(calibration, key)
        unknown = [each for each in given if each not in names]
        if unknown:
            raise ConfigError(f"{name}: {key}: model '{config.name}' has no {shown(unknown[0])}")
        if len(set(given)) != len(given):
            raise ConfigError(f"{name}: {key} names something twice")


def load_calibration(path: Path, config: ModelConfig) -> Calibration:
    """Read a calibration and check that it belongs to `config` and is complete; raises ConfigError."""
    if not path.exists():
        raise ConfigError(
            f"{path}: no such file, the model has not been calibrated; call `edgemoe calibrate {path.parent} "
            f"--pictures FOLDER` with pictures of the kind that it will see"
        )
    calibration = from_dict(Calibration, read_json(path), path.name)
    if calibration.version != CALIBRATION_VERSION:
        raise ConfigError(f"{path.name}: version {calibration.version}, this package reads {CALIBRATION_VERSION}")
    if calibration.model_hash != config.hash():
        raise ConfigError(f"{path.name}: made for another model than '{config.name}'; calibrate again")
    tensors = calibrated_tensors(config)
    for precision, ranges in calibration.ranges.items():
        if precision != WIDE:
            precision_named(precision)
        missing = [name for name in tensors if name not in ranges]
        if missing:
            raise ConfigError(f"{path.name}: {precision}: tensor '{missing[0]}' has no range")
        unknown = sorted(set(ranges) - set(tensors))
        if unknown:
            raise ConfigError(f"{path.name}: {precision}: model '{config.name}' has no tensor {shown(unknown[0])}")
    _check_mixed(calibration, config, path.name)
    return calibration
