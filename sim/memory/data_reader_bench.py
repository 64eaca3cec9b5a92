"""data_reader: blocks of words in order, whatever memory does; errors, flush and late responses."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from cocotbext.axi import AxiResp

from edgemoe.spec.machine import DATA_QUEUE
from sim.common.axi_memory import MAX_BEATS, PAGE, WORD_BYTES, ReadMemory, content, stable
from sim.common.bench import (
    STALLS,
    Checker,
    Dut,
    backpressure_rate,
    checked,
    cycles,
    drive,
    idle_rate,
    receive,
    reset,
    send,
    settle,
)
from sim.common.runs import Run

RUNS = [Run()]
OUTSTANDING = 16  # bursts in flight
BURSTS = DATA_QUEUE // MAX_BEATS  # that the queue has room for
SIZES = [1, 0, 2, 15, 16, 17, 64, 65, 127, 128, 129, 256, 257]
Block = tuple[int, int]  # address, words


async def prepare(dut: Dut) -> None:
    """Reset with all inputs idle."""
    await reset(dut, begin_run=0, command_valid=0, word_ready=0, flush=0)


def expected(blocks: list[Block]) -> list[int]:
    """Contents of these blocks, one after the other."""
    return [content(address + WORD_BYTES * word) for address, words in blocks for word in range(words)]


async def command(dut: Dut, blocks: list[Block], rng: np.random.Generator, idle: float = 0.0) -> None:
    """Command these blocks one after the other; ends when the last one is accepted."""
    commands = [{"command_address": address, "command_words": words} for address, words in blocks]
    await send(dut, commands, rng, idle, "command_valid", "command_ready")


async def read(
    dut: Dut, blocks: list[Block], rng: np.random.Generator, idle: float = 0.0, backpressure: float = 0.0
) -> list[int]:
    """Command these blocks one after the other and take all their words."""
    commanding = cocotb.start_soon(command(dut, blocks, rng, idle))
    count = sum(words for _, words in blocks)
    got = await receive(dut, count, ["word"], rng, backpressure, "word_valid", "word_ready")
    await commanding
    return [beat["word"] for beat in got]


def blocks_of(rng: np.random.Generator, sizes: list[int]) -> list[Block]:
    """One block per size, each near the end of a page; the first at the end of the address space, the last at …FF0."""
    pages = [(1 << 64) // PAGE - 2, *(int(page) for page in rng.integers(1, 1 << 50, len(sizes) - 1))]
    words = [*rng.integers(220, 256, len(sizes) - 1).tolist(), 255]
    return [(page * PAGE + WORD_BYTES * word, size) for page, word, size in zip(pages, words, sizes, strict=True)]


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def blocks(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """All sizes across page ends, twice without reset; every burst is requested once."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, backpressure=idle_rate(stalls))
    cocotb.start_soon(stable(dut, "word_valid", "word_ready", ["word"]))
    for run in range(2):
        chosen = blocks_of(rng, SIZES)
        memory.bursts.clear()
        got = await read(dut, chosen, rng, idle_rate(stalls), backpressure_rate(stalls))
        check.equal(np.array(got, object), np.array(expected(chosen), object), f"run {run}")
        check.equal(sum(beats for _, beats in memory.bursts), len(got), "beats requested")
        await drive(dut)
        await ReadOnly()
        check.equal([int(dut.flushed.value), int(dut.bus_error.value)], [1, 0], "flushed, bus_error afterwards")


