"""Quantise: float tensors and calibrated ranges become the integers of the arithmetic. Deterministic, NumPy only.

Scales: real = scale·integer. Weights have one scale per output channel, activations one per tensor, the residual
stream one per model, all tasks alike. Exact rewrites: pixel normalisation and offset folded into patch embedding, the
keys' bias dropped (softmax cancels it), the zero code of hidden grids taken off by the next layer's bias.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.integers import (
    QuantiseError,
    affine_integers,
    linear_integers,
    multiplier_and_shift,
)
from edgemoe.compiler.quantised import (
    HiddenGrid,
    QuantisedAttention,
    QuantisedBlock,
    QuantisedFeedForward,
    QuantisedGate,
    QuantisedHead,
    QuantisedModel,
    QuantisedMoe,
    QuantisedNorm,
)
from edgemoe.compiler.rewrites import folded_patch_embed, folded_position, without_key_bias
from edgemoe.spec.calibrated import Calibrated
from edgemoe.spec.calibration import Calibration
from edgemoe.spec.checkpoint import Tensors, check_tensors
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import (
    GATE_BIAS_LIMIT,
    GATE_FRACTION,
    GUARD_BITS,
    OUTPUT_BITS,
    WIDE_LIMIT,
    Precision,
)

FloatArray = NDArray[np.float64]
Layer = tuple[FloatArray, FloatArray, FloatArray]
IntArray = NDArray[np.int64]


def quantise(
    config: ModelConfig,
    tensors: Tensors,
    calibration: Calibration,
    precision: Precision,
    calibrated: Calibrated | None = None,
) -> QuantisedModel:
    """Quantise a checkpoint; raises CheckpointError, ConfigError or QuantiseError, each naming the tensor.

    calibrated: tensors of W8A8 builds that the quantiser put in the place of `tensors`.
    """
    check_tensors(config, tensors)
    return Quantiser(config, tensors, calibration, precision, calibrated).model()


def activation_scale(calibration: Calibration, precision: Precision, tensor: str, bits: int | None = None) -> float:
    """Real value of one step of a symmetric grid of `bits` (default: activation_bits) over a tensor's range."""
    bits = precision.activation_bits if bits is None else bits
    return calibration.of(precision.name, tensor).magnitude / float(2 ** (bits - 1) - 1)


