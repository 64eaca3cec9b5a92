"""Area of a shape without synthesis: modules that grow alike, as non-negative sums of what they grow with.

Fitted to syntheses of `benchmarks.area_points` by least squares of relative errors; block RAM and UltraRAM are counted
(`memories`). A synthesis that is itself among the points still is predicted by the fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import OPTIONS
from edgemoe.spec.machine import Sizes
from edgemoe.spec.strict import from_dict, read_json
from edgemoe.tuning.memories import memories
from edgemoe.tuning.parts import Resources

POINTS = Path(__file__).resolve().parent.parent / "configs" / "area" / "w8a8.json"
FITTED = ("lut", "lutram", "ff", "dsp")
COLUMNS = ("lut", "lutram", "ff", "dsp", "bram36", "uram")  # of a module in the file, after its instances


@dataclass(frozen=True)
class Group:
    """Modules that grow with the same terms; see `terms`. No modules: all that are in no other group."""

    modules: tuple[str, ...]
    terms: tuple[str, ...]

    def has(self, module: str) -> bool:
        """Whether a module is in this group."""
        return module in self.modules if self.modules else not any(module in other.modules for other in GROUPS)


GROUPS = (
    Group(("sum_ring",), ("lanes", "sums")),
    Group(("dot_product", "matmul_lane", "pack_weights", "stagger"), ("one", "lanes", "products", "tile", "left")),
    Group(("fifo", "stream_reader", "channel_queue"), ("one", "tile", "ports")),
    Group(("attention",), ("one", "tile", "parts")),
    Group(("softmax", "exponential", "reciprocal"), ("one", "left", "lanes", "tokens")),
    Group(("gelu", "post_lane", "requantise"), ("one", "post")),
    Group(("round_shift", "multiplier"), ("one", "post", "layernorm")),
    Group(("epilogue", "bank_writer"), ("one", "post", "writes")),
    Group(("drain", "drain_place", "head", "head_place", "word_fifo"), ("one", "post", "rows")),
    Group(("gate",), ("one", "logits")),
    Group(
        ("layernorm", "layernorm_statistics", "layernorm_normalise", "layernorm_standardise", "layernorm_roots"),
        ("one", "layernorm", "wide layernorm"),
    ),
    Group(("scratchpads", "scratchpad", "copy", "store"), ("one", "tokens", "tokens of narrow tiles")),
    Group(("weight_buffer",), ("one", "lines", "rotation", "cascade")),
    Group(("weight_port",), ("ports",)),
    Group((), ("one", "tokens")),
)


def terms(hardware: HardwareConfig) -> dict[str, float]:
    """What modules grow with, by name."""
    tokens, inputs, outputs = hardware.token_par, hardware.in_par, hardware.out_par
    sizes = Sizes(hardware)
    lines, groups = max(1, sizes.tile_lines), hardware.layernorm_lanes // VECTOR
    buffer = next(memory for memory in memories(hardware) if memory.module == "weight_buffer")
    return {
        "one": 1,
        "tokens": tokens,
        "tokens of narrow tiles": tokens * (sizes.out_parts - 1),
        "left": tokens * inputs,
        "lanes": tokens * outputs,
        "products": tokens * inputs * outputs,
        "tile": inputs * outputs,
        "parts": inputs * outputs * inputs / tokens,
        "sums": tokens * outputs * sizes.slots,
        "post": hardware.post_lanes,
        "rows": sizes.post_rows,
        "writes": tokens * (sizes.post_rows - 1),
        "logits": outputs * (sizes.post_rows - 1),
        "layernorm": hardware.layernorm_lanes,
        "wide layernorm": hardware.layernorm_lanes * (groups - 1),
        "lines": lines,
        "rotation": lines * (lines - 1),
        "cascade": 0 if buffer.ultra else lines * (buffer.deep - 1),
        "ports": hardware.ports,
    }


@dataclass(frozen=True)
class Point:
    """One synthesis. modules: by name, instances, then cells of all of them in the order of COLUMNS."""

    hardware: HardwareConfig
    used: Resources
    modules: Mapping[str, Sequence[float]]

    def of(self, group: Group, column: str) -> float:
        """Cells of a group's modules, without memories that lie in LUTs, which are counted."""
        place = 1 + COLUMNS.index(column)
        cells = sum(values[place] for name, values in self.modules.items() if group.has(name))
        if column in ("lut", "lutram"):
            cells -= sum(memory.luts for memory in memories(self.hardware) if group.has(memory.module))
        return cells


@dataclass(frozen=True)
class AreaModel:
    """Coefficients of each group's terms, by kind of cell."""

    coefficients: Mapping[str, Sequence[NDArray[np.float64]]]

    def predict(self, hardware: HardwareConfig) -> Resources:
        """Cells of a shape; raises ArgumentError for precisions and options that no synthesis here has."""
        if hardware.precision != "w8a8" or hardware.options:
            what = " ".join((hardware.precision, *hardware.options))
            raise ArgumentError(f"no area is known of shapes in {what}; syntheses were made of plain w8a8")
        grown = terms(hardware)
        cells = {
            column: round(sum(
                float(np.dot(found, [grown[name] for name in group.terms]))
                for group, found in zip(GROUPS, self.coefficients[column], strict=True)
            ))
            for column in FITTED
        }  # fmt: skip
        blocks = list(memories(hardware))
        for column in ("lut", "lutram"):
            cells[column] += sum(each.luts for each in blocks)
        return Resources(**cells, bram36=sum(each.bram36 for each in blocks), uram=sum(each.uram for each in blocks))


def load_points(path: Path = POINTS) -> list[Point]:
    """The syntheses, none of which has an option, nor one that came later; raises ConfigError."""
    found: list[dict[str, Any]] = read_json(path)["points"]
    return [
        Point(
            from_dict(HardwareConfig, {"dsp": "dsp48e2"} | dict.fromkeys(OPTIONS, False) | each["hardware"], path.name),
            Resources(**each["used"]),
            each["modules"],
        )
        for each in found
    ]


def fit(points: Sequence[Point]) -> AreaModel:
    """Raises ArgumentError where SciPy is missing."""
    try:
        from scipy.optimize import nnls
    except ImportError as error:
        raise ArgumentError(f"tune needs SciPy, which is not installed; run: {how_to_install('tune')}") from error
    grown = [terms(point.hardware) for point in points]
    coefficients = {}
    for column in FITTED:
        weights = np.array([1 / getattr(point.used, column) for point in points])
        found = []
        for group in GROUPS:
            matrix = np.array([[each[name] for name in group.terms] for each in grown]) * weights[:, None]
            cells = np.array([point.of(group, column) for point in points]) * weights
            found.append(nnls(matrix, cells)[0])
        coefficients[column] = found
    return AreaModel(coefficients)


@cache
def area_model() -> AreaModel:
    """The fit to all syntheses of this package."""
    return fit(load_points())


def left_out(points: Sequence[Point]) -> dict[str, dict[str, float]]:
    """Relative error of each point, by its name and kind of cell, as predicted from all the others."""
    errors: dict[str, dict[str, float]] = {}
    for number, point in enumerate(points):
        predicted = fit([*points[:number], *points[number + 1 :]]).predict(point.hardware)
        errors[point.hardware.name] = {
            column: getattr(predicted, column) / getattr(point.used, column) - 1
            for column in COLUMNS
            if getattr(point.used, column)
        }
    return errors
