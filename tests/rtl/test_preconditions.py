"""Preconditions that the Verilog states with REQUIRE are watched in simulation: each is broken once, and stops it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from edgemoe.devices.rtl.build import modules
from edgemoe.kernels.benches import Run, benches
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import Buffer
from edgemoe.spec.machine import PassKind, Sizes
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.precision import MAX_WIDTH
from edgemoe.spec.records import DRAIN, PASS, Record
from sim.common.misuse import VARIABLE
from sim.common.shapes import shape

RUNS = {bench.top: bench.runs[0] for bench in benches()}
STATED = re.compile(r"`REQUIRE(?:_SLOWLY)?\((.*), \"(.*)\"\)\s*$", re.MULTILINE)
Inputs = Sequence[Mapping[str, int]]


@dataclass(frozen=True)
class Misuse:
    """Inputs, one mapping per cycle, that break a precondition. run: the build; None: that of the module's bench."""

    module: str
    said: str
    inputs: Inputs
    run: Run | None = field(default=None, repr=False)


def word(record: Record, hardware: str, **fields: int) -> int:
    """A record with these fields, others 0."""
    places = record.layout(Sizes(shape(hardware)))
    return sum(value << places[name].low for name, value in fields.items())


PUSH, TAKE = {"push": 1}, {"take": 1, "take_lines": 1}
NOTHING: dict[str, int] = {}
WEIGHT_RUN: list[Mapping[str, int]] = [
    {"begin_run": 1, "words": 16, "room_words": 16},
    {"begin_run": 0},
    *[NOTHING] * 6,
]
ONE_LINE: list[Mapping[str, int]] = [  # of the weight stream, on one port
    {"begin_run": 1, "run_lines": 1},
    *({"begin_run": 0, "port_word_valid": 1, "port_word_index": index} for index in range(4)),
    {"port_word_valid": 0},
    *[NOTHING] * 8,
]
STREAMED = Run("streaming")
GROUPS = Run("micro", {"GROUP": 2, "ENTRY_BITS": 1})
GROUP: Mapping[str, int] = {"valid_in": 1, "first": 1, "last": 1, "width": 16, "epsilon": 1}

