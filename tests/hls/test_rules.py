"""The HLS engine's rules 1 … 6 give the specification's fault for every example of the RTL's tests, and each way of
getting one line of them wrong is found.
"""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from frame_runner import mutated

from edgemoe.devices.csim.build import HLS_FOLDER, WARNINGS, compiler, header_folder
from edgemoe.spec.faults import Fault
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.hardware import VECTOR, HardwareConfig
from edgemoe.spec.isa import FIELDS, OPTIONS, Buffer, Epilogue, Instruction, Opcode, encode
from sim.common.shapes import shape
from sim.examples.legality import LEGAL, STREAMED, Case, by_rule
from sim.examples.legality_limits import just_fitting, mutants, specified
from sim.examples.machine import INPUT_BYTES, OUTPUT_BYTES

SHAPES = {
    **{name: shape(name) for name in ("small", "micro_w16a16", "zcu102", "wide_tokens", "narrow", "zcu102_stream")},
    "all options": replace(shape("micro"), **dict.fromkeys(OPTIONS, True)),  # type: ignore[arg-type]
}
MUTANTS = 1500
RULES = "machine/legality.hpp"


def slow_but(names: Iterable[str], *quick: str) -> list[Any]:
    """Parameters, those left to `make test-full` marked: each compiles the rules."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def of_options(hardware: HardwareConfig) -> Iterator[Case]:
    """Each legal instruction with each field that an option brings; wide rows around half the room of a buffer."""
    for instruction in (*LEGAL.values(), *STREAMED.values()):
        for field in ("wide_source", "wide_result", "narrow_weights", "activation"):
            for source in (instruction.source, Buffer.NORM, Buffer.GATE_INPUT, Buffer.QUERY, Buffer.HIDDEN):
                other = source if instruction.opcode in (Opcode.LINEAR, Opcode.STORE) else instruction.source
                words = encode(replace(instruction, source=other, **{field: 1}))  # type: ignore[arg-type]
                yield specified(words, hardware, INPUT_BYTES, OUTPUT_BYTES)
    for source in (Buffer.QUERY, Buffer.KEY, Buffer.VALUE, Buffer.HIDDEN):
        for rows in (1, hardware.token_par, hardware.max_rows):
            half = hardware.capacity(source) // hardware.room(rows, 2 * VECTOR) * VECTOR
            for features in (half, half + VECTOR):
                store = Instruction(Opcode.STORE, source=source, wide_source=1, rows=rows, in_features=features)
                for size in (2 * rows * features - 1, 2 * rows * features):
                    yield specified(encode(store), hardware, 0, size)
                yield from (specified(encode(each), hardware, 0, 0) for each in wide_rows(rows, features))


def wide_rows(rows: int, features: int) -> Iterator[Instruction]:
    """What reads or writes so many wide rows, beside STORE."""
    linear = Instruction(Opcode.LINEAR, rows=rows, segments=1, source=Buffer.NORM, in_features=VECTOR, wide_result=1)
    parts = {"destination": Buffer.QUERY, "out_features": 3 * features}
    if features <= FIELDS["out_features"].range[1] // 3:
        yield replace(linear, epilogue=Epilogue.QKV, **parts)  # type: ignore[arg-type]
    if features <= FIELDS["in_features"].range[1]:
        yield replace(linear, epilogue=Epilogue.GELU, destination=Buffer.HIDDEN, out_features=features)
        down = replace(linear, epilogue=Epilogue.RESIDUAL, wide_result=0, destination=Buffer.RESIDUAL)
        yield replace(down, source=Buffer.HIDDEN, wide_source=1, in_features=features, out_features=VECTOR)
        yield Instruction(Opcode.ATTENTION, rows=rows, in_features=features, heads=1, wide_source=1)


@cache
def examples(hardware: HardwareConfig) -> list[Case]:
    """All that there are for a shape; those by rule are made for one."""
    found = [case for cases in by_rule() for case in cases if case.hardware == hardware]
    drawn = mutants(np.random.default_rng(7), hardware, MUTANTS)
    return [*found, *drawn, *just_fitting(hardware), *of_options(hardware)]


def wrong(folder: Path, cases: Sequence[Case], sources: Path = HLS_FOLDER) -> list[str]:
    """Names of cases whose fault is another than the specification's."""
    (folder / "edgemoe_spec.hpp").write_text(hls_header(cases[0].hardware), encoding="utf-8")
    library = folder / "legality.so"
    includes = ["-I", str(sources / "simulation"), "-I", str(folder), "-isystem", str(header_folder())]
    command = [compiler(), "-std=c++17", "-O1", "-fPIC", "-shared", *WARNINGS, "-Wno-error", *includes]
    source = str(sources / "simulation/legality.cpp")
    done = subprocess.run([*command, "-o", str(library), source], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    words = np.ascontiguousarray([case.words for case in cases], dtype=np.uint32)
    sizes = np.array([(case.input_bytes, case.output_bytes) for case in cases], dtype=np.uint64)
    faults = np.zeros(len(cases), dtype=np.int32)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (words, sizes, faults)]
    ctypes.CDLL(str(library)).edgemoe_static_faults(ctypes.c_int64(len(cases)), *pointers)
    return [
        f"{case.name}: {Fault(found).name}, not {case.fault.name}"
        for case, found in zip(cases, faults.tolist(), strict=True)
        if found != case.fault
    ]


