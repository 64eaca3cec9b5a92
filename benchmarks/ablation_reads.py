"""Reads of the KEY and VALUE scratchpads in one ATTENTION, counted on attention.v for 2 to 16 queries in flight.

The unit that reads is simulated alone with all passes of one ATTENTION; every cycle in which it takes a part of a tile
reads one vector (16 features) in each of the TOKEN_PAR banks. A step of the array is what serves TOKEN_PAR queries at
once. Beside it, as a model: TOKEN_PAR lanes side by side that do not hand keys on, so that each reads its own.

This file is both: the bench (`counts`, on cocotb) and what starts it (`measure_reads`).
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import cocotb
from cocotb.clock import Clock

from benchmarks.ablation_models import Attention
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.machine import CONTEXT_MEMBERS, QUERY_TILES
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.strict import to_dict
from sim.common.bench import CLOCK_NS, Dut, cycles, drive, hardware, reset, settle
from sim.common.runner import simulate

QUERIES = (2, 4, 8, 16)
TASK = "EDGEMOE_READS"  # environment: what is to be counted, and where the counts go
PATIENCE = 100_000


@dataclass(frozen=True)
class Reads:
    """One ATTENTION with token_par queries in flight.

    steps: of the array. vectors_read: counted, of both scratchpads. plain_vectors_read: modelled, each lane its own.
    """

    token_par: int
    tokens: int
    steps: int
    vectors_read: int
    plain_vectors_read: int

    @property
    def per_step(self) -> float:
        """Vectors read per step."""
        return self.vectors_read / self.steps

    @property
    def plain_per_step(self) -> float:
        """Vectors read per step when lanes do not hand keys on."""
        return self.plain_vectors_read / self.steps


def passes(tokens: int, features: int, heads: int, shape: HardwareConfig) -> Iterator[dict[str, int]]:
    """Inputs of attention.v for every pass of one ATTENTION, in the order of rtl/compute/attention_sequence.v."""
    blocks = -(-tokens // (QUERY_TILES * shape.token_par))
    vectors = features // VECTOR
    width = vectors // heads
    fixed = {"first_key": 0, "vectors": vectors}
    out_width, in_width = (width * VECTOR // parallel for parallel in (shape.out_par, shape.in_par))
    for head in range(heads):
        base = fixed | {"head_base": head * width}
        for _ in range(blocks):
            keys = {"output_tiles": -(-tokens // shape.out_par), "input_tiles": in_width, "members": 1}
            values = {"output_tiles": out_width, "input_tiles": -(-tokens // shape.in_par)}
            yield base | keys | {"of_values": 0}
            yield base | values | {"of_values": 1, "members": min(CONTEXT_MEMBERS, out_width)}


@cocotb.test()
async def counts(dut: Dut) -> None:
    """All passes one after the other; writes the number of vectors read."""
    task = json.loads(os.environ[TASK])
    shape, vectors = hardware(), 0
    Clock(dut.clk, CLOCK_NS, unit="ns").start()
    first = next(passes(task["tokens"], task["features"], task["heads"], shape))
    await reset(dut, start=0, tile_room=1, key_values=0, value_values=0, **first)
    for inputs in passes(task["tokens"], task["features"], task["heads"], shape):
        await drive(dut)
        for name, value in inputs.items():
            getattr(dut, name).value = value
        dut.start.value = 1
        await drive(dut)
        dut.start.value = 0
        for _ in range(PATIENCE):
            await settle(dut)
            vectors += shape.token_par * int(dut.go.value)
            if not int(dut.busy.value):
                break
        else:
            raise AssertionError(f"attention.v is still busy after {PATIENCE} cycles")
        await cycles(dut, 1)
    Path(task["out"]).write_text(str(vectors), encoding="utf-8")


def measure_reads(model: ModelConfig, shape: HardwareConfig) -> list[Reads]:
    """One ATTENTION per number of queries, with the model's tokens and with as many as fill all blocks of queries.

    Raises AssertionError with the simulator's words.
    """
    full = QUERY_TILES * max(QUERIES)
    tokens = sorted({model.tokens, -(-model.tokens // full) * full})
    return [_measure(model, replace(shape, max_tokens=max(tokens)), *each) for each in product(tokens, QUERIES)]


def _measure(model: ModelConfig, shape: HardwareConfig, tokens: int, queries: int) -> Reads:
    parallel = replace(
        shape,
        token_par=queries,
        row_elements=_whole(shape.row_elements, queries),
        hidden_elements=_whole(shape.hidden_elements, queries),
    )
    attention = replace(Attention.of(model, parallel, tokens), layers=1)
    with tempfile.TemporaryDirectory() as temporary:
        path, out = Path(temporary) / f"{shape.name}_{queries}.json", Path(temporary) / "vectors"
        path.write_text(json.dumps(to_dict(parallel)), encoding="utf-8")
        task = {"tokens": tokens, "features": model.width, "heads": model.heads, "out": str(out)}
        os.environ[TASK] = json.dumps(task)
        simulate("benchmarks.ablation_reads", top="attention", hardware=str(path))
        vectors = int(out.read_text(encoding="utf-8"))
    return Reads(queries, tokens, attention.steps(), vectors, queries * vectors)


def _whole(elements: int, token_par: int) -> int:
    unit = VECTOR * token_par
    return -(-elements // unit) * unit