FIRST_MISUSES = [  # of each wing one
    Misuse("fifo", "push while full", [PUSH] * 6),
    Misuse("dot_product", "an activation of the smallest value", [{"activations": 1 << 10}]),
    Misuse("row_walk", "start while it walks", [{"start": 1, "rows": 2, "vectors": 1}, NOTHING]),
    Misuse("scratchpad", "a write beyond DEPTH", [{"write_enable": 1, "write_depth": 37}]),
    Misuse("legality", "the instruction changed before it was checked",
           [{"start": 1}, {"start": 0, "instruction": 1}, NOTHING]),
]  # fmt: skip
MORE_MISUSES = [
    Misuse("fifo", "pop while empty", [{"pop": 1}]),
    Misuse("word_fifo", "push while full", [PUSH] * 9),
    Misuse("word_fifo", "pop while empty", [{"pop": 1}]),
    Misuse("reciprocal", "start while busy", [{"start": 1, "total": 5}, NOTHING]),
    Misuse("reciprocal_root", "variance is 0", [{"valid_in": 1}]),
    Misuse("requantise", "shift 0 although bits are dropped", [{"valid_in": 1}], Run("micro", {"DROPPED_BITS": 8})),
    Misuse("softmax", "a row is swept less than 3 cycles after its last score",
           [{"write_valid": 1}, {"write_valid": 0, "step_valid": 1}]),
    Misuse("epilogue", "a score-weighted step of several rows",
           [{"step_valid": 1, "step": word(DRAIN, "pairs", rows=3, kind=PassKind.WEIGHTED)}, {"step_valid": 0},
            *[NOTHING] * 3], Run("pairs")),
    Misuse("matmul_steps", "a group has too many sums",
           [{"pass_valid": 1, "pass": word(PASS, "micro", kind=PassKind.RESIDUAL, end_row=300, members=4)},
            *[NOTHING] * 5]),
    Misuse("matmul", "a tile came later than 8 cycles after tile_coming",
           [{"pass_valid": 1, "pass": word(PASS, "micro", kind=PassKind.RESIDUAL, end_row=1, members=1, input_tiles=1,
                                           output_tiles=1), "tile_coming": 1, "job_room": 1},
            {"pass_valid": 0, "tile_coming": 0}, *[NOTHING] * 20]),
    Misuse("attention", "weights come between tiles of attention",
           [{"start": 1, "tile_room": 1, "vectors": 1, "output_tiles": 9, "input_tiles": 9, "members": 1}, {"start": 0},
            {"weights_coming": 1}, *[NOTHING] * 8]),
    Misuse("state_rules", "check before the last one is done", [{"check": 1}, NOTHING]),
    Misuse("instruction_unit", "a word that was not asked for", [{"word_valid": 1}]),
    Misuse("control_registers", "done without a run", [{"done": 1}]),
    Misuse("weight_buffer", "more lines taken than are available", [TAKE]),
    Misuse("weight_buffer", "take and skip together", [*ONE_LINE, {**TAKE, "skip": 1, "skip_lines": 1}]),
    Misuse("weight_buffer", "lines are kept while others are", [{"keep": 1}, NOTHING]),
    Misuse("weight_buffer", "lines are taken again that have not been kept", [{"again": 1}]),
    Misuse("weight_buffer", "lines are skipped while others are kept",
           [*ONE_LINE, {"keep": 1}, {"keep": 0, "skip": 1, "skip_lines": 1}]),
    Misuse("weight_buffer", "more lines skipped than are left", [*ONE_LINE, {"skip": 1, "skip_lines": 2}]),
    Misuse("weight_buffer", "a range begins before the last one's end", [*ONE_LINE, {"range_begin": 1}]),
    Misuse("weight_port", "begin_run before the last run is flushed", [*WEIGHT_RUN, {"begin_run": 1}]),
    Misuse("weight_port", "room_words or skip_to fell within a run", [*WEIGHT_RUN, {"room_words": 8}, NOTHING]),
    Misuse("scratchpads", "the array and a copy or positions write RESIDUAL",
           [{"copy_enable": 1, "epilogue_residual_enable": 1}]),
    Misuse("scratchpads", "a copy and positions write RESIDUAL", [{"copy_enable": 1, "position_enable": 1}]),
    Misuse("scratchpads", "LOAD writes with the array",
           [{"load_enable": 1, "load_destination": Buffer.KEY, "epilogue_enable": 1, "epilogue_buffer": Buffer.QUERY},
            NOTHING], STREAMED),
    Misuse("scratchpads", "LOAD and another unit write NORM",
           [{"load_enable": 1, "load_destination": Buffer.NORM, "of_layernorm": 1},
            {"load_enable": 0, "layernorm_enable": 1}], STREAMED),
    Misuse("scratchpads", "LOAD and another unit write GATE_INPUT",
           [{"load_enable": 1, "load_destination": Buffer.GATE_INPUT}, {"load_enable": 0, "layernorm_gate_enable": 1}],
           STREAMED),
    Misuse("scratchpads", "LOAD and another unit write RESIDUAL",
           [{"load_enable": 1, "load_destination": Buffer.RESIDUAL, "copy_enable": 1}], STREAMED),
    Misuse("scratchpads", "LOAD into no buffer of its own",
           [{"load_enable": 1, "load_destination": Buffer.HIDDEN}], STREAMED),
    Misuse("scratchpads", "LAYERNORM writes after its instruction", [{"layernorm_enable": 1}]),
    Misuse("scratchpads", "LAYERNORM and the array write NORM",
           [{"of_layernorm": 1, "epilogue_enable": 1, "epilogue_buffer": Buffer.NORM}]),
    Misuse("scratchpads", "patches and the array write HIDDEN",
           [{"patch_enable": 1, "epilogue_enable": 1, "epilogue_buffer": Buffer.HIDDEN}]),
    Misuse("scratchpads", "LAYERNORM has the ports with another instruction", [{"of_layernorm": 1, "of_experts": 1}]),
    Misuse("scratchpads", "COPY has the ports with another instruction", [{"of_copy": 1, "of_experts": 1}]),
    Misuse("scratchpads", "STORE has RESIDUAL with another instruction", [{"copy_enable": 1, "of_store": 1}, NOTHING]),
    Misuse("scratchpads", "rows are gathered in another instruction", [{"gather_enable": 1, "of_copy": 1}]),
    Misuse("scratchpads", "the array writes QUERY while EXPERTS has its memory",
           [{"of_experts": 1, "epilogue_enable": 1, "epilogue_buffer": Buffer.QUERY}, NOTHING]),
    Misuse("scratchpads", "STORE has the ports with EXPERTS",
           [{"of_store": 1, "of_experts": 1, "gather_enable": 1}, NOTHING]),
    Misuse("move_queue", "a move without room", [{"push": 1}] * 5),
    Misuse("load", "start while it loads", [{"start": 1, "rows": 1, "vectors": 1}, NOTHING]),
    Misuse("load", "a word that was not asked for", [{"word_valid": 1}]),
    Misuse("stream_ranges", "next before a range is ready", [{"begin_run": 1}, {"begin_run": 0, "next": 1}]),
    Misuse("row_walk", "no rows or no vectors", [{"start": 1, "vectors": 1}]),
    Misuse("store", "entries are not 1 ... MAX_TOP_K",
           [{"start": 1, "source": Buffer.ROUTING, "rows": 1, "vectors": 1}]),
    Misuse("store", "entries at a pitch",
           [{"start": 1, "source": Buffer.ROUTING, "rows": 1, "vectors": 1, "entries": 1, "pitch": 1}], STREAMED),
    Misuse("experts", "more than MAX_ROWS entries in a queue",
           [{"push_valid": 1}, *[NOTHING] * (load_hardware_config("micro").max_rows + 2)]),
    Misuse("gate", "top_k and experts do not fit", [{"start": 1, "rows": 1}]),
    Misuse("gate_divide", "dividend is above the divisor, or that is 0",
           [{"valid_in": 1, "dividend": 2, "divisor": 1}]),
    Misuse("gate_scores", "a logit above its row's maximum",  # a row that does not go on
           [{"beat_valid": 1, "present": 1, "beat_logits": 1 << 40, "multiplier": 1 << 15, "shift": 20},
            {"beat_valid": 0}, *[NOTHING] * 24]),
    Misuse("head", "last_outputs is not 1 ... OUT_PAR", [{"row_valid": 1, "row_words": 1}]),
    Misuse("head", "row_words are not those of last_outputs", [{"row_valid": 1, "row_words": 2, "last_outputs": 8}]),
    Misuse("drain", "the sums of a job that has not come two cycles ago", [{"job_ready": 1}]),
    Misuse("layernorm", "no rows or no vectors", [{"start": 1, "vectors": 1}]),
    Misuse("layernorm", "rows are wider than MAX_WIDTH", [{"start": 1, "rows": 1, "vectors": 127}]),
    Misuse("layernorm_roots", "more groups than entries",
           [part for _ in range(4) for part in (GROUP, {"valid_in": 0})] + [NOTHING] * 40, GROUPS),
    Misuse("layernorm_roots", "groups end less than GROUP cycles apart",
           [GROUP, GROUP, {"valid_in": 0}, *[NOTHING] * 8], GROUPS),
    Misuse("layernorm_variance", "width is above that of the sums",
           [{"valid_in": 1, "width": MAX_WIDTH + 1, "epsilon": 1}]),
    Misuse("layernorm_variance", "epsilon is 0", [{"valid_in": 1, "width": 16}]),
    Misuse("layernorm_normalise", "rows are wider than MAX_WIDTH",
           [{"valid_in": 1, "width": MAX_WIDTH + 1, "shift": 1}]),
    Misuse("layernorm_normalise", "a root is above 2",
           [{"valid_in": 1, "width": 16, "shift": 1, "root": (1 << 16) + 1}]),
    Misuse("layernorm_normalise", "shift is not 1 ... 60", [{"valid_in": 1, "width": 16}]),
]  # fmt: skip
# Consequences of what is inside the module: no input breaks them, only another Verilog does.
INSIDE = {
    (
        "epilogue",
        "two rows of activations in one bank",
    ): "drain_place: rows of a step go to neighbouring banks",
    ("epilogue", "two rows of RESIDUAL in one bank"): "the same",
    ("edgemoe_core", "rows are gathered after their instruction"): "the sequencer waits for all that moves rows",
}