@pytest.mark.parametrize("name", slow_but(SHAPES, "small", "all options"))
def test_every_example_has_the_fault_of_the_specification(name: str, tmp_path: Path) -> None:
    cases = examples(SHAPES[name])
    kinds = {Fault.NONE, Fault.ILLEGAL_FIELD, Fault.ILLEGAL_OPERAND, Fault.BUFFER_RANGE, Fault.ADDRESS_RANGE}
    assert {case.fault for case in cases} >= kinds
    assert wrong(tmp_path, cases) == []


class Slip(NamedTuple):
    """One replacement."""

    before: str
    after: str
    shape: str = "all options"  # of WIDTH_SLIPS: where it shows


SLIPS = {
    "COPY may touch itself": Slip("-distance : distance) >= i.rows", "-distance : distance) >= i.rows - 1"),
    "COPY must keep a row between": Slip("-distance : distance) >= i.rows", "-distance : distance) > i.rows"),
    "shifts end before their limit": Slip("i.shift <= MAX_SHIFT &&", "i.shift < MAX_SHIFT &&"),
    "the gate's shift ends before its limit": Slip("i.output_shift <= MAX_SHIFT &&", "i.output_shift < MAX_SHIFT &&"),
    "shifts go one too far": Slip("i.shift <= MAX_SHIFT &&", "i.shift <= MAX_SHIFT + 1 &&"),
    "the last row is missing": Slip("return end <= rows_within", "return end < rows_within"),
    "one row too many": Slip("return end <= rows_within", "return end <= 1 + rows_within"),
    "buffers end before their last element": Slip("room(end, elements) <= capacity", "room(end, elements) < capacity"),
}


@pytest.mark.parametrize(
    "name",
    slow_but(SLIPS, "COPY may touch itself", "the gate's shift ends before its limit", "the last row is missing"),
)
def test_a_slip_of_one_is_found(name: str, tmp_path: Path) -> None:
    before, after, _ = SLIPS[name]
    assert wrong(tmp_path, examples(shape("small")), mutated(tmp_path, RULES, before, after)), "nobody notices"


def of_attention(width: str) -> str:
    """The rows that ATTENTION reads."""
    places = {"QUERY": "i.source_row, i.rows", "KEY": "first_key(i), key_rows(i)", "VALUE": "first_key(i), key_rows(i)"}
    rows = (f"rows_of(BUFFER_{name}, {place}, i.in_features{width});" for name, place in places.items())
    return "\n".join(f"            a.read[{n}] = {each}" for n, each in enumerate(rows))


def of_qkv(width: str) -> str:
    """The rows that QKV writes."""
    names = ("QUERY", "KEY", "VALUE")
    rows = (f"rows_of(BUFFER_{name}, i.destination_row, i.rows, i.out_features / 3{width});" for name in names)
    return "\n".join(f"                a.written[{n}] = {each}" for n, each in enumerate(rows))


WIDTH_SLIPS = {
    "a build without wide hidden layers reads one": Slip("WIDE_INNER || !i.wide_source", "true", "wide_tokens"),
    "wide rows take no more room": Slip("access.wide ? 2 * access.features :", "access.wide ? access.features :"),
    "GATE_INPUT is read as 8 bits": Slip(" == (i.source == BUFFER_GATE_INPUT)", " <= (i.source == BUFFER_GATE_INPUT)"),
    "RESIDUAL has a wide result": Slip("i.epilogue == EPILOGUE_RESIDUAL && i.wide_result", "false"),
    "any scratchpad may be stored wide": Slip("(either_width(i.source) || !i.wide_source)", "true"),
    "wide queries and keys are read from half their room": Slip(of_attention(", i.wide_source"), of_attention("")),
    "wide ones are written into half their room": Slip(of_qkv(", i.wide_result"), of_qkv("")),
    "a wide hidden layer is written into half its room": Slip(
        "i.destination_row, i.rows, i.out_features, i.wide_result)", "i.destination_row, i.rows, i.out_features)"
    ),
    "rows in memory may overlap": Slip("MEMORY_WORD_BYTES < memory_row(i)", "MEMORY_WORD_BYTES + 16 < memory_row(i)"),
    "the last row may lie beyond the region": Slip("(i.rows - 1) * step + row;", "(i.rows - 1) * step;"),
    "keys are as many as queries": Slip("key_rows(i) > MAX_TOKENS", "i.rows > MAX_TOKENS"),
    "KEY holds no more rows than others": Slip(
        "larger(MAX_ROWS, MAX_TOKENS) : MAX_ROWS", "MAX_ROWS : MAX_ROWS", "zcu102_stream"
    ),
    "HIDDEN may be loaded": Slip("i.destination <= BUFFER_VALUE", "i.destination <= BUFFER_HIDDEN"),
    "another activation without GELU": Slip(" || i.output_zero || i.activation)", " || i.output_zero)"),
}


@pytest.mark.parametrize(
    "name", slow_but(WIDTH_SLIPS, "GATE_INPUT is read as 8 bits", "wide ones are written into half their room")
)
def test_a_slip_about_options_is_found(name: str, tmp_path: Path) -> None:
    before, after, where = WIDTH_SLIPS[name]
    sources = mutated(tmp_path, RULES, before, after)
    assert wrong(tmp_path, examples(SHAPES[where]), sources), "nobody notices"
