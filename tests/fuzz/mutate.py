"""Mutations of files: any bytes, and those that know JSON, safetensors, markup, zip archives and pickles.

All take the contents and a generator, and give other contents; the same generator gives the same ones.
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator
Mutation = Callable[[bytes, Rng], bytes]

NUMBERS = (
    *(0, 1, -1, 2, 7, 127, 128, 255, 256, 65535, 65536, (1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 32) - 1, 1 << 32),
    *(1 << 62, (1 << 63) - 1, -(1 << 63), (1 << 64) - 1, 1 << 64, 10**30),
)
TEXTS = (
    *("", ".", "..", "../../x", "/etc/passwd", "a\nb", "a\x00b", "\x1b[2J", "\u202e", "ä", "x" * 65, "x" * 100_000),
    *("NaN", "1e999", "-1", "0x10", "1_0", "$x", "[exec]", "{", '"', "\\", "%s", "F32", "BF16", "I64", "F8_E4M3"),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, *NUMBERS, *TEXTS, 0.5, -0.0, 1e-300, 1e300, float("nan"), float("inf"), 1.5e3),
    *([], {}, [[]], [None], {"": None}, [0] * 1000, ["x"] * 1000),
)


def pick(rng: Rng, choices: Any) -> Any:
    """One of a sequence, as it is."""
    return choices[int(rng.integers(len(choices)))]


def altered_bytes(content: bytes, rng: Rng) -> bytes:
    """One to four changes anywhere: bits, bytes, numbers, and pieces cut out, doubled, moved or cut off."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        pick(rng, _BYTES)(data, rng)
    return bytes(data)


def _place(data: bytearray, rng: Rng) -> int:
    """Mostly anywhere, often near the beginning, where headers are."""
    most = min(len(data), 64) if rng.random() < 0.4 else len(data)
    return int(rng.integers(max(most, 1)))


def _piece(data: bytearray, rng: Rng) -> slice:
    start = _place(data, rng)
    return slice(start, start + int(rng.integers(1, pick(rng, (2, 9, 65, 4096)))))


def _flip(data: bytearray, rng: Rng) -> None:
    if data:
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))


def _byte(data: bytearray, rng: Rng) -> None:
    if data:
        data[_place(data, rng)] = pick(rng, (0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))))


def _number(data: bytearray, rng: Rng) -> None:
    size, order = pick(rng, (2, 4, 8)), pick(rng, ("little", "big"))
    at = _place(data, rng)
    data[at : at + size] = (pick(rng, NUMBERS) % (1 << 8 * size)).to_bytes(size, order)


def _cut(data: bytearray, rng: Rng) -> None:
    del data[_piece(data, rng)]


def _double(data: bytearray, rng: Rng) -> None:
    piece = _piece(data, rng)
    data[piece.start : piece.start] = data[piece] * int(rng.integers(1, 4))


def _move(data: bytearray, rng: Rng) -> None:
    piece, at = bytes(data[_piece(data, rng)]), _place(data, rng)
    data[at : at + len(piece)] = piece


def _cut_off(data: bytearray, rng: Rng) -> None:
    del data[_place(data, rng) :]


def _append(data: bytearray, rng: Rng) -> None:
    data += rng.bytes(int(rng.integers(1, 64)))


_BYTES = (_flip, _flip, _byte, _byte, _number, _number, _cut, _double, _move, _cut_off, _append)


def altered_json(content: bytes, rng: Rng) -> bytes:
    """One to three keys, values or list items of a JSON file taken away, exchanged, doubled, renamed or replaced."""
    try:
        data = json.loads(content)
    except ValueError:
        return altered_bytes(content, rng)
    data = altered_value(data, rng)
    text = json.dumps(data)
    if rng.random() < 0.05:  # the first key once more, which no serialiser writes
        text = re.sub(r'^\{("[^"]*": )', r"{\1 0, \1", text, count=1)
    return text.encode()


def altered_value(data: Any, rng: Rng) -> Any:
    """The same on what was parsed."""
    data = copy.deepcopy(data)
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(data))
        if not places:
            return pick(rng, VALUES)
        holder, key = pick(rng, places)
        _alter(holder, key, rng)
    return data