def test_every_precondition_is_broken_once() -> None:
    """Texts are unique in a module, so that each names one condition."""
    stated = sorted(
        (name, text) for name, path in modules().items() for _, text in STATED.findall(path.read_text(encoding="utf-8"))
    )
    lines = sum(path.read_text(encoding="utf-8").count("`REQUIRE") for path in modules().values())
    assert len(stated) == lines, "a REQUIRE is not on a line of its own"
    broken = [(misuse.module, misuse.said) for misuse in (*FIRST_MISUSES, *MORE_MISUSES)]
    assert stated == sorted([*broken, *INSIDE])


@pytest.mark.parametrize(
    "misuse",
    [*FIRST_MISUSES, *(pytest.param(misuse, marks=pytest.mark.slow) for misuse in MORE_MISUSES)],
    ids=lambda misuse: f"{misuse.module}: {misuse.said}",
)
def test_a_broken_precondition_stops_the_simulation(misuse: Misuse) -> None:
    """Verilog names the instance and what went wrong."""
    run = misuse.run or RUNS.get(misuse.module, Run())
    given = [word for name, value in run.parameters.items() for word in ("--parameter", f"{name}={value}")]
    command = [sys.executable, "-m", "sim.common.runner", "sim.common.misuse", "--top", misuse.module]
    command += ["--hardware", run.hardware, *given]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {VARIABLE: json.dumps(misuse.inputs), "SIM": "verilator"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    said = rf"^{misuse.module}\S*: .*{re.escape(misuse.said)}"
    assert re.search(said, done.stdout, re.MULTILINE), done.stdout + done.stderr
