"""Random programs: legal ones, drawn field by field from the tables of the instruction set and kept when the
specification and golden's own state take them, and illegal ones made of these.

A field that the instruction set gains is drawn without a change here: values of `_value` that it has no line for come
from its range. What a segment must hold is asked of golden while it executes, so the weight stream follows by itself.
"""

from __future__ import annotations

import numpy as np

from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.program import MachineFaultError
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import (
    FIELDS,
    INSTRUCTION_WORDS,
    LINEAR_OPERANDS,
    OPTIONS,
    STREAM_LINE,
    Buffer,
    Epilogue,
    Instruction,
    Opcode,
    decode,
    encode,
    used_fields,
)
from edgemoe.spec.legality import EITHER_WIDTH, element_bytes, reads, static_fault, writes
from edgemoe.spec.memory import Bytes, row_pitch, segment
from sim.examples.machine import SENTINEL
from tests.fuzz.drawn import Drawn, Words
from tests.fuzz.memory_rows import memory_value, parts
from tests.fuzz.mutate import Rng, pick
from tests.fuzz.segments import INPUT_BYTES, OUTPUT_BYTES, InventedProgram

_CHOICES, _TRIES = 20, 24
_FREE = OUTPUT_BYTES // 4  # of the output region, for random addresses; behind it results are stored one by one
_FOLLOWS = {
    Opcode.LAYERNORM: (Opcode.GATE, Opcode.GATE, Opcode.LINEAR),
    Opcode.LINEAR: (Opcode.ATTENTION, Opcode.ATTENTION, Opcode.LINEAR),
    Opcode.GATE: (Opcode.EXPERTS, Opcode.GATE),
}
"""What needs the result of what: drawn more often behind it."""

_OF_SOURCE = ("rows", "in_features", "source_row")


