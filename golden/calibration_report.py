"""What quantising costs, tensor by tensor: SQNR and share of clipped values, activations and weights."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from edgemoe.spec.calibration import Calibration, Range, activation_of
from edgemoe.spec.checkpoint import Tensors
from edgemoe.spec.files import write_atomically, write_text
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import OUTPUT_BITS, WIDE_LIMIT, Precision, precision_named
from edgemoe_golden.calibration_picture import DrawingError, draw_distribution
from edgemoe_golden.ranges import Histogram

WORST_SHOWN = 12

EXACT_DB = 300.0
"""Stands for a tensor without error: one that is all zero, or that its grid holds exactly."""

GATE_BITS = 16
PATCH_EMBED = "backbone.patch_embed.proj.weight"


@dataclass(frozen=True)
class Loss:
    """One tensor on its grid, alone: errors of the tensors before it are not in it.

    kind: `activation`, `gate` (the 16-bit copy of norm2 that the gate reads) or `weight`. bits: of the integers.
    low, high: lowest and highest value of the grid, of a weight those of its widest channel.
    sqnr_db: 10·log10(Σ value² / Σ error²). clipped: share of values outside the grid, 0 … 1.
    """

    tensor: str
    precision: str
    kind: str
    bits: int
    low: float
    high: float
    sqnr_db: float
    clipped: float


@dataclass(frozen=True)
class Grid:
    """Even levels of a tensor's integers: `steps` + 1 of them from low to high."""

    low: float
    high: float
    steps: int
    bits: int


def grid(tensor: str, span: Range, precision: Precision, wide: bool = False) -> Grid:
    """Grid of an activation tensor with the calibrated range `span`; wide: of 16 bits in a W8A8 build."""
    if wide:
        return Grid(-span.magnitude, span.magnitude, 2 * WIDE_LIMIT, GATE_BITS)
    if tensor.endswith(".scores"):
        # Fixed point in octaves, whatever the range.
        bits = precision.score_bits
        limit = (2.0 ** (bits - 1) - 1) * math.log(2) / 2**precision.score_fraction
        return Grid(-limit, limit, 2**bits - 2, bits)
    bits = precision.activation_bits
    if tensor.endswith(".hidden"):
        return Grid(min(span.low, 0.0), max(span.high, 1e-6), 2**bits - 1, bits)
    if tensor == "residual":
        bits = precision.residual_bits
    elif tensor.endswith(".output"):
        bits = OUTPUT_BITS
    return Grid(-span.magnitude, span.magnitude, 2**bits - 2, bits)


def gate_grid(span: Range, precision: Precision) -> Grid:
    """Grid of the gate's copy of a norm2 with the range `span`: 16 bits in either precision."""
    extra = GATE_BITS - precision.activation_bits
    step = span.magnitude / float(2 ** (precision.activation_bits - 1) - 1) / 2**extra
    return Grid(-WIDE_LIMIT * step, WIDE_LIMIT * step, 2 * WIDE_LIMIT, GATE_BITS)


def losses(config: ModelConfig, calibration: Calibration, histograms: Mapping[str, Histogram]) -> list[Loss]:
    """Every activation tensor and every gate's input in every precision; the worst SQNR of a precision first."""
    found = []
    for name, ranges in calibration.ranges.items():
        precision = precision_named(name)
        for tensor, span in ranges.items():
            wide = not precision.fine and activation_of(tensor) in calibration.wide
            own = grid(tensor, calibration.of_wide(tensor) if wide else span, precision, wide)
            found.append(_loss(tensor, name, "activation", own, histograms[tensor]))
        for block in config.moe_blocks:
            norm = f"blocks.{block}.norm2"
            gate = gate_grid(ranges[norm], precision)
            found.append(_loss(f"blocks.{block}.gate.input", name, "gate", gate, histograms[norm]))
    return worst_first(found)


def _loss(tensor: str, precision: str, kind: str, on: Grid, seen: Histogram) -> Loss:
    sqnr = decibels(seen.power, seen.squared_error(on.low, on.high, on.steps))
    return Loss(tensor, precision, kind, on.bits, on.low, on.high, sqnr, seen.clipped(on.low, on.high))