def _places(data: Any) -> Any:
    """(holder, key or index) of all values inside lists and objects."""
    for key, value in list(data.items()) if isinstance(data, dict) else list(enumerate(data)):
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _alter(holder: Any, key: Any, rng: Rng) -> None:
    value = holder[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match int(rng.integers(8)):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[pick(rng, (*TEXTS, *holder))] = holder.pop(key)
        case 1:
            holder.insert(key, copy.deepcopy(value))
        case 2:
            holder[key] = copy.deepcopy(
                holder[pick(rng, tuple(holder) if isinstance(holder, dict) else range(key + 1))]
            )
        case 3 | 4 if number:
            holder[key] = value + pick(rng, (-16, -1, 1, 16))
        case 3 | 4 if isinstance(value, list) and len(value) < 1000:
            holder[key] = value * pick(rng, (0, 2, 100))
        case 5 if number:
            holder[key] = value * pick(rng, (-1, 2, 0.5, 1000))
        case _:
            holder[key] = copy.deepcopy(pick(rng, VALUES))


def altered_safetensors(content: bytes, rng: Rng) -> bytes:
    """The header's JSON, or its length, or any bytes."""
    size = int.from_bytes(content[:8], "little")
    header, body = content[8 : 8 + size], content[8 + size :]
    match int(rng.integers(4)):
        case 0:
            return altered_bytes(content, rng)
        case 1:
            return (pick(rng, NUMBERS) % (1 << 64)).to_bytes(8, "little") + content[8:]
        case 2:
            body = altered_bytes(body, rng)
    header = altered_json(header, rng)
    return len(header).to_bytes(8, "little") + header + body


_ATTRIBUTE = re.compile(rb'="[^"]*"')
_ELEMENT = re.compile(rb"<\w[^<>]*/>|<(\w+)\b[^<>]*>[^<]*</\1>")


def altered_markup(content: bytes, rng: Rng) -> bytes:
    """Attributes replaced or exchanged, elements taken away or doubled, or any bytes."""
    for _ in range(int(rng.integers(1, 4))):
        kind = int(rng.integers(5))
        found = list((_ELEMENT if kind < 2 else _ATTRIBUTE).finditer(content))
        if kind == 4 or not found:
            content = altered_bytes(content, rng)
            continue
        first, second = pick(rng, found), pick(rng, found)
        value = {
            0: b"",
            1: first[0] * 2,
            2: second[0],
            3: b'="' + str(pick(rng, (*NUMBERS, *TEXTS, *map(hex, NUMBERS)))).encode() + b'"',
        }[kind]
        content = content[: first.start()] + value + content[first.end() :]
    return content


# What a pickle may name beside tensors, and what makes much of little.
_GLOBALS = (
    *(b"builtins bytearray", b"builtins set", b"torch FloatStorage", b"torch HalfStorage", b"torch Tensor"),
    *(b"torch.storage UntypedStorage", b"torch.nn.parameter Parameter", b"collections OrderedDict", b"torch float32"),
    *(b"torch._utils _rebuild_sparse_tensor", b"torch._utils _rebuild_meta_tensor_no_storage", b"torch Size"),
    *(b"torch._utils _rebuild_tensor_v2", b"torch._utils _rebuild_qtensor", b"os system", b"numpy dtype"),
)
_GLOBAL = re.compile(rb"c([\w.]+)\n(\w+)\n")
_GADGETS = (
    *(b"c" + name + b"\n\x8a\x05\x00\x00\x00\x00\x02\x85R" for name in (b"builtins\nbytearray", b"torch\nFloatTensor")),
    *(b"\x8a\xff" + b"\x7f" * 255, b"X\xff\xff\xff\x7f", b"(" * 2000, b"]" * 2000, b"0", b"N", b"R", b"Q"),
    *(b"N\x85" + b"q\xf0h\xf0\x86" * 60, b"(}N\x85" + b"q\xf0h\xf0\x86" * 60 + b"Ns0"),
)  # fmt: skip


def altered_pickle(content: bytes, rng: Rng) -> bytes:
    """Another global, a piece of a program that makes much of little, or any bytes."""
    names = list(_GLOBAL.finditer(content))
    match int(rng.integers(4)):
        case 0 if names:
            found, (module, _, name) = pick(rng, names), pick(rng, _GLOBALS).partition(b" ")
            return content[: found.start()] + b"c" + module + b"\n" + name + b"\n" + content[found.end() :]
        case 1:
            at = int(rng.integers(2, max(len(content), 3)))
            return content[:at] + pick(rng, _GADGETS) + content[at:]
        case _:
            return altered_bytes(content, rng)


def altered_zip(content: bytes, rng: Rng) -> bytes:
    """Members altered, renamed, left out, doubled, compressed, or far larger unpacked than packed; or any bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    except Exception:  # mutated before; zipfile has many errors
        return altered_bytes(content, rng)
    if rng.random() < 0.2 or not members:
        return altered_bytes(content, rng)
    at, method, zeros = int(rng.integers(len(members))), zipfile.ZIP_STORED, 0
    name, data = members[at]
    match int(rng.integers(8)):
        case 0:
            del members[at]
        case 1:
            members[at] = pick(rng, (*TEXTS[1:12], pick(rng, members)[0])), data
        case 2:
            members.append((name, altered_bytes(data, rng)))
        case 3:
            method, zeros = zipfile.ZIP_DEFLATED, 768 if rng.random() < 0.1 else 0
        case _:
            pickled = name.endswith(".pkl") or data[:1] == b"\x80"
            members[at] = name, (altered_pickle if pickled else altered_bytes)(data, rng)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method, compresslevel=1) as archive:
        for index, (name, data) in enumerate(members):
            info = zipfile.ZipInfo(name.replace("\x00", "0")[:1000])
            info.compress_type = method
            with archive.open(info, "w") as member:
                member.write(data)
                for _ in range(zeros if index == at else 0):
                    member.write(bytes(1 << 20))
    return packed.getvalue()


BY_SUFFIX: dict[str, Mutation] = {
    ".json": altered_json,
    ".safetensors": altered_safetensors,
    ".hwh": altered_markup,
    ".npz": altered_zip,
    ".pth": altered_zip,
    ".bin": altered_zip,  # torch has this suffix, too; what is no archive is altered as bytes
}


_NAMES = ("a\nb", "\x1b[2J", "\u202e", "ä", ".hidden", "x" * 100, "-", "0.pth", "1.pth", "l0_x_weight.float32.bin")


def mutate_folder(folder: Path, rng: Rng) -> None:
    """One file of a folder, sometimes two, in the way of its suffix, and one time in five as plain bytes; in folders
    inside it a file is sometimes lost, or doubled under another name.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for _ in range(1 if rng.random() < 0.8 else 2):
        path = pick(rng, files)
        mutation = altered_bytes if rng.random() < 0.2 else BY_SUFFIX.get(path.suffix, altered_bytes)
        path.write_bytes(mutation(path.read_bytes(), rng))
    if path.parent != folder and rng.random() < 0.06:
        content, other = path.read_bytes(), pick(rng, (path.name, *_NAMES))
        if rng.random() < 0.5:
            path.unlink()
        (path.parent / (other if rng.random() < 0.5 else other + path.name[-100:])).write_bytes(content)
