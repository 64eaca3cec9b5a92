"""Memory layout: the weight stream, its segments and tiles, and the rows of the input and output regions.

The stream is read once, forwards. It is a sequence of segments in order of use, each a header line and a payload of
64-byte lines. Word i (16 bytes) of the stream lies on port i mod ports, at byte 16·(i div ports) of that port's region.
All numbers are little-endian. Inside a payload, features and outputs are padded with zeros to whole tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import MEMORY_WORD, STREAM_LINE
from edgemoe.spec.precision import GATE_BIAS_BITS, Precision

Bytes = NDArray[np.uint8]
IntArray = NDArray[np.int64]

REGION_ALIGNMENT = 4096
MAX_PARTS = 64  # of the weight stream that are streamed several times


class SegmentKind(IntEnum):
    """What a segment holds; third number of its header."""

    POSITION = 1
    LAYERNORM = 2
    LINEAR = 3
    GATE = 4
    EXPERT = 5


@dataclass(frozen=True)
class LinearWeights:
    """One linear layer in integers: weight [outputs, inputs], bias, multiplier and shift [outputs].

    narrow: weights of 4 bits, two to a byte in the stream.
    """

    weight: IntArray
    bias: IntArray
    multiplier: IntArray
    shift: IntArray
    narrow: bool = False


@dataclass(frozen=True)
class LayerNormWeights:
    """LayerNorm's affine part in integers: gain and offset [features]."""

    gain: IntArray
    offset: IntArray


def round_up(value: int, unit: int) -> int:
    """Smallest multiple of `unit` that is at least `value`."""
    return -(-value // unit) * unit


def row_pitch(elements: int, element_bytes: int) -> int:
    """Bytes from one row to the next in the input and output regions: whole memory words."""
    return round_up(elements * element_bytes, MEMORY_WORD)


def activation_dtype(precision: Precision) -> np.dtype[np.signedinteger]:
    """Memory type of activations and weights."""
    return np.dtype(f"<i{precision.activation_bytes}")


def residual_dtype(precision: Precision) -> np.dtype[np.signedinteger]:
    """Memory type of the residual stream."""
    return np.dtype(f"<i{precision.residual_bytes}")


def channel_dtype(precision: Precision) -> np.dtype[np.void]:
    """One channel record: bias, multiplier, shift, zero padding."""
    bias = "<i4" if precision.channel_bytes == 8 else "<i8"
    return _padded([("bias", bias), ("multiplier", "<u2"), ("shift", "u1")], precision.channel_bytes)


def affine_dtype(precision: Precision) -> np.dtype[np.void]:
    """One LayerNorm record: offset, gain, zero padding."""
    offset, gain = ("<i4", "<i2") if precision.channel_bytes == 8 else ("<i8", "<i4")
    return _padded([("offset", offset), ("gain", gain)], precision.channel_bytes)


def _padded(members: list[tuple[str, str]], size: int) -> np.dtype[np.void]:
    names = [name for name, _ in members]
    formats = [kind for _, kind in members]
    sizes = [np.dtype(kind).itemsize for kind in formats]
    offsets = [sum(sizes[:index]) for index in range(len(sizes))]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


def segment_header(number: int, kind: SegmentKind, lines: int) -> Bytes:
    """Header line: segment number, payload length in lines, kind, then zeros."""
    header = np.zeros(STREAM_LINE // 4, dtype="<u4")
    header[:3] = number, lines, kind
    return header.view(np.uint8)


def segment(number: int, kind: SegmentKind, payload: Bytes) -> Bytes:
    """Header and payload, the payload padded with zeros to whole lines."""
    padding = np.zeros(-payload.size % STREAM_LINE, dtype=np.uint8)
    lines = (payload.size + padding.size) // STREAM_LINE
    return np.concatenate([segment_header(number, kind, lines), payload, padding])


def stripe(stream: Bytes, ports: int) -> list[Bytes]:
    """The regions of the ports, of equal size: word i of 16 bytes goes to port i mod ports. ports divides 4."""
    striped = stream.reshape(-1, ports, MEMORY_WORD)
    return [np.ascontiguousarray(striped[:, port]).reshape(-1) for port in range(ports)]


def unstripe(regions: list[Bytes]) -> Bytes:
    """Inverse of `stripe`."""
    return np.stack([region.reshape(-1, MEMORY_WORD) for region in regions], axis=1).reshape(-1)


def _tiles(matrix: IntArray, hardware: HardwareConfig) -> IntArray:
    """[outputs, inputs] → [output tile, input tile, out_par, in_par], zero-padded."""
    outputs, inputs = matrix.shape
    padded = np.zeros((round_up(outputs, hardware.out_par), round_up(inputs, hardware.in_par)), dtype=np.int64)
    padded[:outputs, :inputs] = matrix
    shape = (-1, hardware.out_par, padded.shape[1] // hardware.in_par, hardware.in_par)
    return padded.reshape(shape).transpose(0, 2, 1, 3)


def _untiled(tiles: NDArray[np.signedinteger], outputs: int, inputs: int) -> IntArray:
    """Inverse of `_tiles`."""
    rows, columns, out_par, in_par = tiles.shape
    full = tiles.transpose(0, 2, 1, 3).reshape(rows * out_par, columns * in_par)
    return full[:outputs, :inputs].astype(np.int64)


def pack_linear(weights: LinearWeights, hardware: HardwareConfig) -> Bytes:
    """Per output tile: out_par channel records, then the weight tiles [out_par][in_par] of all input tiles.

    Narrow weights lie two to a byte, the first in the low half; an output tile is padded to whole lines.
    """
    precision = hardware.numbers
    tiles = _tiles(weights.weight, hardware).astype(activation_dtype(precision))
    count = tiles.shape[0]
    records = np.zeros(count * hardware.out_par, dtype=channel_dtype(precision))
    outputs = len(weights.bias)
    records["bias"][:outputs] = weights.bias
    records["multiplier"][:outputs] = weights.multiplier
    records["shift"][:outputs] = weights.shift
    head = records.view(np.uint8).reshape(count, -1)
    body = np.ascontiguousarray(tiles).view(np.uint8).reshape(count, -1)
    if weights.narrow:
        body = _nibbles(body)
    return np.concatenate([head, body], axis=1).reshape(-1)


def _nibbles(rows: Bytes) -> Bytes:
    """Two 4-bit values to a byte, rows padded to whole lines; rows [count, an even number of int8 values]."""
    packed = rows[:, ::2] & 15 | rows[:, 1::2] << 4
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % STREAM_LINE)))


