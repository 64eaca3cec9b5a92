"""Real factors as integers: each is the nearest of its format, and the last that a format has is taken, none beyond."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from edgemoe.compiler.integers import QuantiseError, affine_integers, linear_integers, multiplier_and_shift
from edgemoe.spec.precision import MAX_SHIFT, PRECISIONS, W8A8, Precision

BOTH = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=list(PRECISIONS))


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (0.0, (0, 0)),
        (1.0, (1 << 15, 15)),
        (1.5, (3 << 14, 15)),
        (65535.0, (65535, 0)),
        (65535.4, (65535, 0)),
        (32767.0, (65534, 1)),
        (1 - 2.0**-17, (1 << 15, 15)),  # rounds up to the next power of two
        (2.0**-45, (1 << 15, MAX_SHIFT)),
        (2.0**-45 - 2.0**-61, (1 << 15, MAX_SHIFT)),  # at the largest shift M is no longer normalised
        (2.0**-45 - 2.0**-60, ((1 << 15) - 1, MAX_SHIFT)),
        (2.0**-60, (1, MAX_SHIFT)),
        (2.0**-61, (0, MAX_SHIFT)),
        (1e-30, (0, MAX_SHIFT)),
    ],
)
def test_a_ratio_is_a_multiplier_and_a_shift(ratio: float, expected: tuple[int, int]) -> None:
    assert multiplier_and_shift(ratio) == expected


def test_any_ratio_has_the_nearest_multiplier_of_sixteen_bits() -> None:
    for ratio in 2.0 ** np.random.default_rng(1).uniform(-45, 15.9, 500):
        multiplier, shift = multiplier_and_shift(float(ratio))
        assert 1 << 15 <= multiplier < 1 << 16
        assert abs(Fraction(float(ratio)) * 2**shift - multiplier) <= Fraction(1, 2)


@pytest.mark.parametrize("ratio", [-1e-9, float("inf"), float("nan")])
def test_a_ratio_is_a_finite_number(ratio: float) -> None:
    with pytest.raises(QuantiseError, match="is not a finite number ≥ 0"):
        multiplier_and_shift(ratio)


@pytest.mark.parametrize("ratio", [65535.5, 65536.0, 1e9])
def test_a_ratio_is_below_two_to_the_sixteen(ratio: float) -> None:
    with pytest.raises(QuantiseError, match=r"is above 2\^16"):
        multiplier_and_shift(ratio)


@BOTH
@pytest.mark.parametrize("narrow", [False, True])
def test_a_channel_uses_all_its_weight_bits(precision: Precision, narrow: bool) -> None:
    largest = 7 if narrow else 2 ** (precision.weight_bits - 1) - 1
    weight = np.array([[1.0, -0.5, 0.25], [-8.0, 1.0, 0.0]])
    made = linear_integers(weight, np.zeros(2), 0.5, np.array([0.25, 4.0]), 0, precision, narrow)
    assert made.weight.tolist() == [
        [largest, round(-0.5 * largest), round(0.25 * largest)], [-largest, round(largest / 8), 0]
    ]  # fmt: skip
    assert made.bias.tolist() == [0, 0]
    ratios = [(0.5 / largest) / 0.25, (0.5 * 8 / largest) / 4.0]
    assert list(zip(made.multiplier.tolist(), made.shift.tolist(), strict=True)) == [
        multiplier_and_shift(ratio) for ratio in ratios
    ]
    assert made.narrow == narrow


@BOTH
def test_a_large_bias_makes_the_step_of_its_channel_larger(precision: Precision) -> None:
    """So that it takes half of what its format has, and leaves the rest to the zero of the inputs."""
    made = linear_integers(np.array([[1.0, 1.0]]), np.array([-1e9]), 0.5, 1e7, 0, precision)
    assert made.bias.tolist() == [-(2 ** (precision.bias_bits - 1))]
    step = 1e9 / (0.5 * 2 ** (precision.bias_bits - 1))
    assert made.weight.tolist() == [[round(1 / step)] * 2]
    assert (int(made.multiplier[0]), int(made.shift[0])) == multiplier_and_shift(0.5 * step / 1e7)


def test_the_zero_of_the_inputs_goes_into_the_bias() -> None:
    weight, bias = np.array([[127.0, -3.0, 5.0], [2.0, 127.0, 1.0]]), np.array([10.0, -20.0])
    made = linear_integers(weight, bias, 0.5, 1.0, -128, W8A8)
    assert made.weight.tolist() == weight.tolist()
    assert made.bias.tolist() == [20 + 128 * (127 - 3 + 5), -40 + 128 * (2 + 127 + 1)]


def test_given_steps_are_taken_and_others_chosen() -> None:
    weight = np.array([[4.0, -2.0], [4.0, -2.0], [0.0, 0.0]])
    made = linear_integers(weight, np.zeros(3), 1.0, 1.0, 0, W8A8, steps=np.array([0.5, 0.0, 0.0]))
    assert made.weight.tolist() == [[8, -4], [127, -64], [0, 0]]
    assert [int(made.multiplier[0]), int(made.shift[0])] == [1 << 15, 16]


@BOTH
@pytest.mark.parametrize("sign", [1, -1])
def test_a_bias_ends_below_its_bits(precision: Precision, sign: int) -> None:
    limit = 2**precision.bias_bits
    inside = linear_integers(
        np.ones((1, 1)), np.array([sign * (limit - 1.0)]), 1.0, 1.0, 0, precision, steps=np.ones(1)
    )
    assert inside.bias.tolist() == [sign * (limit - 1)]
    with pytest.raises(QuantiseError, match=f"more than {precision.bias_bits} bits"):
        linear_integers(np.ones((1, 1)), np.array([sign * float(limit)]), 1.0, 1.0, 0, precision, steps=np.ones(1))


@BOTH
def test_the_shift_of_a_norm_is_the_largest_that_both_formats_take(precision: Precision) -> None:
    gains, offsets = 2 ** (precision.gain_bits - 1) - 1, 2 ** (precision.offset_bits - 2)
    for gain, offset in 2.0 ** np.random.default_rng(2).uniform(-4, 5, (200, 2)):
        made, shift = affine_integers(np.array([gain, -gain / 3]), np.array([offset, -offset]), precision)
        fraction = precision.normalised_fraction
        assert made.gain.tolist() == [
            round(gain * 2.0 ** (shift - fraction)),
            round(-gain / 3 * 2.0 ** (shift - fraction)),
        ]
        assert made.offset.tolist() == [round(offset * 2.0**shift), round(-offset * 2.0**shift)]
        assert gain * 2.0 ** (shift - fraction) <= gains
        assert offset * 2.0**shift <= offsets
        larger = shift + 1
        assert larger > MAX_SHIFT or gain * 2.0 ** (larger - fraction) > gains or offset * 2.0**larger > offsets


@BOTH
def test_the_ends_of_a_norm_s_formats_are_used(precision: Precision) -> None:
    gains, offsets = 2 ** (precision.gain_bits - 1) - 1, 2 ** (precision.offset_bits - 2)
    fraction = precision.normalised_fraction
    for gain, offset, shift in (
        (float(gains), 0.0, fraction),
        (gains + 1.0, 0.0, fraction - 1),
        (0.0, offsets / 2.0, 1),
        (1e-12, 1e-12, min(MAX_SHIFT, int(np.log2(gains * 1e9)) + fraction)),
    ):
        made, found = affine_integers(np.array([gain]), np.array([offset]), precision)
        assert found == shift
        assert made.gain.tolist() == [round(gain * 2.0 ** (shift - fraction))]
    for gain, offset in ((0.0, float(offsets)), (2.0 ** (precision.gain_bits - 1 + fraction), 0.0)):
        with pytest.raises(QuantiseError, match="too large for its calibrated range"):
            affine_integers(np.array([gain]), np.array([offset]), precision)
