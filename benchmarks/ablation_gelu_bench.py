"""cocotb: the two other GELU units against the functions whose error the ablation reports; `check_unit` starts it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest.mock import patch

import cocotb
import numpy as np
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from benchmarks.ablation_gelu import HERE, by_polynomial, by_wide_table, headers_of, step_bits_of_equal_error
from edgemoe.devices.rtl.build import INCLUDE_FOLDER, MAKE_PYTHON, sources_of, verilator
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import DEFAULT_HARDWARE, load_hardware_config
from edgemoe.spec.precision import W8A8
from edgemoe_golden.ops.requantise import round_shift, saturate
from sim.common.bench import Checker, Dut, checked, extremes, reset
from sim.common.pipeline import through
from sim.common.verilate import BUILD_ARGS, MAKE_FLAGS

LATENCY = {"ablation_gelu_table": 12, "ablation_gelu_polynomial": 13}
UNIT = "EDGEMOE_GELU_UNIT"
VALUES, MULTIPLIER, SHIFT, ZERO = 400, 40_000, 21, -100


@cocotb.test()
@checked
async def values(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Values near 0, anywhere, and at the bounds."""
    top, bits = os.environ[UNIT], W8A8.gelu_bits
    inputs = extremes(rng, bits, VALUES) >> rng.integers(0, 10, VALUES)
    gelu = by_polynomial(inputs, W8A8)
    if top == "ablation_gelu_table":
        gelu = by_wide_table(inputs, step_bits_of_equal_error(W8A8), W8A8)
    expected = saturate(round_shift(gelu * MULTIPLIER, SHIFT) + ZERO, W8A8.activation_bits)
    zero = ZERO % (1 << len(dut.zero))
    await reset(dut, valid_in=0, multiplier=MULTIPLIER, shift=SHIFT, zero=zero)
    got = await through(dut, [{"value": value} for value in inputs.tolist()], ["result"], LATENCY[top], rng, 0.0)
    signed = np.array([word for (word,) in got]).astype(np.uint8).view(np.int8)
    check.equal(signed, expected, "GELU")


def check_unit(top: str) -> None:
    """Build one unit with Verilator and run its values; raises AssertionError with what failed."""
    hardware = load_hardware_config(DEFAULT_HARDWARE)
    tools = {
        "PATH": f"{verilator().parent}{os.pathsep}{os.environ['PATH']}",
        "MAKEFLAGS": f"{MAKE_FLAGS} {MAKE_PYTHON}",
    }
    with tempfile.TemporaryDirectory() as temporary, patch.dict(os.environ, tools):
        folder = Path(temporary)
        for name, text in (headers_of(hardware)[top] | verilog_headers(hardware)).items():
            (folder / name).write_text(text, encoding="utf-8")
        runner = get_runner("verilator")
        runner.build(
            sources=sources_of(HERE / f"{top}.v"), includes=[folder, INCLUDE_FOLDER], build_args=BUILD_ARGS,
            hdl_toplevel=top, build_dir=folder / "build", timescale=("1ns", "1ps"),
        )  # fmt: skip
        results = folder / "results.xml"
        runner.test(
            test_module="benchmarks.ablation_gelu_bench", hdl_toplevel=top, hdl_toplevel_lang="verilog",
            build_dir=folder / "build", test_dir=folder, results_xml=str(results), extra_env={UNIT: top},
        )  # fmt: skip
        assert get_results(results) == (1, 0), f"{top} differs from its function"
