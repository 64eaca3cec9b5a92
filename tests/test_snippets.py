"""What a page shows to paste works as it stands: commands are understood, and those for a PC run; so does the Python.

They run in an empty folder with what the pages take for granted: street.jpg, a folder, a video.
"""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemoe.cli import command_parser, main
from edgemoe.media.video_writer import VideoWriter
from tests.test_pages import BLOCK, PAGES, ROOT

COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ |.*\| )?(?:\.venv/bin/)?edgemoe ([a-z].*)$", re.MULTILINE)
SYNOPSIS = re.compile(r"\b(INPUT|KERNEL)\b")
BOARDS = ("zcu102", "kv260", "pynq_zu", "zcu104", "ultra96", "pynq_z2", "pynq_z1")
RUN_PAGES = ("README.md", "docs/start/pc.md", "docs/start/kernel.md", "docs/start/board.md", "docs/hardware/driver.md")
HERE = re.compile(
    r"^(?:run (?!-$)(?!.*--device (?:rtl|zcu102|kv260))|info|disasm|sim --list|diff --engines golden,csim)"
)


def commands_of(page: Path) -> list[str]:
    """What follows `edgemoe` in the page's blocks, without remarks."""
    blocks = "\n".join(BLOCK.findall(page.read_text(encoding="utf-8")))
    found = (re.sub(r"\s#.*", "", rest).strip() for rest in COMMAND.findall(blocks))
    return [each for each in found if not SYNOPSIS.search(each)]


def python_of(page: str) -> list[str]:
    """The page's blocks of Python that begin with an import."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n((?:import numpy|from edgemoe import Acc).*?)^```", text, re.MULTILINE | re.DOTALL)


SHOWN = [(page, each) for page in PAGES for each in commands_of(page)]
RUN = sorted({each for page in RUN_PAGES for each in commands_of(ROOT / page) if HERE.match(each)})
PYTHON = sorted({each for page in RUN_PAGES for each in python_of(page)})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a user is."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(3).integers(0, 256, (48, 96, 3), dtype=np.uint8)
    for name in ("street.jpg", "holiday/a.jpg", "trip/b.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(name)
    return tmp_path


@pytest.mark.parametrize(("page", "command"), SHOWN, ids=[f"{page.stem}-{each[:40]}" for page, each in SHOWN])
def test_commands_are_understood(page: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        command_parser().parse_args(shlex.split(command))
    except SystemExit:
        pytest.fail(f"{page.relative_to(ROOT)}: edgemoe {command}\n{capsys.readouterr().err}")


@pytest.mark.parametrize("command", RUN)
def test_commands_run(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if "drive.mp4" in command:
        pytest.importorskip("av", reason="needs the extra 'video'")
        writer = VideoWriter(folder / "drive.mp4", 10)
        writer.write(np.zeros((48, 96, 3), dtype=np.uint8))
        writer.close()
    assert main(shlex.split(command)) == 0, capsys.readouterr().err


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_runs(code: str, folder: Path) -> None:
    for board in BOARDS:
        code = code.replace(f'Accelerator("{board}")', 'Accelerator("golden")')
    path = folder / "snippet.py"
    path.write_text(code, encoding="utf-8")
    runpy.run_path(str(path))


def test_there_is_something_to_try() -> None:
    assert len(SHOWN) > 30
    assert len(RUN) >= 5
    assert len(PYTHON) >= 4
