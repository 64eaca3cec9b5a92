"""Every operation against the scalar reference on random operands; and proof that the comparison can fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import reference
from op_cases import check, expected_of, same
from random_cases import RANDOM_CASES
from scalar import reference_of

import edgemoe_golden.ops
from edgemoe.kernels.engines import GOLDEN, OpEngine
from edgemoe.kernels.machine import MachineEngine
from edgemoe.kernels.operations import OPERATIONS, Exponential, GeluRequantise, IntArray, LayerNorm, Operation
from edgemoe.spec import tables
from edgemoe.spec.isa import Activation
from edgemoe.spec.precision import W8A8, W16A16, Precision


@pytest.mark.parametrize("op", RANDOM_CASES)
def test_random_operands_give_the_reference_integers(
    op: str, engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    for _ in range(3):
        assert check(RANDOM_CASES[op](rng, precision), engine) > 0


@pytest.mark.parametrize("op", RANDOM_CASES)
def test_one_flipped_bit_of_what_is_expected_turns_the_comparison_red(
    op: str, engine: OpEngine, precision: Precision
) -> None:
    case = RANDOM_CASES[op](np.random.default_rng(3), precision)
    results = engine.run(case)
    for position in range(len(results)):
        expected = [np.array(part) for part in expected_of(case, engine)]
        assert same(results, expected, engine.name) > 0
        flat = expected[position].reshape(-1)
        flat[flat.size // 2] ^= 1
        with pytest.raises(AssertionError, match=rf"{engine.name}: 1 of .* values differ"):
            same(results, expected, engine.name)


def every_exponential(precision: Precision, stride: int) -> Operation:
    """Distances 0, stride … 63·stride below a maximum that is a whole octave."""
    return Exponential(-stride * np.arange(64).reshape(1, -1), precision)


def every_delta(precision: Precision) -> Operation:
    """Negative arguments on and just below every table step: there GELU is −δ, here unscaled and not saturated."""
    step = 1 << (precision.gelu_fraction - 6)
    edges = step * np.arange(precision.gelu_entries + 1)
    values = -np.concatenate([edges, edges[1:] - 1])
    return GeluRequantise(values, (1, 0, 100), precision)


def every_root(precision: Precision) -> Operation:
    """Rows of many magnitudes; the 16-bit copy shows relative changes of 2^−14."""
    rng = np.random.default_rng(4)
    amplitude = 2.0 ** rng.uniform(11, 15, (2000, 1))
    residual = np.rint(amplitude * rng.uniform(-1, 1, (2000, 16))).astype(np.int64)
    gain = np.full(16, 1 << (precision.gain_bits - 2))
    shift = precision.gain_bits - 2 + precision.normalised_fraction - 12
    return LayerNorm(residual, gain, np.zeros(16, dtype=np.int64), 1, shift, shift, precision)


# Each Newton step squares the error of the first guess, so a high bit is flipped there.
TABLES: dict[str, tuple[Callable[[], IntArray], Callable[[], Operation], int]] = {
    "exp2": (lambda: tables.exp2_table(W8A8), lambda: every_exponential(W8A8, 1), 0),
    "exp2 high": (tables.fine_exp2_high_table, lambda: every_exponential(W16A16, 64), 0),
    "exp2 low": (tables.fine_exp2_low_table, lambda: every_exponential(W16A16, 1), 0),
    "gelu w8a8": (lambda: tables.delta_table(W8A8, Activation.GELU), lambda: every_delta(W8A8), 0),
    "gelu w16a16": (lambda: tables.delta_table(W16A16, Activation.GELU), lambda: every_delta(W16A16), 0),
    "rsqrt w8a8": (lambda: tables.rsqrt_table(W8A8), lambda: every_root(W8A8), W8A8.rsqrt_fraction - 3),
    "rsqrt w16a16": (
        lambda: tables.rsqrt_table(W16A16),
        lambda: every_root(W16A16),
        W16A16.rsqrt_fraction - 2,
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_one_flipped_bit_of_any_table_entry_turns_the_comparison_red(name: str) -> None:
    get, make, bit = TABLES[name]
    table, case = get(), make()
    expected = reference_of(case)
    assert same(GOLDEN.run(case), expected) > 0
    unnoticed = []
    table.flags.writeable = True
    try:
        for entry in range(len(table)):
            table[entry] ^= 1 << bit
            if equal(case, expected):
                unnoticed.append(entry)
            table[entry] ^= 1 << bit
    finally:
        table.flags.writeable = False
    assert not unnoticed
    assert equal(case, expected)


def equal(case: Operation, expected: object) -> bool:
    """Whether golden still gives the expected integers."""
    try:
        same(GOLDEN.run(case), expected)  # type: ignore[arg-type]
    except AssertionError:
        return False
    return True


def test_the_comparison_refuses_floats_other_shapes_and_nothing_at_all() -> None:
    with pytest.raises(AssertionError, match="not integers"):
        same([np.zeros(3)], [[0, 0, 0]])
    with pytest.raises(AssertionError, match="shape"):
        same([np.zeros((3, 1), dtype=np.int64)], [[0, 0, 0]])
    with pytest.raises(AssertionError, match="nothing was compared"):
        same([np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)])


def test_tables_hold_what_the_reference_computes_in_decimal_and_integer_roots() -> None:
    assert tables.exp2_table(W8A8).tolist() == [reference.power_of_two(1023, i, 64) for i in range(64)]
    assert tables.fine_exp2_high_table().tolist() == [reference.power_of_two(65535, i, 64) for i in range(64)]
    assert tables.fine_exp2_low_table().tolist() == [reference.power_of_two(65536, i, 4096) for i in range(64)]
    for numbers, extra in ((W8A8, 0), (W16A16, 1)):
        fraction, entries = numbers.gelu_fraction, numbers.gelu_entries + extra
        deltas = [reference.gelu_delta_entry(i, fraction) for i in range(entries)]
        assert tables.delta_table(numbers, Activation.GELU).tolist() == deltas
        roots = [reference.rsqrt_entry(i, numbers.rsqrt_fraction) for i in range(64, 256)]
        assert tables.rsqrt_table(numbers).tolist() == roots


def test_every_file_of_golden_ops_is_reached_through_the_operations() -> None:
    """A new operation that has no class would never be compared on any other engine."""
    files = {path.stem for path in Path(edgemoe_golden.ops.__path__[0]).glob("*.py")} - {"__init__"}
    names = {operation.name for operation in OPERATIONS}
    inside = {"softmax": {"exponential", "reciprocal"}, "gelu": {"gelu_requantise"}}
    assert len(names) == len(OPERATIONS)
    assert files <= names | set(inside)
    assert set().union(*inside.values()) <= names
    assert all(callable(getattr(MachineEngine, name, None)) for name in names)