def _expanded(rows: Bytes, values: int) -> NDArray[np.int8]:
    """Inverse of `_nibbles`: the first `values` of each row, sign-extended."""
    halves = np.stack([rows << 4, rows & 240], axis=2).reshape(len(rows), -1)[:, :values]
    return np.ascontiguousarray(halves).view(np.int8) >> 4


def unpack_linear(
    payload: Bytes, outputs: int, inputs: int, hardware: HardwareConfig, narrow: bool | int = False
) -> LinearWeights:
    """Inverse of `pack_linear`; `payload` must have linear_bytes(outputs, inputs, hardware, narrow) bytes."""
    precision = hardware.numbers
    tile_rows = payload.reshape(round_up(outputs, hardware.out_par) // hardware.out_par, -1)
    head_bytes = hardware.out_par * precision.channel_bytes
    records = np.ascontiguousarray(tile_rows[:, :head_bytes]).view(channel_dtype(precision)).reshape(-1)[:outputs]
    body = np.ascontiguousarray(tile_rows[:, head_bytes:])
    values = hardware.out_par * round_up(inputs, hardware.in_par)
    tiles = _expanded(body, values) if narrow else body.view(activation_dtype(precision))
    shaped = tiles.reshape(len(tile_rows), -1, hardware.out_par, hardware.in_par)
    return LinearWeights(
        weight=_untiled(shaped, outputs, inputs),
        bias=records["bias"].astype(np.int64),
        multiplier=records["multiplier"].astype(np.int64),
        shift=records["shift"].astype(np.int64),
        narrow=bool(narrow),
    )


def linear_bytes(outputs: int, inputs: int, hardware: HardwareConfig, narrow: bool | int = False) -> int:
    """Size of a linear payload."""
    precision, tile = hardware.numbers, hardware.out_par
    values = tile * round_up(inputs, hardware.in_par)
    body = round_up(values // 2, STREAM_LINE) if narrow else values * precision.activation_bytes
    return round_up(outputs, tile) // tile * (tile * precision.channel_bytes + body)


def pack_gate(weight: IntArray, hardware: HardwareConfig, bias: IntArray | None = None) -> Bytes:
    """Gate weight [experts, inputs], 16 bit, and the bias [experts], within ±GATE_BIAS_LIMIT, where there is one.

    A bias lies before the tiles of its output tile, a channel record per expert: bias field·2^16 + multiplier field.
    W8A8: per tile, the tile of high digits then the tile of low digits, w = 256·high + low, both signed 8 bit, so
    that the 8-bit array multiplies them in passes. W16A16: tiles of 16-bit weights.
    """
    tiles = _tiles(weight, hardware)
    if hardware.numbers.activation_bytes == 2:
        body = np.ascontiguousarray(tiles.astype("<i2"))
    else:
        high = (tiles + 128) >> 8
        body = np.ascontiguousarray(np.stack([high, tiles - 256 * high], axis=2).astype(np.int8))
    rows = body.view(np.uint8).reshape(len(tiles), -1)
    if bias is not None:
        records = np.zeros(len(tiles) * hardware.out_par, dtype=channel_dtype(hardware.numbers))
        records["bias"][: len(bias)], records["multiplier"][: len(bias)] = bias >> 16, bias & 0xFFFF
        rows = np.concatenate([records.view(np.uint8).reshape(len(tiles), -1), rows], axis=1)
    return rows.reshape(-1)


def _biased_gate(payload: Bytes, experts: int, hardware: HardwareConfig) -> tuple[Bytes, Bytes]:
    """Channel records and tiles of a gate's payload, a row for each output tile."""
    rows = payload.reshape(round_up(experts, hardware.out_par) // hardware.out_par, -1)
    head, tiles = np.split(rows, [hardware.out_par * hardware.numbers.channel_bytes], axis=1)
    return np.ascontiguousarray(head), np.ascontiguousarray(tiles)


def unpack_gate_bias(payload: Bytes, experts: int, hardware: HardwareConfig) -> IntArray:
    """The bias [experts] of a payload of `pack_gate` that has one; of the bias field, the low GATE_BIAS_BITS count."""
    head, _ = _biased_gate(payload, experts, hardware)
    records = head.view(channel_dtype(hardware.numbers)).reshape(-1)[:experts]
    unused = 64 - GATE_BIAS_BITS
    high = records["bias"].astype(np.int64) << unused >> unused
    bias: IntArray = (high << 16) + records["multiplier"].astype(np.int64)
    return bias


def unpack_gate(
    payload: Bytes, experts: int, inputs: int, hardware: HardwareConfig, biased: bool | int = False
) -> IntArray:
    """The weights of a payload of `pack_gate`, its inverse."""
    if biased:
        payload = _biased_gate(payload, experts, hardware)[1].reshape(-1)
    columns = round_up(inputs, hardware.in_par) // hardware.in_par
    tile = (hardware.out_par, hardware.in_par)
    if hardware.numbers.activation_bytes == 2:
        return _untiled(payload.view("<i2").reshape(-1, columns, *tile), experts, inputs)
    digits = payload.view(np.int8).reshape(-1, columns, 2, *tile).astype(np.int64)
    return _untiled(256 * digits[:, :, 0] + digits[:, :, 1], experts, inputs)


def gate_bytes(experts: int, inputs: int, hardware: HardwareConfig, biased: bool | int = False) -> int:
    """Size of a gate payload: two bytes a weight in either precision, and a channel record per expert with a bias."""
    record = hardware.numbers.channel_bytes if biased else 0
    return round_up(experts, hardware.out_par) * (2 * round_up(inputs, hardware.in_par) + record)


def pack_layernorm(weights: LayerNormWeights, hardware: HardwareConfig) -> Bytes:
    """One affine record per feature."""
    records = np.zeros(len(weights.gain), dtype=affine_dtype(hardware.numbers))
    records["gain"], records["offset"] = weights.gain, weights.offset
    return records.view(np.uint8)


def unpack_layernorm(payload: Bytes, hardware: HardwareConfig) -> LayerNormWeights:
    """Inverse of `pack_layernorm`."""
    records = payload.view(affine_dtype(hardware.numbers))
    return LayerNormWeights(records["gain"].astype(np.int64), records["offset"].astype(np.int64))


def layernorm_bytes(features: int, hardware: HardwareConfig) -> int:
    """Size of a LayerNorm payload."""
    return features * hardware.numbers.channel_bytes


def pack_position(table: IntArray, hardware: HardwareConfig) -> Bytes:
    """Position embedding [rows, features] at residual scale, row by row; row 0 includes the class token."""
    return np.ascontiguousarray(table.astype(residual_dtype(hardware.numbers))).view(np.uint8).reshape(-1)


def unpack_position(payload: Bytes, rows: int, features: int, hardware: HardwareConfig) -> IntArray:
    """Inverse of `pack_position`."""
    table: IntArray = payload.view(residual_dtype(hardware.numbers)).reshape(rows, features).astype(np.int64)
    return table


def position_bytes(rows: int, features: int, hardware: HardwareConfig) -> int:
    """Size of a position payload; features is a multiple of 16, so rows are whole words."""
    assert features % VECTOR == 0
    return rows * features * hardware.numbers.residual_bytes
