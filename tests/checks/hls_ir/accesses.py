"""Which memory an instruction reads or writes, and by which constant and dynamic indices."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgemoe.spec.isa import MEMORY_WORD
from tests.checks.hls_ir.flow import Block
from tests.checks.hls_ir.layout import Memory

_VALUE = r'%"?[\w.$-]+"?'
_MACHINE = re.compile(r"@\S*machine\b")


@dataclass(frozen=True)
class Access:
    """bank: constant indices of the partitioned dimensions; muxed: partitioned dimensions with a dynamic index."""

    block: str
    memory: Memory
    writes: bool
    indices: tuple[int | None, ...]

    def muxed(self, split: tuple[bool, ...]) -> list[int]:
        """Partitioned dimensions whose index is not constant, from 1."""
        return [n + 1 for n, parted in enumerate(split) if parted and self.indices[n] is None]

    def bank(self, split: tuple[bool, ...]) -> tuple[int | None, ...]:
        """Indices of the partitioned dimensions."""
        return tuple(index for index, parted in zip(self.indices, split, strict=True) if parted)


class Sizes:
    """Sizes in bytes of the types of a module."""

    def __init__(self, text: str) -> None:
        self._structs = {
            name.strip('"'): fields for name, fields in re.findall(r"^%(\S+|\"[^\"]+\") = type (.*)$", text, re.M)
        }

    def size(self, kind: str) -> int:
        """Of one value in an array."""
        return self._size(kind.strip())[0]

    def fields(self, kind: str) -> list[int]:
        """Offsets of the fields of a structure."""
        return self._layout(self._structs[kind.strip().lstrip("%").strip('"')])[1]

    def _size(self, kind: str) -> tuple[int, int]:
        if kind == "ptr":
            return 8, 8
        if match := re.fullmatch(r"i(\d+)", kind):
            bits = int(match[1])
            size = next((s for s in (1, 2, 4, 8) if bits <= 8 * s), -(-bits // 64) * 8)
            return (-(-size // 16) * 16, 16) if bits > 64 else (size, size)
        if match := re.fullmatch(r"\[(\d+) x (.*)\]", kind):
            size, align = self._size(match[2])
            return int(match[1]) * size, align
        if kind.startswith("%"):
            total, _, align = self._layout(self._structs[kind[1:].strip('"')])
            return total, align
        total, _, align = self._layout(kind)
        return total, align

    def _layout(self, body: str) -> tuple[int, list[int], int]:
        packed = body.startswith("<")
        inner = body.strip("<>").strip().removeprefix("{").removesuffix("}").strip()
        at, offsets, most = 0, [], 1
        for kind in _split(inner):
            size, align = self._size(kind)
            align = 1 if packed else align
            at = -(-at // align) * align
            offsets.append(at)
            at, most = at + size, max(most, align)
        return -(-at // most) * most, offsets, most


def _split(text: str) -> list[str]:
    """Parts between commas that stand in no bracket."""
    parts, depth, last = [], 0, 0
    for n, letter in enumerate(text):
        depth += (letter in "[{<(") - (letter in "]}>)")
        if letter == "," and depth == 0:
            parts.append(text[last:n].strip())
            last = n + 1
    return [part for part in [*parts, text[last:].strip()] if part]


def _pointer(argument: str) -> str:
    """A pointer among a call's arguments without its attributes."""
    start = argument.find("getelementptr")
    return argument[start:] if start >= 0 else argument.split()[-1]


@dataclass(frozen=True)
class _Place:
    """root: `machine`, or the name of a port or of a local. dynamic: strides of indices that are no constants."""

    root: str
    offset: int
    dynamic: tuple[int, ...] = ()


