"""An array of the user's as operand of one kernel; what else the kernel needs is drawn from a seed, or fixed here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.kernels.operands import (
    GATE_SCALE,
    expert_layers,
    gate_operands,
    gelu_grid,
    integers,
    layer,
    random_queues,
    score_scales,
)
from edgemoe.kernels.operations import (
    Attention,
    Experts,
    Exponential,
    Gate,
    GeluRequantise,
    Head,
    IntArray,
    LayerNorm,
    Linear,
    Matmul,
    Operation,
    PatchEmbed,
    Reciprocal,
    Requantise,
)
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.precision import MAX_TOKENS, WIDE_LIMIT, Precision

OUTPUTS = 16  # of a layer whose weights are drawn
HEAD_WIDTH = 64
EXPERTS = 4
Drawn = np.random.Generator


def _activations(precision: Precision) -> tuple[int, int]:
    return _signed(precision.activation_bits)


def _signed(bits: int) -> tuple[int, int]:
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def _requantise(values: IntArray, _: Drawn, hardware: HardwareConfig) -> Operation:
    bits = hardware.numbers.activation_bits
    excess = max(0, int(np.abs(values).max()).bit_length() - bits + 1)
    return Requantise(values, 1 << 15, 15 + excess, bits)


def _layernorm(residual: IntArray, _: Drawn, hardware: HardwareConfig) -> Operation:
    numbers, width = hardware.numbers, residual.shape[1]
    gain = np.full(width, 1 << (numbers.gain_bits - 2))
    shift = numbers.gain_bits - 2 + numbers.normalised_fraction - (numbers.activation_bits - 4)
    return LayerNorm(residual, gain, np.zeros(width, dtype=np.int64), width * width, shift, None, numbers)


def _attention(tokens: IntArray, _: Drawn, hardware: HardwareConfig) -> Operation:
    query, key, value = tokens
    features = query.shape[1]
    heads = max(1, features // HEAD_WIDTH)
    if features > HEAD_WIDTH and features % HEAD_WIDTH:
        raise ArgumentError(f"{features} features are no whole number of heads of {HEAD_WIDTH}; give a multiple of it")
    scales = score_scales(features // heads, hardware.numbers)
    return Attention(query, key, value, heads, scales, hardware.numbers)


def _gate(values: IntArray, rng: Drawn, hardware: HardwareConfig) -> Operation:
    weight = gate_operands(rng, min(16, hardware.max_experts), values.shape[1])
    return Gate(values, weight, 2, *GATE_SCALE, hardware.numbers)


def _patch_embed(patches: IntArray, rng: Drawn, hardware: HardwareConfig) -> Operation:
    bits = hardware.numbers.residual_bits
    weights = layer(rng, OUTPUTS, patches.shape[1], bits, hardware.numbers)
    return PatchEmbed(patches, weights, integers(rng, bits, len(patches) + 1, OUTPUTS), hardware.numbers)


def _linear(values: IntArray, rng: Drawn, hardware: HardwareConfig) -> Operation:
    bits = hardware.numbers.activation_bits
    return Linear(values, layer(rng, OUTPUTS, values.shape[1], bits, hardware.numbers), bits, hardware.numbers)


def _head(values: IntArray, rng: Drawn, hardware: HardwareConfig) -> Operation:
    return Head(values, layer(rng, OUTPUTS, values.shape[1], 16, hardware.numbers), hardware.numbers)


def _matmul(left: IntArray, rng: Drawn, hardware: HardwareConfig) -> Operation:
    bits = hardware.numbers.activation_bits
    return Matmul(left, integers(rng, bits, left.shape[1], OUTPUTS), 1 << (bits - 1), hardware.numbers)


def _experts(normalised: IntArray, rng: Drawn, hardware: HardwareConfig) -> Operation:
    numbers, (rows, width) = hardware.numbers, normalised.shape
    queues = random_queues(rng, EXPERTS, rows)
    layers = expert_layers(rng, EXPERTS, width, width, numbers)
    return Experts(normalised, np.zeros((rows, width), dtype=np.int64), queues, layers, gelu_grid(numbers), numbers)


@dataclass(frozen=True)
class KernelInput:
    """What one kernel takes of a user.

    axes: names of the array's axes, "" for any shape. limits: smallest and largest value. make: the operation.
    results: names of its arrays. others: what the operation needs besides, in words. whole: whether the last axis is a
    multiple of VECTOR. first: length of the first axis, 0 for any.
    """

    what: str
    axes: tuple[str, ...]
    limits: Callable[[Precision], tuple[int, int]]
    make: Callable[[IntArray, Drawn, HardwareConfig], Operation]
    results: tuple[str, ...]
    others: str = "nothing else"
    whole: bool = False
    first: int = 0

    def described(self) -> str:
        """Name and axes, as in `scores [rows, keys]`."""
        return f"{self.what} [{', '.join(self.axes) or 'any shape'}]"


_EXPONENTIALS = KernelInput(
    "scores", ("rows", "keys"), lambda p: _signed(p.score_bits),
    lambda values, _, hardware: Exponential(values, hardware.numbers), ("exponentials",),
)  # fmt: skip
_WEIGHTS = "weights drawn from the seed"
INPUTS: dict[str, KernelInput] = {
    "softmax": _EXPONENTIALS,
    "exponential": _EXPONENTIALS,
    "reciprocal": KernelInput(
        "totals", ("totals",), lambda p: (1, MAX_TOKENS * ((1 << p.exponential_bits) - 1)),
        lambda values, _, hardware: Reciprocal(values, hardware.numbers), ("inverses", "lengths"),
    ),
    "requantise": KernelInput(
        "sums", (), lambda p: _signed(p.accumulator_bits), _requantise, ("activations",),
        "a power of two by which the largest of them fits",
    ),
    "gelu": KernelInput(
        "values", (), lambda p: _signed(p.gelu_bits),
        lambda values, _, hardware: GeluRequantise(values, gelu_grid(hardware.numbers), hardware.numbers),
        ("activations",), "the grid of a hidden range of about −0.17 … 8",
    ),
    "layernorm": KernelInput(
        "residuals", ("rows", "features"), lambda p: _signed(p.residual_bits), _layernorm, ("activations",),
        "gain 1, offset 0: one deviation is an eighth of an activation's range", whole=True,
    ),
    "attention": KernelInput(
        "query, key, value", ("3", "tokens", "features"), _activations, _attention, ("contexts",),
        f"heads of {HEAD_WIDTH}, scales by which random operands fill the range", first=3,
    ),
    "gate": KernelInput(
        "tokens", ("tokens", "features"), lambda _: (-WIDE_LIMIT, WIDE_LIMIT), _gate,
        ("experts", "scores"), f"{_WEIGHTS}, top 2",
    ),
    "patch_embed": KernelInput(
        "pixels", ("patches", "features"), lambda _: (0, 255), _patch_embed, ("residuals",),
        f"{_WEIGHTS}, {OUTPUTS} outputs", whole=True,
    ),
    "linear": KernelInput(
        "activations", ("rows", "features"), _activations, _linear, ("activations",), f"{_WEIGHTS}, {OUTPUTS} outputs",
    ),
    "head": KernelInput(
        "activations", ("rows", "features"), _activations, _head, ("outputs",), f"{_WEIGHTS}, {OUTPUTS} outputs",
    ),
    "matmul": KernelInput(
        "left", ("rows", "features"), _activations, _matmul, ("products",), "a right matrix drawn from the seed",
    ),
    "experts": KernelInput(
        "activations", ("rows", "features"), _activations, _experts, ("residuals",),
        f"{EXPERTS} experts and their queues drawn from the seed, residual 0", whole=True,
    ),
}  # fmt: skip


def operation(kernel: str, array: NDArray[np.generic], hardware: HardwareConfig, seed: int = 1) -> Operation:
    """The operation of a kernel of INPUTS on an array; whatever it does not give is drawn from `seed`.

    Raises ArgumentError for an array that is not of integers, or of another shape or range than the kernel takes.
    """
    given = INPUTS[kernel]
    if array.dtype.kind not in "iu":
        raise ArgumentError(
            f"the input is of {array.dtype}, {kernel} takes integers: {given.described()}; quantise it and save it "
            f"with an integer dtype, such as int64"
        )
    shape = " × ".join(map(str, array.shape)) or "a single number"
    if not array.size or array.ndim == 0 or (given.axes and array.ndim != len(given.axes)):
        raise ArgumentError(f"the input's shape is {shape}, {kernel} takes {given.described()}, none of them empty")
    if given.first and len(array) != given.first:
        raise ArgumentError(
            f"the input's shape is {shape}, {kernel} takes {given.described()}; stack them with np.stack"
        )
    if given.whole and array.shape[-1] % VECTOR:
        raise ArgumentError(
            f"the input has {array.shape[-1]} {given.axes[-1]}, {kernel} takes multiples of {VECTOR}; pad it"
        )
    low, high = given.limits(hardware.numbers)
    smallest, largest = int(array.min()), int(array.max())
    if smallest < low or largest > high:
        raise ArgumentError(
            f"the input's values are {smallest:,} … {largest:,}, {kernel} takes {low:,} … {high:,} in "
            f"{hardware.precision} (hardware '{hardware.name}'); scale or clip them"
        )
    _require_size(kernel, array.shape, given, hardware)
    return given.make(array.astype(np.int64), np.random.default_rng(seed), hardware)


def _require_size(kernel: str, shape: tuple[int, ...], given: KernelInput, hardware: HardwareConfig) -> None:
    """Raises ArgumentError for more than this hardware's scratchpads have lines for."""
    most = {"keys": MAX_TOKENS, "features": hardware.max_width, "rows": hardware.max_rows}
    most |= {"tokens": hardware.max_tokens, "patches": hardware.max_tokens - 1}
    if kernel in ("softmax", "exponential"):
        del most["rows"]  # they are computed one after the other
    for axis, length in zip(given.axes, shape, strict=bool(given.axes)):
        if length > most.get(axis, length):
            raise ArgumentError(
                f"the input has {length:,} {axis}, hardware '{hardware.name}' takes {most[axis]:,}; give fewer, or "
                f"name larger hardware with --hardware"
            )
