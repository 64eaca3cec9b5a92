"""What the integers of a model mean: as real numbers they are the tensors of the checkpoint, to half a step."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemoe.compiler.integers import QuantiseError
from edgemoe.compiler.quantise import Quantiser, quantise
from edgemoe.compiler.quantised import HiddenGrid, QuantisedFeedForward, QuantisedModel, QuantisedMoe, QuantisedNorm
from edgemoe.spec.calibration import Calibration, Range, mixable_activations, mixable_layers
from edgemoe.spec.checkpoint import Tensors
from edgemoe.spec.memory import LinearWeights
from edgemoe.spec.model import ModelConfig, load_model_config
from edgemoe.spec.precision import GATE_FRACTION, GUARD_BITS, PRECISIONS, W8A8, WIDE_LIMIT, Precision
from tests.examples.program import plain_calibration, random_tensors

FloatArray = NDArray[np.float64]
CONFIG = load_model_config("micro")
LOG2_E = 1 / math.log(2)


def ranges_of(config: ModelConfig, **mixed: tuple[str, ...]) -> Calibration:
    """Another range for every tensor, so that none can stand for another; those of 16 bits differ, too."""
    plain = plain_calibration(config)
    names = list(plain.ranges["w8a8"])
    ranges = {
        precision: {name: Range(-1.5 - number / 7, 2.5 + number / 5 + more) for number, name in enumerate(names)}
        for precision, more in (("w8a8", 0.0), ("w16a16", 3.0))
    }
    for named in ranges.values():
        named["residual"] = Range(-20.0, 30.0)
    return replace(plain, ranges=ranges, **mixed)  # type: ignore[arg-type]


class Meaning:
    """A quantised model beside what it was made of."""

    def __init__(self, config: ModelConfig, precision: Precision, calibration: Calibration) -> None:
        self.config, self.precision, self.calibration = config, precision, calibration
        self.tensors: Tensors = random_tensors(config)
        rng = np.random.default_rng(3)
        self.tensors |= {name: rng.normal(0, 0.5, value.shape).astype(np.float32)
                         for name, value in self.tensors.items() if value.ndim < 2 or "token" in name}  # fmt: skip
        self.made: QuantisedModel = quantise(config, self.tensors, calibration, precision)
        self.residual = self.step("residual", precision.residual_bits)

    def float(self, name: str) -> FloatArray:
        return self.tensors[name].astype(np.float64)

    def step(self, tensor: str, bits: int | None = None) -> float:
        """Real value of one step of its symmetric grid."""
        steps = 2 ** ((bits or self.precision.activation_bits) - 1) - 1
        return self.calibration.of(self.precision.name, tensor).magnitude / steps

    def wide_step(self, tensor: str) -> float:
        return self.calibration.of_wide(tensor).magnitude / WIDE_LIMIT

    def linear(
        self, made: LinearWeights, weight: FloatArray, bias: FloatArray,
        read: float, written: float | FloatArray, zero: int = 0, narrow: bool = False,
    ) -> None:  # fmt: skip
        """(read·(x − zero)) @ weight.T + bias in units of `written`."""
        factor = made.multiplier / 2.0**made.shift * np.broadcast_to(written, made.shift.shape)
        per_weight = factor / read
        assert made.narrow == narrow
        limit = 7 if narrow else 2 ** (self.precision.weight_bits - 1) - 1
        assert np.abs(made.weight).max() == limit
        found = made.weight * per_weight[:, None]
        assert np.all(np.abs(found - weight) <= 0.5001 * per_weight[:, None] + np.abs(weight) * 2**-15)
        real = (made.bias + zero * made.weight.sum(axis=1)) * factor
        assert np.all(np.abs(real - bias) <= 0.5001 * factor + (np.abs(bias) + 128 * np.abs(factor)) * 2**-15)

    def norm(self, made: QuantisedNorm, name: str, tensor: str, wide: bool) -> float:
        """Returns the step of what the layers behind it read."""
        extra = 16 - self.precision.activation_bits
        assert made.wide == wide
        assert made.shift - made.gate_shift == extra
        assert made.gate_scale == made.scale / 2**extra
        read = self.wide_step(tensor) if wide else self.step(tensor)
        assert math.isclose(made.gate_scale if wide else made.scale, read)
        assert made.read_scale == (made.gate_scale if wide else made.scale)
        gain = made.weights.gain / 2.0 ** (made.shift - self.precision.normalised_fraction) * made.scale
        offset = made.weights.offset / 2.0**made.shift * made.scale
        assert np.allclose(gain, self.float(f"{name}.weight"), rtol=1e-4, atol=1e-3)
        assert np.allclose(offset, self.float(f"{name}.bias"), rtol=1e-4, atol=1e-3)
        epsilon = self.config.layernorm_epsilon * (self.config.width / self.residual) ** 2
        assert abs(made.epsilon - max(epsilon, 1)) <= 0.5
        return made.read_scale

    def factor(self, multiplier: int, shift: int, value: float) -> None:
        assert math.isclose(multiplier / 2.0**shift, value, rel_tol=2**-15)

    def hidden(self, made: HiddenGrid, tensor: str, wide: bool) -> None:
        """The grid spans the range, or the wide one is symmetric."""
        assert made.wide == wide
        if wide:
            assert (made.zero, made.scale) == (0, self.wide_step(tensor))
        else:
            span, half = self.calibration.of(self.precision.name, tensor), 2 ** (self.precision.activation_bits - 1)
            assert math.isclose(made.scale * (2 * half - 1), span.high - span.low)
            assert abs((-half - made.zero) * made.scale - span.low) <= 0.5001 * made.scale
        self.factor(made.multiplier, made.shift, 2.0**-self.precision.gelu_fraction / made.scale)

    def feed_forward(
        self, made: QuantisedFeedForward, layers: list[FloatArray], read: float, grid: HiddenGrid, written: float,
        narrow: tuple[bool, bool],
    ) -> None:  # fmt: skip
        self.linear(made.up, *layers[:2], read, 2.0**-self.precision.gelu_fraction, narrow=narrow[0])
        self.linear(made.down, *layers[2:], grid.scale, written, grid.zero, narrow[1])

    def whole(self, wide: tuple[str, ...], narrow: tuple[str, ...]) -> None:
        """Every part of it."""
        self.embedding("patch_embed" in narrow)
        for index, block in enumerate(self.made.blocks):
            name, own, width = f"backbone.blocks.{index}", f"blocks.{index}", self.config.width
            read = self.norm(block.norm1, f"{name}.norm1", f"{own}.norm1", f"{own}.norm1" in wide)
            attention, inner = block.attention, f"{own}.qkv" in wide
            query, key, value = (
                (self.wide_step if inner else self.step)(f"{own}.{part}") for part in ("query", "key", "value")
            )
            outer = f"{own}.attention" in wide
            output = (self.wide_step if outer else self.step)(f"{own}.attention")
            assert (attention.wide, attention.wide_output) == (inner, outer)
            bias = self.float(f"{name}.attn.qkv.bias")
            bias[width : 2 * width] = 0
            steps = np.repeat([query, key, value], width)
            self.linear(attention.qkv, self.float(f"{name}.attn.qkv.weight"), bias, read, steps,
                        narrow=f"{own}.qkv" in narrow)  # fmt: skip
            projection = self.float(f"{name}.attn.proj.weight"), self.float(f"{name}.attn.proj.bias")
            self.linear(attention.projection, *projection, output, self.residual, narrow=f"{own}.proj" in narrow)
            per_score = query * key / math.sqrt(width / self.config.heads) * LOG2_E
            self.factor(attention.score_multiplier, attention.score_shift, per_score * 2**self.precision.score_fraction)
            self.factor(attention.output_multiplier, attention.output_shift, value / output)
            read = self.norm(block.norm2, f"{name}.norm2", f"{own}.norm2", f"{own}.norm2" in wide)
            self.hidden(block.hidden, f"{own}.hidden", f"{own}.hidden" in wide)
            if isinstance(block.mlp, QuantisedMoe):
                self.moe(block.mlp, f"{name}.mlp", read, block.norm2, block.hidden, f"{own}.experts" in narrow)
            else:
                layers = [
                    self.float(f"{name}.mlp.{part}") for part in ("fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias")
                ]
                own_narrow = f"{own}.fc1" in narrow, f"{own}.fc2" in narrow
                self.feed_forward(block.mlp, layers, read, block.hidden, self.residual, own_narrow)
        for task in self.config.tasks:
            head, name = self.made.heads[task.name], f"heads.{task.name}"
            read = self.norm(head.norm, f"{name}.norm", f"{name}.norm", f"{name}.norm" in wide)
            assert head.output_scale == self.step(f"{name}.output", 16)
            layer = self.float(f"{name}.linear.weight"), self.float(f"{name}.linear.bias")
            self.linear(head.linear, *layer, read, head.output_scale, narrow=f"{name}.linear" in narrow)

    def moe(
        self, made: QuantisedMoe, name: str, read: float, norm: QuantisedNorm, grid: HiddenGrid, narrow: bool
    ) -> None:
        names = ("htoh4.weight", "htoh4.bias", "h4toh.weight", "h4toh.bias")
        parts = [self.float(f"{name}.experts.{part}") for part in names]
        for index, expert in enumerate(made.experts):
            layers = [part[index] for part in parts]
            self.feed_forward(expert, layers, read, grid, self.residual / 2**GUARD_BITS, (narrow, narrow))
        for task, gate in enumerate(made.gates):
            weight = self.float(f"{name}.gate.{task}.w_gate").T
            step = np.abs(weight).max() / WIDE_LIMIT
            assert np.all(np.abs(gate.weight * step - weight) <= 0.5001 * step)
            # The stream itself, its 16 bits beginning where the residual's end, or the normalised rows.
            ahead = self.residual * 2.0 ** (self.precision.residual_bits - 16)
            per_logit = (ahead if self.config.gate_input_ahead else norm.gate_scale) * step
            self.factor(gate.multiplier, gate.shift, per_logit * LOG2_E * 2**GATE_FRACTION)
            assert (gate.bias is not None) == self.config.gate_bias
            if gate.bias is not None:
                assert np.all(
                    np.abs(gate.bias * per_logit - self.float(f"{name}.gate.{task}.bias")) <= 0.5001 * per_logit
                )

    def embedding(self, narrow: bool) -> None:
        """Of (pixel/255 − mean)/std, and the position table with the prefix tokens in it."""
        config, name = self.config, "backbone.patch_embed.proj"
        mean, deviation = np.array(config.pixel_mean), np.array(config.pixel_std)
        weight = self.float(f"{name}.weight").transpose(0, 2, 3, 1)
        folded = (weight / deviation / 255).reshape(config.width, -1)
        bias = self.float(f"{name}.bias") + (weight * (128 / 255 - mean) / deviation).sum(axis=(1, 2, 3))
        made = self.made.patch_embed
        self.linear(
            replace(made, weight=made.weight[:, : folded.shape[1]]), folded, bias, 1.0, self.residual, narrow=narrow
        )
        assert not made.weight[:, folded.shape[1] :].any()
        table, first, prefix = self.float("backbone.pos_embed")[0], config.first_row, config.prefix_tokens
        if prefix:
            table[0] += self.float("backbone.cls_token")[0, 0]
        if prefix > 1:  # a patch of mid-grey, whose embedding is the bias, is added to these
            table[1:prefix] += self.float("backbone.register_tokens")[0] - bias
        limit = 2 ** (self.precision.residual_bits - 1)
        found, table = self.made.position, np.clip(table / self.residual, -limit, limit - 1)
        assert not found[:first].any()
        assert np.all(np.abs(found[first + prefix :] - table[prefix:]) <= 0.5001)
        assert np.all(np.abs(found[first : first + prefix] - table[:prefix]) <= (1.0001 if prefix > 1 else 0.5001))


WIDE = tuple(mixable_activations(CONFIG))
NARROW = tuple(mixable_layers(CONFIG))


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=list(PRECISIONS))
def test_the_integers_are_the_tensors(precision: Precision) -> None:
    meaning = Meaning(CONFIG, precision, ranges_of(CONFIG))
    meaning.whole((), ())
    assert (meaning.made.wide, meaning.made.narrow) == ((), ())


@pytest.mark.parametrize("odd", [0, 1])
def test_every_width_is_that_of_its_own_tensor(odd: int) -> None:
    """Every second activation has 16 bits, every second layer 4, and then the others."""
    wide, narrow = WIDE[odd::2], NARROW[odd::2]
    meaning = Meaning(CONFIG, W8A8, ranges_of(CONFIG, wide=wide, narrow=narrow))
    meaning.whole(wide, narrow)
    assert (meaning.made.wide, meaning.made.narrow) == (wide, narrow)


def test_sixteen_bits_mix_with_none() -> None:
    """A build of W16A16 has them all."""
    meaning = Meaning(CONFIG, PRECISIONS["w16a16"], ranges_of(CONFIG, wide=WIDE, narrow=NARROW))
    meaning.whole((), ())
    assert (meaning.made.wide, meaning.made.narrow) == ((), ())


@pytest.mark.parametrize("precision", PRECISIONS.values(), ids=list(PRECISIONS))
@pytest.mark.parametrize("epsilon", [1e-12, 1e-2])
def test_other_gates_and_other_norms(precision: Precision, epsilon: float) -> None:
    """Gates ahead of LayerNorm with biases; an ε that is less than a step of the sums, and a large one."""
    config = replace(CONFIG, gate_input_ahead=True, gate_bias=True, layernorm_epsilon=epsilon)
    Meaning(config, precision, ranges_of(config)).whole((), ())


@pytest.mark.parametrize("prefix", [0, 2, 3])
def test_prefix_tokens_stand_in_the_position_table(prefix: int) -> None:
    tasks = tuple(replace(task, kind="segmentation") for task in CONFIG.tasks[:1])
    config = replace(CONFIG, prefix_tokens=prefix, moe_blocks=(), tasks=tasks)
    Meaning(config, W8A8, ranges_of(config)).whole((), ())


@pytest.mark.parametrize(("token", "bias", "refused"), [
    (1e6, 0, False), (1e6, 1, False), (1e6, -1, True), (-1e6, 0, False), (-1e6, -1, False), (-1e6, 1, True)
])  # fmt: skip
def test_a_register_less_the_bias_stays_in_the_stream(token: float, bias: int, refused: bool) -> None:
    """bias: in steps of the residual stream."""
    config = replace(CONFIG, prefix_tokens=2)
    tensors, calibration = random_tensors(config), plain_calibration(config)
    step = calibration.of("w8a8", "residual").magnitude / (2 ** (W8A8.residual_bits - 1) - 1)
    tensors["backbone.register_tokens"] = np.full((1, 1, config.width), token, np.float32)
    for part, value in (("weight", 0.0), ("bias", bias * step)):
        name = f"backbone.patch_embed.proj.{part}"
        tensors[name] = np.full_like(tensors[name], value)
    if refused:
        with pytest.raises(QuantiseError, match="leaves the range of the residual stream"):
            quantise(config, tensors, calibration, W8A8)
    else:
        end = 2 ** (W8A8.residual_bits - 1)
        expected = (end - 1 if token > 0 else -end) - bias
        assert set(quantise(config, tensors, calibration, W8A8).position[1].tolist()) == {expected}


def test_a_gamma_beyond_its_range_is_refused() -> None:
    """The copy of 16 bits needs a shift of its own."""
    tensors, name = random_tensors(CONFIG), "backbone.blocks.0.norm1"
    for factor, refused in ((1.0, False), (1e6, True)):
        tensors[f"{name}.weight"] = np.full(CONFIG.width, factor, dtype=np.float32)
        quantiser = Quantiser(CONFIG, tensors, ranges_of(CONFIG), W8A8)
        if refused:
            with pytest.raises(QuantiseError, match=r"too large for its calibrated range"):
                quantiser.block(0)
        else:
            quantiser.block(0)