class Resolver:
    """Accesses of all blocks. `unresolved`: addresses that come from more than one memory."""

    def __init__(self, text: str, blocks: dict[str, Block], memories: list[Memory]) -> None:
        self._sizes, self._memories = Sizes(text), memories
        self._places: dict[str, _Place] = {}
        self._found: dict[tuple[int, tuple[int, ...]], tuple[Memory, tuple[int | None, ...]] | None] = {}
        self.accesses: list[Access] = []
        self.ports: list[tuple[str, str, bool]] = []  # block, port, write
        self.unresolved: list[tuple[str, str]] = []
        self.copies: list[tuple[str, str, int]] = []  # block, memory, bytes
        for block in blocks.values():
            for line in block.instructions:
                self._instruction(block.name, line)

    def _instruction(self, block: str, line: str) -> None:
        name, equal, rest = line.partition(" = ")
        body = rest if equal and name.startswith("%") else line
        if body.startswith("getelementptr"):
            self._places[name] = self._address(body)
        elif match := re.match(r"(load|store) .*?ptr (.+?)(?:, align|, !|$)", body):
            self._access(block, match[2], match[1] == "store", line)
        elif "@llvm.memcpy" in body:
            inner = body[body.index("(") + 1 : body.rindex(", i1 ")]
            first, second, size = _split(inner)
            self._copy(block, _pointer(first), True, int(size.split()[-1]))
            self._copy(block, _pointer(second), False, int(size.split()[-1]))
        elif body.startswith(("phi ptr", "select i1")) and " ptr " in body:
            self.unresolved.append((block, line))

    def _address(self, body: str) -> _Place:
        body = re.sub(r"getelementptr(?: inbounds| nuw| nusw)*", "getelementptr", body)
        inner = body.removeprefix("getelementptr").strip()
        if inner.startswith("("):
            inner = inner[1 : inner.rindex(")")]
        kind, base, *indices = _split(inner)
        place = self._place(base.removeprefix("ptr "))
        offset, dynamic = place.offset, list(place.dynamic)
        values = [index.split()[-1] for index in indices]
        for number, value in enumerate(values):
            if number > 0:
                if kind.startswith("%") or kind.startswith("{"):
                    fields = self._sizes.fields(kind)
                    offset += fields[int(value)]
                    kind = self._field(kind, int(value))
                    continue
                kind = re.fullmatch(r"\[\d+ x (.*)\]", kind)[1]
            size = self._sizes.size(kind)
            if re.fullmatch(r"-?\d+", value):
                offset += size * int(value)
            else:
                dynamic.append(size)
        return _Place(place.root, offset, tuple(dynamic))

    def _field(self, kind: str, number: int) -> str:
        body = self._sizes._structs[kind.lstrip("%").strip('"')]
        return _split(body.strip("<>").strip().removeprefix("{").removesuffix("}").strip())[number]

    def _place(self, text: str) -> _Place:
        if "getelementptr" in text:
            return self._address(text)
        if _MACHINE.match(text):
            return _Place("machine", 0)
        return self._places.get(text, _Place(text, 0))

    def _access(self, block: str, pointer: str, writes: bool, line: str) -> None:
        place = self._place(pointer)
        if place.root == "machine":
            found = self._memory(place.offset, place.dynamic)
            if found is None:
                self.unresolved.append((block, line))
            else:
                self.accesses.append(Access(block, found[0], writes, found[1]))
        elif re.fullmatch(r"%\d", place.root) and place.offset % MEMORY_WORD == 0:
            self.ports.append((block, place.root, writes))

    def _copy(self, block: str, pointer: str, writes: bool, size: int) -> None:
        place = self._place(pointer)
        if place.root == "machine":
            found = self._memory(place.offset, place.dynamic)
            if found is not None and found[0].size == size:
                self.accesses.append(Access(block, found[0], writes, found[1]))
            else:
                self.copies.append((block, found[0].path if found else "?", size))
        elif re.fullmatch(r"%\d", place.root):
            self.ports.append((block, place.root, writes))

    def _memory(self, offset: int, dynamic: tuple[int, ...]) -> tuple[Memory, tuple[int | None, ...]] | None:
        key = (offset, dynamic)
        if key not in self._found:
            self._found[key] = None
            for memory in self._memories:
                indices = memory.place(offset)
                if indices is None:
                    continue
                strides = [stride if count > 1 else 0 for count, stride in memory.dimensions]
                if all(stride in strides for stride in dynamic):
                    known = [None if s in dynamic else index for index, s in zip(indices, strides, strict=True)]
                    self._found[key] = memory, tuple(known)
                    break
        return self._found[key]
