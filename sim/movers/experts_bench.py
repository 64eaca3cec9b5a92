"""experts: queues as gates fill them, their summary, lookups and gathering, against golden's queues."""

from __future__ import annotations

from dataclasses import dataclass, field

import cocotb
import numpy as np

from edgemoe.spec.machine import GATHER_LATENCY, LOOKUP_LATENCY
from edgemoe_golden.ops.experts import QueueEntries, expert_queue
from sim.common.bench import Checker, Dut, checked, cycles, drive, hardware, pack, reset, settle, unpack
from sim.common.rows import Banks, each_cycle, until_idle
from sim.common.runs import Run

RUNS = [Run()]
OVERHEAD = 14
ROUNDS = 3
GATES = ((5, 0, 0), (1, 3, 9), (12, 5, 14))  # rows, source row, destination row


@dataclass
class Queues:
    """What golden keeps between GATE and EXPERTS."""

    parts: list[list[QueueEntries]]
    source_end: int = 1
    destination_end: int = 0
    lengths: list[int] = field(default_factory=list)

    def entries(self, expert: int) -> list[tuple[int, int, int]]:
        """(source, destination, score)."""
        found = []
        for part in self.parts[expert]:
            rows = (part.source_rows, part.destination_rows, part.scores)
            found += [tuple(int(value) for value in entry) for entry in zip(*rows, strict=True)]
        return [(source, destination, score) for source, destination, score in found]


async def gate(dut: Dut, rng: np.random.Generator, queues: Queues, rows: int, source: int, destination: int) -> None:
    """Push a GATE's choices, one a cycle with some pauses; then note its ends."""
    sizes = hardware()
    top_k = int(rng.integers(1, sizes.max_top_k, endpoint=True))
    liking = rng.random((rows, sizes.max_experts)) + 0.7 * (rng.permutation(sizes.max_experts) == 0)
    chosen = np.argsort(-liking, axis=1)[:, :top_k]
    scores = rng.integers(0, 1 << 16, chosen.shape)
    for expert in range(sizes.max_experts):
        queues.parts[expert].append(expert_queue(expert, chosen, scores, source, destination))
    for row in range(rows):
        for expert, score in zip(chosen[row].tolist(), scores[row].tolist(), strict=True):
            while rng.random() < 0.2:
                dut.push_valid.value = 0
                await drive(dut)
            dut.push_valid.value, dut.push_expert.value = 1, expert
            dut.push_source.value, dut.push_destination.value = source + row, destination + row
            dut.push_score.value = score
            await drive(dut)
    dut.push_valid.value = 0
    dut.note_gate.value = 1
    dut.gate_source_end.value, dut.gate_destination_end.value = source + rows, destination + rows
    await drive(dut)
    dut.note_gate.value = 0
    queues.source_end = max(queues.source_end, source + rows)
    queues.destination_end = destination + rows


async def check_summary(dut: Dut, check: Checker, queues: Queues) -> None:
    """Lengths and what rules 8 and 9 need."""
    sizes = hardware()
    await cycles(dut, 2)
    await settle(dut)
    lengths = [len(queues.entries(expert)) for expert in range(sizes.max_experts)]
    queues.lengths = lengths
    check.equal(unpack(int(dut.lengths.value), sizes.max_experts, 16, signed=False), np.array(lengths), "lengths")
    used = [expert + 1 for expert, length in enumerate(lengths) if length]
    expected = (max(lengths), max(used, default=0), queues.source_end, queues.destination_end)
    names = ("longest", "queues_end", "source_end", "destination_end")
    check.equal([int(getattr(dut, name).value) for name in names], list(expected), f"{names}")


async def check_lookups(dut: Dut, check: Checker, rng: np.random.Generator, queues: Queues) -> None:
    """Every entry, in any order, one a cycle."""
    places = [(expert, index) for expert, length in enumerate(queues.lengths) for index in range(length)]
    places = [places[number] for number in rng.permutation(len(places))]
    got: list[tuple[int, int]] = []
    for expert, index in [*places, *[(0, 0)] * LOOKUP_LATENCY]:
        await drive(dut)
        got.append((int(dut.lookup_destination.value), int(dut.lookup_score.value)))
        dut.lookup_expert.value, dut.lookup_index.value = expert, index
    expected = [queues.entries(expert)[index][1:] for expert, index in places]
    check.equal(np.array(got[LOOKUP_LATENCY:]), np.array(expected), "lookups")


@cocotb.test()
@checked
async def gates_lookups_and_gathering(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Several gates, then each expert's tokens while lookups go on; then everything again after clear."""
    sizes = hardware()
    norm, gathered = (Banks(sizes.token_par, 64, sizes.numbers.activation_bits) for _ in range(2))
    await reset(dut, clear=0, push_valid=0, note_gate=0, start_gather=0, lookup_expert=0, lookup_index=0)

    def sample() -> tuple[int, int]:
        if int(dut.write_enable.value):
            gathered.write(int(dut.write_bank.value), int(dut.write_depth.value), int(dut.write_values.value))
        return int(dut.norm_read_bank.value), int(dut.norm_read_depth.value)

    def respond(place: tuple[int, int]) -> None:
        dut.norm_vector.value = pack(norm.values[place], norm.bits) if place[1] < 64 else 0

    cocotb.start_soon(each_cycle(dut, GATHER_LATENCY, sample, respond))
    for number in range(ROUNDS):
        queues = Queues([[] for _ in range(sizes.max_experts)])
        await check_summary(dut, check, queues)
        await drive(dut)
        for rows, source, destination in GATES[: number + 1]:
            await gate(dut, rng, queues, rows, source, destination)
        await check_summary(dut, check, queues)
        vectors = (1, 3, 2)[number]
        norm.fill(rng)
        for expert in (expert for expert, length in enumerate(queues.lengths) if length):
            entries = queues.entries(expert)
            gathered.fill(rng)
            model = Banks(sizes.token_par, 64, norm.bits)
            model.values = gathered.values.copy()
            model.put_rows(0, np.concatenate([norm.rows(source, 1, vectors) for source, _, _ in entries]))
            await drive(dut)
            dut.gather_expert.value, dut.vectors.value, dut.start_gather.value = expert, vectors, 1
            await drive(dut)
            dut.start_gather.value = 0
            looking = cocotb.start_soon(check_lookups(dut, check, rng, queues))
            await until_idle(dut, len(entries) * vectors + OVERHEAD)
            check.equal(gathered.values, model.values, f"tokens of expert {expert}, {vectors} vectors")
            await looking
        await drive(dut)
        dut.clear.value = 1
        await drive(dut)
        dut.clear.value = 0
