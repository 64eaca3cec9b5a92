"""The simulated Verilog as a machine for single instructions: its scratchpads are put in place while a run begins.

The instruction itself runs as on a board, through registers, program, weight stream and memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edgemoe.control import Control
from edgemoe.devices.base import DeviceError
from edgemoe.devices.rtl.build import DEVICE, HARNESS_FOLDER, Harness
from edgemoe.devices.rtl.device import MemoryModel, RtlDevice
from edgemoe.kernels.machine import Machine, widened
from edgemoe.kernels.operations import IntArray
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import STREAM_LINE, Buffer, Instruction, Opcode, encode
from edgemoe.spec.machine import Sizes, scratchpad_rows
from edgemoe.spec.memory import Bytes, SegmentKind, pack_gate, segment, stripe
from edgemoe.spec.program_header import ProgramHeader, encode_header
from edgemoe.spec.registers import IDENTITY

CORE = "TOP.edgemoe_top.core"
QUEUES = "row_movers.expert_queues"
FIRST_BEAT = 64  # cycles from an address to its data
BEFORE_FIRST = 16  # cycles after a start: the run has begun, and its program has not come from memory yet
TIMEOUT = 600.0
ELSEWHERE = "a run began with other rows valid than were put in place"


class RtlMachine(Machine):
    """One device. What is poked and enqueued is there for the next instruction only, as every run begins afresh."""

    def __init__(self, hardware: HardwareConfig) -> None:
        self.hardware = hardware
        shown = Harness(DEVICE.sources, HARNESS_FOLDER / "tests" / "scratchpads.vlt")
        self._device = RtlDevice(hardware, MemoryModel(first_beat_cycles=FIRST_BEAT), harness=shown)
        self._control = Control(self._device.read_register, self._device.write_register)
        self._poked: dict[Buffer, IntArray] = {}
        self._queues: dict[int, list[tuple[int, int, int]]] = {}
        self._variables: dict[str, Bytes] = {}

    def poke(self, buffer: Buffer, values: IntArray) -> None:
        """See Machine."""
        self.require_room(buffer, values)
        self._poked[buffer] = values

    def enqueue(self, expert: int, source: int, destination: int, score: int) -> None:
        """See Machine."""
        self._queues.setdefault(expert, []).append((source, destination, score))

    def empty_queues(self) -> None:
        """See Machine."""
        self._queues.clear()

    def peek(self, buffer: Buffer, rows: int, features: int) -> IntArray:
        """See Machine."""
        if buffer == Buffer.ROUTING:
            entries = self._variable("row_movers", "routing_rows").view("<u4").reshape(-1, self.hardware.max_top_k)
            return entries[:rows, :features].astype(np.int64)
        values = np.zeros((-(-rows // self.hardware.token_par) * self.hardware.token_par, features), dtype=np.int64)
        for part, memory in self._memories(buffer, values):
            part[...] = _unpacked(memory, part.shape, self._bits(buffer))
        return values[:rows]

    def execute(
        self,
        instruction: Instruction,
        payloads: Sequence[Bytes] = (),
        frame: Bytes | None = None,
        output: Bytes | None = None,
    ) -> None:
        """See Machine."""
        program = np.stack([encode(instruction), encode(Instruction(Opcode.HALT))])
        pieces = [segment(number, SegmentKind.LINEAR, payload) for number, payload in enumerate(payloads)]
        stream = np.concatenate([*pieces, np.zeros(STREAM_LINE if not pieces else 0, dtype=np.uint8)])
        sizes = [0 if region is None else region.size for region in (frame, output)]
        lines = stream.size // STREAM_LINE if pieces else 0
        header = encode_header(ProgramHeader(self.hardware.hash(), len(program), lines, *sizes), IDENTITY)
        regions = {"program": np.concatenate([header, program.reshape(-1)]).astype("<u4").view(np.uint8)}
        regions |= {f"weights_{port}": part for port, part in enumerate(stripe(stream, self.hardware.ports))}
        regions |= {name: part for name, part in (("input", frame), ("output", output)) if part is not None}
        addresses = {name: self._place(data) for name, data in regions.items()}
        self._control.start(addresses)
        self._device.run(BEFORE_FIRST)
        self._fill()
        ended = self._control.wait(TIMEOUT, lambda _: None)
        fault = self._control.fault() if ended else f"no end after {TIMEOUT:g} s"
        if fault is not None:
            raise DeviceError(f"{instruction.opcode.name} ends with {fault}")
        if output is not None:
            output[:] = self._device.read(addresses["output"], output.size)
        for address in addresses.values():
            self._device.free(address)

    def products(self, left: IntArray, right: IntArray) -> IntArray:
        """See Machine; the logits are read where the gate keeps them."""
        hardware, inputs, tile = self.hardware, widened(left), self.hardware.out_par
        sizes, parts = Sizes(hardware), []
        bits, banks, beside = sizes.logit_bits, sizes.post_rows, sizes.gate_tiles // sizes.gate_turns
        for first in range(0, right.shape[1], hardware.max_experts):
            weight = widened(right.T[first : first + hardware.max_experts])
            for buffer in (Buffer.GATE_INPUT, Buffer.NORM, Buffer.RESIDUAL):
                self.poke(buffer, inputs)
            instruction = Instruction(
                Opcode.GATE, rows=len(left), in_features=inputs.shape[1], experts=len(weight), top_k=1, segments=1
            )
            self.execute(instruction, [pack_gate(weight, hardware)])
            tiles = []
            for number in range(-(-len(weight) // tile)):
                turn, memory = divmod(number, beside)  # see gate.v
                rows = np.zeros((-(-len(left) // banks) * banks, tile), dtype=np.int64)
                for bank in range(banks):
                    kept = self._variable(f"row_movers.gate_unit.banks[{bank}].tiles[{memory}]", "memory")
                    words = kept.reshape(sizes.gate_turns, sizes.logits_depth, -1)[turn]
                    rows[bank::banks] = _unpacked(words, (len(rows) // banks, tile), bits)
                tiles.append(rows[: len(left)])
            parts.append(np.concatenate(tiles, axis=1)[:, : len(weight)])
        return np.concatenate(parts, axis=1)

    def _fill(self) -> None:
        """Rows and queues into the simulation, and into what it says is valid."""
        valid_rows, valid_features = (
            self._variable("rules", name).view("<u2") for name in ("valid_rows", "valid_features")
        )
        assert not valid_rows.any(), ELSEWHERE
        for buffer, values in self._poked.items():
            whole = np.pad(values, ((0, -len(values) % self.hardware.token_par), (0, 0)))
            for part, memory in self._memories(buffer, whole):
                memory[: part.shape[0] * part.shape[1]] = _packed(part, self._bits(buffer), memory.shape[1])
            valid_rows[buffer], valid_features[buffer] = values.shape
        self._poked.clear()
        for expert, queue in self._queues.items():
            begin = expert * self.hardware.max_rows
            entries = np.array(queue)
            self._variable(QUEUES, "sources").view("<u2")[begin : begin + len(queue)] = entries[:, 0]
            targets = entries[:, 1] | entries[:, 2] << 16
            self._variable(QUEUES, "targets").view("<u4")[begin : begin + len(queue)] = targets
            self._variable(QUEUES, "lengths").view("<u2")[expert] = len(queue)
            self._raise("longest", len(queue))
            self._raise("queues_end", expert + 1)
            self._raise("source_end", int(entries[:, 0].max()) + 1)
            self._raise("destination_end", int(entries[:, 1].max()) + 1)
        self._queues.clear()

    def _raise(self, name: str, least: int) -> None:
        value = self._variable(QUEUES, name).view("<u2")
        value[0] = max(int(value[0]), least)

    def _memories(self, buffer: Buffer, values: IntArray) -> Iterator[tuple[IntArray, Bytes]]:
        """For each memory of a scratchpad: the values that stand in it, a view [depth, elements], and its words."""
        banks = self.hardware.token_par
        parts = 1 if buffer == Buffer.GATE_INPUT else VECTOR // self.hardware.out_par
        places = values.reshape(-1, banks, values.shape[1] // VECTOR, parts, VECTOR // parts)
        rows = scratchpad_rows(self._depth(buffer))
        names = {Buffer.GATE_INPUT: "gate"}
        scope = f"row_movers.buffers.{names.get(buffer, buffer.name.lower())}_rows"
        for bank in range(banks):
            for part in range(parts):
                memory = self._variable(f"{scope}.banks[{bank}].parts[{part}]", "memory")
                words = memory.reshape(rows, -1)
                yield places[:, bank, :, part], words

    def _depth(self, buffer: Buffer) -> int:
        depth = self.hardware.capacity(buffer) // (VECTOR * self.hardware.token_par)
        return depth + Sizes(self.hardware).gathered_first if buffer == Buffer.QUERY else depth

    def _bits(self, buffer: Buffer) -> int:
        numbers = self.hardware.numbers
        widths = {Buffer.RESIDUAL: numbers.residual_bits, Buffer.GATE_INPUT: 16}
        return widths.get(buffer, numbers.activation_bits)

    def _variable(self, scope: str, name: str) -> Bytes:
        path = f"{CORE}.{scope}.{name}"
        if path not in self._variables:
            self._variables[path] = self._device.variable(f"{CORE}.{scope}", name)
        return self._variables[path]

    def _place(self, data: Bytes) -> int:
        address = self._device.allocate(data.size)
        self._device.write(address, data)
        return address


def _packed(values: IntArray, bits: int, size: int) -> Bytes:
    """[..., elements] → words of `size` bytes, the first element in the low bits."""
    ones = (values[..., None] >> np.arange(bits) & 1).astype(np.uint8)
    words = np.packbits(ones.reshape(-1, values.shape[-1] * bits), axis=1, bitorder="little")
    return np.pad(words, ((0, 0), (0, size - words.shape[1])))


def _unpacked(words: Bytes, shape: tuple[int, ...], bits: int) -> IntArray:
    """The inverse, of signed values."""
    count = int(np.prod(shape[:-1]))
    ones = np.unpackbits(words[:count], axis=1, bitorder="little", count=shape[-1] * bits)
    place = 1 << np.arange(bits)
    place[-1] = -place[-1]
    values: IntArray = (ones.reshape(*shape, bits) * place).sum(axis=-1)
    return values
