"""Errors: those meant for users have one root; the command says them in a sentence, and owns up to its faults."""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgemoe
import edgemoe_golden
from edgemoe.cli import COMMANDS, FAULT_OF_OURS, main
from edgemoe.commands import disasm, run
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.frames import input_image
from edgemoe.media.resize import resize
from edgemoe.spec.model import load_model_config

Capture = pytest.CaptureFixture[str]
FOLDERS = {package.__name__: Path(package.__path__[0]) for package in (edgemoe, edgemoe_golden)}


def exceptions() -> dict[str, str]:
    """Name → module of every class of both packages whose name says that it is an exception."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            module = ".".join((package, *path.relative_to(folder).with_suffix("").parts))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and node.name.endswith(("Error", "Exception", "Warning")):
                    found[node.name] = module
    return found


EXCEPTIONS = exceptions()


def exception(name: str) -> type[Exception]:
    found: type[Exception] = getattr(importlib.import_module(EXCEPTIONS[name]), name)
    return found


def test_the_search_finds_the_exceptions() -> None:
    assert {"DeviceError", "ConfigError", "MediaError", "DataError", "ArgumentError"} <= EXCEPTIONS.keys()
    assert len(EXCEPTIONS) >= 17


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_every_exception_has_the_one_root(name: str) -> None:
    assert issubclass(exception(name), EdgeMoeError)


@pytest.mark.parametrize("base", [ValueError, RuntimeError])
def test_errors_are_still_what_callers_caught_before_there_was_a_root(base: type[Exception]) -> None:
    kinds = {
        ValueError: ("ConfigError", "CheckpointError", "ProgramError", "QuantiseError", "DoesNotFitError", "DataError"),
        RuntimeError: ("DeviceError", "SessionError", "BoardGoneError"),
    }
    assert all(issubclass(exception(name), base) for name in kinds[base])


# Without MachineFaultError, which holds a fault's number and which the golden machine catches itself.
@pytest.mark.parametrize("name", [name for name in EXCEPTIONS if name != "MachineFaultError"])
def test_the_command_says_every_error_in_one_sentence(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def fail(options: argparse.Namespace) -> int:
        raise exception(name)("the street is closed; take another one")

    monkeypatch.setattr(disasm, "main", fail)
    assert main(["disasm"]) == 1
    assert capsys.readouterr().err == "edgemoe: the street is closed; take another one\n"


@pytest.mark.parametrize("fault", [ValueError, RuntimeError, KeyError, AssertionError, AttributeError])
def test_a_fault_of_ours_shows_where_it_is_and_is_not_passed_off_as_the_users(
    fault: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def fail(options: argparse.Namespace) -> int:
        raise fault("not enough values to unpack")

    monkeypatch.setattr(disasm, "main", fail)
    assert main(["disasm"]) == FAULT_OF_OURS
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "in fail\n    raise fault(" in shown
    last = shown.splitlines()[-1]
    assert last.startswith("edgemoe: this is a fault of edgemoe, not of your input; please report it")
    assert f"edgemoe {edgemoe.__version__}" in last


def test_memory_that_runs_out_is_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def fail(options: argparse.Namespace) -> int:
        raise MemoryError

    monkeypatch.setattr(disasm, "main", fail)
    assert main(["disasm"]) == 1
    assert capsys.readouterr().err.startswith("edgemoe: not enough memory")


def test_a_terminal_without_our_signs_still_gets_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """`×` on a terminal that knows ASCII alone."""
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(disasm, "main", lambda options: print("48×32") or 0)
    assert main(["disasm"]) == 0
    output.flush()
    assert output.buffer.getvalue() == b"48x32\n"  # type: ignore[attr-defined]


NO_PICTURES: dict[str, tuple[object, str]] = {
    "a path as text": ("street.png", "read_picture(path)"),
    "a path": (Path("street.png"), "read_picture(path)"),
    "nothing": (None, "found NoneType"),
    "a list": ([[[0, 0, 0]]], "np.asarray(values, dtype=np.uint8)"),
    "a Pillow image": (Image.new("RGB", (48, 32)), "np.asarray(picture.convert('RGB'))"),
}


@pytest.mark.parametrize("case", NO_PICTURES)
def test_what_is_no_array_is_refused_with_how_to_make_one(case: str) -> None:
    frame, remedy = NO_PICTURES[case]
    model = load_model_config("micro")
    for call in (lambda: resize(frame, 32, 48), lambda: input_image(frame, model)):  # type: ignore[arg-type]
        with pytest.raises(ArgumentError, match="a frame is a NumPy array, uint8 height×width×3 RGB") as caught:
            call()
        assert remedy in str(caught.value)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (4, 4), (4, 4, 4), (1, 4, 4, 3)])
def test_an_array_of_another_shape_is_refused_with_its_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match="expected uint8 height×width×3") as caught:
        resize(np.zeros(shape, dtype=np.uint8), 32, 48)
    assert str(shape) in str(caught.value)


def test_help_says_what_every_engine_is() -> None:
    for module in (run, COMMANDS["bench"][0], COMMANDS["diff"][0]):
        parser = argparse.ArgumentParser()
        module.add_arguments(parser)
        text = " ".join(parser.format_help().split())
        assert "corrupted: golden with one bit flipped, to see comparisons fail" in text


def test_the_package_names_what_it_offers() -> None:
    assert {"Accelerator", "EdgeMoeError", "FrameResult", "__version__"} <= set(dir(edgemoe))
    assert all(getattr(edgemoe, name) for name in edgemoe.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Acelerator'"):
        edgemoe.Acelerator  # noqa: B018


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("a\x1b[2Jb: no such file", r"a\x1b[2Jb: no such file"),
        ("first\nsecond\u202e\x00", r"first\nsecond\u202e\x00"),
        ("'Straße 道路.png' is empty", "'Straße 道路.png' is empty"),
        ("does not fit:\n  rows\n  tokens", "does not fit:\n  rows\n  tokens"),
    ],
)
def test_what_names_of_files_bring_along_is_written_out(message: str, shown: str) -> None:
    """For every error of the project: names of files come from others, too."""
    assert str(ArgumentError(message)) == shown


def test_a_picture_whose_name_would_clear_the_screen_is_refused_on_one_line(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "a\x1b[2J\n.png").write_bytes(b"no picture")
    assert main(["run", str(tmp_path), "--model", "mini", "--out", str(tmp_path / "out")]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith(r"edgemoe: 'a\x1b[2J\n.png' is not a picture")