class Generator:
    """Draws one program. Private state of golden's scratchpads says what the next instruction may read."""

    def __init__(self, hardware: HardwareConfig, rng: Rng) -> None:
        self.hardware, self.rng = hardware, rng
        self.program = InventedProgram(hardware, rng)
        memory = FlatMemory()
        regions = memory.allocate(INPUT_BYTES), memory.allocate(OUTPUT_BYTES)
        self.frame = rng.integers(0, 256, INPUT_BYTES).astype(np.uint8)
        memory.write(regions[0], self.frame)
        memory.write(regions[1], np.full(OUTPUT_BYTES, SENTINEL, dtype=np.uint8))  # as the run finds it, for LOAD
        self.machine = GoldenMachine(self.program, hardware, memory, *regions)
        self.words: list[Words] = []
        self.at = _FREE

    def legal(self) -> Drawn:
        """Up to 16 instructions, most with STORE of what they wrote, then STORE of all that is there, then HALT."""
        for _ in range(int(self.rng.integers(1, 17))):
            count = len(self.words)
            self._step()
            if len(self.words) > count and self.rng.random() < 0.8:
                written = [area.buffer for area in writes(decode(self.words[-1]))]
                self._store(written or [Buffer.RESIDUAL])
        self._store(list(Buffer)[1:])
        self.words.append(encode(Instruction(Opcode.HALT)))
        stream = self.program.stream_bytes()
        if self.hardware.streaming:
            sizes = [segment(number, *each).size for number, each in enumerate(self.program.payloads)]
            self.words[:0] = parts(self.rng, [decode(words) for words in self.words], sizes)
        return Drawn(np.stack(self.words), stream, self.frame, {})

    def _step(self) -> None:
        """One more instruction, unless none is found."""
        rare = (Opcode.HALT, Opcode.PATCH_EMBED, Opcode.STORE, Opcode.REPEAT)
        usual = [opcode for opcode in Opcode if opcode not in rare]
        choices = (*usual * 3, *_FOLLOWS.get(self._last(), ()) * 30, Opcode.PATCH_EMBED, *[Opcode.STORE] * 4)
        for _ in range(_CHOICES):
            opcode = pick(self.rng, choices) if self._shape(Buffer.RESIDUAL)[0] else Opcode.PATCH_EMBED
            needed = {area.buffer for area in reads(Instruction(opcode))} - {Buffer.NONE}
            if all(self._shape(buffer)[0] for buffer in needed) and any(
                self._take(self._fields(opcode)) for _ in range(_TRIES)
            ):
                return

    def _last(self) -> Opcode:
        """What was drawn last, but for STORE."""
        drawn = [opcode for opcode in (decode(words).opcode for words in self.words) if opcode != Opcode.STORE]
        return drawn[-1] if drawn else Opcode.HALT

    def _take(self, values: dict[str, int]) -> bool:
        """Execute an instruction and keep it, if it is legal here."""
        words = np.zeros(INSTRUCTION_WORDS, dtype=np.uint32)
        for name, value in values.items():
            place = FIELDS[name]
            words[place.word] |= np.uint32((value & ((1 << place.width) - 1)) << place.low)
        if static_fault(words, self.hardware, INPUT_BYTES, OUTPUT_BYTES) != Fault.NONE:
            return False
        count = len(self.program.payloads)
        try:
            self.machine.execute(decode(words))
        except MachineFaultError:
            self.program.keep(count)
            self.machine.plan.next_segment = count
            return False
        self.words.append(words)
        return True

    def _store(self, buffers: list[Buffer]) -> None:
        """All valid rows, each behind what was stored before, as far as there is room."""
        for buffer in buffers:
            (rows, features), wide = self._shape(buffer), self._wide(buffer)
            size = rows * row_pitch(features, element_bytes(buffer, self.hardware, wide))
            if rows and self.at + size <= OUTPUT_BYTES:
                which = {"source": buffer, "wide_source": wide, "rows": rows, "in_features": features}
                store = Instruction(Opcode.STORE, address=self.at, **which)
                self.machine.execute(store)
                self.words.append(encode(store))
                self.at += size

    def _shape(self, buffer: Buffer) -> tuple[int, int]:
        """Valid rows and their features."""
        pads = self.machine.scratchpads
        return pads._rows[buffer], pads._features(buffer)

    def _wide(self, buffer: Buffer) -> int:
        """Whether its valid rows are of 16 bits, where they may be of either width."""
        return int(buffer in EITHER_WIDTH and self.machine.scratchpads._wide[buffer])

    def _fields(self, opcode: Opcode) -> dict[str, int]:
        values = {"opcode": int(opcode)}
        for name in used_fields(opcode, self.hardware.options):
            values[name] = self._value(opcode, name, values)
        return values

    def _value(self, opcode: Opcode, name: str, so_far: dict[str, int]) -> int:
        """A value that has a chance; what is not named here comes from anywhere in its field."""
        rng, sizes = self.rng, self.hardware
        vectors = VECTOR * int(rng.integers(1, 5))
        epilogue = Epilogue(so_far.get("epilogue", 0))
        rows, features = self._shape(self._main(opcode, so_far)) if name in _OF_SOURCE else (0, 0)
        residual_rows, residual_features = self._shape(Buffer.RESIDUAL)
        queued = self.machine._queued.destination_end
        grid = opcode != Opcode.LINEAR or epilogue == Epilogue.GELU
        shapes = {buffer: self._shape(buffer) for buffer in Buffer}
        if (of_memory := memory_value(rng, sizes, opcode, name, so_far, shapes)) is not None:
            return of_memory
        match name:
            case "epilogue":
                return int(pick(rng, tuple(LINEAR_OPERANDS)))
            case "source" if opcode == Opcode.LINEAR:
                return int(pick(rng, LINEAR_OPERANDS[epilogue][0]))
            case "source":
                return int(pick(rng, tuple(Buffer)[1:]))
            case "wide_source" if opcode == Opcode.LINEAR and so_far["source"] == Buffer.GATE_INPUT:
                return 1
            case "wide_source" if opcode in (Opcode.LINEAR, Opcode.STORE):
                return self._wide(Buffer(so_far["source"]))
            case "wide_source" if opcode == Opcode.ATTENTION:
                return self._wide(Buffer.QUERY)
            case "destination":
                return int(LINEAR_OPERANDS[epilogue][1])
            case "rows" if opcode == Opcode.PATCH_EMBED:
                return int(rng.integers(1, sizes.max_rows))
            case "rows":
                all_rows = max(min(rows, sizes.max_tokens) if opcode == Opcode.ATTENTION else rows, 1)
                few, any_rows = (int(rng.integers(1, most + 1)) for most in (all_rows, sizes.max_rows))
                return int(pick(rng, (all_rows, all_rows, few, few, any_rows)))
            case "in_features":
                return features if features and rng.random() < 0.9 else vectors
            case "out_features" if epilogue == Epilogue.RESIDUAL:
                return residual_features
            case "out_features" if epilogue == Epilogue.QKV:
                return 3 * vectors
            case "out_features" if opcode == Opcode.HEAD:
                return int(rng.integers(1, 41))
            case "out_features" if opcode == Opcode.PATCH_EMBED and residual_features:
                return int(pick(rng, (residual_features, vectors)))
            case "out_features" | "hidden_features":
                return vectors
            case "source_row":
                most = max(rows - so_far.get("rows", 0), 0)
                return int(pick(rng, (0, most, int(rng.integers(0, most + 1)))))
            case "destination_row":
                there = self._shape(self._target(opcode, so_far))[0]
                within = int(rng.integers(0, there + 1))
                return int(pick(rng, (0, so_far.get("source_row", 0), there, within, residual_rows, queued)))
            case "heads":
                return int(rng.integers(1, 5))
            case "experts":
                return int(rng.integers(1, sizes.max_experts + 1))
            case "top_k":
                return int(rng.integers(1, sizes.max_top_k + 1))
            case "segment":
                return len(self.program.payloads)
            case "segments" if opcode == Opcode.EXPERTS:
                return so_far["experts"]
            case "segments":
                return 2 if opcode == Opcode.PATCH_EMBED else 1
            case "output_multiplier" | "output_shift" | "output_zero" if not grid:
                return 0
            case "residual_copy":
                return so_far["gate_copy"] & int(rng.integers(2))
            case "output_shift" if not so_far.get("gate_copy", 1) or so_far.get("residual_copy"):
                return 0
            case "multiplier" | "output_multiplier":
                return int(rng.integers(pick(rng, (0, 1 << 15, 1 << 15)), 1 << 16))
            case "shift" | "output_shift":
                return int(rng.integers(1, pick(rng, (25, 40, 61))))
            case "output_zero":
                return int(rng.integers(-128, 128))
            case "epsilon_low":
                return int(rng.integers(1, 1 << int(rng.integers(1, 33))))
            case "epsilon_high":
                return int(rng.integers(0, 1 << 16)) if rng.random() < 0.2 else 0
            case "address_low":
                return 16 * int(rng.integers(0, (INPUT_BYTES if opcode == Opcode.PATCH_EMBED else _FREE) // 64))
            case "address_high":
                return 0
        low, high = FIELDS[name].range
        return int(rng.integers(low, high + 1)) if rng.random() < 0.5 else int(rng.integers(0, min(high, 3) + 1))

    def _target(self, opcode: Opcode, so_far: dict[str, int]) -> Buffer:
        """The scratchpad that an instruction writes last."""
        partial = Instruction(opcode, Epilogue(so_far.get("epilogue", 0)), destination=so_far.get("destination", 0))
        areas = writes(partial)
        return Buffer(areas[-1].buffer) if areas else Buffer.RESIDUAL

    def _main(self, opcode: Opcode, so_far: dict[str, int]) -> Buffer:
        """The scratchpad that an instruction reads first."""
        partial = Instruction(opcode, Epilogue(so_far.get("epilogue", 0)), Buffer(so_far.get("source", 0)))
        areas = reads(partial)
        return areas[0].buffer if areas else Buffer.RESIDUAL


def illegal(drawn: Drawn, rng: Rng) -> Drawn:
    """A program with something changed: fields, bits, the order, the stream or the header."""
    words, stream, header = drawn.words.copy(), drawn.stream.copy(), {}
    match int(rng.integers(8)):
        case 0 if len(words) > 2:
            words = np.delete(words, int(rng.integers(len(words))), axis=0)
        case 1:
            at, again = (int(place) for place in rng.integers(0, len(words), 2))
            words = np.insert(words, at, words[again], axis=0)
        case 2 if stream.size:
            stream = _altered_stream(stream, rng)
        case 3:
            header = pick(
                rng,
                (
                    {"instructions": int(rng.integers(0, len(words) + 1))},
                    {"stream_lines": int(rng.integers(0, stream.size // STREAM_LINE + 1)) // 4 * 4},
                    {"output_bytes": 16 * int(rng.integers(0, OUTPUT_BYTES // 16))},
                    {"input_bytes": 16 * int(rng.integers(0, INPUT_BYTES // 16))},
                    {"config_hash": int(rng.integers(0, 1 << 32))},
                ),
            )
        case _:
            for _ in range(int(rng.integers(1, 3))):
                _alter_word(words, int(rng.integers(len(words))), rng)
    return Drawn(words, stream, drawn.frame, header)


def _alter_word(words: Words, row: int, rng: Rng) -> None:
    """A field near what it was or near a limit, or any bit."""
    if rng.random() < 0.2:
        words[row, int(rng.integers(INSTRUCTION_WORDS))] ^= np.uint32(1 << int(rng.integers(32)))
        return
    opcode = int(words[row, 0]) & 0xFF
    used = used_fields(Opcode(opcode), OPTIONS) if opcode in list(Opcode) else ()
    field = FIELDS[pick(rng, used if used and rng.random() < 0.8 else tuple(FIELDS))]
    mask, word = (1 << field.width) - 1, int(words[row, field.word])
    old = word >> field.low & mask
    new = pick(rng, (old + 1, old - 1, old + VECTOR, old - VECTOR, 2 * old, 0, 1, mask, 60, 61, int(rng.integers(64))))
    words[row, field.word] = word & ~(mask << field.low) & 0xFFFFFFFF | (new & mask) << field.low


def _altered_stream(stream: Bytes, rng: Rng) -> Bytes:
    """Number or length in a segment's header, or the stream cut short."""
    starts, at = [], 0
    while at < stream.size:
        starts.append(at)
        at += STREAM_LINE * (1 + int(stream[at + 4 : at + 8].view("<u4")[0]))
    if rng.random() < 0.3:
        return stream[: STREAM_LINE * int(rng.integers(0, stream.size // STREAM_LINE))]
    start, word = pick(rng, starts), int(rng.integers(2))
    view = stream[start + 4 * word : start + 4 * word + 4].view("<u4")
    view[0] = pick(rng, (int(view[0]) + 1, max(int(view[0]) - 1, 0), 0, 0xFFFFFFFF, int(rng.integers(1 << 32))))
    return stream
