"""What only the RTL engine can meet: memory that refuses, hangs or stalls, a host that resets or starts at any time.

The program is that of the machine tests (sim/examples/machine.py); illegal programs are tested there.
Reproduce one: `python -m pytest "tests/rtl/test_faults.py::NAME"`; what is random has the seed in the memory model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from edgemoe.devices.base import MissingToolError
from edgemoe.devices.rtl.device import MemoryModel, Response, RtlDevice
from edgemoe.spec.faults import Fault
from edgemoe.spec.isa import INSTRUCTION_BYTES, MEMORY_WORD, STREAM_LINE
from edgemoe.spec.memory import SegmentKind, segment
from edgemoe.spec.registers import AP_DONE, AP_IDLE, AP_START, CONTROL, OFFSETS
from sim.examples import machine as examples

HARDWARE = examples.small_hardware("w8a8")
IMAGE = examples.image(HARDWARE, examples.encoded(examples.program()), np.concatenate(examples.segments(HARDWARE)))
STORES = {examples.STORE_ROUTING: 0, examples.STORE_RESIDUAL: examples.RESIDUAL_AT, examples.HEAD: examples.HEAD_AT}
REFUSALS = [Response.SLVERR, Response.DECERR]
WATCHDOG = 3000


def opened(memory: MemoryModel | None = None) -> examples.Bench:
    try:
        return examples.Bench(HARDWARE, RtlDevice(HARDWARE, memory))
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture
def bench() -> Iterator[examples.Bench]:
    bench = opened()
    with bench.device:
        yield bench


@pytest.fixture(scope="module")
def good() -> examples.Outcome:
    outcome = examples.Bench(HARDWARE).run_image(IMAGE)
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, examples.HALT)
    return outcome


def start(bench: examples.Bench) -> examples.Outcome:
    bench.device.write_register(CONTROL, AP_START)
    return bench.outcome()


def runs_well(bench: examples.Bench, good: examples.Outcome) -> None:
    outcome = bench.run_image(IMAGE)
    assert (outcome.fault, outcome.program_counter) == (Fault.NONE, examples.HALT)
    assert np.array_equal(outcome.output, good.output)
    assert bench.device.quiet
    assert bench.device.accesses_outside == 0


def nothing_stored_after(outcome: examples.Outcome) -> None:
    for store, address in STORES.items():
        if store > outcome.program_counter:
            assert (outcome.output[address : address + 4 * MEMORY_WORD] == examples.SENTINEL).all()


def segment_words() -> list[tuple[int, int]]:
    """(instruction that uses it, address on port 0) of the first and last word of every segment; one port has all."""
    assert HARDWARE.ports == 1
    places, address = [], 0
    consumers = [at for at, each in enumerate(examples.program()) for _ in range(each.segments)]
    for consumer, piece in zip(consumers, examples.segments(HARDWARE), strict=True):
        places += [(consumer, address), (consumer, address + piece.size - MEMORY_WORD)]
        address += piece.size
    return places


@pytest.mark.parametrize("response", REFUSALS)
def test_a_refused_word_of_the_program_ends_the_run_before_its_instruction(
    bench: examples.Bench, good: examples.Outcome, response: Response
) -> None:
    """An instruction is fetched while the one before it runs."""
    for block in range(len(examples.program()) + 1):
        address = bench.load(IMAGE)["program"] + block * INSTRUCTION_BYTES + block % 4 * MEMORY_WORD
        bench.device.respond(address, response)
        outcome = start(bench)
        assert (outcome.fault, outcome.program_counter) == (Fault.BUS_READ, max(block - 2, 0))
        nothing_stored_after(outcome)
        bench.device.respond(address, Response.OKAY)
        runs_well(bench, good)


@pytest.mark.parametrize("response", REFUSALS)
def test_a_refused_word_of_the_frame_ends_the_run_at_its_first_instruction(
    bench: examples.Bench, good: examples.Outcome, response: Response
) -> None:
    for word in range(examples.INPUT_BYTES // MEMORY_WORD):
        address = bench.load(IMAGE)["input"] + word * MEMORY_WORD
        bench.device.respond(address, response)
        outcome = start(bench)
        assert (outcome.fault, outcome.program_counter) == (Fault.BUS_READ, examples.PATCH_EMBED)
        assert (outcome.output == examples.SENTINEL).all()
        bench.device.respond(address, Response.OKAY)
        runs_well(bench, good)


@pytest.mark.parametrize("response", REFUSALS)
def test_a_refused_word_of_the_weights_ends_the_run_at_their_instruction_or_before(
    bench: examples.Bench, good: examples.Outcome, response: Response
) -> None:
    """Weights are read ahead of their use, and a refusal counts when it comes."""
    for consumer, offset in segment_words():
        address = bench.load(IMAGE)["weights_0"] + offset
        bench.device.respond(address, response)
        outcome = start(bench)
        assert outcome.fault == Fault.BUS_READ
        assert outcome.program_counter <= consumer
        nothing_stored_after(outcome)
        bench.device.respond(address, Response.OKAY)
        runs_well(bench, good)


@pytest.mark.parametrize("response", REFUSALS)
@pytest.mark.parametrize("store", STORES)
def test_a_refused_word_of_the_output_is_a_write_fault(
    bench: examples.Bench, good: examples.Outcome, store: int, response: Response
) -> None:
    """The response comes when the next instruction may have begun; the word itself was not written."""
    for word in range(4):
        offset = STORES[store] + word * MEMORY_WORD
        address = bench.load(IMAGE)["output"] + offset
        bench.device.respond(address, response)
        outcome = start(bench)
        assert outcome.fault == Fault.BUS_WRITE
        assert outcome.program_counter in (store, store + 1)
        assert (outcome.output[offset : offset + MEMORY_WORD] == examples.SENTINEL).all()
        nothing_stored_after(outcome)
        bench.device.respond(address, Response.OKAY)
        runs_well(bench, good)


@pytest.mark.parametrize(
    ("name", "fault"),
    {
        "program": Fault.BUS_READ,
        "input": Fault.BUS_READ,
        "weights_0": Fault.BUS_READ,
        "output": Fault.BUS_WRITE,
    }.items(),
)
def test_a_pointer_to_nowhere_is_a_fault_and_harms_nothing(good: examples.Outcome, name: str, fault: Fault) -> None:
    with (bench := opened()).device:
        bench.load(IMAGE)
        bench.device.write_register(OFFSETS[name] + 4, 0x7FFF)
        outcome = start(bench)
        assert outcome.fault == fault
        assert bench.device.accesses_outside > 0
        assert (outcome.output == examples.SENTINEL).all()
        again = bench.run_image(IMAGE)
        assert again.fault == Fault.NONE
        assert np.array_equal(again.output, good.output)


@pytest.mark.parametrize("name", ["program", "input", "weights_0", "output"])
@pytest.mark.parametrize("word", [0, 3])
def test_memory_that_never_answers_ends_with_the_watchdog(good: examples.Outcome, name: str, word: int) -> None:
    """A start into memory that still hangs ends likewise; after a reset all is well."""
    with (bench := opened()).device:
        for _ in range(2):
            address = bench.load(IMAGE)[name] + word * MEMORY_WORD
            bench.device.write_register(OFFSETS["watchdog_cycles"], WATCHDOG)
            bench.device.respond(address, Response.NEVER)
            begin = bench.device.cycle
            outcome = start(bench)
            assert outcome.fault == Fault.WATCHDOG
            assert WATCHDOG <= bench.device.cycle - begin <= WATCHDOG + 10_000
            nothing_stored_after(outcome)
            bench.device.respond(address, Response.OKAY)
        assert not bench.device.quiet
        bench.device.reset()
        runs_well(bench, good)


def test_the_watchdog_lets_slow_memory_be(good: examples.Outcome) -> None:
    with (bench := opened(MemoryModel(first_beat_cycles=WATCHDOG - 100))).device:
        for cycles in (WATCHDOG, 0):
            bench.load(IMAGE)
            bench.device.write_register(OFFSETS["watchdog_cycles"], cycles)
            outcome = start(bench)
            assert outcome.fault == Fault.NONE
            assert np.array_equal(outcome.output, good.output)


def test_a_reset_at_any_time_leaves_an_idle_machine(bench: examples.Bench, good: examples.Outcome) -> None:
    runs_well(bench, good)
    frame = bench.device.read_register(OFFSETS["cycles"])
    for cycles in (*range(8), *np.random.default_rng(5).integers(8, frame, 40).tolist(), frame - 1, frame, frame + 1):
        bench.load(IMAGE)
        bench.device.write_register(CONTROL, AP_START)
        bench.device.run(cycles)
        bench.device.reset()
        assert bench.device.read_register(CONTROL) == AP_IDLE, f"reset {cycles} cycles after the start"
        assert bench.device.quiet
        runs_well(bench, good)


def test_a_start_while_busy_is_no_second_start(bench: examples.Bench, good: examples.Outcome) -> None:
    runs_well(bench, good)
    frame = bench.device.read_register(OFFSETS["cycles"])
    for cycles in (0, 1, 100, frame // 2, frame - 50):
        bench.load(IMAGE)
        bench.device.write_register(CONTROL, AP_START)
        bench.device.run(cycles)
        outcome = start(bench)
        assert outcome.fault == Fault.NONE
        assert np.array_equal(outcome.output, good.output)
        assert bench.device.read_register(OFFSETS["cycles"]) == frame
        bench.device.run(1000)
        assert bench.device.read_register(CONTROL) & (AP_DONE | AP_IDLE | AP_START) == AP_IDLE
        assert bench.device.quiet


MEMORIES = {
    "late": MemoryModel(extra_latency=300, seed=2),
    "halting": MemoryModel(stall_share=0.5, seed=3),
    "late, halting, one burst at a time": MemoryModel(extra_latency=60, stall_share=0.6, outstanding=1, seed=4),
    "slow": MemoryModel(bytes_per_cycle=2.0, seed=5),
    "at once": MemoryModel(bytes_per_cycle=1000.0, first_beat_cycles=0, seed=6),
}


@pytest.mark.parametrize("memory", MEMORIES.values(), ids=list(MEMORIES))
@pytest.mark.parametrize("seed", range(3))
def test_however_memory_stalls_values_and_faults_are_the_same(
    good: examples.Outcome, memory: MemoryModel, seed: int
) -> None:
    with (bench := opened(replace(memory, seed=memory.seed + 100 * seed))).device:
        golden = examples.Bench(HARDWARE)
        for at, fields in (
            (examples.QKV, {"segment": 5}),
            (examples.HEAD, {"source_row": 1}),
            (examples.COPY, {"rows": 0}),
        ):
            runs_well(bench, good)
            words = examples.encoded(examples.changed(at, **fields))
            outcome, expected = bench.run(words), golden.run(words)
            assert (outcome.fault, outcome.program_counter) == (expected.fault, expected.program_counter)
            assert np.array_equal(outcome.output, expected.output)


@pytest.mark.parametrize("latency", [10, 40, 80, 160])
def test_patches_on_their_way_when_their_instruction_meets_a_fault_are_nobodys(
    latency: int, good: examples.Outcome
) -> None:
    """The stream ends between the two segments of a PATCH_EMBED, while memory has not yet answered a STORE."""
    instructions = [*examples.program()[:1], examples.program()[examples.STORE_RESIDUAL]]
    instructions[1] = replace(instructions[1], source_row=0)
    instructions += [replace(instructions[0], segment=2), examples.program()[examples.HALT]]
    pieces = examples.segments(HARDWARE)[:2]
    again = segment(2, SegmentKind.POSITION, pieces[0][STREAM_LINE:])
    bench = opened(MemoryModel(first_beat_cycles=latency, outstanding=1))
    with bench.device:
        outcome = bench.run(examples.encoded(instructions), np.concatenate([*pieces, again]))
        assert (outcome.fault, outcome.program_counter) == (Fault.STREAM_END, 2)
        runs_well(bench, good)
