"""data_writer: every word arrives once at its address, neighbours in bursts; errors, flush and silent memory."""

from __future__ import annotations

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly
from cocotbext.axi import AxiResp

from sim.common.axi_memory import MAX_BEATS, PAGE, WORD_BYTES, WriteMemory, content
from sim.common.bench import (
    STALLS,
    Checker,
    Dut,
    backpressure_rate,
    checked,
    cycles,
    drive,
    idle_rate,
    reset,
    send,
    settle,
)
from sim.common.runs import Run

RUNS = [Run()]
SIZES = [1, 2, 15, 16, 17, 1, 1, 9, 64, 127]  # words at neighbouring addresses
BLOCK = MAX_BEATS * WORD_BYTES  # a burst ends where one ends
OUTSTANDING = 16  # bursts without a response
LONGEST_WAIT = 40  # cycles until a burst without a neighbour is sent


async def prepare(dut: Dut) -> None:
    """Reset with all inputs idle."""
    await reset(dut, begin_run=0, word_valid=0, flush=0)


async def write(dut: Dut, addresses: list[int], rng: np.random.Generator, idle: float = 0.0, salt: int = 0) -> None:
    """Give one word for each address."""
    beats = [{"word_address": address, "word": content(address, salt)} for address in addresses]
    await send(dut, beats, rng, idle, "word_valid", "word_ready")


async def until_idle(dut: Dut) -> None:
    """Ends where inputs may be written."""
    await ReadOnly()
    while not int(dut.idle.value):
        await settle(dut)
    await drive(dut)


def addresses_of(rng: np.random.Generator) -> list[int]:
    """Runs of neighbours near page ends, the first one at the end of the address space."""
    starts = [
        (1 << 64) - PAGE - 5 * WORD_BYTES,
        *(int(start) * 16 for start in rng.integers(0, 1 << 46, len(SIZES) - 1)),
    ]
    starts[3] = starts[2] + SIZES[2] * WORD_BYTES  # goes on where the run before it ended
    starts[6] = starts[5] + 2 * WORD_BYTES  # leaves out one word
    starts[4] += PAGE - WORD_BYTES - starts[4] % PAGE  # begins with the last word of a page, at …FF0
    starts[8] -= starts[8] % BLOCK
    starts[7] = starts[8] + BLOCK - SIZES[7] * WORD_BYTES  # the end of a block, before that block again from its begin
    return [start + word * WORD_BYTES for start, words in zip(starts, SIZES, strict=True) for word in range(words)]


def bursts_of(addresses: list[int]) -> list[tuple[int, int]]:
    """Neighbours joined as far as the 16-beat block of the address goes."""
    bursts: list[tuple[int, int]] = []
    for address in addresses:
        follows = bursts and address == bursts[-1][0] + bursts[-1][1] * WORD_BYTES
        if follows and address % BLOCK:
            bursts[-1] = (bursts[-1][0], bursts[-1][1] + 1)
        else:
            bursts.append((address, 1))
    return bursts


@cocotb.test()
@cocotb.parametrize(stalls=STALLS)
@checked
async def joins_neighbours(dut: Dut, check: Checker, rng: np.random.Generator, stalls: str) -> None:
    """Contents and bursts, twice without reset; the second run writes other values."""
    await prepare(dut)
    memory = WriteMemory(dut, rng, backpressure=backpressure_rate(stalls))
    for run in range(2):
        addresses = addresses_of(rng)
        memory.words.clear()
        memory.bursts.clear()
        memory.beats = 0
        await write(dut, addresses, rng, idle_rate(stalls), salt=run)
        await until_idle(dut)
        check.equal(memory.outstanding, 0, "responses missing when idle")
        check.equal(memory.beats, len(addresses), "beats")
        check.equal(sorted(memory.words), sorted(set(addresses)), "addresses")
        values = [memory.words[address] for address in addresses]
        golden = [content(address, run) for address in addresses]
        check.equal(np.array(values, object), np.array(golden, object), f"run {run}")
        if stalls in ("none", "backpressure"):
            check.equal(np.array(memory.bursts, object), np.array(bursts_of(addresses), object), "bursts")
        check.equal(int(dut.bus_error.value), 0, "bus_error")


@cocotb.test()
@cocotb.parametrize(flushed=[False, True])
@checked
async def does_not_wait_for_ever(dut: Dut, check: Checker, rng: np.random.Generator, flushed: bool) -> None:
    """A word without a neighbour is written after a while, with flush at once; a word written twice keeps its order."""
    await prepare(dut)
    memory = WriteMemory(dut, rng, latency=0)
    for salt, address in enumerate([PAGE, PAGE, 3 * PAGE]):
        await write(dut, [address], rng, salt=salt)
        dut.flush.value = int(flushed)
        await cycles(dut, 12 if flushed else LONGEST_WAIT + 12)
        await ReadOnly()
        check.equal(int(dut.idle.value), 1, "idle")
        check.equal(memory.words[address], content(address, salt), f"word {salt}")
        await drive(dut)
        dut.flush.value = 0
    await write(dut, [PAGE], rng, salt=7)
    await write(dut, [PAGE], rng, salt=8)
    await until_idle(dut)
    check.equal(memory.words[PAGE], content(PAGE, 8), "the word written last")


