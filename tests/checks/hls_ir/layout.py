"""The memories of the machine: every array and scalar of `Machine` with its place, dimensions and bits, by libclang."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clang import cindex

from edgemoe.devices.csim.build import HLS_FOLDER
from tests.checks.hls_ir.compile import INCLUDE
from tests.checks.hls_ir.pragmas import Partition


@dataclass(frozen=True)
class Memory:
    """path: from the machine. dimensions: elements and stride in bytes, outermost first. bits: of an element."""

    path: str
    offset: int
    dimensions: tuple[tuple[int, int], ...]
    size: int
    bits: int

    def place(self, offset: int) -> tuple[int, ...] | None:
        """Indices of the element at a byte of the machine; None when it is another memory's."""
        rest, indices = offset - self.offset, []
        if rest < 0:
            return None
        for count, stride in self.dimensions:
            index, rest = divmod(rest, stride)
            if index >= count:
                return None
            indices.append(index)
        return tuple(indices) if rest < self.size else None

    def split(self, partitions: tuple[Partition, ...]) -> tuple[bool, ...]:
        """Which dimensions are partitioned into banks."""
        dimensions = {part.dimension for part in partitions if names(part.variable, self.path)}
        return tuple(0 in dimensions or n + 1 in dimensions for n in range(len(self.dimensions)))


def names(variable: str, path: str) -> bool:
    """Whether a pragma's variable is a memory of the machine, or the structure that it is a member of."""
    name = variable.removeprefix("machine.")
    return path == name or path.startswith(f"{name}.")


def memories(generated: Path, folder: Path = HLS_FOLDER) -> list[Memory]:
    """Of the machine of one configuration; raises ValueError when the sources do not parse."""
    arguments = [
        "-x",
        "c++",
        "-std=c++20",
        "-w",
        "-DEDGEMOE_AS_SYNTHESISED",
        "-ffreestanding",
        f"-I{INCLUDE}",
        f"-I{generated}",
    ]
    unit = cindex.Index.create().parse(str(folder / "edgemoe.cpp"), args=arguments)
    errors = [str(d) for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
    if errors:
        raise ValueError(f"the sources do not parse: {errors[0]}")
    machine = next(c for c in _records(unit.cursor) if c.spelling == "Machine")
    return list(_leaves(machine.type, "", 0, ()))


def _records(cursor: cindex.Cursor) -> Iterator[cindex.Cursor]:
    for child in cursor.get_children():
        if child.kind == cindex.CursorKind.NAMESPACE:
            yield from _records(child)
        elif child.kind == cindex.CursorKind.STRUCT_DECL and child.is_definition():
            yield child


def _leaves(kind: cindex.Type, path: str, offset: int, dimensions: tuple[tuple[int, int], ...]) -> Iterator[Memory]:
    kind = kind.get_canonical()
    if kind.kind == cindex.TypeKind.CONSTANTARRAY:
        element = kind.element_type
        yield from _leaves(element, path, offset, (*dimensions, (kind.element_count, element.get_size())))
        return
    packed = re.fullmatch(r"(?:const )?ap_u?int<(\d+)>", kind.spelling)
    if kind.kind == cindex.TypeKind.RECORD and not packed:
        for field in kind.get_fields():
            name = f"{path}.{field.spelling}" if path else field.spelling
            yield from _leaves(field.type, name, offset + field.get_field_offsetof() // 8, dimensions)
        return
    size = kind.get_size()
    yield Memory(path, offset, dimensions, size, int(packed[1]) if packed else 8 * size)
