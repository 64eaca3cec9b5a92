"""Leaves of fixed latency: a beat a cycle in, what belongs to it out so many cycles later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from cocotb.triggers import ReadOnly

from sim.common.bench import Dut, drive


def noise(rng: np.random.Generator, bits: int) -> int:
    """Any unsigned integer of so many bits."""
    return int.from_bytes(rng.bytes(bits // 8 + 1), "little") % (1 << bits)


async def through(
    dut: Dut,
    beats: Sequence[Mapping[str, int]],
    outputs: Sequence[str],
    latency: int,
    rng: np.random.Generator,
    idle: float = 0.0,
    handshake: bool = True,
    rest: Mapping[str, int] | None = None,
) -> list[list[int]]:
    """Unsigned readings of `outputs` for each beat ({input: value}), `latency` cycles after it.

    With `handshake`, valid_in marks beats, and valid_out has to follow it at exactly this distance. In idle cycles,
    drawn at rate `idle`, the inputs are noise, or `rest` where noise would break a precondition.
    """
    inputs = {name: getattr(dut, name) for name in (beats[0] if beats else ())}
    readings = [getattr(dut, name) for name in outputs]
    expected = [False] * latency
    taken: list[list[int]] = []
    given = 0
    while len(taken) < len(beats):
        await drive(dut)
        valid = given < len(beats) and rng.random() >= idle
        for name, signal in inputs.items():
            width = len(signal)
            if valid:
                signal.value = beats[given][name] % (1 << width)
            else:
                signal.value = noise(rng, width) if rest is None else rest[name]
        given += valid
        if handshake:
            dut.valid_in.value = int(valid)
        await ReadOnly()
        expected.append(valid)
        due = expected.pop(0)
        if handshake:
            assert bool(int(dut.valid_out.value)) == due, f"valid_out is {not due}, latency is not {latency}"
        if due:
            taken.append([int(signal.value) for signal in readings])
    await drive(dut)
    if handshake:
        dut.valid_in.value = 0
    return taken
