"""What Vitis HLS would refuse or pay for, read off the IR: one complaint per rule, loop and memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.checks.hls_ir.accesses import Access, Resolver
from tests.checks.hls_ir.flow import Block, Loop, most
from tests.checks.hls_ir.pragmas import Pragmas
from tests.checks.hls_ir.resources import Arithmetic

MOST_DIVIDERS = 4  # of one loop
WIDEST_DIVIDER = 48  # bits: a stage per bit of the quotient


@dataclass(frozen=True)
class Judged:
    """A loop: the interval that it is meant to have, the one that ports allow, and what is wrong with it."""

    loop: Loop
    meant: int
    allowed: int
    limit: str  # the memory that allows no less
    complaints: tuple[str, ...]


def judge(
    loop: Loop, blocks: dict[str, Block], resolver: Resolver, operations: list[Arithmetic], pragmas: Pragmas, meant: int
) -> Judged:
    """All rules for one loop."""
    accesses = [access for access in resolver.accesses if access.block in loop.blocks]
    allowed, limit = _ports(loop, blocks, accesses, resolver, pragmas)
    complaints = [f"{loop.name}: the loop at {head} inside it is not unrolled" for head in loop.inner]
    if allowed > meant:
        complaints.append(f"{loop.name}: {limit} allows an interval of {allowed} at best, {meant} is meant")
    complaints += _multiplexed(loop, accesses, pragmas)
    complaints += _copies(loop, blocks, resolver)
    complaints += _dependences(loop, accesses, pragmas)
    complaints += _dividers(loop, blocks, operations)
    return Judged(loop, meant, allowed, limit, tuple(complaints))


def _ports(
    loop: Loop, blocks: dict[str, Block], accesses: list[Access], resolver: Resolver, pragmas: Pragmas
) -> tuple[int, str]:
    """One read and one write port per bank, one access per memory port of the top, in each direction."""
    weights: dict[tuple[str, str, bool], dict[str, int]] = {}
    for access in accesses:
        split = access.memory.split(pragmas.partitions)
        if all(parted for parted, (count, _) in zip(split, access.memory.dimensions, strict=True) if count > 1):
            continue  # registers
        key = (access.memory.path, str(access.bank(split)), access.writes)
        in_block = weights.setdefault(key, {})
        in_block[access.block] = in_block.get(access.block, 0) + 1
    for block, port, writes in resolver.ports:
        if block in loop.blocks:
            in_block = weights.setdefault((f"argument {port}", "", writes), {})
            in_block[block] = in_block.get(block, 0) + 1
    worst, limit = 1, ""
    for (path, _, writes), in_block in weights.items():
        number = most(loop, blocks, in_block)
        if number > worst:
            worst, limit = number, f"{number} {'writes to' if writes else 'reads of'} one bank of {path}"
    return worst, limit


def _multiplexed(loop: Loop, accesses: list[Access], pragmas: Pragmas) -> Iterator[str]:
    found: dict[tuple[str, int], int] = {}
    for access in accesses:
        for dimension in access.muxed(access.memory.split(pragmas.partitions)):
            key = (access.memory.path, dimension)
            found[key] = found.get(key, 0) + 1
    for (path, dimension), number in sorted(found.items()):
        yield f"{loop.name}: {number} times a dynamic index into the partitioned dimension {dimension} of {path}"


def _copies(loop: Loop, blocks: dict[str, Block], resolver: Resolver) -> Iterator[str]:
    for path in sorted({path for block, path, _ in resolver.copies if block in loop.blocks}):
        yield f"{loop.name}: a structure is copied whole to or from {path}"
    for block, line in resolver.unresolved:
        if block in loop.blocks and "sroa" not in line:
            yield f"{loop.name}: an address may be of more than one memory: {line[:80]}"
    locals_ = {
        match[1]
        for name in loop.blocks
        for line in blocks[name].instructions
        if (match := re.match(r"(%\S+) = getelementptr .*, i\d+ %\S+$", line)) and _local_base(line)
    }
    if locals_:
        yield f"{loop.name}: {len(locals_)} dynamic indices into local arrays, which so are memories"


def _local_base(line: str) -> bool:
    base = re.search(r", ptr (\S+?),", line)
    return base is not None and base[1].startswith("%") and not re.fullmatch(r"%\d", base[1]) and "sroa" in base[1]


def _dependences(loop: Loop, accesses: list[Access], pragmas: Pragmas) -> Iterator[str]:
    """Read in one turn and written in another: without a promise the tool keeps a distance of 1."""
    read = {access.memory.path for access in accesses if not access.writes and None in access.indices}
    written = {access.memory.path for access in accesses if access.writes and None in access.indices}
    promised = {promise.variable.split(".")[-1] for promise in pragmas.promises}
    for path in sorted(read & written):
        parts = path.split(".")
        if not promised & {parts[-1], *(parts[-2:-1])}:
            yield f"{loop.name}: {path} is read and written, and no dependence says at what distance"


def _dividers(loop: Loop, blocks: dict[str, Block], operations: list[Arithmetic]) -> Iterator[str]:
    dividers = [each for each in operations if each.block in loop.blocks and each.kind != "mul"]
    if len(dividers) > MOST_DIVIDERS:
        yield f"{loop.name}: {len(dividers)} dividers, {MOST_DIVIDERS} at most"
    for each in dividers:
        if each.one > WIDEST_DIVIDER:
            yield f"{loop.name}: a divider of {each.one} bits, {WIDEST_DIVIDER} at most"
