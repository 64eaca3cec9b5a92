"""Memory layout: what is packed comes back, every byte stands where docs/memory.md says, padding is zero."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgemoe.spec import memory
from edgemoe.spec.hardware import HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE
from edgemoe.spec.memory import LayerNormWeights, LinearWeights, SegmentKind
from edgemoe.spec.precision import WIDE_LIMIT

SHAPES = [(4, 16), (16, 8), (2, 32), (32, 16)]
CONFIGS = {name: load_hardware_config(name) for name in hardware_names()}
for base in ("micro", "micro_w16a16"):
    for in_par, out_par in SHAPES:
        CONFIGS[f"{base} {in_par}×{out_par}"] = replace(
            CONFIGS[base], in_par=in_par, out_par=out_par, post_lanes=max(out_par, CONFIGS[base].post_lanes)
        )


@pytest.fixture(params=list(CONFIGS.values()), ids=list(CONFIGS), scope="module")
def hardware(request: pytest.FixtureRequest) -> HardwareConfig:
    config: HardwareConfig = request.param
    return config


sizes = st.integers(1, 70)
seeds = st.integers(0, 1 << 32)


def signed(rng: np.random.Generator, bits: int, *shape: int) -> np.ndarray:
    """Uniform, the first two values at the ends of the range."""
    values = rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), shape)
    values.reshape(-1)[:2] = [-(1 << (bits - 1)), (1 << (bits - 1)) - 1][: values.size]
    return values


def linear_weights(rng: np.random.Generator, outputs: int, inputs: int, hardware: HardwareConfig) -> LinearWeights:
    numbers = hardware.numbers
    return LinearWeights(
        signed(rng, numbers.weight_bits, outputs, inputs),
        signed(rng, numbers.bias_bits + 1, outputs),
        rng.integers(0, 1 << 16, outputs),
        rng.integers(0, 61, outputs),
    )


@given(seeds, sizes, sizes)
def test_linear_layers_come_back_and_have_the_stated_size(
    hardware: HardwareConfig, seed: int, outputs: int, inputs: int
) -> None:
    weights = linear_weights(np.random.default_rng(seed), outputs, inputs, hardware)
    payload = memory.pack_linear(weights, hardware)
    assert payload.dtype == np.uint8
    assert payload.size == memory.linear_bytes(outputs, inputs, hardware)
    assert payload.size % STREAM_LINE == 0, "tiles fill lines"
    back = memory.unpack_linear(payload, outputs, inputs, hardware)
    for name in ("weight", "bias", "multiplier", "shift"):
        assert np.array_equal(getattr(back, name), getattr(weights, name)), name


@given(seeds, sizes, sizes, st.data())
def test_each_weight_and_channel_record_stands_at_its_byte(
    hardware: HardwareConfig, seed: int, outputs: int, inputs: int, data: st.DataObject
) -> None:
    """Per output tile: out_par records, then tiles [out_par][in_par] of all input tiles."""
    numbers, out_par, in_par = hardware.numbers, hardware.out_par, hardware.in_par
    weights = linear_weights(np.random.default_rng(seed), outputs, inputs, hardware)
    payload = memory.pack_linear(weights, hardware).tobytes()
    o, i = data.draw(st.integers(0, outputs - 1), label="output"), data.draw(st.integers(0, inputs - 1), label="input")
    each, record = numbers.activation_bytes, numbers.channel_bytes
    input_tiles = -(-inputs // in_par)
    tile_row = (o // out_par) * out_par * (record + input_tiles * in_par * each)
    at = tile_row + (o % out_par) * record
    bias_bytes = 4 if record == 8 else 8
    assert int.from_bytes(payload[at : at + bias_bytes], "little", signed=True) == weights.bias[o]
    at += bias_bytes
    assert int.from_bytes(payload[at : at + 2], "little") == weights.multiplier[o]
    assert payload[at + 2] == weights.shift[o]
    assert not any(payload[at + 3 : at - bias_bytes + record])
    at = tile_row + out_par * record + each * ((i // in_par * out_par + o % out_par) * in_par + i % in_par)
    assert int.from_bytes(payload[at : at + each], "little", signed=True) == weights.weight[o, i]


@given(sizes, sizes)
def test_padding_is_zero(hardware: HardwareConfig, outputs: int, inputs: int) -> None:
    """With all-ones operands exactly the real bytes are not zero."""
    ones = np.full(outputs, -1)
    weights = LinearWeights(np.full((outputs, inputs), -1), ones, np.full(outputs, 0xFFFF), np.full(outputs, 60))
    payload = memory.pack_linear(weights, hardware)
    numbers = hardware.numbers
    record = (4 if numbers.channel_bytes == 8 else 8) + 2 + 1
    assert np.count_nonzero(payload) == outputs * (record + inputs * numbers.activation_bytes)


@given(seeds, sizes, sizes)
def test_gates_come_back_from_their_digits(hardware: HardwareConfig, seed: int, experts: int, inputs: int) -> None:
    limit = WIDE_LIMIT
    weight = np.random.default_rng(seed).integers(-limit, limit + 1, (experts, inputs))
    weight.reshape(-1)[:4] = [-limit, limit, 128, -129][: weight.size]
    payload = memory.pack_gate(weight, hardware)
    assert payload.size == memory.gate_bytes(experts, inputs, hardware)
    assert np.array_equal(memory.unpack_gate(payload, experts, inputs, hardware), weight)


def test_w8a8_gates_hold_the_high_digits_of_a_tile_then_the_low_ones() -> None:
    hardware = CONFIGS["micro 4×16"]
    weight = np.array([[300, -129, 32639, -32639], [127, 128, -128, -1]])
    payload = memory.pack_gate(weight, hardware).view(np.int8).reshape(2, 16, 4)
    assert payload[0, :2].tolist() == [[1, -1, 127, -127], [0, 1, 0, 0]]
    assert payload[1, :2].tolist() == [[44, 127, 127, -127], [127, -128, -128, -1]]
    assert not payload[:, 2:].any()


@given(seeds, st.integers(1, 8))
def test_layernorms_and_positions_come_back(hardware: HardwareConfig, seed: int, vectors: int) -> None:
    rng, numbers, features = np.random.default_rng(seed), hardware.numbers, 16 * vectors
    weights = LayerNormWeights(signed(rng, numbers.gain_bits, features), signed(rng, numbers.offset_bits, features))
    payload = memory.pack_layernorm(weights, hardware)
    assert payload.size == memory.layernorm_bytes(features, hardware)
    back = memory.unpack_layernorm(payload, hardware)
    assert np.array_equal(back.gain, weights.gain)
    assert np.array_equal(back.offset, weights.offset)
    table = signed(rng, numbers.residual_bits, 5, features)
    payload = memory.pack_position(table, hardware)
    assert payload.size == memory.position_bytes(5, features, hardware)
    assert np.array_equal(memory.unpack_position(payload, 5, features, hardware), table)


@given(seeds, st.integers(0, 12), st.sampled_from([1, 2, 4]))
def test_striping_comes_back_and_word_i_lies_on_port_i_mod_ports(seed: int, lines: int, ports: int) -> None:
    words = lines * STREAM_LINE // MEMORY_WORD
    stream = np.random.default_rng(seed).integers(0, 256, words * MEMORY_WORD, dtype=np.uint8)
    regions = memory.stripe(stream, ports)
    assert [region.size for region in regions] == [words // ports * MEMORY_WORD] * ports
    assert np.array_equal(memory.unstripe(regions), stream)
    for word in range(words):
        at = word // ports * MEMORY_WORD
        there = regions[word % ports][at : at + MEMORY_WORD]
        assert np.array_equal(there, stream[word * MEMORY_WORD : (word + 1) * MEMORY_WORD])


@given(st.integers(0, (1 << 32) - 1), st.sampled_from(SegmentKind), st.integers(0, 100))
def test_a_segment_is_a_header_line_and_whole_payload_lines(number: int, kind: SegmentKind, size: int) -> None:
    payload = np.full(size, 0xEE, dtype=np.uint8)
    data = memory.segment(number, kind, payload)
    lines = -(-size // STREAM_LINE)
    assert data[:STREAM_LINE].view("<u4").tolist() == [number, lines, kind, *[0] * 13]
    assert data.size == STREAM_LINE * (1 + lines)
    assert np.array_equal(data[STREAM_LINE:][:size], payload)
    assert not data[STREAM_LINE + size :].any()


@pytest.mark.parametrize(("elements", "each", "pitch"), [(1, 1, 16), (16, 1, 16), (17, 1, 32), (8, 2, 16), (9, 4, 48)])
def test_rows_begin_at_whole_memory_words(elements: int, each: int, pitch: int) -> None:
    assert memory.row_pitch(elements, each) == pitch
