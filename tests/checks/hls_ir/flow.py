"""The one function as blocks of instructions, its pipelined loops, and the most that one way through a loop can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.checks.hls_ir.compile import MARK


@dataclass
class Block:
    """instructions: text by text. after: blocks that may follow."""

    name: str
    instructions: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Loop:
    """A pipelined loop. inner: heads of loops inside it, which should have been unrolled."""

    file: str
    label: str
    interval: str
    head: str
    blocks: frozenset[str]
    inner: tuple[str, ...]

    @property
    def name(self) -> str:
        """Label and file."""
        return f"{self.label} in {self.file}"


def blocks_of(text: str, function: str) -> dict[str, Block]:
    """The blocks of the one function whose name contains `function`, in their order."""
    body = re.search(rf"^define [^\n]*@\S*{function}\S*\([^\n]*\{{\n(.*?)^\}}", text, re.MULTILINE | re.DOTALL)
    if body is None:
        raise ValueError(f"the IR has no function '{function}'")
    found: dict[str, Block] = {}
    block = found.setdefault("entry", Block("entry"))
    for line in body[1].splitlines():
        label = re.match(r'("?[\w.$-]+"?):', line)
        if label:
            block = found.setdefault(label[1].strip('"'), Block(label[1].strip('"')))
        elif line.strip() and not line.lstrip().startswith(";"):
            block.instructions.append(line.strip())
    if not found["entry"].instructions:
        del found["entry"]  # the first block has a name
    for block in found.values():
        block.after = re.findall(r'label %"?([\w.$-]+)"?', " ".join(_terminator(block)))
    return found


def _terminator(block: Block) -> list[str]:
    for number in range(len(block.instructions) - 1, -1, -1):
        if re.match(r"(br|switch|ret|unreachable)\b", block.instructions[number]):
            return block.instructions[number:]
    return []


def pipelined_loops(blocks: dict[str, Block]) -> list[Loop]:
    """Every loop with a mark, the smallest around the mark; a loop inlined twice is there twice."""
    dominators = _dominators(blocks)
    bodies = _natural_loops(blocks, dominators)
    found = []
    for block in blocks.values():
        for text in block.instructions:
            mark = re.search(rf'asm sideeffect "{MARK} (\S+) (\S+) (\S+)"', text)
            if mark is None:
                continue
            around = [(head, body) for head, body in bodies.items() if block.name in body]
            if not around:
                continue  # it turned once and is no loop any more
            head, body = min(around, key=lambda pair: len(pair[1]))
            inner = tuple(other for other in bodies if other != head and other in body)
            found.append(Loop(*mark.groups(), head, frozenset(body), inner))
    return found


def _order(blocks: dict[str, Block]) -> list[str]:
    """Reverse postorder."""
    entry = next(iter(blocks))
    seen, order = {entry}, []
    stack: list[tuple[str, Iterator[str]]] = [(entry, iter(blocks[entry].after))]
    while stack:
        name, following = stack[-1]
        step = next((other for other in following if other not in seen), None)
        if step is None:
            order.append(name)
            stack.pop()
        else:
            seen.add(step)
            stack.append((step, iter(blocks[step].after)))
    return order[::-1]


def _dominators(blocks: dict[str, Block]) -> dict[str, str]:
    """Immediate dominators, after Cooper, Harvey and Kennedy."""
    order = _order(blocks)
    number = {name: n for n, name in enumerate(order)}
    before: dict[str, list[str]] = {name: [] for name in order}
    for name in order:
        for other in blocks[name].after:
            before[other].append(name)
    above = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for name in order[1:]:
            ready = [other for other in before[name] if other in above]
            best = ready[0]
            for other in ready[1:]:
                one = other
                while one != best:
                    while number[one] > number[best]:
                        one = above[one]
                    while number[best] > number[one]:
                        best = above[best]
            if above.get(name) != best:
                above[name], changed = best, True
    return above


def _dominates(above: dict[str, str], one: str, other: str) -> bool:
    while other not in (one, above[other]):
        other = above[other]
    return other == one


def _natural_loops(blocks: dict[str, Block], above: dict[str, str]) -> dict[str, set[str]]:
    before: dict[str, list[str]] = {name: [] for name in blocks}
    for block in blocks.values():
        for other in block.after:
            before[other].append(block.name)
    bodies: dict[str, set[str]] = {}
    for block in blocks.values():
        for head in block.after:
            if block.name in above and _dominates(above, head, block.name):
                body, waiting = bodies.setdefault(head, {head}), [block.name]
                while waiting:
                    name = waiting.pop()
                    if name not in body:
                        body.add(name)
                        waiting += before[name]
    return bodies


def most(loop: Loop, blocks: dict[str, Block], weights: dict[str, int]) -> int:
    """The largest sum of weights of blocks on one way through one turn of a loop."""
    inside = [name for name in _order(blocks) if name in loop.blocks]
    best: dict[str, int] = {loop.head: weights.get(loop.head, 0)}
    for name in inside:
        if name not in best:
            continue
        for other in blocks[name].after:
            if other in loop.blocks and other != loop.head:
                best[other] = max(best.get(other, 0), best[name] + weights.get(other, 0))
    return max(best.values())
