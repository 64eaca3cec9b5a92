"""Diff: equal engines agree on every stored value; one flipped bit is found at its instruction, row and feature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support import frame_of

from edgemoe.compiler.program import Program
from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.devices.golden.corrupted import CORRUPTED_FEATURE, CorruptedMachine
from edgemoe.devices.golden.machine import GoldenMachine
from edgemoe.devices.golden.program import DecodedProgram
from edgemoe.devices.registry import open_device
from edgemoe.diff import compare_engines, compare_regions
from edgemoe.session import Session
from edgemoe.spec.faults import Fault
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import Buffer, Instruction, Opcode
from edgemoe.spec.program_header import ProgramHeader

Compile = Callable[..., Program]


@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16"])
def test_golden_agrees_with_itself_on_every_value_of_the_trace(compiled: Compile, hardware: str) -> None:
    program = compiled("micro", hardware, trace=True)
    found = compare_engines(program, frame_of(program), ("golden", "golden"))
    assert found.difference is None
    manifest = program.manifest
    stored = [record.rows * record.features for record in (*manifest.trace, *manifest.outputs)]
    assert (found.records, found.values) == (len(stored), sum(stored))


@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16"])
def test_one_flipped_bit_is_found_where_it_was_flipped(compiled: Compile, hardware: str) -> None:
    program = compiled("micro", hardware, trace=True)
    found = compare_engines(program, frame_of(program), ("golden", "corrupted")).difference
    assert found is not None
    first_attention = [each.opcode for each in program.instructions].index(Opcode.ATTENTION)
    assert (found.instruction, found.label) == (first_attention, "block 0 attention")
    assert (found.target, found.row, found.feature, found.count) == ("NORM", 0, CORRUPTED_FEATURE, 1)
    assert found.left ^ found.right == 1
    assert f"NORM[row 0][feature {CORRUPTED_FEATURE}]: {found.left} = 0b" in str(found)


def test_the_first_attention_alone_is_corrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a machine that does nothing else, rows of zeros that have been written before."""
    monkeypatch.setattr(GoldenMachine, "execute", lambda machine, instruction: None)
    hardware = load_hardware_config("micro")
    header = ProgramHeader(hardware.hash(), 1, 0, 0, 0)
    nothing = np.zeros(0, dtype=np.uint8)
    program = DecodedProgram(Fault.NONE, header, nothing.view(np.uint32).reshape(0, 16), nothing, hardware)
    machine = CorruptedMachine(program, hardware, FlatMemory(), 0, 0)
    machine.scratchpads.write(Buffer.NORM, 0, np.zeros((3, 16), dtype=np.int64))
    for opcode, row, flipped in (
        (Opcode.LINEAR, 0, []), (Opcode.ATTENTION, 1, [(1, 2, 1)]), (Opcode.ATTENTION, 2, [(1, 2, 1)])
    ):  # fmt: skip
        machine.execute(Instruction(opcode, source_row=row))
        rows = machine.scratchpads.read(Buffer.NORM, 0, 3)
        assert [(*at, rows[tuple(at)]) for at in np.argwhere(rows).tolist()] == flipped


def test_every_stored_record_is_looked_at(compiled: Compile) -> None:
    """Flip one bit in each record in turn: each is reported at its own instruction."""
    program = compiled("micro", "micro", trace=True)
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        region = session.run_raw(frame_of(program))
    for record in (*program.manifest.trace, *program.manifest.outputs):
        wrong = region.copy()
        wrong[record.address] ^= 1
        found = compare_regions(program, region, wrong).difference
        assert found is not None
        assert (found.row, found.feature, found.count) == (0, 0, 1)
        assert found.instruction == getattr(record, "instruction", found.instruction)


def test_what_earlier_instructions_wrote_is_compared_first(compiled: Compile) -> None:
    program = compiled("micro", "micro", trace=True)
    first, last = program.manifest.trace[0], program.manifest.trace[-1]
    region = np.zeros(program.manifest.output_bytes, dtype=np.uint8)
    wrong = region.copy()
    wrong[[first.address, last.address]] = 1
    found = compare_regions(program, region, wrong).difference
    assert found is not None
    assert found.instruction == first.instruction


def test_a_program_without_trace_is_refused(compiled: Compile) -> None:
    program = compiled("micro", "micro")
    with pytest.raises(ValueError, match="stores no traces"):
        compare_engines(program, frame_of(program), ("golden", "golden"))
    manifest = replace(program.manifest, trace=())
    assert manifest == program.manifest
