"""experts: one after the other over its queue; outputs weighted by score and added to the residual stream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from op_cases import check, same

from edgemoe.kernels.engines import GOLDEN, OpEngine
from edgemoe.kernels.operands import expert_layers, gelu_grid, integers, layer, random_queues
from edgemoe.kernels.operations import Experts, Linear
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.precision import Precision
from edgemoe_golden.ops.experts import QueueEntries, expert_queue
from edgemoe_golden.ops.gelu import gelu_requantise

EMPTY = QueueEntries(*(np.zeros(0, dtype=np.int64) for _ in range(3)))


def queue_of(sources: list[int], destinations: list[int], scores: list[int]) -> QueueEntries:
    return QueueEntries(np.array(sources), np.array(destinations), np.array(scores))


def constant_expert(output: int, width: int = 16) -> tuple[LinearWeights, LinearWeights]:
    """An expert whose output is `output` guarded units everywhere, whatever its input."""
    zeros, ones = np.zeros(width, dtype=np.int64), np.ones(width, dtype=np.int64)
    weight = np.zeros((width, width), dtype=np.int64)
    return LinearWeights(weight, zeros, ones, zeros), LinearWeights(weight, zeros + output, ones, zeros)


def test_outputs_are_within_the_derived_bound_of_float64(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """From the hidden codes on, which test_gelu bounds: ½ LSB of the guarded output, 2^−4 smaller and weighted by
    score < 1, and ½ LSB of the update. The layer's range keeps clear of saturation.
    """
    width, hidden, bits = 32, 64, precision.residual_bits
    normalised = integers(rng, precision.activation_bits, 20, width)
    residual = rng.integers(-100, 100, (20, width))
    up = layer(rng, hidden, width, precision.gelu_bits - 3, precision)
    down = layer(rng, width, hidden, bits, precision)
    score = rng.integers(0, 1 << 16, 20)
    grid, rows = gelu_grid(precision), np.arange(20)
    result = engine.run(
        Experts(normalised, residual, [QueueEntries(rows, rows, score)], [(up, down)], grid, precision)
    )[0]
    inner = GOLDEN.run(Linear(normalised, up, precision.gelu_bits, precision))[0]
    codes = gelu_requantise(inner, *grid, precision)
    output = (codes @ down.weight.T + down.bias) * (down.multiplier / 2.0**down.shift)
    expected = residual + output * score[:, None] / 2.0**20
    assert np.abs(result - expected).max() <= 0.5 + 0.5 / 16 + 1e-6


def test_one_expert_takes_all_129_tokens(engine: OpEngine, precision: Precision, rng: np.random.Generator) -> None:
    normalised = integers(rng, precision.activation_bits, 129, 16)
    residual = integers(rng, precision.residual_bits, 129, 16)
    rows = np.arange(129)
    queues = [EMPTY, EMPTY, QueueEntries(rows, rows, rng.integers(0, 1 << 16, 129)), EMPTY]
    layers = expert_layers(rng, 4, 16, 16, precision)
    assert check(Experts(normalised, residual, queues, layers, gelu_grid(precision), precision), engine) == 129 * 16


def test_experts_without_tokens_change_nothing_and_their_weights_are_not_asked_for(
    engine: OpEngine, precision: Precision, rng: np.random.Generator
) -> None:
    """GoldenEngine asserts that an empty expert's weights stay untouched."""
    residual = integers(rng, precision.residual_bits, 5, 16)
    normalised = integers(rng, precision.activation_bits, 5, 16)
    layers = expert_layers(rng, 3, 16, 16, precision)
    result = engine.run(Experts(normalised, residual, [EMPTY] * 3, layers, gelu_grid(precision), precision))[0]
    assert same([result], [residual]) == 80


def test_a_token_in_two_queues_takes_both_updates_and_others_none(engine: OpEngine, precision: Precision) -> None:
    """16 guarded units at score 65535 round to 1 LSB, 32 at ½ to 1, and so on."""
    queues = [queue_of([0, 2], [0, 2], [65535, 32768]), EMPTY, queue_of([2], [2], [65535])]
    layers = [constant_expert(32), constant_expert(10**6), constant_expert(160)]
    residual = np.zeros((4, 16), dtype=np.int64)
    result = engine.run(Experts(residual, residual, queues, layers, gelu_grid(precision), precision))[0]
    assert result.tolist() == [[2] * 16, [0] * 16, [1 + 10] * 16, [0] * 16]


def test_score_zero_adds_nothing(engine: OpEngine, precision: Precision) -> None:
    residual = np.arange(16).reshape(1, 16)
    layers = [constant_expert((1 << (precision.residual_bits + 3)) - 1)]
    result = engine.run(
        Experts(residual, residual, [queue_of([0], [0], [0])], layers, gelu_grid(precision), precision)
    )[0]
    assert result.tolist() == residual.tolist()


