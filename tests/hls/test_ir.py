"""The IR check has no complaints about the sources, and finds a seeded mistake of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from frame_runner import mutated

from edgemoe.kernels.vectors import KERNELS
from edgemoe.spec.hardware import hardware_names, load_hardware_config
from sim.common.shapes import shape
from tests.checks.hls_ir.__main__ import RTL_ALONE, SIMULATION, check, check_kernel, complaints, missing
from tests.checks.hls_ir.resources import Arithmetic, bram36

whole_engine = pytest.mark.slow  # compiles all of it


@whole_engine
@pytest.mark.parametrize("name", ["micro", "zcu102", "micro_w16a16", "wide_inner_pairs", "narrow", "activations_fine"])
def test_every_loop_may_reach_its_interval_and_the_design_fits_its_part(name: str) -> None:
    judged, resources = check(shape(name))
    assert complaints(judged, resources) == []
    assert {each.loop.label for each in judged} >= {"ARRAY", "FETCH", "SUMS", "ROOTS", "OUTPUTS", "ROWS", "WORDS"}


@whole_engine
@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_of_its_own_may_make_a_call_each_cycle(kernel: str) -> None:
    judged, _ = check_kernel(kernel, shape("micro"))
    assert judged.complaints == ()
    assert judged.loop.label == "CALLS"


class Mistake(NamedTuple):
    """One replacement in one file, and the complaint that it must bring."""

    file: str
    before: str
    after: str
    complaint: str


SUM = "            running[lane][step.slot] = sums;\n"
ENTER = "ENTER:\n    for (int output = 0; output < OUT_PAR; ++output)"
SPARE = "            affine.pair[n / AFFINE_PAIRS][side]"
MISTAKES = {
    "a second write to a bank": Mistake(
        "machine/lanes.hpp", SUM, f"{SUM}            running[lane][0] = sums;\n", "2 writes to one bank"
    ),
    "a memory that is not partitioned": Mistake(
        "machine/run.hpp",
        "#pragma HLS array_partition variable=machine.pads.hidden dim=1 complete\n",
        "",
        "reads of one bank of pads.hidden",
    ),
    "a bank chosen at run time": Mistake(
        "machine/lanes.hpp",
        "case LEFT_QUERY: read_inputs(pads.query[lane]",
        "case LEFT_QUERY: read_inputs(pads.query[(lane + step.begin) % TOKEN_PAR]",
        "dynamic index into the partitioned dimension 1 of pads.query",
    ),
    "a loop that nobody can unroll": Mistake(
        "machine/lanes.hpp", ENTER, ENTER.replace("OUT_PAR", "step.keys"), "inside it is not unrolled"
    ),
    "a structure copied whole": Mistake(
        "machine/layernorm_rows.hpp",
        f"    {SPARE}.low = data.low;\n    {SPARE}.high = data.high;\n",
        f"    {SPARE} = affine.pair[0][0];\n",
        "a structure is copied whole",
    ),
    "a dependence without a promise": Mistake(
        "machine/compute.hpp",
        "#pragma HLS dependence variable=pads.hidden inter RAW distance=WRITE_DISTANCE true\n",
        "",
        "pads.hidden is read and written, and no dependence says",
    ),
    "a divider as wide as the machine's integers": Mistake(
        "kernels/softmax.hpp", "quotient<TOTAL_BITS + RECIPROCAL_BITS, TOTAL_BITS>(ones, total)", "ones / total",
        "a divider of 64 bits",
    ),
    "two words of a port in one turn": Mistake(
        "machine/rows.hpp", "const Word data = input[first + n];", "Word data = input[first + n];\n"
        "        data.half[1] ^= input[first + n + 1].half[0];", "2 reads of one bank of argument",
    ),
}  # fmt: skip


@whole_engine
@pytest.mark.parametrize("case", MISTAKES)
def test_a_seeded_mistake_is_found(case: str, tmp_path: Path) -> None:
    name, before, after, complaint = MISTAKES[case]
    found = complaints(*check(shape("micro"), mutated(tmp_path, name, before, after)))
    assert any(complaint in text for text in found), found


def test_multipliers_and_memories_are_counted_as_the_device_has_them() -> None:
    widths = {(27, 11): 1, (27, 18): 1, (33, 18): 2, (32, 32): 4, (28, 17): 2, (16, 3): 0}
    assert {pair: Arithmetic("", "mul", *pair).dsp for pair in widths} == widths
    assert [bram36(*shape) for shape in ((72, 512), (128, 396), (256, 396), (18, 1024), (36, 512))] == [
        1,
        2,
        4,
        0.5,
        0.5,
    ]


COUNTED = {"dsp": 630, "bram36": 214.5, "uram": 0, "lutram": 5528}  # of `ultra96`


@pytest.mark.parametrize("name", hardware_names())
def test_what_no_part_has_so_many_of_is_a_complaint_for_every_shape(name: str) -> None:
    part = load_hardware_config(name).part
    lacks = missing({**COUNTED, "shape": name, "part": part, "dsp": 10**6})
    assert bool(lacks) == (part != SIMULATION)
    assert all(f"{name}: 1e+06 dsp, its part has " in text for text in lacks[:1])


def test_the_engine_does_not_fit_the_smallest_parts_and_says_so() -> None:
    counted = {**COUNTED, "shape": "another", "part": "xc7z020clg400-1"}
    lacks = ["another: 630 dsp, its part has 220", "another: 214.5 bram36, its part has 140"]
    assert missing(counted) == complaints([], counted) == lacks
    assert complaints([], {**counted, "shape": "pynq_z2"}) == []
    assert complaints([], {**counted, "shape": "pynq_z2", "part": "xczu9eg-ffvb1156-2-e"}) != []
    assert set(RTL_ALONE) < set(hardware_names())


def test_a_part_that_nothing_is_known_of_is_a_complaint() -> None:
    assert missing({**COUNTED, "shape": "another", "part": "xc7a35t"}) != []


def test_more_multipliers_than_the_part_has_are_a_complaint() -> None:
    resources = {**COUNTED, "part": "xck26", "bram36": 1, "dsp": 1249, "shape": "kv260"}
    assert complaints([], resources) == ["kv260: 1249 dsp, its part has 1248"]
