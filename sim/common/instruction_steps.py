"""What each instruction asks of stream_reader, matmul and the units that move rows, for the bench of sequencer.

What a segment holds is counted by the packing of the specification; passes and fetches of ATTENTION and EXPERTS are
those that the benches of their sequences expect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.isa import STREAM_LINE, Buffer, Epilogue, Instruction, Opcode
from edgemoe.spec.machine import Fetch, Left, PassKind
from edgemoe.spec.memory import gate_bytes, layernorm_bytes, linear_bytes, position_bytes
from sim.common.array_passes import attention, fetch_of
from sim.common.expert_passes import Case as Queues
from sim.common.expert_passes import expected as experts
from sim.common.machine import CONFIG, FETCH, IN_PAR, LOGIT_ROWS, OUT_PAR, PASS, Pass

# What happens in a cycle, in this order; `fetch` and `pass` carry a word.
ROW_UNITS = ["start_layernorm", "start_copy", "move", "start_positions", "start_patches"]
STEPS = ["check", "fetch", "pass", *ROW_UNITS, "start_gate", "commit", "note_gate", "clear_queues"]
FIELDS_OF = {
    Fetch.HEADER: ("number", "count"),
    Fetch.WEIGHTS: ("output_tiles", "input_tiles", "channels", "members", "narrow"),
    Fetch.KEYS: ("output_tiles", "input_tiles", "members", "head_base"),
    Fetch.VALUES: ("output_tiles", "input_tiles", "members", "head_base"),
    Fetch.LINES: ("count",),
    Fetch.SKIP: ("count",),
}
OF_LINEAR = {Epilogue.QKV: PassKind.QKV, Epilogue.GELU: PassKind.GELU, Epilogue.RESIDUAL: PassKind.RESIDUAL}
OF_ROWS = ("destination_vectors", "destination_base")  # what goes to no scratchpad has none
UNUSED: dict[PassKind, tuple[str, ...]] = {
    PassKind.SCORES: ("destination",), PassKind.LOGITS: OF_ROWS, PassKind.HEAD: OF_ROWS,
}  # fmt: skip
FETCH_STEP = STEPS.index("fetch")
AFTER_COMMIT = {Opcode.GATE: ("note_gate",), Opcode.EXPERTS: ("clear_queues",)}
Step = tuple[int, int]  # index in STEPS, word


def meaning(name: str, word: int = 0) -> Step:
    """A step; of a word only the fields that its kind uses."""
    if name == "fetch":
        fields = FETCH.unpack(word)
        word = FETCH.pack(kind=fields["kind"], **{used: fields[used] for used in FIELDS_OF[Fetch(fields["kind"])]})
    if name == "pass":
        fields = PASS.unpack(word)
        unused = UNUSED.get(PassKind(fields["kind"]), ())
        word = PASS.pack(**{field: v for field, v in fields.items() if not field.startswith(unused)})
    return STEPS.index(name), word


def in_order(opcode: int, steps: list[Step]) -> list[Step]:
    """As they come; of EXPERTS by kind, as the bench of experts_sequence looks at how its fetches and passes mix."""
    return sorted(steps, key=lambda step: step[0]) if opcode == Opcode.EXPERTS else steps


@dataclass(frozen=True)
class Task:
    """An instruction and what becomes of it. header: which of its headers has `header_fault`."""

    instruction: Instruction
    lengths: tuple[int, ...] = ()  # of the experts' queues
    static_fault: Fault = Fault.NONE
    rule_fault: Fault = Fault.NONE  # of rules 7 … 9
    header: int = 0
    header_fault: Fault = Fault.NONE

    @property
    def queues(self) -> Queues:
        """As the bench of experts_sequence has them."""
        i = self.instruction
        sizes = i.in_features // VECTOR, i.hidden_features // VECTOR
        faulty = self.header if self.header_fault else None
        return Queues(self.lengths[: i.experts], *sizes, faulty, self.header_fault, i.narrow_weights, i.wide_source)

    @property
    def fault(self) -> Fault:
        """With which it ends the run, or NONE."""
        return self.static_fault or self.rule_fault or self.header_fault

    @property
    def counts(self) -> tuple[int, int]:
        """Experts that run, and segments that are dropped."""
        if self.instruction.opcode != Opcode.EXPERTS or self.static_fault or self.rule_fault:
            return 0, 0
        seen = experts(self.queues, self.instruction.segment, 0)
        return seen.ran, seen.dropped

    def steps(self) -> list[Step]:
        """From its acceptance to the commit, or to its fault."""
        opcode = self.instruction.opcode
        if self.static_fault or opcode == Opcode.HALT:
            return []
        every = [] if self.rule_fault else [meaning(*step) for step in _work(self)]
        if self.header_fault and opcode != Opcode.EXPERTS:
            headers = [at for at, (step, word) in enumerate(every) if step == FETCH_STEP and word & 7 == Fetch.HEADER]
            every = every[: headers[self.header] + 1]
        ends = ["commit", *AFTER_COMMIT.get(opcode, ())] if not self.fault else []
        return in_order(opcode, [meaning("check"), *every, *(meaning(name) for name in ends)])


def _work(task: Task) -> Iterator[tuple[str, int]]:
    i = task.instruction
    vectors = i.in_features // VECTOR
    if i.opcode == Opcode.REPEAT:
        return
    if i.opcode in (Opcode.COPY, Opcode.STORE, Opcode.LOAD):
        yield "start_copy" if i.opcode == Opcode.COPY else "move", 0
    elif i.opcode == Opcode.ATTENTION:
        for work in attention(i.source_row, i.rows, vectors, i.heads, i.key_row, i.keys).passes:
            yield from (("fetch", fetch_of(work, vectors, i.heads)), ("pass", work.word))
    elif i.opcode == Opcode.EXPERTS:
        seen = experts(task.queues, i.segment, _expert_lines(i))
        yield from (("fetch", word) for word in seen.fetches)
        yield from (("pass", word) for word in seen.passes)
    elif i.opcode == Opcode.LAYERNORM:
        lines = _in_lines(layernorm_bytes(i.in_features, CONFIG))
        yield from (_header(i.segment, lines), _lines(lines), ("start_layernorm", 0))
    elif i.opcode == Opcode.PATCH_EMBED:
        lines = _in_lines(position_bytes(i.rows + 1, i.out_features, CONFIG))
        yield from (_header(i.segment, lines), _lines(lines), ("start_positions", 0), ("start_patches", 0))
        yield from _linear(i, i.segment + 1)
    else:
        yield from _linear(i, i.segment)
        if i.opcode == Opcode.GATE:
            yield "start_gate", 0


def _linear(i: Instruction, segment: int) -> Iterator[tuple[str, int]]:
    gate, patches = i.opcode == Opcode.GATE, i.opcode == Opcode.PATCH_EMBED
    layer = linear_bytes(i.out_features, i.in_features, CONFIG, i.narrow_weights)
    size = gate_bytes(i.experts, i.in_features, CONFIG, i.biased) if gate else layer
    inputs, outputs = i.in_features // IN_PAR, -(-(i.experts if gate else i.out_features) // OUT_PAR)
    yield _header(segment, _in_lines(size))
    digits = 2 if gate and LOGIT_ROWS > 1 else 1  # right tiles hold one digit
    sizes = {"output_tiles": outputs, "members": 1}
    own = {"channels": int(not gate or i.biased), "narrow": i.narrow_weights}
    yield "fetch", FETCH.pack(kind=Fetch.WEIGHTS, input_tiles=inputs * digits, **own, **sizes)
    kind = {Opcode.GATE: PassKind.LOGITS, Opcode.HEAD: PassKind.HEAD, Opcode.PATCH_EMBED: PassKind.RESIDUAL}
    hidden = patches or i.source == Buffer.HIDDEN
    third = 3 if i.epilogue == Epilogue.QKV else 1
    # Logits and HEAD's outputs are counted from the first.
    destination = 0 if i.opcode in (Opcode.GATE, Opcode.HEAD) else i.destination_row + patches
    work = Pass(
        kind[Opcode(i.opcode)] if i.opcode in kind else OF_LINEAR[Epilogue(i.epilogue)],
        Left.GATE_INPUT if gate or i.wide_source else Left.HIDDEN if hidden else Left.NORM,
        0 if patches else i.source_row, i.rows, i.in_features // VECTOR, inputs, outputs,
        destination_row=destination, destination_vectors=i.out_features // third // VECTOR,
        wide=i.wide_source,
    )  # fmt: skip
    yield "pass", work.word


def _in_lines(size: int) -> int:
    return -(-size // STREAM_LINE)


def _header(segment: int, lines: int) -> tuple[str, int]:
    return "fetch", FETCH.pack(kind=Fetch.HEADER, number=segment, count=lines)


def _lines(count: int) -> tuple[str, int]:
    return "fetch", FETCH.pack(kind=Fetch.LINES, count=count)


def _expert_lines(i: Instruction) -> int:
    sizes = (i.in_features, i.hidden_features)
    layers = (sizes, sizes[::-1])
    return _in_lines(sum(linear_bytes(outputs, inputs, CONFIG, i.narrow_weights) for inputs, outputs in layers))
