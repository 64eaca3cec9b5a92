"""Whole frames on every engine: each value that any instruction stores equals golden's.

Reproduce one: `edgemoe diff --engines golden,csim --model models/mini --hardware zcu102 --input PICTURE`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import frame_of, result_of

from edgemoe.compiler.program import Program
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.registry import open_device
from edgemoe.diff import compare_engines

Compile = Callable[..., Program]

ENGINES = ("csim", "rtl")
BOTH = ("semseg", "depth")


def agree(program: Program, engine: str, seed: int = 27) -> int:
    """Values compared; skips with one sentence where the engine cannot be built."""
    try:
        found = compare_engines(program, frame_of(program, seed), ("golden", engine))
    except MissingToolError as error:
        pytest.skip(str(error))
    assert found.difference is None, str(found.difference)
    return found.values


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hardware", ["micro", "micro_w16a16", pytest.param("pynq_z2", marks=pytest.mark.slow)])
def test_the_micro_model(compiled: Compile, engine: str, hardware: str) -> None:
    assert agree(compiled("micro", hardware, trace=True), engine) > 5_000


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("base", [0xFFFF_F000, 0x8_0000_0000, (1 << 64) - (1 << 24)], ids=hex)
def test_memory_may_lie_anywhere(compiled: Compile, engine: str, base: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions across 4 GiB, in the upper memory of a ZCU102, and at the end of 64 bits."""
    program = compiled("micro", "micro", trace=True)
    monkeypatch.setattr("edgemoe.devices.flat_memory._BASE", base)
    with open_device("golden", program.manifest.hardware) as device:
        assert device.allocate(16) >= base
    assert agree(program, engine) > 5_000


@pytest.mark.parametrize("engine", ["csim"])
@pytest.mark.parametrize("hardware", ["zcu102", "kv260", "zcu102_w16a16"])
def test_the_shipped_small_model_with_both_tasks(compiled: Compile, hardware: str, engine: str) -> None:
    assert agree(compiled("mini", hardware, BOTH, trace=True), engine) > 1_000_000


@pytest.mark.parametrize(("engine", "hardware"), [("csim", "zcu102"), ("rtl", "micro")])
def test_tiny_with_both_tasks(compiled: Compile, engine: str, hardware: str) -> None:
    """The RTL on the small array, whose build and run stay within a test's time; the others run in `make test-full`."""
    assert agree(compiled("tiny", hardware, BOTH, trace=True), engine) > 5_000_000


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("hardware", ["micro", "kv260", "zcu102", "u50", "micro_w16a16", "zcu102_w16a16"])
@pytest.mark.parametrize("tasks", [("semseg",), ("depth",), BOTH], ids="+".join)
@pytest.mark.parametrize("model", ["mini", "tiny"])
def test_every_task_shape_and_precision(
    compiled: Compile, engine: str, hardware: str, tasks: tuple[str, ...], model: str
) -> None:
    assert agree(compiled(model, hardware, tasks, trace=True), engine, seed=51) > 500_000


@pytest.mark.parametrize(("engine", "model", "hardware"), [("csim", "mini", "zcu102"), ("rtl", "micro", "micro")])
def test_counters_agree(compiled: Compile, engine: str, model: str, hardware: str) -> None:
    program = compiled(model, hardware)
    try:
        found = result_of(program, engine).counters
    except MissingToolError as error:
        pytest.skip(str(error))
    expected = result_of(program, "golden").counters
    assert {name: found[name] for name in expected} == expected
    assert engine == "rtl" or found.keys() == expected.keys()