@cocotb.test()
@checked
async def overlaps_requests(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """As many words are in flight as the queue has room for, never more, though nobody takes any."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, latency=200)
    await command(dut, [(PAGE, 300)], rng)
    await cycles(dut, 190)
    check.equal(
        memory.bursts, [(PAGE + 256 * burst, MAX_BEATS) for burst in range(BURSTS)], "requests before a response"
    )
    await cycles(dut, 600)
    check.equal(len(memory.bursts), BURSTS, "requests while no word is taken")


@cocotb.test()
@checked
async def limits_bursts_in_flight(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Bursts of one word leave room in the queue: their number is what stops requests to a silent memory."""
    await prepare(dut)
    memory = ReadMemory(dut, rng)
    memory.silence()
    short = [(PAGE * number, 1) for number in range(1, 3 * OUTSTANDING)]
    reading = cocotb.start_soon(read(dut, short, rng))
    await cycles(dut, 6 * len(short))
    check.equal(memory.bursts, short[:OUTSTANDING], "requests to a silent memory")
    memory.respond()
    check.equal(np.array(await reading, object), np.array(expected(short), object), "words")
    check.equal(memory.most_outstanding, OUTSTANDING, "bursts in flight at any time")


@cocotb.test()
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR])
@checked
async def errors(dut: Dut, check: Checker, rng: np.random.Generator, response: AxiResp) -> None:
    """An error on one beat is kept until the next run, all words come nevertheless; the next run is clean."""
    await prepare(dut)
    memory = ReadMemory(dut, rng)
    for failing in (0, 13, 36):
        memory.errors = {PAGE + WORD_BYTES * failing: response}
        got = await read(dut, [(PAGE, failing)], rng)
        check.equal(int(dut.bus_error.value), 0, f"bus_error before word {failing}")
        got += await read(dut, [(PAGE + WORD_BYTES * failing, 37 - failing)], rng)
        check.equal(len(got), 37, "words")
        check.equal(int(dut.bus_error.value), 1, f"bus_error after word {failing}")
        dut.begin_run.value = 1
        await drive(dut)
        dut.begin_run.value = 0
        await settle(dut)
        check.equal(int(dut.bus_error.value), 0, "bus_error in the next run")


@cocotb.test()
@cocotb.parametrize(after=[1, 2, 3, 4, 5, 9, 40, 100], responses=["late", "at once", "after a pulse of flush"])
@checked
async def flush(dut: Dut, check: Checker, rng: np.random.Generator, after: int, responses: str) -> None:
    """A block given up after some cycles leaves nothing behind, even where memory was silent until then."""
    await prepare(dut)
    memory = ReadMemory(dut, rng, backpressure=0.3)
    memory.errors = {PAGE + WORD_BYTES * word: AxiResp.SLVERR for word in range(300)}  # of words that are dropped
    if responses != "at once":
        memory.silence()
    commanding = cocotb.start_soon(command(dut, [(PAGE, 300), (2 * PAGE, 7)], rng))
    taking = cocotb.start_soon(receive(dut, 307, ["word"], rng, 0.3, "word_valid", "word_ready"))
    await cycles(dut, after)
    commanding.cancel()
    taking.cancel()
    await drive(dut)
    for name in ("begin_run", "command_valid", "word_ready"):
        getattr(dut, name).value = 0
    dut.flush.value = 1
    await drive(dut)
    error = int(dut.bus_error.value)
    if responses == "after a pulse of flush":
        dut.flush.value = 0
    if responses != "at once":
        await cycles(dut, 100)
        await ReadOnly()
        check.equal(int(dut.flushed.value), int(memory.outstanding == 0), "flushed while memory is silent")
        await drive(dut)
        memory.respond()
    await ReadOnly()
    while not int(dut.flushed.value):
        await settle(dut)
    check.equal(memory.outstanding, 0, "requests in flight when flushed")
    check.equal(int(dut.bus_error.value), error, "bus_error by words that were dropped")
    await drive(dut)
    dut.flush.value = 0
    dut.begin_run.value = 1
    await drive(dut)
    dut.begin_run.value = 0
    block = [(5 * PAGE - 3 * WORD_BYTES, 31)]
    check.equal(np.array(await read(dut, block, rng), object), np.array(expected(block), object), "the next block")
    check.equal(int(dut.bus_error.value), 0, "bus_error in the next run")