def test_experts_ascend_which_shows_where_the_residual_saturates(engine: OpEngine, precision: Precision) -> None:
    """top + 100 saturates to top, then − 100; the other order would end at top."""
    top = (1 << (precision.residual_bits - 1)) - 1
    entry = queue_of([0], [0], [65535])
    residual = np.full((1, 16), top)
    arguments = (residual >> 20, residual, [entry, entry])
    up_first, down_first = (
        [constant_expert(1600), constant_expert(-1600)],
        [constant_expert(-1600), constant_expert(1600)],
    )
    grid = gelu_grid(precision)
    assert (engine.run(Experts(*arguments, up_first, grid, precision))[0] == top - 100).all()
    assert (engine.run(Experts(*arguments, down_first, grid, precision))[0] == top).all()


def test_source_and_destination_rows_differ_for_the_second_task(engine: OpEngine, precision: Precision) -> None:
    """The shared prefix: tokens are read from NORM rows of task 0 and update RESIDUAL rows of another task."""
    residual = np.zeros((4, 16), dtype=np.int64)
    layers = [constant_expert(16)]
    queue = queue_of([0, 1], [3, 2], [65535, 65535])
    result = engine.run(Experts(residual, residual, [queue], layers, gelu_grid(precision), precision))[0]
    assert result[:, 0].tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0]])
def test_a_row_queued_twice_is_updated_twice_in_order_of_the_queue(
    engine: OpEngine, precision: Precision, order: list[int]
) -> None:
    """No legal program makes such a queue, because GATE's destinations ascend; the loop nest would then read back what
    the entry before wrote, and golden and HLS do.
    """
    if not engine.limits.repeats:
        pytest.skip(f"'{engine.name}' is not made for queues that no legal program makes")
    queue = queue_of([0, 0, 1], [0, 0, 1], [65535, 32768, 65535])
    queue = QueueEntries(queue.source_rows[order], queue.destination_rows[order], queue.scores[order])
    residual = np.zeros((2, 16), dtype=np.int64)
    case = Experts(residual, residual, [queue], [constant_expert(32)], gelu_grid(precision), precision)
    assert check(case, engine) == 32
    assert engine.run(case)[0][:, 0].tolist() == [3, 2]


def test_a_gate_appends_its_rows_ascending_with_the_score_of_the_slot() -> None:
    chosen, scores = np.array([[3, 1], [1, 0], [2, 3]]), np.array([[30, 10], [11, 5], [20, 31]])
    queue = expert_queue(3, chosen, scores, 129, 258)
    assert (queue.source_rows.tolist(), queue.destination_rows.tolist()) == ([129, 131], [258, 260])
    assert queue.scores.tolist() == [30, 31]
    assert not len(expert_queue(7, chosen, scores, 0, 0).scores)


@given(st.integers(0, 1 << 32))
def test_queue_entries_in_any_order_give_the_same_residual(engine: OpEngine, precision: Precision, seed: int) -> None:
    rng = np.random.default_rng(seed)
    normalised = integers(rng, precision.activation_bits, 6, 16)
    residual = integers(rng, precision.residual_bits, 6, 16)
    layers, queues = expert_layers(rng, 4, 16, 16, precision), random_queues(rng, 4, 6)
    case = Experts(normalised, residual, queues, layers, gelu_grid(precision), precision)
    assert check(case, engine) == 96
    shuffled = []
    for queue in queues:
        order = rng.permutation(len(queue.scores))
        shuffled.append(QueueEntries(queue.source_rows[order], queue.destination_rows[order], queue.scores[order]))
    result = engine.run(Experts(normalised, residual, shuffled, layers, gelu_grid(precision), precision))[0]
    assert same(engine.run(case), [result]) == 96


@given(st.integers(0, 1 << 32))
def test_merged_queues_of_two_tasks_equal_one_task_after_the_other(
    engine: OpEngine, precision: Precision, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    normalised = integers(rng, precision.activation_bits, 8, 16)
    residual = integers(rng, precision.residual_bits, 8, 16)
    layers, first, second = expert_layers(rng, 3, 16, 16, precision), random_queues(rng, 3, 4), random_queues(rng, 3, 4)
    second = [QueueEntries(q.source_rows + 4, q.destination_rows + 4, q.scores) for q in second]
    merged = [
        queue_of(
            *(
                getattr(a, name).tolist() + getattr(b, name).tolist()
                for name in ("source_rows", "destination_rows", "scores")
            )
        )
        for a, b in zip(first, second, strict=True)
    ]
    grid = gelu_grid(precision)
    together = engine.run(Experts(normalised, residual, merged, layers, grid, precision))[0]
    alone = engine.run(Experts(normalised, residual, first, layers, grid, precision))[0]
    alone = engine.run(Experts(normalised, alone, second, layers, grid, precision))[0]
    assert same([together], [alone]) == 128
