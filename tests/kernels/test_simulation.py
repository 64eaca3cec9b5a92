"""A bench by the user's command: green as it is, red with a broken copy of its module, with waves for the viewers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edgemoe.cli import main
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.rtl.build import modules
from edgemoe.kernels import simulation
from edgemoe.kernels.benches import Bench, Run, benches
from edgemoe.kernels.simulation import SimulationError, require_simulator, simulate

Capture = pytest.CaptureFixture[str]
BENCHES = {bench.name: bench for bench in benches()}
KERNEL = "round_shift"
RUN = BENCHES[KERNEL].runs[0]
BREAK = (" & !at_upper_bound;", ";")  # the largest value is rounded up, and so becomes the smallest


@pytest.fixture(autouse=True)
def built() -> None:
    try:
        require_simulator("verilator")
    except (SimulationError, MissingToolError) as error:
        pytest.skip(str(error))


def broken(folder: Path, before: str, after: str) -> Path:
    """A copy of the kernel's module in which one text is another."""
    path = folder / f"{KERNEL}.v"
    text = modules()[KERNEL].read_text(encoding="utf-8")
    assert text.count(before) == 1, f"{KERNEL}.v has {text.count(before)} times {before!r}"
    path.write_text(text.replace(before, after), encoding="utf-8")
    return path


@pytest.mark.slow
def test_a_bench_says_values_cycles_seed_and_where_the_waveform_lies(capsys: Capture) -> None:
    assert main(["sim", KERNEL, "--seed", "5", "--waves"]) == 0
    printed = capsys.readouterr().out
    assert "all equal: " in printed
    assert "seed 5, on 'micro', IN_BITS = 49, OUT_BITS = 20, verilator" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("waveform: ")]
    values = Path(line.removeprefix("waveform: "))
    header = values.read_text(encoding="utf-8").partition("$enddefinitions")[0]
    listed = values.with_suffix(".sucl").read_text(encoding="utf-8").splitlines()
    assert listed[-1] == "zoom_fit"
    names = [line.removeprefix(f"variable_add {KERNEL}.") for line in listed[:-1]]
    assert "clk" in names
    assert all(f" {name} " in header for name in names)
    gtkwave = values.with_suffix(".gtkw").read_text(encoding="utf-8")
    assert str(values) in gtkwave
    assert all(f"{KERNEL}.{name}" in gtkwave for name in names)


def test_every_test_counts_what_it_compared_and_sees_a_wrong_bit() -> None:
    plain, flipped = (simulate(BENCHES[KERNEL], RUN, flip=flip) for flip in (False, True))
    assert plain.good
    assert flipped.good
    assert all(test.values > 0 < test.cycles and test.failure is None for test in plain.tests)
    assert [test.name for test in plain.tests] == [test.name for test in flipped.tests]
    assert all(test.flipped and "differ" in (test.failure or "") for test in flipped.tests)


def test_a_broken_copy_of_the_module_turns_the_bench_red(tmp_path: Path, capsys: Capture) -> None:
    copy = broken(tmp_path, *BREAK)
    assert main(["sim", KERNEL, "--module", str(copy)]) == 1
    printed = capsys.readouterr().out
    assert "WRONG" in printed
    assert "differ, first at" in printed
    assert "NOT as golden: " in printed


def test_a_copy_that_does_not_build_is_named_with_the_tools_complaint(tmp_path: Path, capsys: Capture) -> None:
    copy = broken(tmp_path, "endmodule", "")
    assert main(["sim", KERNEL, "--module", str(copy)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{KERNEL} does not build: %Error: " in line
    assert str(copy) in line


@pytest.mark.slow
def test_a_kernel_is_built_where_no_python_is_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `.venv/bin/edgemoe` on a system that has python3 only: Verilator's makefiles call `python`."""
    (tmp_path / "python").write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    copy = broken(tmp_path, "endmodule", f"endmodule  // {tmp_path}, so that nothing is kept from another time")
    assert simulate(BENCHES[KERNEL], RUN, instead=[copy]).good


def test_a_tool_that_a_makefile_lacks_is_the_reason() -> None:
    said = "make: Entering directory\n/bin/sh: 1: tool: not found\nmake: Leaving directory"
    done = subprocess.CompletedProcess([], simulation.DOES_NOT_BUILD, "", said)
    assert simulation._reason(BENCHES[KERNEL], done) == f"{KERNEL} does not build: /bin/sh: 1: tool: not found"


def test_a_copy_is_named_like_a_module(tmp_path: Path, capsys: Capture) -> None:
    copy = shutil.copy(modules()[KERNEL], tmp_path / "other.v")
    assert main(["sim", KERNEL, "--module", str(copy)]) == 1
    assert "no module other in rtl/ for it to stand for" in capsys.readouterr().err


def test_a_package_that_a_bench_lacks_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole frame needs torch for its weights, which the extra of the benches does not bring."""
    (tmp_path / "needy_bench.py").write_text("import torch_of_nobody\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setitem(simulation.BROUGHT_BY, "torch_of_nobody", "train")
    needy = Bench(tmp_path / "needy_bench.py", "needy_bench", (Run("micro", RUN.parameters, top=KERNEL),))
    with pytest.raises(SimulationError, match=r"needs torch_of_nobody; run: .* -m pip install 'torch"):
        simulate(needy, needy.runs[0])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
def test_a_leaf_on_icarus(capsys: Capture) -> None:
    assert main(["sim", KERNEL, "--simulator", "icarus"]) == 0
    assert "icarus" in capsys.readouterr().out
