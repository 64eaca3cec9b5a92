"""Independent reference of every operation: plain Python integers, one element at a time, written from docs/isa.md.

No NumPy and nothing of edgemoe_golden.ops: tables are computed here again, in decimal arithmetic. Matrices are lists.
A linear layer is the tuple (weight [outputs][inputs], bias, multiplier, shift).
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache
from math import isqrt

from edgemoe.spec.precision import Precision

Row = list[int]
Matrix = list[Row]
Linear = tuple[Matrix, Row, Row, Row]


def round_shift(value: int, shift: int) -> int:
    """⌊value/2^shift + 1/2⌋."""
    return (2 * value + 2**shift) // 2 ** (shift + 1)


def saturate(value: int, bits: int) -> int:
    return max(-(2 ** (bits - 1)), min(2 ** (bits - 1) - 1, value))


def requantise(value: int, multiplier: int, shift: int, bits: int) -> int:
    return saturate(round_shift(value * multiplier, shift), bits)


def dot(left: Row, right: Row) -> int:
    total = 0
    for a, b in zip(left, right, strict=True):
        total += a * b
    return total


def matmul(left: Matrix, right: Matrix) -> Matrix:
    columns = [list(column) for column in zip(*right, strict=True)]
    return [[dot(row, column) for column in columns] for row in left]


def _outputs(values: Row, layer: Linear, bits: int | None) -> Row:
    """round_shift(acc·M, S) of one row, saturated when `bits` is given."""
    row = []
    for weight, bias, multiplier, shift in zip(*layer, strict=True):
        scaled = round_shift((bias + dot(values, weight)) * multiplier, shift)
        row.append(scaled if bits is None else saturate(scaled, bits))
    return row


def linear(values: Matrix, layer: Linear, bits: int) -> Matrix:
    return [_outputs(row, layer, bits) for row in values]


def linear_gelu(values: Matrix, layer: Linear, grid: tuple[int, int, int], precision: Precision) -> Matrix:
    inner = linear(values, layer, precision.gelu_bits)
    return [[gelu_requantise(x, *grid, precision) for x in row] for row in inner]


def linear_residual(values: Matrix, layer: Linear, residual: Matrix, bits: int) -> Matrix:
    return [
        [saturate(old + update, bits) for old, update in zip(before, _outputs(row, layer, None), strict=True)]
        for row, before in zip(values, residual, strict=True)
    ]


def linear_weighted(values: Matrix, layer: Linear, score: Row, residual: Matrix, bits: int) -> Matrix:
    result = []
    for row, weight, before in zip(values, score, residual, strict=True):
        output = _outputs(row, layer, bits + 4)
        result.append([saturate(x + round_shift(y * weight, 20), bits) for x, y in zip(before, output, strict=True)])
    return result


def patch_embed(patches: Matrix, layer: Linear, position: Matrix, bits: int) -> Matrix:
    pixels = [[pixel - 128 for pixel in patch] for patch in patches]
    return [list(position[0]), *linear_residual(pixels, layer, position[1:], bits)]


@cache
def power_of_two(scale: int, numerator: int, denominator: int) -> int:
    """round(scale·2^(−numerator/denominator)); no entry is a tie."""
    with localcontext() as context:
        context.prec = 60
        exact = Decimal(scale) * (-Decimal(2).ln() * numerator / denominator).exp()
        return int(exact.to_integral_value())


@cache
def gelu_delta_entry(index: int, fraction: int) -> int:
    a = index / 64
    return round(2**fraction * a * 0.5 * math.erfc(a / math.sqrt(2)))


def gelu_delta(magnitude: int, precision: Precision) -> int:
    fraction, entries = precision.gelu_fraction, precision.gelu_entries
    step = 2 ** (fraction - 6)
    if precision.activation_bits == 8:
        index = round_shift(magnitude, fraction - 6)
        return gelu_delta_entry(index, fraction) if index < entries else 0
    index, rest = divmod(magnitude, step)
    if index >= entries:
        return 0
    left, right = gelu_delta_entry(index, fraction), gelu_delta_entry(index + 1, fraction)
    return left + round_shift((right - left) * rest, fraction - 6)


def gelu_requantise(value: int, multiplier: int, shift: int, zero: int, precision: Precision) -> int:
    activated = max(value, 0) - gelu_delta(abs(value), precision)
    return saturate(round_shift(activated * multiplier, shift) + zero, precision.activation_bits)


@cache
def rsqrt_entry(index: int, fraction: int) -> int:
    """round(2^fraction·√(512/(2·index + 1))) by integer square root: ⌊√(4·y)⌋ = ⌊2√y⌋, then half up."""
    return (isqrt(4 * (2 ** (2 * fraction) * 512) // (2 * index + 1)) + 1) // 2


def reciprocal_square_root(value: int, precision: Precision) -> tuple[int, int]:
    bits, fraction = precision.rsqrt_mantissa_bits, precision.rsqrt_fraction
    exponent = 0
    while value >= 4**exponent * 2**bits:
        exponent += 1
    while 4 * value < 4**exponent * 2**bits:
        exponent -= 1
    mantissa = value // 4**exponent if exponent >= 0 else value * 4**-exponent
    root = rsqrt_entry(mantissa // 2 ** (bits - 8), fraction)
    for _ in range(precision.rsqrt_steps):
        square = root * root // 2**fraction
        product = mantissa * square // 2**bits
        root = root * (3 * 2**fraction - product) // 2 ** (fraction + 1)
    return root, exponent


def layernorm(
    residual: Matrix,
    gain: Row,
    offset: Row,
    epsilon: int,
    shift: int,
    gate_shift: int | None,
    precision: Precision,
) -> tuple[Matrix, Matrix | None]:
    outputs, copies = [], []
    for row in residual:
        width, total = len(row), sum(row)
        variance = width * sum(x * x for x in row) - total * total + epsilon
        root, exponent = reciprocal_square_root(variance, precision)
        scale = exponent + precision.rsqrt_fraction + precision.rsqrt_mantissa_bits // 2 - precision.normalised_fraction
        affine = []
        for x, g, o in zip(row, gain, offset, strict=True):
            normalised = saturate(round_shift((width * x - total) * root, scale), precision.normalised_bits)
            affine.append(normalised * g + o)
        outputs.append([saturate(round_shift(a, shift), precision.activation_bits) for a in affine])
        if gate_shift is not None:
            copies.append([max(-32639, min(32639, round_shift(a, gate_shift))) for a in affine])
    return outputs, None if gate_shift is None else copies


def exponential(scores: Row, precision: Precision) -> Row:
    if precision.activation_bits == 16:
        return fine_exponential(scores)
    one = 2**precision.score_fraction
    octaves = -(-max(scores) // one)
    result = []
    for score in scores:
        whole, part = divmod(octaves * one - score, one)
        result.append(round_shift(power_of_two(2**precision.exponential_bits - 1, part, one), whole))
    return result


def fine_exponential(scores: Row) -> Row:
    octaves = -(-max(scores) // 4096)
    result = []
    for score in scores:
        whole, part = divmod(octaves * 4096 - score, 4096)
        product = power_of_two(65535, part // 64, 64) * power_of_two(65536, part % 64, 4096)
        result.append(round_shift(product, 16 + whole))
    return result


def reciprocal(total: int, precision: Precision) -> tuple[int, int]:
    length = len(f"{total:b}")
    return (2 ** (length + precision.reciprocal_bits - 1) - 1) // total, length


def attention(
    query: Matrix,
    key: Matrix,
    value: Matrix,
    heads: int,
    scales: tuple[int, int, int, int],
    precision: Precision,
) -> Matrix:
    multiplier, shift, output_multiplier, output_shift = scales
    head_width = len(query[0]) // heads
    result: Matrix = [[] for _ in query]
    for head in range(heads):
        part = slice(head * head_width, (head + 1) * head_width)
        columns = [list(column) for column in zip(*(row[part] for row in value), strict=True)]
        for index, row in enumerate(query):
            scores = [requantise(dot(row[part], k[part]), multiplier, shift, precision.score_bits) for k in key]
            weights = exponential(scores, precision)
            inverse, length = reciprocal(sum(weights), precision)
            row_multiplier = round_shift(inverse * output_multiplier, 16)
            row_shift = output_shift + length + precision.reciprocal_bits - 17
            for column in columns:
                total = dot(weights, column)
                result[index].append(requantise(total, row_multiplier, row_shift, precision.activation_bits))
    return result


def gate(values: Matrix, weight: Matrix, top_k: int, multiplier: int, shift: int) -> tuple[Matrix, Matrix]:
    chosen, scores = [], []
    for row in values:
        logits = [dot(row, w) for w in weight]
        picked: Row = []
        for _ in range(top_k):
            left = [e for e in range(len(logits)) if e not in picked]
            picked.append(max(left, key=lambda e: (logits[e], -e)))
        weights = fine_exponential([requantise(logit, multiplier, shift, 24) for logit in logits])
        chosen.append(picked)
        scores.append([min(weights[e] * 65536 // sum(weights), 65535) for e in picked])
    return chosen, scores


def experts(
    normalised: Matrix,
    residual: Matrix,
    queues: list[list[tuple[int, int, int]]],
    layers: list[tuple[Linear, Linear]],
    grid: tuple[int, int, int],
    precision: Precision,
) -> Matrix:
    """queues: per expert (source row, destination row, score), taken one by one."""
    updated = [list(row) for row in residual]
    for queue, (up, down) in zip(queues, layers, strict=True):
        for source, destination, score in queue:
            hidden = linear_gelu([normalised[source]], up, grid, precision)
            before = [updated[destination]]
            (updated[destination],) = linear_weighted(hidden, down, [score], before, precision.residual_bits)
    return updated
