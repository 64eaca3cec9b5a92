"""Tensors of safetensors files, written by hand: what is read, what is refused, and in which words."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edgemoe.spec.checkpoint import WEIGHTS_FILE, CheckpointError, load_checkpoint, read_tensors
from tests.examples.program import random_tensors, write_checkpoint

VALUES = np.array([[1.0, -2.5, 0.15625], [65280.0, 1e-30, 0.0]], dtype=np.float32)


def bfloat16(values: NDArray[np.float32]) -> bytes:
    """The upper halves of float32, cut."""
    return (values.view(np.uint32) >> 16).astype("<u2").tobytes()


STORED: dict[str, bytes] = {
    "F64": VALUES.astype("<f8").tobytes(),
    "F32": VALUES.astype("<f4").tobytes(),
    "BF16": bfloat16(VALUES),
    "F16": VALUES.clip(-60000, 60000).astype("<f2").tobytes(),
}


def write(path: Path, dtype: str, data: bytes, name: str = "a", shape: tuple[int, ...] = VALUES.shape) -> Path:
    header = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, len(data)]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


@pytest.mark.parametrize("dtype", STORED)
def test_real_numbers_are_widened_exactly(tmp_path: Path, dtype: str) -> None:
    expected = {
        "F16": VALUES.clip(-60000, 60000).astype(np.float16).astype(np.float32),
        "BF16": (VALUES.view(np.uint32) & 0xFFFF0000).view(np.float32),
    }.get(dtype, VALUES)
    found = read_tensors(write(tmp_path / "x", dtype, STORED[dtype]), "micro", [VALUES.shape])
    assert list(found) == ["a"]
    assert found["a"].dtype == np.float32
    assert np.array_equal(found["a"], expected)


def test_every_bfloat16_is_widened(tmp_path: Path) -> None:
    """All 65536 patterns: the same bits, followed by zeros."""
    bits = np.arange(1 << 16, dtype="<u2")
    path = write(tmp_path / "x", "BF16", bits.tobytes(), shape=(1 << 16,))
    found = read_tensors(path, "micro", [(1 << 16,)])["a"]
    quiet = np.isnan(found)
    assert np.array_equal(found.view(np.uint32)[~quiet], bits.astype(np.uint32)[~quiet] << 16)
    assert np.array_equal(quiet, ((bits & 0x7F80) == 0x7F80) & ((bits & 0x7F) != 0))


def test_a_checkpoint_in_bfloat16_is_that_of_its_values(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    config, _ = load_checkpoint(folder)
    tensors, offset, header = random_tensors(config), 0, {}
    body = b""
    for name, value in tensors.items():
        data = bfloat16(value)
        header[name] = {"dtype": "BF16", "shape": value.shape, "data_offsets": [offset, offset + len(data)]}
        offset, body = offset + len(data), body + data
    text = json.dumps(header).encode()
    (folder / WEIGHTS_FILE).write_bytes(struct.pack("<Q", len(text)) + text + body)
    for name, value in load_checkpoint(folder)[1].items():
        assert np.array_equal(value, (tensors[name].view(np.uint32) & 0xFFFF0000).view(np.float32)), name


@pytest.mark.parametrize(
    ("dtype", "size"),
    [("F8_E4M3", 1), ("F8_E5M2", 1), ("I8", 1), ("U8", 1), ("BOOL", 1), ("I16", 2), ("I32", 4), ("I64", 8)],
)
def test_other_types_are_refused_by_name(tmp_path: Path, dtype: str, size: int) -> None:
    path = write(tmp_path / "x", dtype, bytes(VALUES.size * size))
    message = (
        rf"^{path}: tensor 'a' holds {dtype}; accepted are BF16, F16, F32, F64: convert it, with its scale applied$"
    )
    with pytest.raises(CheckpointError, match=message):
        read_tensors(path, "micro", [VALUES.shape])


def broken(header: bytes, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + data


ENTRY = b'"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}'
BROKEN = {
    "nothing": b"",
    "a length alone": b"\xff" * 8,
    "a header cut short": broken(b"{" + ENTRY)[:-9],
    "no JSON": broken(b"{'a'}"),
    "nested": broken(b'{"a":' + b"[" * 100_000),
    "data cut short": broken(b"{" + ENTRY + b"}", b"x"),
    "data too long": broken(b"{" + ENTRY + b"}", b"xyz"),
    "a shape beyond all memory": broken(ENTRY.join((b"{", b"}")).replace(b"[1]", b"[18446744073709551615,2]"), b"xy"),
    "offsets turned": broken(ENTRY.join((b"{", b"}")).replace(b"[0,2]", b"[2,0]"), b"xy"),
    "a tensor twice": broken(b"{" + ENTRY + b"," + ENTRY.replace(b"F16", b"I16") + b"}", b"xy"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_files_that_are_broken_are_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(BROKEN[case])
    with pytest.raises(CheckpointError, match=rf"^{path}: not a readable safetensors file \("):
        read_tensors(path, "micro", [VALUES.shape])


def test_a_small_file_takes_little_memory_whatever_its_model_allows(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "F32", STORED["F32"])
    tracemalloc.start()
    read_tensors(path, "large", [(1 << 29,)])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_name_cannot_move_the_cursor(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "I8", bytes(VALUES.size), name="\x1b[2J\n")
    with pytest.raises(CheckpointError, match=r"tensor '\\x1b\[2J\\n' holds I8"):
        read_tensors(path, "micro", [VALUES.shape])


def test_a_float_beyond_float32_is_found_as_infinite(tmp_path: Path) -> None:
    path = write(tmp_path / "x", "F64", np.array([1e300]).tobytes(), shape=(1,))
    assert np.isinf(read_tensors(path, "micro", [(1,)])["a"]).all()