def weight_losses(config: ModelConfig, tensors: Tensors, precision: Precision) -> list[Loss]:
    """Every matrix on its grid of one scale per output channel, given by its largest weight; a gate has one scale.

    Nothing is clipped. Biases, γ, β and the position table keep 16 bits or more and are left out.
    """
    found = []
    for name, values in tensors.items():
        gate = name.endswith(".w_gate")
        if values.ndim < 2 or not (gate or name.endswith(".weight")):
            continue
        weight: NDArray[np.float64] = values.astype(np.float64)
        if name == PATCH_EMBED:
            weight = weight / np.array(config.pixel_std)[:, None, None]
        channel = (2,) if weight.ndim == 3 else tuple(range(1, weight.ndim))
        largest = np.abs(weight).max(axis=None if gate else channel, keepdims=True)
        bits = GATE_BITS if gate else precision.weight_bits
        scale = np.maximum(largest / (WIDE_LIMIT if gate else 2 ** (bits - 1) - 1), 1e-12)
        error = float(((np.rint(weight / scale) * scale - weight) ** 2).sum())
        high = float(largest.max())
        sqnr = decibels(float((weight**2).sum()), error)
        found.append(Loss(name, precision.name, "weight", bits, -high, high, sqnr, 0.0))
    return worst_first(found)


def decibels(signal: float, noise: float) -> float:
    """10·log10(signal / noise), at most `EXACT_DB`."""
    if signal <= 0 or noise <= signal * 10 ** (-EXACT_DB / 10):
        return EXACT_DB
    return 10 * math.log10(signal / noise)


def worst_first(found: Sequence[Loss]) -> list[Loss]:
    """By precision in order of appearance, then by rising SQNR."""
    order = list(dict.fromkeys(loss.precision for loss in found))
    return sorted(found, key=lambda loss: (order.index(loss.precision), loss.sqnr_db))


def table(found: Sequence[Loss], rows: int | None = WORST_SHOWN) -> str:
    """The worst `rows` tensors of every precision, all with None."""
    tables = []
    for precision in dict.fromkeys(loss.precision for loss in found):
        own = [loss for loss in found if loss.precision == precision]
        shown = own[:rows]
        title = f"{precision}, {'all' if len(shown) == len(own) else f'worst {len(shown)} of'} {len(own)}"
        lines = [(f.tensor, f.bits, f.sqnr_db, 100 * f.clipped, f"{f.low:.4g} … {f.high:.4g}") for f in shown]
        heads = (title, "bits", "SQNR dB", "clipped %", "range")
        tables.append(tabulate(lines, heads, "plain", floatfmt=("", "", ".1f", ".4f", "")))
    return "\n".join(tables)


def write_report(
    folder: Path,
    model: str,
    found: Sequence[Loss],
    histograms: Mapping[str, Histogram],
    others: Sequence[dict[str, object]] = (),
) -> str:
    """`calibration_<model>.json` with all losses, and `calibration_<model>.png` of the worst activation.

    others: rows of other kinds for the same list: what the quantiser's steps gain, which pictures were skipped.
    Returns what is to be found where; without matplotlib there is no drawing, and the text says so.
    """
    path = folder / f"calibration_{model}.json"
    rows = [*(asdict(loss) for loss in found), *others]
    write_text(path, json.dumps(rows, indent=1) + "\n")
    worst = next(loss for loss in found if loss.kind == "activation")
    try:
        picture = draw_distribution(
            histograms[worst.tensor],
            worst.low,
            worst.high,
            f"{worst.tensor}: the tensor of '{model}' that loses most in {worst.precision.upper()}",
            f"SQNR {worst.sqnr_db:.1f} dB on {worst.bits} bits, {100 * worst.clipped:.4f} % of values clipped",
        )
    except DrawingError as error:
        return f"losses in {path}, none drawn ({error})"
    drawn = path.with_suffix(".png")
    write_atomically(drawn, lambda temporary: picture.save(temporary, format="PNG"))
    return f"losses in {path}, worst in {drawn}"
