"""What stands beside a checkpoint: the library's own configuration of the network and of its pictures.

Hugging Face keeps `config.json` and `preprocessor_config.json` beside `model.safetensors`; timm's hub files keep
`config.json` with `pretrained_cfg`. All of it is somebody else's data: read with limits, checked, never run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.names import shown
from edgemoe.spec.strict import read_json

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
MAX_LABELS = 65536

ACTIVATIONS = {
    "gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh", "quick_gelu": "quick_gelu", "relu": "relu",
}  # fmt: skip
"""transformers' names of activation functions → ours."""


@dataclass(frozen=True)
class SourceConfig:
    """What the files beside a checkpoint say; None or empty where they say nothing.

    kind: model_type of transformers, or timm's architecture. heads: attention heads. epsilon: of LayerNorm.
    activation: of the MLP, in our names. stride: between patches, where it is not the patch's side.
    size: (height, width) of the pictures. mean, deviation: of pixels scaled to [0, 1]. labels: in class order.
    """

    kind: str = ""
    heads: int | None = None
    epsilon: float | None = None
    activation: str | None = None
    stride: int | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, ...] = ()
    deviation: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


def read_source_config(folder: Path) -> SourceConfig:
    """Read what `folder` has of the two files; raises CheckpointError or ConfigError for values of another kind."""
    network = _object(folder / CONFIG)
    pictures = _object(folder / PREPROCESSOR)
    timm = network.get("pretrained_cfg")
    if isinstance(timm, Mapping):
        return _from_timm(folder / CONFIG, network, timm)
    vision = network.get("vision_config")
    own = vision if isinstance(vision, Mapping) else network
    where = folder / CONFIG
    activation = own.get("hidden_act")
    if activation is not None and not (isinstance(activation, str) and activation in ACTIVATIONS):
        raise CheckpointError(f"{where}: activation {shown(activation)} is unknown; known are {', '.join(ACTIVATIONS)}")
    return SourceConfig(
        kind=str(own.get("model_type", network.get("model_type", ""))),
        heads=_whole(where, own, "num_attention_heads"),
        epsilon=_number(where, own, "layer_norm_eps"),
        activation=None if activation is None else ACTIVATIONS[activation],
        stride=_stride(where, own),
        size=_picture_size(where, own),
        mean=_numbers(folder / PREPROCESSOR, pictures, "image_mean"),
        deviation=_numbers(folder / PREPROCESSOR, pictures, "image_std"),
        labels=_labels(where, network),
    )


def _from_timm(path: Path, network: Mapping[str, Any], pictures: Mapping[str, Any]) -> SourceConfig:
    size = pictures.get("input_size")
    square = tuple(size[-2:]) if isinstance(size, Sequence) and len(size) == 3 else None
    if square is not None and not all(isinstance(side, int) and side > 0 for side in square):
        raise CheckpointError(f"{path}: 'input_size' is {shown(size)}; expected [channels, height, width]")
    arguments = network.get("model_args")
    return SourceConfig(
        kind=str(network.get("architecture", "")),
        heads=_whole(path, arguments if isinstance(arguments, Mapping) else {}, "num_heads"),
        size=square,
        mean=_numbers(path, pictures, "mean"),
        deviation=_numbers(path, pictures, "std"),
        labels=_label_names(path, network),
    )


def _label_names(path: Path, network: Mapping[str, Any]) -> tuple[str, ...]:
    names = network.get("label_names") or []
    if not isinstance(names, list) or len(names) > MAX_LABELS or not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{path}: 'label_names' is no list of names, at most {MAX_LABELS} of them")
    return tuple(names)


def _object(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    content = read_json(path)
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: expected an object, found {type(content).__name__}")
    return content


def _whole(path: Path, values: Mapping[str, Any], name: str) -> int | None:
    value = values.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise CheckpointError(f"{path}: '{name}' is {shown(value)}; expected a whole number of at least 1")
    return value


def _number(path: Path, values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0):
        raise CheckpointError(f"{path}: '{name}' is {shown(value)}; expected a number of at least 0")
    return None if value is None else float(value)


def _numbers(path: Path, values: Mapping[str, Any], name: str) -> tuple[float, ...]:
    value = values.get(name, ())
    if not isinstance(value, Sequence) or not all(isinstance(each, int | float) for each in value):
        raise CheckpointError(f"{path}: '{name}' is {shown(value)}; expected a list of numbers")
    return tuple(float(each) for each in value)


def _stride(path: Path, values: Mapping[str, Any]) -> int | None:
    """The stride of overlapping patches (AST), None where patches stand side by side."""
    strides = {_whole(path, values, name) for name in ("frequency_stride", "time_stride")} - {None}
    if len(strides) > 1:
        raise CheckpointError(f"{path}: strides {sorted(map(str, strides))} differ; expected one stride for both axes")
    return strides.pop() if strides else None


def _picture_size(path: Path, values: Mapping[str, Any]) -> tuple[int, int] | None:
    if "num_mel_bins" in values and "max_length" in values:  # a spectrogram: frequency down, time to the right
        height, width = _whole(path, values, "num_mel_bins"), _whole(path, values, "max_length")
        return None if height is None or width is None else (height, width)
    size = values.get("image_size")
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, Sequence) else ()
    if not sides:
        return None
    if len(sides) != 2 or not all(isinstance(side, int) and side > 0 for side in sides):
        raise CheckpointError(f"{path}: 'image_size' is {shown(size)}; expected a side or [height, width]")
    return sides[0], sides[1]


def _labels(path: Path, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes in order; empty where they are only numbered."""
    table = values.get("id2label")
    if table is None:
        return ()
    if not isinstance(table, Mapping) or len(table) > MAX_LABELS:
        raise CheckpointError(f"{path}: 'id2label' is no table of at most {MAX_LABELS} names")
    names = [table.get(str(index)) for index in range(len(table))]
    if not all(isinstance(name, str) for name in names):
        raise CheckpointError(f"{path}: 'id2label' does not name the classes 0 … {len(table) - 1}")
    return () if names == [f"LABEL_{index}" for index in range(len(names))] else tuple(map(str, names))
