"""The command: good input ends with files and exit 0; bad input with one clear sentence, exit 1 and nothing written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edgemoe
from edgemoe.cli import COMMANDS, main
from edgemoe.compiler.listing import listing
from edgemoe.compiler.program import load_program
from edgemoe.results import FrameResult
from edgemoe.session import Session
from edgemoe.shipped import model_folder
from tests.examples.program import small_program, write_checkpoint

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A portrait picture, which must be resized."""
    path = tmp_path / "street.png"
    pixels = np.random.default_rng(4).integers(0, 256, (90, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def base(checkpoint: Path, tmp_path: Path) -> list[str]:
    return ["--model", str(checkpoint), "--hardware", "micro", "--out", str(tmp_path / "out")]


def test_run_writes_a_panel_arrays_and_a_report(
    picture: Path, base: list[str], tmp_path: Path, capsys: Capture
) -> None:
    assert main(["run", str(picture), "--task", "semseg,depth", *base]) == 0
    files = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert files == ["run.json", "street.npz", "street.panel.png"]
    report = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert report["complete"] is True
    assert report["frames"][0]["resize"] == "60×90 → crop 60×40 → 48×32"
    assert report["frames"][0]["timings_ms"]["engine"] > 0
    with np.load(tmp_path / "out" / "street.npz") as arrays:
        assert arrays["output.semseg"].shape == (7, 4, 6)
        assert arrays["experts.depth.1"].shape == (7, 2)
    assert Path(report["frames"][0]["source"]).name == "street.png"
    assert "1 frame (60×90 → crop 60×40 → 48×32) on 'golden' for semseg and depth" in capsys.readouterr().out


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_ends_no_run(picture: Path, base: list[str], encoding: str) -> None:
    command = [sys.executable, "-m", "edgemoe.cli", "run", str(picture), *base]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode(encoding)
    times = "x" if encoding == "ascii" else "×"
    resized = f"60{times}90 -> crop 60{times}40 -> 48{times}32"
    assert f"1 frame ({resized}) on 'golden'" in done.stdout.decode(encoding)


def test_a_folder_runs_whole_or_up_to_a_number_of_frames(base: list[str], tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        Image.fromarray(np.full((32, 48, 3), 80 * number, dtype=np.uint8)).save(folder / f"{number}.png")
    assert main(["run", str(folder), *base, "--no-arrays"]) == 0
    assert len(list((tmp_path / "out").glob("*.panel.png"))) == 3
    base[-1] = str(tmp_path / "two")
    assert main(["run", str(folder), *base, "--frames", "2", "--no-panels"]) == 0
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["0.npz", "1.npz", "run.json"]


def test_a_run_goes_on_after_a_bad_file_and_says_at_the_end_what_it_skipped(
    base: list[str], picture: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name in ("1.png", "3.png"):
        (folder / name).write_bytes(picture.read_bytes())
    (folder / "2.jpg").write_text("no picture")
    assert main(["run", str(folder), *base]) == 1
    said = capsys.readouterr()
    assert "2 frames (60×90 → crop 60×40 → 48×32) on 'golden'" in said.out
    assert said.err.splitlines()[-1].startswith("edgemoe: skipped: '2.jpg' is not a picture that can be read")
    report = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert (report["complete"], report["error"]) == (False, None)
    assert [Path(each["source"]).name for each in report["skipped"]] == ["2.jpg"]
    assert [Path(each["source"]).name for each in report["frames"]] == ["1.png", "3.png"]


def test_a_run_in_which_nothing_can_be_read_writes_nothing(base: list[str], tmp_path: Path, capsys: Capture) -> None:
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / name).write_text("no picture")
    assert main(["run", str(tmp_path / "1.jpg"), str(tmp_path / "2.jpg"), *base]) == 1
    assert "'1.jpg' is not a picture that can be read" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_several_pictures_of_several_sizes_in_one_run(
    base: list[str], picture: Path, tmp_path: Path, capsys: Capture
) -> None:
    Image.new("RGB", (300, 100)).save(tmp_path / "wide.png")
    Image.new("RGB", (48, 32)).save(tmp_path / "exact.png")
    given = [str(picture), str(tmp_path / "wide.png"), str(tmp_path / "exact.png"), str(picture)]
    assert main(["run", *given, *base, "--no-panels"]) == 0
    assert "4 frames (60×90 → crop 60×40 → 48×32 and 2 other sizes)" in capsys.readouterr().out
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["exact.npz", "run.json", "street-2.npz", "street.npz", "wide.npz"]


def test_ctrl_c_keeps_what_was_finished_and_says_that_it_is_not_all(
    base: list[str], picture: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Session.run
    calls: list[int] = []

    def interrupted(self: Session, frame: np.ndarray) -> FrameResult:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return run(self, frame)

    monkeypatch.setattr(Session, "run", interrupted)
    assert main(["run", str(picture), str(picture), str(picture), *base]) == 130
    said = capsys.readouterr()
    assert "1 frame (" in said.out
    assert "stopped by Ctrl-C; what was finished is kept" in said.err.splitlines()[-1]
    report = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert (report["complete"], report["error"]) == (False, "stopped by Ctrl-C")
    assert len(report["frames"]) == 1


def test_results_of_earlier_runs_are_told_apart(
    base: list[str], picture: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["run", str(picture), *base]) == 0
    Image.new("RGB", (48, 32)).save(tmp_path / "other.png")
    assert main(["run", str(tmp_path / "other.png"), *base]) == 0
    assert "still holds 2 results of earlier runs" in capsys.readouterr().err
    report = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    assert report["earlier_results"] == ["street.npz", "street.panel.png"]


def test_a_run_into_the_folder_of_its_pictures_can_be_repeated(
    base: list[str], picture: Path, tmp_path: Path, capsys: Capture
) -> None:
    base[-1] = str(tmp_path)
    for _ in range(2):
        assert main(["run", str(tmp_path), *base, "--pictures"]) == 0
        assert "1 frame (" in capsys.readouterr().out


def test_the_scale_of_a_task_can_be_given(base: list[str], picture: Path, tmp_path: Path, capsys: Capture) -> None:
    assert main(["run", str(picture), *base, "--span", "depth=0,0.5"]) == 0
    for bad in ("depth", "depth=1", "depth=1,1", "depth=a,b", "depth=0,inf", "depth=nan,1"):
        assert main(["run", str(picture), *base, "--span", bad]) == 1
        assert "expected TASK=LOW,HIGH with two different numbers" in capsys.readouterr().err
    assert main(["run", str(picture), *base, "--span", "normals=0,1"]) == 1
    assert "has no task 'normals'" in capsys.readouterr().err


def test_a_compiled_program_runs_like_its_checkpoint(picture: Path, base: list[str], tmp_path: Path) -> None:
    assert main(["run", str(picture), *base]) == 0
    model, out = base[:4], tmp_path / "program"
    assert main(["compile", *model, "--out", str(out)]) == 0
    assert load_program(out).manifest.model.name == "micro"
    assert main(["run", str(picture), "--model", str(out), "--out", str(tmp_path / "again")]) == 0
    with np.load(tmp_path / "out/street.npz") as one, np.load(tmp_path / "again/street.npz") as two:
        assert one.files == two.files
        assert all(np.array_equal(one[name], two[name]) for name in one.files)


def test_a_video_in_and_a_video_of_panels_out(base: list[str], tmp_path: Path) -> None:
    pytest.importorskip("av")
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        Image.fromarray(np.full((64, 96, 3), 60 * number, dtype=np.uint8)).save(folder / f"{number}.png")
    assert main(["run", str(folder), *base, "--video", "--no-panels", "--no-arrays"]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["panel.mp4", "run.json"]
    base[-1] = str(tmp_path / "second")
    assert main(["run", str(tmp_path / "out" / "panel.mp4"), *base, "--no-panels"]) == 0
    report = json.loads((tmp_path / "second" / "run.json").read_text(encoding="utf-8"))
    assert report["summary"]["frames"] == 4
    assert len(list((tmp_path / "second").glob("panel-*.npz"))) == 4
    assert [frame["seconds"] for frame in report["frames"]] == pytest.approx([0, 0.1, 0.2, 0.3], abs=1e-4)
    content = (tmp_path / "out" / "panel.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: int(0.7 * len(content))])
    base[-1] = str(tmp_path / "third")
    assert main(["run", str(tmp_path / "cut.mp4"), *base, "--no-panels"]) == 1
    report = json.loads((tmp_path / "third" / "run.json").read_text(encoding="utf-8"))
    assert report["complete"] is False
    assert "'cut.mp4' is cut off or damaged" in report["skipped"][0]["reason"]


def test_weights_far_too_large_for_the_model_are_refused_unread(picture: Path, tmp_path: Path, capsys: Capture) -> None:
    broken = write_checkpoint(tmp_path / "broken")
    os.truncate(broken / "weights.safetensors", 1 << 40)
    assert main(["run", str(picture), "--model", str(broken), "--out", str(tmp_path / "out")]) == 1
    assert "1,099,511,627,776 bytes, model 'micro' has at most" in capsys.readouterr().err


def test_info_names_model_hardware_memory_and_every_instruction(base: list[str], capsys: Capture) -> None:
    assert main(["info", *base[:4]]) == 0
    text = capsys.readouterr().out
    for part in ("Model 'micro'", "Hardware 'micro'", "weight stream", "On-chip limits", "block 1 experts", "cycles a"):
        assert part in text


def test_info_of_sizes_without_weights(base: list[str], capsys: Capture) -> None:
    assert main(["info", "--config", "micro", "--hardware", "micro"]) == 0
    hollow = capsys.readouterr().out
    assert main(["info", *base[:4]]) == 0
    assert hollow == capsys.readouterr().out, "sizes and cycles do not depend on the weights"
    for wrong in (["--model", "mini"], ["--engine", "rtl"]):
        assert main(["info", "--config", "micro", "--hardware", "micro", *wrong]) == 1
        assert "give one of the two" in capsys.readouterr().err


def test_disasm_shows_every_instruction_with_its_label(base: list[str], capsys: Capture) -> None:
    assert main(["disasm", *base[:4], "--task", "depth"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split("  ;")[0] == "   0  PATCH_EMBED rows=6, in_features=768, out_features=32, segment 0…1"
    assert lines[-1].endswith("HALT          ; halt")
    assert any("epilogue=GELU, source=NORM, destination=HIDDEN" in line for line in lines)
    assert main(["disasm", *base[:4], "--task", "depth", "--words"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * len(lines) - 2
    program = small_program()
    assert len(list(listing(program))) == 2 + len(program.instructions)


def test_a_listing_shows_fields_that_are_not_0_and_all_words(base: list[str], capsys: Capture) -> None:
    program = small_program()
    first, second, *lines = list(listing(program, words=True))
    assert first.startswith("; model micro (0x")
    assert first.endswith(f"), tasks semseg, depth, hardware micro (0x{program.manifest.config_hash:08X})")
    assert second.startswith(f"; {len(program.words)} instructions, stream {program.stream.size:,} bytes, input 4,608 ")
    assert lines[1::2] == ["      " + " ".join(f"{word:08x}" for word in row) for row in program.words.tolist()]
    shown = [line.partition("  ;")[0].split(maxsplit=2) for line in lines[::2]]
    assert [line[:2] for line in shown] == [[str(n), i.opcode.name] for n, i in enumerate(program.instructions)]
    assert [line.partition("  ; ")[2] for line in lines[::2]] == list(program.manifest.labels)
    found = dict(zip(program.manifest.labels, (line[-1] for line in shown), strict=True))
    gate, i = found["block 1 gate semseg"], program.instructions[program.manifest.labels.index("block 1 gate semseg")]
    assert gate == (
        f"rows=7, in_features=32, experts=4, top_k=2, multiplier={i.multiplier}, shift={i.shift}, segment {i.segment}"
    )
    store = program.instructions[program.manifest.labels.index("block 1 gate depth routing")]
    assert found["block 1 gate depth routing"] == (
        f"source=ROUTING, rows=7, in_features=2, source_row=7, address={store.address:#x}"
    )
    assert found["block 1 experts"].endswith(f", segment {i.segment + 2}…{i.segment + 5}")


def test_diff_tells_equal_engines_from_different_ones(base: list[str], capsys: Capture) -> None:
    assert main(["diff", *base[:4], "--engines", "golden,golden"]) == 0
    assert "golden and golden agree:" in capsys.readouterr().out
    assert main(["diff", *base[:4], "--engines", "golden,corrupted"]) == 1
    assert "differ at instruction 9 (block 0 attention): NORM[row 0][feature 2]" in capsys.readouterr().out


Setup = Callable[[Path, Path, Path], list[str]]


def _without(name: str) -> Setup:
    def setup(tmp: Path, checkpoint: Path, picture: Path) -> list[str]:
        broken = write_checkpoint(tmp / "broken")
        (broken / name).unlink()
        return ["run", str(picture), "--model", str(broken)]

    return setup


def _edited(name: str, before: str, after: str) -> Setup:
    def setup(tmp: Path, checkpoint: Path, picture: Path) -> list[str]:
        broken = write_checkpoint(tmp / "broken")
        text = (broken / name).read_text(encoding="utf-8")
        assert before in text
        (broken / name).write_text(text.replace(before, after, 1), encoding="utf-8")
        return ["run", str(picture), "--model", str(broken)]

    return setup


def _program(change: Callable[[Path], None], *more: str) -> Setup:
    def setup(tmp: Path, checkpoint: Path, picture: Path) -> list[str]:
        main(["compile", "--model", str(checkpoint), "--hardware", "micro", "--out", str(tmp / "program")])
        change(tmp / "program")
        return ["run", str(picture), "--model", str(tmp / "program"), *more]

    return setup


def _made(make: Callable[[Path], str]) -> Setup:
    return lambda tmp, checkpoint, picture: ["run", make(tmp), "--model", str(checkpoint), "--hardware", "micro"]


def _arguments(*arguments: str) -> Setup:
    return lambda tmp, checkpoint, picture: ["run", str(picture), "--model", str(checkpoint), *arguments]


def _file(name: str, content: bytes) -> Callable[[Path], str]:
    def make(tmp: Path) -> str:
        (tmp / name).write_bytes(content)
        return str(tmp / name)

    return make


def _empty_folder(tmp: Path) -> str:
    (tmp / "frames").mkdir()
    return str(tmp / "frames")


def _keep(folder: Path) -> None:
    assert folder.is_dir()


def _truncate(folder: Path) -> None:
    data = (folder / "weights.bin").read_bytes()
    (folder / "weights.bin").write_bytes(data[: len(data) // 2])


def _alter(folder: Path) -> None:
    data = bytearray((folder / "program.bin").read_bytes())
    data[70] ^= 1
    (folder / "program.bin").write_bytes(data)


def _nan(tmp: Path, checkpoint: Path, picture: Path) -> list[str]:
    broken = write_checkpoint(tmp / "broken", backbone__cls_token=np.full((1, 1, 32), np.nan))
    return ["run", str(picture), "--model", str(broken)]


BAD: dict[str, tuple[Setup, str]] = {
    "a picture that is not there": (_made(lambda tmp: str(tmp / "no.png")), "does not exist"),
    "an empty picture": (_made(_file("empty.png", b"")), "empty.png"),
    "an unreadable picture": (_made(_file("noise.png", b"\x89PNG but not really")), "noise.png"),
    "a folder without frames": (_made(_empty_folder), "holds no pictures"),
    "a camera that is not there": (_made(lambda tmp: "camera:77"), "camera"),
    "NaN weights": (_nan, "tensor 'backbone.cls_token' holds NaN"),
    "no weights": (_without("weights.safetensors"), "no such file"),
    "no calibration": (_without("calibration.json"), "edgemoe calibrate"),
    "an unknown key in a config": (_edited("config.json", '"depth"', '"deepness"'), "unknown key 'deepness'"),
    "a config that is not JSON": (_edited("config.json", "{", "{,"), "not valid JSON"),
    "weights that are not safetensors": (
        lambda tmp, checkpoint, picture: [
            "run",
            str(picture),
            "--model",
            str(Path(_file("weights.safetensors", b"\xff" * 99)(write_checkpoint(tmp / "broken"))).parent),
        ],
        "not a readable safetensors file",
    ),
    "a model of no such name": (_arguments("--model", "micra"), "or one of mini, tiny"),
    "an unknown task": (_arguments("--hardware", "micro", "--task", "semseg,normals"), "has no task 'normals'"),
    "an unknown device": (_arguments("--hardware", "micro", "--device", "board9"), "unknown device 'board9'"),
    "an unknown hardware": (_arguments("--hardware", "zcu999"), "no hardware configuration 'zcu999'"),
    "a model that is not a folder": (_arguments("--model", "/nowhere/at/all"), "is not a folder"),
    "a pattern that nothing matches": (_made(lambda tmp: str(tmp / "*.jpg")), "no file matches"),
    "an unknown task to scale": (_arguments("--hardware", "micro", "--span", "normals=0,1"), "has no task 'normals'"),
    "no frames wanted": (_arguments("--hardware", "micro", "--frames", "0"), "--frames must be at least 1"),
    "a truncated program": (_program(_truncate), "truncated or altered"),
    "an altered program": (_program(_alter), "truncated or altered"),
    "a program for other hardware": (
        _program(_keep, "--hardware", "kv260"),
        "built for hardware 'micro'",
    ),
    "a program for other tasks": (_program(_keep, "--task", "depth"), "built for tasks semseg,depth"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gives_one_sentence_and_no_files(
    case: str, checkpoint: Path, picture: Path, tmp_path: Path, capsys: Capture
) -> None:
    setup, message = BAD[case]
    arguments = setup(tmp_path, checkpoint, picture)
    capsys.readouterr()
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("edgemoe: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert not (tmp_path / "out").exists()


def test_an_empty_name_of_a_folder_is_none(picture: Path, base: list[str], capsys: Capture) -> None:
    base[-1] = ""
    assert main(["run", str(picture), *base]) == 1
    assert "--out is empty; name a folder" in capsys.readouterr().err


def test_no_room_on_the_disk_gives_one_sentence_and_no_half_frame(
    picture: Path, base: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fills up while files are written: in `run` and in `compile`."""

    def half(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", half)
    for command in (["run", str(picture)], ["compile"]):
        assert main([*command, *base]) == 1
        assert "no space left on the disk" in capsys.readouterr().err.splitlines()[-1]
        assert [path.name for path in tmp_path.iterdir()] == ["street.png"]


def test_an_output_folder_that_cannot_be_made_gives_one_sentence(
    picture: Path, base: list[str], tmp_path: Path, capsys: Capture
) -> None:
    base[-1] = str(picture)
    assert main(["run", str(picture), *base]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("edgemoe: ")
    assert [path.name for path in tmp_path.iterdir()] == ["street.png"]


def test_what_cannot_work_is_said_before_anything_is_compiled(
    picture: Path, base: list[str], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name of no engine, an output that is a file or stands below one."""

    def compiled(*arguments: object) -> None:
        raise AssertionError("compiled first")

    monkeypatch.setattr("edgemoe.commands.common.compile_checkpoint", compiled)
    model, below = base[:4], str(picture / "below")
    hopeless = {
        "unknown device 'rtk'": [["run", str(picture), *base, "--device", "rtk"], ["bench", *model, "--device", "rtk"],
                                 ["diff", *model, "--engines", "golden,rtk"]],
        "is a file; choose another": [["run", str(picture), *model, "--out", str(picture)],
                                      ["run", str(picture), *model, "--out", below],
                                      ["compile", *model, "--out", below],
                                      ["bench", *model, "--out", f"{below}/report.json"]],
        "is no program folder": [["compile", *model, "--out", str(picture)]],
    }  # fmt: skip
    for message, calls in hopeless.items():
        for call in calls:
            assert main(call) == 1
            assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["street.png"]


def test_shipped_models_go_by_their_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Unless a folder of that name holds a model, too: one of results does not hide the shipped one."""
    monkeypatch.chdir(tmp_path)
    assert model_folder(Path("mini")).name == "mini"
    assert (model_folder(Path("mini")) / "config.json").is_file()
    (tmp_path / "mini").mkdir()
    assert model_folder(Path("mini")) != Path("mini")
    (tmp_path / "mini" / "config.json").write_text("{}")
    assert model_folder(Path("mini")) == Path("mini")


def test_the_version_is_told(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"edgemoe {edgemoe.__version__}\n"


def test_the_bare_command_shows_its_help(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main([])
    shown = capsys.readouterr().err
    assert all(text in shown for _, text in COMMANDS.values())


@pytest.mark.parametrize("arguments", [[], ["fly"], ["run"], ["compile"], ["diff"]])
def test_usage_errors_exit_with_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: edgemoe" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: edgemoe {command}" in capsys.readouterr().out
