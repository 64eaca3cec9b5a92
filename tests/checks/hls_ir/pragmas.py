"""What the pragmas say of memories: partitions, bindings, promised distances; the depth of the stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Partition:
    """dimension: from 1, 0 for all."""

    variable: str
    dimension: int


@dataclass(frozen=True)
class Promise:
    """A distance in iterations that a loop keeps between a write and the read of it; None: there is no such read."""

    variable: str
    distance: str | None


@dataclass(frozen=True)
class Pragmas:
    """Of all sources."""

    partitions: tuple[Partition, ...]
    promises: tuple[Promise, ...]
    storage: dict[str, str]


def read(folder: Path, ultra_ram: bool = False) -> Pragmas:
    """The pragmas of a folder of sources, with those of parts that have UltraRAM or without them."""
    partitions, promises, storage = [], [], {}
    for words in _lines(folder, ultra_ram):
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        flags = [word for word in words[1:] if "=" not in word]
        match words[0]:
            case "array_partition":
                partitions.append(Partition(options["variable"], int(options.get("dim", "1"))))
            case "dependence":
                none = "false" in flags or options.get("dependent") == "false"
                promises.append(Promise(options["variable"], None if none else options.get("distance")))
            case "bind_storage":
                storage[options["variable"]] = options.get("impl", "bram")
    return Pragmas(tuple(partitions), tuple(promises), storage)


def _lines(folder: Path, ultra_ram: bool) -> Iterator[list[str]]:
    for path in [*sorted(folder.rglob("*.hpp")), *folder.glob("*.cpp")]:
        if "generated" in path.relative_to(folder).parts:
            continue
        text = path.read_text(encoding="utf-8")
        if not ultra_ram:
            text = re.sub(r"^#if EDGEMOE_ULTRA_RAM.*?^#endif", "", text, flags=re.MULTILINE | re.DOTALL)
        for match in re.finditer(r"^#pragma HLS (.*)$", text, re.MULTILINE):
            yield match[1].split()