@cocotb.test()
@checked
async def sends_whole_blocks_at_once(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """The last word of a block closes its burst: no neighbour can follow."""
    await prepare(dut)
    memory = WriteMemory(dut, rng, latency=0)
    await write(dut, [PAGE - WORD_BYTES], rng)
    await cycles(dut, LONGEST_WAIT // 2)
    check.equal([memory.beats, int(dut.idle.value)], [1, 1], "beats, idle")


@cocotb.test()
@checked
async def overlaps_bursts(dut: Dut, check: Checker, rng: np.random.Generator) -> None:
    """Bursts follow each other before the first has its response; with a response outstanding nothing is idle."""
    await prepare(dut)
    memory = WriteMemory(dut, rng)
    memory.silence()
    words = 12 * MAX_BEATS
    await write(dut, [PAGE + WORD_BYTES * word for word in range(words)], rng)
    await cycles(dut, words)
    await ReadOnly()
    check.equal([memory.outstanding, memory.beats, int(dut.idle.value)], [12, words, 0], "bursts, beats, idle")
    await drive(dut)
    memory.respond()
    await until_idle(dut)
    check.equal(memory.outstanding, 0, "responses missing when idle")


@cocotb.test()
@cocotb.parametrize(beats=[1, 5, MAX_BEATS])
@checked
async def stops_at_its_limits(dut: Dut, check: Checker, rng: np.random.Generator, beats: int) -> None:
    """While memory is silent, so many bursts are sent and no more, and what comes waits in the queues unharmed."""
    await prepare(dut)
    memory = WriteMemory(dut, rng)
    memory.silence()
    starts = range(PAGE, PAGE + 48 * PAGE, PAGE)
    addresses = [start + WORD_BYTES * word for start in starts for word in range(beats)]
    writing = cocotb.start_soon(write(dut, addresses, rng))
    await cycles(dut, 3 * OUTSTANDING * (beats + 4))
    check.equal(
        [memory.outstanding, memory.beats], [OUTSTANDING, OUTSTANDING * beats], "bursts, beats of silent memory"
    )
    memory.respond()
    await writing
    await until_idle(dut)
    check.equal(memory.most_outstanding, OUTSTANDING, "bursts without a response at any time")
    check.equal(memory.bursts, [(start, beats) for start in starts], "bursts")
    values = [memory.words[address] for address in addresses]
    check.equal(np.array(values, object), np.array([content(address) for address in addresses], object), "words")


@cocotb.test()
@cocotb.parametrize(response=[AxiResp.SLVERR, AxiResp.DECERR])
@checked
async def errors(dut: Dut, check: Checker, rng: np.random.Generator, response: AxiResp) -> None:
    """An error is kept until the next run, what follows is written nevertheless; the next run is clean."""
    await prepare(dut)
    memory = WriteMemory(dut, rng)
    addresses = [PAGE + WORD_BYTES * word for word in range(37)]
    for failing in (0, 13, 36):
        memory.errors = {addresses[failing]: response}
        memory.words.clear()
        await write(dut, addresses, rng)
        await until_idle(dut)
        check.equal(len(memory.words), len(addresses), "words")
        check.equal(int(dut.bus_error.value), 1, f"bus_error after word {failing}")
        dut.begin_run.value = 1
        await drive(dut)
        dut.begin_run.value = 0
        await write(dut, [9 * PAGE], rng)
        await until_idle(dut)
        check.equal(int(dut.bus_error.value), 0, "bus_error in the next run")


@cocotb.test()
@cocotb.parametrize(after=[1, 2, 3, 7, 20, 33, 90, 400], responses=["late", "at once"])
@checked
async def flush(dut: Dut, check: Checker, rng: np.random.Generator, after: int, responses: str) -> None:
    """After flush nothing is accepted; all that was accepted is written before idle, however late memory responds."""
    await prepare(dut)
    memory = WriteMemory(dut, rng, backpressure=0.3)
    if responses == "late":
        memory.silence()
    addresses = [PAGE - 7 * WORD_BYTES + WORD_BYTES * word for word in range(600)]
    writing = cocotb.start_soon(write(dut, addresses, rng, idle=0.2))
    accepted = 0
    for cycle in range(after + 60):
        await drive(dut)
        dut.flush.value = int(cycle >= after)
        await ReadOnly()
        accepted += int(dut.word_valid.value) & int(dut.word_ready.value)
        if cycle == after:
            given = accepted
    writing.cancel()
    await drive(dut)
    dut.word_valid.value = 0
    check.equal(accepted, given, "words accepted at the beginning of flush and later")
    if responses == "late":
        await ReadOnly()
        check.equal(int(dut.idle.value), int(accepted == 0), "idle while memory is silent")
        await drive(dut)
        memory.respond()
    await until_idle(dut)
    check.equal(memory.outstanding, 0, "responses missing when idle")
    check.equal(sorted(memory.words), sorted(addresses[:accepted]), "addresses")
    dut.flush.value = 0
    await write(dut, [PAGE, PAGE + WORD_BYTES], rng, salt=5)
    await until_idle(dut)
    check.equal(memory.words[PAGE], content(PAGE, 5), "the next run")
