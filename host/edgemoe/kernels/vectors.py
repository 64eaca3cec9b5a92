"""Golden's vectors for one kernel of the HLS engine: `python -m edgemoe.kernels.vectors softmax zcu102 FOLDER`.

Writes into FOLDER what hls/tops/kernel_top.cpp and its testbench need: kernel.hpp, which names the kernel, the header
of the hardware, vitis.cfg, and vectors.txt, one call a line: inputs, then golden's outputs, in the order of
hls/tops/<kernel>.hpp.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from edgemoe.kernels.operands import affine, gelu_grid, integers
from edgemoe.spec.files import write_text
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.generate.vitis import kernel_cfg
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.isa import Activation
from edgemoe.spec.memory import LayerNormWeights
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.precision import GUARD_BITS, MAX_SHIFT, OUTPUT_BITS, PIXEL_OFFSET, SCORE_BITS
from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.ops.attention import row_scale
from edgemoe_golden.ops.gate import gate_scores, top_k_experts
from edgemoe_golden.ops.gelu import gelu_requantise
from edgemoe_golden.ops.layernorm import layernorm, normalise, reciprocal_square_root, variance
from edgemoe_golden.ops.requantise import requantise, round_shift, saturate
from edgemoe_golden.ops.softmax import exponential, reciprocal

CALLS = 400  # of each kernel, at most
Call = tuple[list[int], list[int]]  # inputs, outputs
Random = np.random.Generator


def _requantise(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    """Exact halves, the ends of the result, the largest values, and any."""
    for shift in (1, 2, 17):
        values = np.array([odd << (shift - 1) for odd in (1, -1, 3, -3)])
        one, bits = np.ones(4, dtype=np.int64), hardware.numbers.activation_bits
        for value, result in zip(values, requantise(values, one, one * shift, bits), strict=True):
            yield [int(value), 1, shift, bits], [int(result)]
    edges = [(1 << 45) - 1, -(1 << 45), 0, 1, -1, 127, 128, -128, -129]
    for value in [*edges, *integers(rng, 46, CALLS - len(edges)).tolist()]:
        multiplier, shift = int(rng.integers(1, 1 << 16)), int(rng.choice([0, 1, 30, 44, 45, 46, MAX_SHIFT]))
        bits = hardware.numbers.activation_bits
        result = requantise(np.array([value]), np.array([multiplier]), np.array([shift]), bits)
        yield [value, multiplier, shift, bits], result.tolist()


def _gelu(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    """Around every end of a table, around 0, at the ends of the format, and anywhere."""
    numbers = hardware.numbers
    step, limit = 1 << (numbers.gelu_fraction - 6), 1 << (numbers.gelu_bits - 1)
    ends = [entries * step for entries in (1, numbers.gelu_entries, numbers.activation_entries)]
    near = [end + less for end in ends for less in (-step // 2, -step // 2 - 1, -1, 0, 1)]
    values = [sign * value for value in (0, 1, *near) for sign in (1, -1)] + [limit - 1, -limit]
    anywhere = integers(rng, numbers.gelu_bits, CALLS // 2) >> rng.integers(0, numbers.gelu_bits, CALLS // 2)
    functions = list(Activation) if hardware.activations else [Activation.GELU]
    for number, value in enumerate([*values, *anywhere.tolist()]):
        function = functions[number % len(functions)]
        for grid in ((1, 0, 0), gelu_grid(numbers))[: 1 + number % 2]:
            result = gelu_requantise(np.array([value]), *grid, numbers, activation=function)
            yield [value, int(function), *grid], result.tolist()


def _head(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    edges = [32767, 32768, -32768, -32769, 0, -1]
    for value in [*edges, *integers(rng, 20, CALLS - len(edges)).tolist()]:
        yield [value], saturate(np.array([value]), OUTPUT_BITS).tolist()


def _linear(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    bits = hardware.numbers.residual_bits + GUARD_BITS
    for scaled in integers(rng, bits + 2, CALLS).tolist():
        score = int(rng.choice([0, 1, 1 << 15, (1 << 16) - 1, int(rng.integers(0, 1 << 16))]))
        output = int(saturate(np.array([scaled]), bits)[0])
        yield [scaled, score], round_shift(np.array([output * score]), SCORE_BITS + GUARD_BITS).tolist()


def _patch_embed(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    for pixel in range(256):
        yield [pixel], [pixel - PIXEL_OFFSET]


def _attention(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    numbers = hardware.numbers
    most = numbers.exponential_bits + 10
    edges = [1, 2, 3, (1 << most) - 1, 1 << most]
    for total in [*edges, *(1 + rng.integers(0, 1 << rng.integers(1, most, CALLS))).tolist()][:CALLS]:
        multiplier, shift = int(rng.integers(0, 1 << 16)), int(rng.integers(0, 31))
        scale, cut = row_scale(np.array([total]), multiplier, shift, numbers)
        yield [total, multiplier, shift], [int(scale[0]), int(cut[0])]


def _softmax(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    numbers, keys = hardware.numbers, hardware.in_par
    top = (1 << (numbers.score_bits - 1)) - 1
    rows = [[top] * keys, [-top - 1] * keys, [top] + [-top - 1] * (keys - 1), [0] * keys]
    rows += [(integers(rng, numbers.score_bits, keys) >> int(rng.integers(0, 12))).tolist() for _ in range(CALLS // 2)]
    for row in rows:
        weights = exponential(np.array([row]), numbers)
        inverse, length = reciprocal(weights.sum(axis=-1), numbers)
        yield row, [*weights[0].tolist(), int(inverse[0]), int(length[0])]


def _gate(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    most, ranks = hardware.max_experts, hardware.max_top_k
    for number in range(CALLS // 2):
        experts = int(rng.integers(1, most + 1))
        top_k = int(rng.integers(1, min(ranks, experts) + 1))
        logits = integers(rng, int(rng.integers(3, 46)), 1, experts)  # of few bits: with ties
        multiplier, shift = int(rng.integers(1, 1 << 16)), int(rng.integers(10, 45))
        chosen = top_k_experts(logits, top_k)
        renormalise = hardware.gate_forms and number % 2 == 1
        scores = gate_scores(logits, chosen, multiplier, shift, renormalise)
        results = np.pad(np.concatenate([chosen, scores]), ((0, 0), (0, ranks - top_k)))
        scales = [experts, top_k, multiplier, shift, int(renormalise)]
        yield [*logits[0].tolist(), *[number] * (most - experts), *scales], results.reshape(-1).tolist()


def _layernorm(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    """Rows of any spread, the constant ones among them, whose variance is ε alone: 1, and the most that there is."""
    numbers, shift_of_gate = hardware.numbers, 8
    for number in range(CALLS):
        width = int(rng.choice([16, 48, 192, hardware.max_width]))
        row = integers(rng, numbers.residual_bits, 1, width) >> int(rng.integers(0, numbers.residual_bits))
        row = row * 0 + row[0, 0] if number % 8 == 0 else row
        epsilon = int(rng.choice(np.array([1, 2, 3, 4, 12345, (1 << 63) - 1], dtype=np.int64)))
        gain, offset, shift = affine(rng, width, numbers)
        weights = LayerNormWeights(gain, offset)
        at = int(rng.integers(0, width))
        root, exponent = reciprocal_square_root(variance(row, epsilon), numbers)
        output, copy = layernorm(row, weights.gain, weights.offset, epsilon, shift, shift_of_gate, numbers)
        assert copy is not None
        inputs = [int(row.sum()), int((row * row).sum()), width, epsilon, int(row[0, at]), int(gain[at])]
        outputs = [int(root[0]), int(exponent[0]), int(normalise(row, epsilon, numbers)[0, at])]
        yield [*inputs, int(offset[at]), shift, shift_of_gate], [*outputs, int(output[0, at]), int(copy[0, at])]


def _matmul(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    """Operands at their ends in every sign, which two products in one multiplier must keep apart, and any."""
    numbers, inputs, outputs = hardware.numbers, hardware.in_par, hardware.out_par
    least, most = -(1 << (numbers.weight_bits - 1)), (1 << (numbers.weight_bits - 1)) - 1
    exponentials = (1 << numbers.exponential_bits) - 1
    for number in range(CALLS // 8):
        left = integers(rng, numbers.activation_bits, inputs)
        tile = integers(rng, numbers.weight_bits, outputs, inputs)
        if number < 16:
            left[:] = (least, most, exponentials, 0)[number % 4]
            tile[::2], tile[1::2] = ((least, least), (least, most), (most, least), (most, most))[number // 4]
        before = integers(rng, numbers.accumulator_bits - 2, outputs)
        first = int(rng.integers(0, 2))
        sums = tile @ left + (0 if first else before)
        yield [*left.tolist(), *tile.reshape(-1).tolist(), first, *before.tolist()], sums.tolist()


def _experts(rng: Random, hardware: HardwareConfig) -> Iterator[Call]:
    lengths = [0] * hardware.max_experts
    for number in range(CALLS):
        begins = number % 150 == 0
        lengths = [0] * hardware.max_experts if begins else lengths
        expert = int(rng.choice([0, hardware.max_experts - 1, int(rng.integers(hardware.max_experts))]))
        lengths[expert] = min(lengths[expert] + 1, hardware.max_rows)
        rows = rng.integers(0, hardware.max_rows, 2).tolist()
        score = int(rng.integers(0, 1 << 16))
        yield [int(begins), expert, *rows, score], [*rows, score, lengths[expert]]


KERNELS: dict[str, Callable[[Random, HardwareConfig], Iterator[Call]]] = {
    "attention": _attention, "experts": _experts, "gate": _gate, "gelu": _gelu, "head": _head, "layernorm": _layernorm,
    "linear": _linear, "matmul": _matmul, "patch_embed": _patch_embed, "requantise": _requantise, "softmax": _softmax,
}  # fmt: skip
"""Kernel, by the name of its headers in hls/kernels and hls/tops → its calls."""


def write_bench(kernel: str, hardware: HardwareConfig, folder: Path) -> int:
    """Write the files of one kernel's bench; returns the number of calls."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "kernel.hpp", f'#include "tops/{kernel}.hpp"\n')
    write_text(folder / "edgemoe_spec.hpp", hls_header(hardware))
    write_text(folder / "vitis.cfg", kernel_cfg(hardware, REPOSITORY / "hls", folder.resolve()))
    calls = list(KERNELS[kernel](np.random.default_rng(1), hardware))
    lines = (" ".join(map(str, [*inputs, *outputs])) for inputs, outputs in calls)
    write_text(folder / "vectors.txt", "\n".join(lines) + "\n")
    return len(calls)


def main() -> int:
    """Run the command; returns the exit status."""
    accept_all_text()
    parser = argparse.ArgumentParser(description="Golden's vectors for one kernel of the HLS engine.")
    parser.add_argument("kernel", choices=KERNELS)
    parser.add_argument("hardware", choices=hardware_names())
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    count = write_bench(options.kernel, load_hardware_config(options.hardware), options.folder)
    print(f"wrote {count} calls of {options.kernel} to {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
