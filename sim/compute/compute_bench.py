"""compute: whole instructions against golden, from weight stream and scratchpads to scratchpads, logits and memory.

With it the units that have no other way out: linear with drain_place, bank_writer, channel_queue and its post lanes;
drain; head_place and head; stream_reader and attention in their places beside the array. After each instruction every
value of every scratchpad is compared, so that nothing else may have been written. Weights come late, and memory holds
the head back, at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.isa import Buffer
from edgemoe.spec.machine import Fetch, Left, PassKind
from edgemoe.spec.memory import SegmentKind, pack_gate, pack_linear, round_up, row_pitch, segment
from edgemoe.spec.precision import GUARD_BITS, OUTPUT_BITS, WIDE_LIMIT
from edgemoe_golden.ops import linear as golden_linear
from edgemoe_golden.ops.attention import attention as golden_attention
from edgemoe_golden.ops.gate import gate_logits
from edgemoe_golden.ops.head import head
from sim.common.array_passes import SECOND, attention, fetch_of
from sim.common.bench import Checker, Dut, checked, cycles, drive, extremes, pack, reset
from sim.common.compute_model import GATHERED, Environment
from sim.common.machine import CONFIG, FETCH, IN_PAR, NUMBERS, OUT_PAR, TOKEN_PAR, IntArray, Pass
from sim.common.runs import Run

RUNS = [Run("micro"), Run("pairs", slow=True), Run("wide", slow=True)]
SETTLE = 4  # cycles until what was started says that it is busy
LEFTS = {
    Buffer.NORM: Left.NORM,
    Buffer.HIDDEN: Left.HIDDEN,
    Buffer.GATE_INPUT: Left.GATE_INPUT,
    GATHERED: Left.GATHERED,
}
WANTED = {  # bits of typical results of a kind, so that most are inside its bounds and some are not
    PassKind.QKV: NUMBERS.activation_bits - 1,
    PassKind.GELU: NUMBERS.gelu_fraction + 2,
    PassKind.RESIDUAL: NUMBERS.residual_bits - 2,
    PassKind.WEIGHTED: NUMBERS.residual_bits + GUARD_BITS - 2,
    PassKind.HEAD: OUTPUT_BITS - 1,
}
BASE = 0x1_2345_6000


@dataclass(frozen=True)
class Work:
    """One linear layer: rows of `source`, features in whole vectors."""

    kind: PassKind
    source: Buffer
    rows: int
    inputs: int
    outputs: int
    source_row: int = 0
    destination_row: int = 0


LAYERS = [
    Work(PassKind.QKV, Buffer.NORM, 129, 32, 96, SECOND, 3),
    Work(PassKind.QKV, Buffer.NORM, 1, 16, 144, 5, 6),
    Work(PassKind.GELU, Buffer.NORM, TOKEN_PAR + 1, 32, 64, 2, SECOND),
    Work(PassKind.RESIDUAL, Buffer.HIDDEN, 13, 48, 32, 7, 130),
    Work(PassKind.RESIDUAL, Buffer.NORM, TOKEN_PAR - 1, 16, 16, TOKEN_PAR, 1),
    Work(PassKind.LOGITS, Buffer.GATE_INPUT, 31, 32, 13, SECOND),
    Work(PassKind.LOGITS, Buffer.GATE_INPUT, 1, 16, 1, 2),
    Work(PassKind.HEAD, Buffer.NORM, 129, 16, 3, SECOND),
    Work(PassKind.HEAD, Buffer.NORM, 7, 32, 49, 2),
    Work(PassKind.HEAD, Buffer.NORM, 2, 16, OUT_PAR, TOKEN_PAR - 1),
]


class Bench(Environment):
    """Instructions as the sequencer gives them."""

    number = 0

    async def push(self, room: str, signal: str, word: int) -> None:
        """A command or a pass when its queue has room; ends a cycle later."""
        dut = self.dut
        await ReadOnly()
        while not int(getattr(dut, room).value):
            await drive(dut)
            await ReadOnly()
        await drive(dut)
        getattr(dut, signal).value, getattr(dut, f"{signal}_push").value = word, 1
        await drive(dut)
        getattr(dut, f"{signal}_push").value = 0

    async def linear(self, work: Pass, payload: np.ndarray, channels: bool = True) -> None:
        """Header, weights and pass of one layer."""
        data = segment(self.number, SegmentKind.LINEAR, payload)
        self.stream.add(data)
        lines = data.size // 64 - 1
        await self.push("fetch_room", "fetch", FETCH.pack(kind=Fetch.HEADER, number=self.number, count=lines))
        await ReadOnly()
        while not int(self.dut.header_done.value):
            await drive(self.dut)
            await ReadOnly()
        assert int(self.dut.header_fault.value) == 0, f"fault {int(self.dut.header_fault.value)} of a good header"
        await drive(self.dut)
        self.number += 1
        tiles = work.input_tiles * (2 if work.kind == PassKind.LOGITS and not NUMBERS.fine else 1)
        command = {"output_tiles": work.output_tiles, "input_tiles": tiles, "channels": int(channels), "members": 1}
        await self.push("fetch_room", "fetch", FETCH.pack(kind=Fetch.WEIGHTS, **command))
        await self.push("pass_room", "pass", work.word)

    async def quiet(self) -> None:
        """Until everything has been written."""
        await cycles(self.dut, SETTLE)
        await ReadOnly()
        while not int(self.dut.idle.value):
            await drive(self.dut)
            await ReadOnly()
        await drive(self.dut)

    async def layer(self, work: Work) -> None:
        """One linear layer of any epilogue."""
        self.begin(vectors=work.inputs // VECTOR, output_base=BASE, out_features=work.outputs)
        grid = self.gelu_grid()
        values = self.pads[work.source].rows(work.source_row, work.rows, work.inputs // VECTOR)
        third = work.outputs // 3
        vectors = (third if work.kind == PassKind.QKV else work.outputs) // VECTOR
        sent = Pass(work.kind, LEFTS[work.source], work.source_row, work.rows, work.inputs // VECTOR,
                    work.inputs // IN_PAR, -(-work.outputs // OUT_PAR), destination_row=work.destination_row,
                    destination_vectors=vectors)  # fmt: skip
        if work.kind == PassKind.LOGITS:
            limit = WIDE_LIMIT
            weight = self.rng.integers(-limit, limit, (work.outputs, work.inputs), endpoint=True)
            await self.linear(sent, pack_gate(weight, CONFIG), channels=False)
        else:
            weights = self.random_weights(work.outputs, work.inputs, WANTED[work.kind])
            await self.linear(sent, pack_linear(weights, CONFIG))
            prepared = golden_linear.prepare_linear(weights, NUMBERS)
        await self.quiet()
        expected: dict[Buffer | str, IntArray] = {}
        row = work.destination_row
        if work.kind == PassKind.QKV:
            results = golden_linear.linear(values, prepared, NUMBERS.activation_bits, NUMBERS)
            for number, buffer in enumerate((Buffer.QUERY, Buffer.KEY, Buffer.VALUE)):
                expected[buffer] = self.placed(buffer, row, results[:, number * third : (number + 1) * third])
        elif work.kind == PassKind.GELU:
            results = golden_linear.linear_gelu(values, prepared, *grid, NUMBERS)
            expected[Buffer.HIDDEN] = self.placed(Buffer.HIDDEN, row, results)
        elif work.kind == PassKind.RESIDUAL:
            residual = self.residual_before(row, work.rows, vectors)
            results = golden_linear.linear_residual(values, prepared, residual, NUMBERS)
            expected[Buffer.RESIDUAL] = self.placed(Buffer.RESIDUAL, row, results)
        elif work.kind == PassKind.HEAD:
            self.compare_words(head(values, prepared, NUMBERS), str(work))
        else:
            self.compare_logits(gate_logits(values, weight), str(work))
        self.compare(expected, str(work))

    def compare_words(self, outputs: IntArray, what: str) -> None:
        """Rows of 16-bit outputs in memory, padded with zeros to words, and nothing else."""
        pitch = row_pitch(outputs.shape[1], OUTPUT_BITS // 8)
        padded = np.zeros((len(outputs), pitch * 8 // OUTPUT_BITS), dtype=np.int64)
        padded[:, : outputs.shape[1]] = outputs
        words = [pack(word, OUTPUT_BITS) for word in padded.reshape(-1, 8).tolist()]
        expected = [[BASE + 16 * number, word] for number, word in enumerate(words)]
        found = [[address, word] for address, word in sorted(self.words.items())]
        self.check.equal(np.array(found, dtype=object), np.array(expected, dtype=object), f"words of {what}")
        self.words.clear()

    def compare_logits(self, logits: IntArray, what: str) -> None:
        """Every row once per output tile, tiles in ascending order."""
        found = np.zeros((len(logits), round_up(logits.shape[1], OUT_PAR)), dtype=np.int64)
        order = [(tile, row) for row, tile, _ in self.logits]
        assert order == sorted(set(order)), f"logits of {what} come in another order"
        assert len(order) * OUT_PAR == found.size, f"{len(order)} tiles of logits of {what}"
        for row, tile, values in self.logits:
            found[row, tile * OUT_PAR : (tile + 1) * OUT_PAR] = values
        self.check.equal(found[:, : logits.shape[1]], logits, f"logits of {what}")
        self.logits.clear()

    async def attend(self, first: int, rows: int, width: int, heads: int, *others: int) -> None:
        """ATTENTION. others: first key and keys, where these are not of the queries' rows."""
        vectors = width // VECTOR
        spread = 2 * (NUMBERS.activation_bits - 1) + 16 - NUMBERS.score_fraction - 2
        scales = (int(self.rng.integers(1 << 15, 1 << 16)), spread, int(self.rng.integers(1 << 15, 1 << 16)), 14)
        names = ("multiplier", "shift", "output_multiplier", "output_shift")
        first_key, keys = others or (first, rows)
        places = {"first_key": first_key, "end_key": first_key + keys}
        self.begin(**places, vectors=vectors, **dict(zip(names, scales, strict=True)))
        query = self.pads[Buffer.QUERY].rows(first, rows, vectors)
        key, value = (self.pads[name].rows(first_key, keys, vectors) for name in (Buffer.KEY, Buffer.VALUE))
        for work in attention(first, rows, vectors, heads, *others).passes:
            await self.push("fetch_room", "fetch", fetch_of(work, vectors, heads))
            await self.push("pass_room", "pass", work.word)
        await self.quiet()
        results = golden_attention(query, key, value, heads, *scales, NUMBERS)
        self.compare({Buffer.NORM: self.placed(Buffer.NORM, first, results)}, f"ATTENTION of {rows} rows from {first}")

    async def run_expert(self, rows: int, width: int, hidden: int) -> None:
        """Both layers of one expert, the second one close behind the first."""
        self.begin(vectors=width // VECTOR)
        grid = self.gelu_grid()
        self.expert = int(self.rng.integers(CONFIG.max_experts))
        destinations = self.rng.permutation(CONFIG.max_rows)[:rows]
        scores = extremes(self.rng, 17, rows) & 0xFFFF
        self.queue = np.stack([destinations, scores], axis=1)
        values = self.pads[GATHERED].rows(0, rows, width // VECTOR)
        up = self.random_weights(hidden, width, WANTED[PassKind.GELU])
        down = self.random_weights(width, hidden, WANTED[PassKind.WEIGHTED])
        first = Pass(PassKind.GELU, Left.GATHERED, 0, rows, width // VECTOR, width // IN_PAR, hidden // OUT_PAR,
                     destination_vectors=hidden // VECTOR, expert=self.expert)  # fmt: skip
        second = Pass(PassKind.WEIGHTED, Left.HIDDEN, 0, rows, hidden // VECTOR, hidden // IN_PAR, width // OUT_PAR,
                      destination_vectors=width // VECTOR, expert=self.expert, after_drain=1)  # fmt: skip
        await self.linear(first, pack_linear(up, CONFIG))
        await self.linear(second, pack_linear(down, CONFIG))
        await self.quiet()
        prepared = [golden_linear.prepare_linear(weights, NUMBERS) for weights in (up, down)]
        inner = golden_linear.linear_gelu(values, prepared[0], *grid, NUMBERS)
        after = self.before[Buffer.RESIDUAL].copy()
        rows_before = [self.residual_before(row, 1, width // VECTOR) for row in destinations.tolist()]
        residual = np.concatenate(rows_before)
        updated = golden_linear.linear_weighted(inner, prepared[1], scores, residual, NUMBERS)
        for row, result in zip(destinations.tolist(), updated, strict=True):
            after = self.placed(Buffer.RESIDUAL, row, result[None], after)
        what = f"expert of {rows} tokens, {width} → {hidden} features"
        self.compare({Buffer.HIDDEN: self.placed(Buffer.HIDDEN, 0, inner), Buffer.RESIDUAL: after}, what)


async def bench_of(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> Bench:
    """After reset."""
    await reset(dut, pass_push=0, fetch_push=0, taken_valid=0, available=0, left=0, line_ready=0, word_ready=0)
    bench = Bench(dut, check, rng, stalls)
    bench.run()
    await cycles(dut, 4)
    return bench


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"])
@checked
async def layers(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Linear layers of every epilogue, one after the other without a reset, then in another order."""
    bench = await bench_of(dut, check, rng, stalls)
    for work in [*LAYERS, *(LAYERS[index] for index in rng.permutation(len(LAYERS)) if LAYERS[index].rows < 100)]:
        await bench.layer(work)


@cocotb.test()
@checked
async def attentions(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """A second task whose rows begin inside a tile, one row, tiles ± 1, few queries for many keys and the reverse."""
    bench = await bench_of(dut, check, rng, "none")
    for sizes in [(SECOND, CONFIG.max_rows - SECOND, 32, 2), (0, 1, 16, 1), (3, 17, 96, 3),
                  (OUT_PAR - 1, OUT_PAR + 1, 32, 1), (5, TOKEN_PAR * 8, 32, 2),
                  (3, 5, 32, 2, OUT_PAR + 1, CONFIG.max_tokens), (1, TOKEN_PAR * 8, 16, 1, 0, 1)]:  # fmt: skip
        await bench.attend(*sizes)


@cocotb.test()
@cocotb.parametrize(stalls=["none", "both"])
@checked
async def experts(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Experts of any number of tokens."""
    bench = await bench_of(dut, check, rng, stalls)
    for rows, width, hidden in [
        (1, 16, 16),
        (TOKEN_PAR + 1, 32, 64),
        (67, 32, 16),
        (TOKEN_PAR - 1, 48, 32),
        (2, 32, 96),
    ]:
        await bench.run_expert(rows, width, hidden)
