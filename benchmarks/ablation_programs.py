"""Programs of the ablation: the first blocks of a network alone, and experts token by token, not expert by expert.

Both are cut from a compiled program, so the weights and every other instruction stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edgemoe.compiler.program import Program, digests
from edgemoe.errors import ArgumentError
from edgemoe.spec.isa import STREAM_LINE, Buffer, Instruction, Opcode, encode
from edgemoe.spec.legality import element_bytes
from edgemoe.spec.memory import Bytes, SegmentKind, round_up, row_pitch, segment

Labelled = tuple[str, Instruction]


@dataclass(frozen=True)
class Segment:
    """One segment of a weight stream. payload: uint8, whole lines."""

    kind: SegmentKind
    payload: Bytes


def segments_of(program: Program) -> list[Segment]:
    """The weight stream taken apart."""
    found, place = [], 0
    while place < program.stream.size:
        _, lines, kind = program.stream[place : place + STREAM_LINE].view("<u4")[:3].tolist()
        end = place + STREAM_LINE * (1 + lines)
        found.append(Segment(SegmentKind(kind), program.stream[place + STREAM_LINE : end]))
        place = end
    return found


def first_moe_block(program: Program, tokens_alone: int = 0) -> Program:
    """The program of one task up to the first block with experts, then a STORE of the residual rows.

    tokens_alone: so many tokens, the first ones, go through GATE and EXPERTS one by one, the others together after
    them: a token's experts are read from memory for it alone, as a machine without patch reordering does. The values
    stay the same. Raises ArgumentError when the program has no EXPERTS, covers several tasks, or has fewer tokens.
    """
    labelled = list(zip(program.manifest.labels, program.instructions, strict=True))
    opcodes = [instruction.opcode for _, instruction in labelled]
    if len(program.manifest.tasks) != 1 or Opcode.EXPERTS not in opcodes:
        raise ArgumentError("the ablation of experts needs a program of one task and a model with experts")
    gate, experts = opcodes.index(Opcode.GATE), opcodes.index(Opcode.EXPERTS)
    tokens, width = labelled[gate][1].rows, labelled[gate][1].in_features
    if not 0 <= tokens_alone <= tokens:
        raise ArgumentError(f"{tokens_alone} tokens cannot go alone, the model has {tokens}")
    body = labelled[:gate]
    for first, rows in [*((token, 1) for token in range(tokens_alone)), (tokens_alone, tokens - tokens_alone)]:
        if rows:
            body += [_of_rows(labelled[gate], first, rows), _of_rows(labelled[experts], first, rows)]
    body.append(("residual", Instruction(Opcode.STORE, source=Buffer.RESIDUAL, rows=tokens, in_features=width)))
    return _rebuilt(program, [*body, ("halt", Instruction(Opcode.HALT))])


def _of_rows(labelled: Labelled, first: int, rows: int) -> Labelled:
    """GATE for these rows alone; EXPERTS, which takes what GATE has queued, as it is."""
    label, instruction = labelled
    if instruction.opcode == Opcode.GATE:
        source, destination = instruction.source_row + first, instruction.destination_row + first
        instruction = replace(instruction, rows=rows, source_row=source, destination_row=destination)
    return f"{label} of {rows} from {first}", instruction


def _rebuilt(program: Program, labelled: list[Labelled]) -> Program:
    """A program of these instructions; each brings its segments of the old stream along, numbered anew."""
    old = segments_of(program)
    pieces: list[Bytes] = []
    words: list[NDArray[np.uint32]] = []
    for _, instruction in labelled:
        used = old[instruction.segment : instruction.segment + instruction.segments]
        placed = replace(instruction, segment=len(pieces)) if used else instruction
        pieces += [segment(len(pieces) + i, each.kind, each.payload) for i, each in enumerate(used)]
        words.append(encode(placed))
    last = labelled[-2][1]
    pitch = row_pitch(last.in_features, element_bytes(last.source, program.manifest.hardware))
    manifest = replace(
        program.manifest,
        output_bytes=round_up(last.rows * pitch, STREAM_LINE),
        outputs=(),
        routing=(),
        trace=(),
        labels=tuple(label for label, _ in labelled),
        sha256={},
    )
    rebuilt = Program(manifest, np.stack(words), np.concatenate(pieces))
    return replace(rebuilt, manifest=replace(manifest, sha256=digests(rebuilt)))
