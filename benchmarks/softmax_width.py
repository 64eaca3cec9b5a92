"""How many bits the exponential needs: `python -m benchmarks.softmax_width` prints the SQNR of attention per layer.

Queries, keys and values come from the float model on held-out scenes, on their int8 grids, so that only softmax
differs. Reference: exact softmax of these integers. `before` is Σe·v / Σe with integer e, `after` the int8 result of
the ATTENTION instruction, both against the reference.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from tabulate import tabulate

from benchmarks.agreement import Subject, subject
from edgemoe.compiler.quantise import activation_scale
from edgemoe.compiler.quantised import QuantisedAttention
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.precision import W8A8
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.model.recorder import TensorRecorder
from edgemoe_golden.ops.attention import attention, attention_scores
from edgemoe_golden.ops.softmax import exponential
from edgemoe_golden.scenes import VALIDATION_SEEDS, draw_scene

WIDTHS = (8, 10, 12, 16)

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


@dataclass(frozen=True)
class Width:
    """SQNR in dB of one layer with exponentials of `bits`."""

    layer: int
    bits: int
    before: float
    after: float


def layer_widths(of: Subject, layer: int, floats: dict[str, FloatArray]) -> list[Width]:
    """One layer, all widths."""
    heads = of.model.config.heads
    scales = {
        part: activation_scale(of.calibration, W8A8, f"blocks.{layer}.{part}")
        for part in ("query", "key", "value", "attention")
    }
    query, key, value = (
        np.clip(np.rint(floats[f"blocks.{layer}.{part}"] / scales[part]), -127, 127).astype(np.int64)
        for part in ("query", "key", "value")
    )
    scores = query @ key.swapaxes(1, 2) * (scales["query"] * scales["key"] / np.sqrt(query.shape[2]))
    exact = np.exp(scores - scores.max(axis=-1, keepdims=True))
    reference = exact @ value / exact.sum(axis=-1, keepdims=True)
    quantised = of.model.blocks[layer].attention
    found = []
    for bits in WIDTHS:
        precision = replace(W8A8, exponential_bits=bits)
        score = quantised.score_multiplier, quantised.score_shift
        weights = exponential(attention_scores(_rows(query), _rows(key), heads, *score, precision), precision)
        before = weights @ value / weights.sum(axis=-1, keepdims=True)
        after = _instruction(quantised, query, key, value, bits) * (scales["attention"] / scales["value"])
        found.append(Width(layer, bits, sqnr(reference, before), sqnr(_rows(reference), after)))
    return found


def _instruction(of: QuantisedAttention, query: IntArray, key: IntArray, value: IntArray, bits: int) -> FloatArray:
    scales = of.score_multiplier, of.score_shift, of.output_multiplier, of.output_shift
    precision = replace(W8A8, exponential_bits=bits)
    return attention(_rows(query), _rows(key), _rows(value), len(query), *scales, precision).astype(np.float64)


def _rows(heads: NDArray[Scalar]) -> NDArray[Scalar]:
    """[heads, tokens, features] → [tokens, heads·features]."""
    return heads.swapaxes(0, 1).reshape(heads.shape[1], -1)


def sqnr(reference: FloatArray, value: FloatArray) -> float:
    """10·log10(signal / error) in dB."""
    return float(10 * np.log10((reference**2).sum() / ((value - reference) ** 2).sum()))


def measure(folder: Path, scenes: int) -> list[Width]:
    """Mean over scenes, per layer and width."""
    of = subject(folder, load_hardware_config("zcu102"))
    config, model = of.model.config, load_checkpoint_model(folder)
    task = config.tasks[0].name
    runs: list[list[Width]] = []
    for seed in VALIDATION_SEEDS[:scenes]:
        recorder = TensorRecorder()
        image = draw_scene(seed, config.image_height, config.image_width).image
        with torch.inference_mode():
            model(torch.from_numpy(image)[None], task, recorder)
        floats = {name: tensor[0].double().numpy() for name, tensor in recorder.values.items() if tensor.ndim == 4}
        runs.append([width for layer in range(config.depth) for width in layer_widths(of, layer, floats)])
    return [
        replace(group[0], before=_mean([w.before for w in group]), after=_mean([w.after for w in group]))
        for group in zip(*runs, strict=True)
    ]


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def main() -> None:
    """Print the table; write build/reports/softmax_width.json."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", type=Path, default=Path("models/mini"))
    parser.add_argument("--scenes", type=int, default=8)
    options = parser.parse_args()
    widths = measure(options.model, options.scenes)
    print(f"{options.model}, {options.scenes} held-out scenes; SQNR in dB before and after the int8 output\n")
    lines: list[tuple[object, ...]] = []
    for layer in sorted({width.layer for width in widths}):
        lines.append((layer, *(f"{w.before:.1f} / {w.after:.1f}" for w in widths if w.layer == layer)))
    for name, pick in (("mean", _mean), ("least", min)):
        columns = [[w for w in widths if w.bits == bits] for bits in WIDTHS]
        lines.append(
            (name, *(f"{pick([w.before for w in c]):.1f} / {pick([w.after for w in c]):.1f}" for c in columns))
        )
    heads = ("layer", *(f"{bits} bits" for bits in WIDTHS))
    print(tabulate(lines, heads, colalign=["right"] * len(heads)))
    path = Path("build/reports/softmax_width.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{"model": options.model.name, "scenes": options.scenes, **asdict(width)} for width in widths]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
