"""What every cocotb bench uses: phases of a cycle, reset, streams with random idling, packing, and checking.

One discipline for all: inputs change after the falling edge (`await drive(dut)`), outputs are read once everything has
settled after it (`await settle(dut)`): these are the values that the next rising edge acts on.

    @cocotb.test()
    @cocotb.parametrize(stalls=STALLS)
    @checked
    async def stream(dut, check, rng, stalls): ...
"""

from __future__ import annotations

import functools
import json
import os
import zlib
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, with_timeout
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from edgemoe.spec.hardware import HardwareConfig
from sim.common.runner import ENVIRONMENT, FlippedBitSeenError
from sim.common.shapes import shape

Dut = Any  # cocotb's handle of the unit under test
CLOCK_NS = 4
TIMEOUT_CYCLES = 200_000
STALLS = ["none", "idle", "backpressure", "both"]  # what `idle_rate` and `backpressure_rate` understand
STALL_RATE = 0.4


def hardware() -> HardwareConfig:
    """The hardware configuration that this simulation was built for."""
    return shape(os.environ[ENVIRONMENT + "HARDWARE"])


def parameter(name: str) -> int:
    """A parameter of the unit, as given to the build."""
    return int(os.environ[f"{ENVIRONMENT}PARAMETER_{name}"])


def idle_rate(stalls: str) -> float:
    """How often a driver pauses."""
    return STALL_RATE if stalls in ("idle", "both") else 0.0


def backpressure_rate(stalls: str) -> float:
    """How often a receiver is not ready."""
    return STALL_RATE if stalls in ("backpressure", "both") else 0.0


class Checker:
    """Compares with golden and counts; a test that compared nothing fails. With --flip the first golden value is
    taken with one bit turned over."""

    def __init__(self, flip: bool) -> None:
        self.count = 0
        self._flip = flip

    def equal(self, got: Any, expected: Any, what: str) -> None:
        """Exact equality of integers or of integer arrays (same shape); `what` says where, for the message."""
        got_array, expected_array = np.asarray(got), np.array(expected)
        assert got_array.shape == expected_array.shape, f"{what}: shape {got_array.shape}, not {expected_array.shape}"
        flipped = self._flip and expected_array.size > 0
        if flipped:
            expected_array.flat[0] = int(expected_array.flat[0]) ^ 1
            self._flip = False
        self.count += expected_array.size
        if not np.array_equal(got_array, expected_array):
            where = np.argwhere(got_array != expected_array)
            first = tuple(int(i) for i in where[0])
            failure = FlippedBitSeenError if flipped else AssertionError
            raise failure(
                f"{what}: {len(where)} of {expected_array.size} values differ, first at {first}: "
                f"{got_array[first]}, golden {expected_array[first]}"
            )


