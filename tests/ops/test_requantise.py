"""requantise: saturate(round_shift(x·M, S)), the one rounding of the machine: half up, towards +∞."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import OpEngine
from edgemoe.kernels.operands import integers
from edgemoe.kernels.operations import Requantise
from edgemoe.spec.precision import MAX_SHIFT, PRECISIONS, Precision
from edgemoe_golden.ops.requantise import requantise, round_shift, saturate

LARGEST = (1 << 46) - 1  # accumulators stay below 2^46 in either precision


def rounded(engine: OpEngine, values: list[int], shift: int, bits: int = 48) -> list[int]:
    return engine.run(Requantise(np.array(values), 1, shift, bits))[0].tolist()


def test_the_error_is_at_most_half_an_lsb_upwards_included(engine: OpEngine, rng: np.random.Generator) -> None:
    """y = ⌊x·M/2^S + ½⌋ ⇒ −½ < y − x·M/2^S ≤ ½, exactly; fractions, because float64 ends at 53 bits."""
    values = integers(rng, 46, 400)
    multiplier, shift = rng.integers(0, 1 << 16, 400), rng.integers(30, MAX_SHIFT + 1, 400)
    results = engine.run(Requantise(values, multiplier, shift, 60))[0].tolist()
    for x, m, s, y in zip(values.tolist(), multiplier.tolist(), shift.tolist(), results, strict=True):
        assert -Fraction(1, 2) < y - Fraction(x * m, 2**s) <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("shift", "values", "results"),
    [
        (0, [-7, -1, 0, 1, 7], [-7, -1, 0, 1, 7]),
        (1, [-3, -2, -1, 0, 1, 2, 3], [-1, -1, 0, 0, 1, 1, 2]),
        (2, [-7, -6, -5, -3, -2, -1, 1, 2, 3, 5, 6, 7], [-2, -1, -1, -1, 0, 0, 0, 1, 1, 1, 2, 2]),
    ],
)
def test_ties_round_up_for_either_sign(engine: OpEngine, shift: int, values: list[int], results: list[int]) -> None:
    assert rounded(engine, values, shift) == results
    assert engine.run(Requantise(np.array(values), 1, np.full(len(values), shift), 48))[0].tolist() == results


def test_a_tie_at_the_largest_shift(engine: OpEngine) -> None:
    """2^45·2^14 = ½·2^60."""
    values = np.array([-(1 << 45) - 1, -(1 << 45), (1 << 45) - 1, 1 << 45])
    assert engine.run(Requantise(values, 1 << 14, 60, 8))[0].tolist() == [-1, 0, 0, 1]
    assert round_shift(np.array([-(1 << 61) - 1, -(1 << 61), (1 << 61) - 1, 1 << 61]), 62).tolist() == [-1, 0, 0, 1]


@pytest.mark.parametrize("bits", [8, 16, 18, 20, 24, 28])
def test_saturation_begins_one_beyond_the_range_on_either_side(engine: OpEngine, bits: int) -> None:
    top = (1 << (bits - 1)) - 1
    values = [-LARGEST, -top - 2, -top - 1, -top, 0, top - 1, top, top + 1, LARGEST]
    assert rounded(engine, values, 0, bits) == [-top - 1, -top - 1, -top - 1, -top, 0, top - 1, top, top, top]


def test_the_largest_products_do_not_overflow(engine: OpEngine) -> None:
    """2^46·2^16 + 2^59 < 2^63, for each shift."""
    values = np.repeat([LARGEST, -LARGEST], MAX_SHIFT + 1)
    shifts = np.tile(np.arange(MAX_SHIFT + 1), 2)
    assert check(Requantise(values, 65535, shifts, 63 if engine.name == "golden" else 28), engine) == values.size


@given(st.integers(-LARGEST, LARGEST), st.integers(0, 65535), st.integers(0, MAX_SHIFT), st.sampled_from([8, 16, 28]))
def test_the_result_lies_in_range_and_equals_the_reference(
    engine: OpEngine, value: int, multiplier: int, shift: int, bits: int
) -> None:
    assert check(Requantise(np.array([value]), multiplier, shift, bits), engine) == 1
    (result,) = engine.run(Requantise(np.array([value]), multiplier, shift, bits))[0].tolist()
    assert -(1 << (bits - 1)) <= result < 1 << (bits - 1)


@given(
    st.lists(st.integers(-LARGEST, LARGEST), min_size=2, max_size=30),
    st.integers(0, 65535),
    st.integers(0, MAX_SHIFT),
)
def test_requantise_is_monotonic(engine: OpEngine, values: list[int], multiplier: int, shift: int) -> None:
    results = engine.run(Requantise(np.array(sorted(values)), multiplier, shift, 16))[0]
    assert (np.diff(results) >= 0).all()


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)
def test_one_shift_per_channel_equals_one_call_per_channel(precision: Precision, rng: np.random.Generator) -> None:
    values = integers(rng, precision.accumulator_bits - 2, 10, 5)
    multiplier, shift = rng.integers(1 << 15, 1 << 16, 5), np.array([0, 1, 20, 31, 60])
    together = requantise(values, multiplier, shift, precision.residual_bits)
    for channel in range(5):
        alone = requantise(values[:, channel], int(multiplier[channel]), int(shift[channel]), precision.residual_bits)
        assert same([together[:, channel]], [alone]) == 10


def test_saturate_keeps_what_fits() -> None:
    assert saturate(np.array([-129, -128, 0, 127, 128]), 8).tolist() == [-128, -128, 0, 127, 127]
