"""The RTL engine for single operations: instructions on the simulated Verilog; and units that no instruction shows
by themselves, built beside each other (sim/device/tests/leaves.v).
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from functools import cache

import numpy as np

from edgemoe.devices.base import MissingToolError
from edgemoe.devices.rtl.build import HARNESS_FOLDER, Harness, library_path, verilator
from edgemoe.kernels.engines import EngineNotBuiltError, Limits, Shapes
from edgemoe.kernels.machine import MachineEngine
from edgemoe.kernels.operations import Experts, IntArray, LinearWeighted
from edgemoe.kernels.rtl_machine import RtlMachine
from edgemoe.spec.hardware import VECTOR, HardwareConfig, load_hardware_config
from edgemoe.spec.machine import ROW_TILES_LIMIT, TOP_K_LIMIT
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import MAX_FEATURES, MAX_TOKENS, MAX_WIDTH, Precision
from edgemoe_golden.ops.experts import QueueEntries

LEAVES = HARNESS_FOLDER / "tests" / "leaves.v"
HARNESS = Harness((LEAVES.with_suffix(".cpp"),), LEAVES.with_suffix(".vlt"))


@cache
def wide_hardware(precision: str) -> HardwareConfig:
    """The small array with rows as many and as wide as the Verilog takes; in W16A16 with what EXPERTS gathers behind
    QUERY, as it lies in UltraRAM.
    """
    base = load_hardware_config("micro" if precision == "w8a8" else "micro_w16a16")
    rows, elements = ROW_TILES_LIMIT * base.token_par, 2 * base.token_par * MAX_FEATURES
    return replace(
        base,
        name=f"operations_{precision}",
        max_rows=rows,
        max_tokens=rows,
        max_width=MAX_WIDTH,
        max_top_k=TOP_K_LIMIT,
        row_elements=elements,
        hidden_elements=elements,
        ultra_ram=precision == "w16a16",
    )


class RtlEngine(MachineEngine):
    """One machine and one library of units per precision, built on first use for the hardware that `shapes` says.

    limits: tokens, top_k: docs/hardware/rtl.md, Limits. gate_features: LAYERNORM makes what GATE reads, no wider than
    MAX_WIDTH, and 42 bits hold the sums of 8-bit digits up to there. repeats: GATE's destinations ascend (rule 8), so
    no program makes such a queue, and an update does not wait for the one just before it.
    """

    name = "rtl"
    limits = Limits(tokens=wide_hardware("w8a8").max_tokens, top_k=TOP_K_LIMIT, gate_features=MAX_WIDTH, repeats=False)

    def __init__(self, shapes: Shapes = wide_hardware) -> None:
        self._shapes = shapes
        self._machines: dict[str, RtlMachine] = {}
        self._units: dict[str, ctypes.CDLL] = {}
        try:
            verilator()
        except MissingToolError as error:
            raise EngineNotBuiltError(str(error)) from error

    def _machine(self, precision: Precision) -> RtlMachine:
        if precision.name not in self._machines:
            self._machines[precision.name] = RtlMachine(self._shapes(precision.name))
        return self._machines[precision.name]

    def _kernels(self, precision: Precision) -> ctypes.CDLL:
        if precision.name not in self._units:
            hardware = replace(self._shapes(precision.name), name=f"units_{precision.name}", max_tokens=MAX_TOKENS)
            self._units[precision.name] = ctypes.CDLL(str(library_path(hardware, top=LEAVES, harness=HARNESS)))
        return self._units[precision.name]

    def linear_weighted(self, op: LinearWeighted) -> list[IntArray]:
        """The second layer of an expert, whose first one is made to give x as ⌊(x + 1)/2⌋ + ⌊(x + 2)/2⌋ − 1.

        32·(x + 2^A + j) is beyond GELU's table, so it stays as it is; scaled by 2^−6 it is ⌊(x + 2^A + j + 1)/2⌋, and
        the grid's zero takes 2^(A−1) off. Two hidden features, j = 0 and 1, with the same weight, and the sum of the
        weights off the bias, give the same sums as x.
        """
        weights, bits = op.weights, op.precision.activation_bits
        width, outputs = op.values.shape[1], len(weights.bias)
        wide = max(width, outputs) + -max(width, outputs) % VECTOR
        ones = np.ones(2 * width, dtype=np.int64)
        unit = np.tile(np.eye(width, wide, dtype=np.int64), (2, 1))
        up = LinearWeights(32 * unit, 32 * ((1 << bits) + np.repeat([0, 1], width)), ones, 0 * ones)
        missing = (0, wide - outputs)
        down = LinearWeights(
            np.pad(np.tile(weights.weight, 2), (missing, (0, 0))),
            np.pad(weights.bias - weights.weight.sum(axis=1), missing),
            np.pad(weights.multiplier, missing),
            np.pad(weights.shift, missing),
        )
        rows = np.arange(len(op.values))
        normalised = np.pad(op.values, ((0, 0), (0, wide - width)))
        onto = np.pad(op.residual, ((0, 0), missing))
        queue, grid = QueueEntries(rows, rows, op.score), (1, 6, -(1 << (bits - 1)))
        (result,) = self.experts(Experts(normalised, onto, [queue], [(up, down)], grid, op.precision))
        return [result[:, :outputs]]