class Quantiser:
    """Holds what every step needs; one method per part of the network."""

    def __init__(
        self,
        config: ModelConfig,
        tensors: Tensors,
        calibration: Calibration,
        precision: Precision,
        calibrated: Calibrated | None = None,
    ) -> None:
        if calibrated is None or precision.fine:
            calibrated = Calibrated(tensors, {})
        self.config = config
        self.tensors, self.steps = calibrated.tensors, calibrated.steps
        self.calibration = calibration
        self.precision = precision
        self.wide = () if precision.fine else calibration.wide
        self.narrow = () if precision.fine else calibration.narrow
        self.residual_scale = self._scale("residual", precision.residual_bits)

    def model(self) -> QuantisedModel:
        """The whole network."""
        patch_embed, position = self._patch_embed()
        return QuantisedModel(
            config=self.config,
            precision=self.precision,
            residual_scale=self.residual_scale,
            patch_embed=patch_embed,
            position=position,
            blocks=tuple(self.block(index) for index in range(self.config.depth)),
            heads={task.name: self._head(task.name) for task in self.config.tasks},
            wide=self.wide,
            narrow=self.narrow,
        )

    def _float(self, name: str) -> FloatArray:
        return self.tensors[name].astype(np.float64)

    def _layer(self, name: str) -> Layer:
        """Weight, bias and weight scales of a linear layer, or of all experts'; scales of 0 are still to choose."""
        weight, bias = self._float(f"{name}.weight"), self._float(f"{name}.bias")
        return weight, bias, self.steps[name].astype(np.float64) if name in self.steps else np.zeros_like(bias)

    def _scale(self, tensor: str, bits: int | None = None, wide: bool = False) -> float:
        if wide:
            return self.calibration.of_wide(tensor).magnitude / WIDE_LIMIT
        return activation_scale(self.calibration, self.precision, tensor, bits)

    def _linear(
        self,
        name: str,
        weight: FloatArray,
        bias: FloatArray,
        steps: FloatArray,
        input_scale: float,
        output_scale: float | FloatArray,
        input_zero: int = 0,
        narrow: bool = False,
    ) -> LinearWeights:
        try:
            return linear_integers(weight, bias, input_scale, output_scale, input_zero, self.precision, narrow, steps)
        except QuantiseError as error:
            raise QuantiseError(f"tensor '{name}': {error}") from error

    def _patch_embed(self) -> tuple[LinearWeights, IntArray]:
        config, name = self.config, "backbone.patch_embed.proj"
        *layer, steps = self._layer(name)
        folded, narrow = folded_patch_embed(config, *layer), "patch_embed" in self.narrow
        linear = self._linear(name, *folded, steps, 1.0, self.residual_scale, narrow=narrow)
        position = folded_position(self._float("backbone.pos_embed"), self._prefix())
        limit = 2 ** (self.precision.residual_bits - 1)
        table = np.clip(np.rint(position / self.residual_scale), -limit, limit - 1).astype(np.int64)
        grey = (linear.bias * linear.multiplier + (1 << linear.shift >> 1)) >> linear.shift  # round_shift
        table[1 : config.prefix_tokens] -= grey
        if config.first_row:
            table = np.concatenate([np.zeros((1, config.width), dtype=np.int64), table])
        if (table[: config.prefix_tokens] < -limit).any() or (table[: config.prefix_tokens] >= limit).any():
            raise QuantiseError(
                "a prefix token less the patch embedding's bias leaves the range of the residual stream"
            )
        return linear, table

    def _prefix(self) -> FloatArray:
        """Prefix tokens [prefix_tokens, D]."""
        names = ("backbone.cls_token", "backbone.register_tokens")
        parts = [self._float(name)[0] for name in names if name in self.tensors]
        return np.concatenate([np.zeros((0, self.config.width)), *parts])

    def _norm(self, name: str, tensor: str) -> QuantisedNorm:
        wide, extra = tensor in self.wide, 16 - self.precision.activation_bits
        scale = self._scale(tensor, wide=True) * 2**extra if wide else self._scale(tensor)
        weights, shift = affine_integers(
            self._float(f"{name}.weight") / scale, self._float(f"{name}.bias") / scale, self.precision
        )
        if shift <= extra:
            raise QuantiseError(f"tensor '{name}': γ or β too large for its calibrated range")
        epsilon = round(self.config.layernorm_epsilon * (self.config.width / self.residual_scale) ** 2)
        return QuantisedNorm(weights, shift, shift - extra, max(1, epsilon), scale, scale / 2**extra, wide)

    def block(self, index: int) -> QuantisedBlock:
        """One block alone."""
        name = f"backbone.blocks.{index}"
        norm1 = self._norm(f"{name}.norm1", f"blocks.{index}.norm1")
        norm2 = self._norm(f"{name}.norm2", f"blocks.{index}.norm2")
        hidden = self._hidden_grid(f"blocks.{index}.hidden")
        mlp: QuantisedFeedForward | QuantisedMoe
        if index in self.config.moe_blocks:
            mlp = self._moe(f"{name}.mlp", norm2, hidden, f"blocks.{index}.experts" in self.narrow)
        else:
            up, down = (self._layer(f"{name}.mlp.{part}") for part in ("fc1", "fc2"))
            narrow = f"blocks.{index}.fc1" in self.narrow, f"blocks.{index}.fc2" in self.narrow
            mlp = self._feed_forward(f"{name}.mlp", up, down, norm2, hidden, self.residual_scale, narrow)
        return QuantisedBlock(norm1, self._attention(index, norm1), norm2, hidden, mlp)

    def _attention(self, index: int, norm: QuantisedNorm) -> QuantisedAttention:
        name, own, width = f"backbone.blocks.{index}.attn", f"blocks.{index}", self.config.width
        wide, wide_output = f"{own}.qkv" in self.wide, f"{own}.attention" in self.wide
        query, key, value = (self._scale(f"{own}.{part}", wide=wide) for part in ("query", "key", "value"))
        output = self._scale(f"{own}.attention", wide=wide_output)
        weight, bias, steps = self._layer(f"{name}.qkv")
        if not steps.any():  # else a bias of the keys is their zero point
            bias = without_key_bias(bias, width)
        scales, narrow = np.repeat([query, key, value], width), f"{own}.qkv" in self.narrow
        qkv = self._linear(f"{name}.qkv", weight, bias, steps, norm.read_scale, scales, narrow=narrow)
        narrow = f"{own}.proj" in self.narrow
        layer = self._layer(f"{name}.proj")
        projection = self._linear(f"{name}.proj", *layer, output, self.residual_scale, narrow=narrow)
        octaves = query * key * math.log2(math.e) / math.sqrt(self.config.head_width)
        score = multiplier_and_shift(octaves * 2**self.precision.score_fraction)
        return QuantisedAttention(qkv, projection, *score, *multiplier_and_shift(value / output), wide, wide_output)

    def _hidden_grid(self, tensor: str) -> HiddenGrid:
        """From GELU's minimum up; a wide one is symmetric, whose zero leaves the next bias small."""
        wide, bits = tensor in self.wide, self.precision.activation_bits
        if wide:
            scale, zero = self._scale(tensor, wide=True), 0
        else:
            span = self.calibration.of(self.precision.name, tensor)
            low, high = min(span.low, 0.0), max(span.high, 1e-6)
            scale = (high - low) / (2**bits - 1)
            zero = -(2 ** (bits - 1)) - round(low / scale)
        return HiddenGrid(*multiplier_and_shift(2.0**-self.precision.gelu_fraction / scale), zero, scale, wide)

    def _feed_forward(
        self,
        name: str,
        up: Layer,
        down: Layer,
        norm: QuantisedNorm,
        hidden: HiddenGrid,
        output_scale: float,
        narrow: tuple[bool, bool],
    ) -> QuantisedFeedForward:
        inner = self._linear(name, *up, norm.read_scale, 2.0**-self.precision.gelu_fraction, narrow=narrow[0])
        outer = self._linear(name, *down, hidden.scale, output_scale, hidden.zero, narrow[1])
        return QuantisedFeedForward(inner, outer)

    def _moe(self, name: str, norm: QuantisedNorm, hidden: HiddenGrid, narrow: bool) -> QuantisedMoe:
        gates = tuple(self._gate(f"{name}.gate.{task}", norm) for task in range(len(self.config.tasks)))
        ups, downs = (self._layer(f"{name}.experts.{part}") for part in ("htoh4", "h4toh"))
        scale = self.residual_scale / 2**GUARD_BITS
        experts = tuple(
            self._feed_forward(f"{name}.experts[{index}]", up, down, norm, hidden, scale, (narrow, narrow))
            for index, (up, down) in enumerate(zip(zip(*ups, strict=True), zip(*downs, strict=True), strict=True))
        )
        return QuantisedMoe(gates, experts)

    def _gate(self, name: str, norm: QuantisedNorm) -> QuantisedGate:
        weight = self._float(f"{name}.w_gate").T
        scale = max(float(np.abs(weight).max()), 1e-9) / WIDE_LIMIT
        read = norm.gate_scale
        if self.config.gate_input_ahead:
            read = self.residual_scale * 2 ** (self.precision.residual_bits - 16)
        octaves = read * scale * math.log2(math.e)
        integers = np.rint(weight / scale).astype(np.int64)
        bias = None
        if self.config.gate_bias:
            exact = self._float(f"{name}.bias") / (read * scale)
            bias = np.rint(np.clip(exact, -GATE_BIAS_LIMIT, GATE_BIAS_LIMIT)).astype(np.int64)
        return QuantisedGate(integers, *multiplier_and_shift(octaves * 2**GATE_FRACTION), bias)

    def _head(self, task: str) -> QuantisedHead:
        name = f"heads.{task}"
        norm = self._norm(f"{name}.norm", f"{name}.norm")
        output_scale = self._scale(f"{name}.output", OUTPUT_BITS)
        layer, narrow = self._layer(f"{name}.linear"), f"{name}.linear" in self.narrow
        linear = self._linear(f"{name}.linear", *layer, norm.read_scale, output_scale, narrow=narrow)
        return QuantisedHead(norm, linear, output_scale)