def checked(function: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Coroutine[Any, Any, None]]:
    """Wrap `async def test(dut, check, rng, **options)`: starts the clock, limits the time, demands checks.

    rng depends on the seed and the test's name and options, so each test repeats alone.
    """

    @functools.wraps(function)
    async def wrapper(dut: Dut, **options: Any) -> None:
        check = Checker(flip=os.environ.get(ENVIRONMENT + "FLIP") == "1")
        name = f"{function.__name__}{sorted(options.items())}"
        rng = np.random.default_rng([cocotb.RANDOM_SEED, zlib.crc32(name.encode())])
        began = get_sim_time("ns")
        clock = dut.ap_clk if hasattr(dut, "ap_clk") else dut.clk  # the top's name is that of Vitis HLS
        Clock(clock, CLOCK_NS, unit="ns").start()
        run = cocotb.start_soon(function(dut, check, rng, **options))
        failure = None
        try:
            await with_timeout(run, TIMEOUT_CYCLES * CLOCK_NS, "ns")
            assert check.count > 0, "nothing was compared"
        except Exception as error:
            failure = error
            raise
        finally:
            passed = int((get_sim_time("ns") - began) // CLOCK_NS)
            _report(function.__name__, options, check.count, passed, failure)
        cocotb.log.info("%s: %d values compared", name, check.count)

    del wrapper.__wrapped__  # cocotb looks at the signature
    return wrapper


def _report(name: str, options: Mapping[str, Any], values: int, passed: int, failure: Exception | None) -> None:
    """A line of JSON for whoever started the simulation and named a file for it (edgemoe.kernels.simulation)."""
    told = os.environ.get(ENVIRONMENT + "REPORT")
    if told:
        said = str(failure) or type(failure).__name__
        facts = {
            "name": name,
            "options": ", ".join(f"{option} {value}" for option, value in options.items()),
            "values": values,
            "cycles": passed,
            "failure": None if failure is None else said,
            "flipped": isinstance(failure, FlippedBitSeenError),
        }
        with Path(told).open("a", encoding="utf-8") as file:
            file.write(json.dumps(facts) + "\n")


async def drive(dut: Dut) -> None:
    """To the moment of the next cycle where inputs may be written."""
    await FallingEdge(dut.clk)


async def settle(dut: Dut) -> None:
    """To the moment of the next cycle where outputs may be read."""
    await FallingEdge(dut.clk)
    await ReadOnly()


async def cycles(dut: Dut, count: int) -> None:
    """Let so many cycles pass; ends where inputs may be written."""
    for _ in range(count):
        await FallingEdge(dut.clk)


async def reset(dut: Dut, **idle_inputs: int) -> None:
    """Two cycles of reset with these inputs; ends where inputs may be written."""
    await drive(dut)
    for name, value in idle_inputs.items():
        getattr(dut, name).value = value
    dut.rst_n.value = 0
    await cycles(dut, 2)
    dut.rst_n.value = 1


async def send(
    dut: Dut,
    beats: Iterable[Mapping[str, int]],
    rng: np.random.Generator,
    idle: float = 0.0,
    valid: str = "valid_in",
    ready: str | None = None,
) -> None:
    """Give beats ({signal: value}) to a stream; with `ready`, wait for it. While idle the fields are random noise."""
    for beat in beats:
        await drive(dut)
        while rng.random() < idle:
            getattr(dut, valid).value = 0
            for name in beat:
                signal = getattr(dut, name)
                signal.value = int.from_bytes(rng.bytes(len(signal) // 8 + 1), "little") % (1 << len(signal))
            await drive(dut)
        getattr(dut, valid).value = 1
        for name, value in beat.items():
            signal = getattr(dut, name)
            signal.value = value % (1 << len(signal))
        if ready is not None:
            await ReadOnly()
            while not int(getattr(dut, ready).value):
                await settle(dut)
    await drive(dut)
    getattr(dut, valid).value = 0


async def receive(
    dut: Dut,
    count: int,
    names: Sequence[str],
    rng: np.random.Generator,
    backpressure: float = 0.0,
    valid: str = "valid_out",
    ready: str | None = None,
) -> list[dict[str, int]]:
    """The next `count` beats of a stream as {signal: unsigned value}; with `ready`, hold it back at random."""
    beats: list[dict[str, int]] = []
    while len(beats) < count:
        await drive(dut)
        accept = ready is None or rng.random() >= backpressure
        if ready is not None:
            getattr(dut, ready).value = int(accept)
        await ReadOnly()
        if accept and int(getattr(dut, valid).value):
            beats.append({name: int(getattr(dut, name).value) for name in names})
    if ready is not None:
        await drive(dut)
        getattr(dut, ready).value = 0
    return beats


def pack(values: Iterable[int], bits: int) -> int:
    """Integers side by side, the first one in the low bits, each cut to `bits` bits."""
    mask, word = (1 << bits) - 1, 0
    for position, value in enumerate(values):
        word |= (int(value) & mask) << (position * bits)
    return word


def unpack(word: int, count: int, bits: int, signed: bool = True) -> NDArray[Any]:
    """The inverse of `pack`; bits ≤ 63 gives int64, more gives Python integers."""
    mask = (1 << bits) - 1
    values = [(word >> (position * bits)) & mask for position in range(count)]
    if signed:
        values = [value - ((value >> (bits - 1)) << bits) for value in values]
    return np.array(values, dtype=np.int64 if bits <= 63 else object)


def signed(value: int, bits: int) -> int:
    """An unsigned reading of a signed signal."""
    return value - ((value >> (bits - 1)) << bits)


def extremes(rng: np.random.Generator, bits: int, count: int, rate: float = 0.2) -> NDArray[np.int64]:
    """Signed random integers of `bits` bits (at most 63), some of them the smallest, the largest, −1, 0 or 1."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values = rng.integers(low, high, count, endpoint=True)
    special = rng.choice(np.array([low, high, -1, 0, 1]), count)
    return np.where(rng.random(count) < rate, special, values)
