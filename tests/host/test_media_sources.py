"""Sources: what INPUT can be, in which order frames come, what is skipped, and what is said when there are none."""

from __future__ import annotations

import io
import json
import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from edgemoe.media.errors import MediaError
from edgemoe.media.inputs import open_sources
from edgemoe.media.sources import FrameSource, Skipped, natural_key, open_source


def picture(path: Path, level: int = 0) -> Path:
    Image.new("RGB", (8, 6), (level, level, level)).save(path)
    return path


def test_a_picture_is_one_frame_named_after_its_file(tmp_path: Path) -> None:
    source = open_source(picture(tmp_path / "street.view.png", 9))
    assert (source.kind, source.length) == ("picture", 1)
    ((name, pixels, origin, seconds),) = source
    assert (name, Path(origin).name, seconds) == ("street.view", "street.view.png", None)
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 9).all()


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    for level, name in enumerate(["f10.png", "f2.PNG", "F1.jpg", ".hidden.png", "notes.txt"]):
        picture(tmp_path / name, level) if name != "notes.txt" else (tmp_path / name).write_text("no picture")
    (tmp_path / "f3.png").mkdir()
    source = open_source(tmp_path)
    assert (source.kind, source.length) == ("folder", 3)
    assert [frame.name for frame in source] == ["F1", "f2", "f10"]
    assert [int(frame.picture[0, 0, 0]) for frame in source] == [2, 1, 0], "a source can be iterated again"


def test_natural_order() -> None:
    ordered = ["", "1", "2a", "10", "a", "a1b2", "a1b10", "a2", "a10", "B1"]
    shuffled = ordered[:]
    random.Random(3).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == ordered


def test_a_damaged_picture_in_a_folder_is_named_when_its_turn_comes(tmp_path: Path) -> None:
    picture(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"nothing")
    frames = iter(open_source(tmp_path))
    assert next(frames).name == "1"
    with pytest.raises(MediaError, match=r"'2\.png' is not a picture"):
        next(frames)


@pytest.mark.parametrize("text", ["camera:", "camera:x", "camera:-1", "camera:0/../1"])
def test_a_camera_needs_a_number(text: str) -> None:
    with pytest.raises(MediaError, match="write camera:0"):
        open_source(text)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"'.*none.mp4' does not exist; give pictures, folders"):
        open_source(tmp_path / "none.mp4")
    with pytest.raises(MediaError, match=r"folder '.*' holds no pictures; files that end in jpg, jpeg, png"):
        open_source(tmp_path)
    with pytest.raises(MediaError, match=r"cannot be read|does not exist"):
        open_source("x" * 5000)
    with pytest.raises(MediaError, match=r"cannot be read|does not exist"):
        open_source("a\0b")


def test_without_opencv_a_camera_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(MediaError, match=r"a camera needs OpenCV; run: .*python.* -m pip install"):
        list(open_source("camera:0"))


def test_a_camera_that_is_not_there() -> None:
    pytest.importorskip("cv2")
    with pytest.raises(MediaError, match="camera 99 cannot be opened; check that it is plugged in"):
        list(open_source("camera:99"))


def going_on(source: FrameSource) -> tuple[list[str], list[Skipped]]:
    """Names of all frames, and what was skipped on the way."""
    skipped: list[Skipped] = []
    return [frame.name for frame in source.open_frames(skipped.append)], skipped


def test_a_folder_goes_on_after_what_it_cannot_read_and_names_it(tmp_path: Path) -> None:
    """Text called .jpg, HEIC, raw, a video, a folder of pictures; not notes, hidden files, a folder without any."""
    picture(tmp_path / "1.png")
    picture(tmp_path / "9.png")
    for name in ("2.jpg", "3.heic", "4.dng", "5.mp4", "notes.txt", ".6.jpg"):
        (tmp_path / name).write_bytes(b"no picture")
    for name in ("inside", "empty"):
        (tmp_path / name).mkdir()
    picture(tmp_path / "inside" / "a.png")
    names, skipped = going_on(open_source(tmp_path))
    assert names == ["1", "9"]
    reasons = {Path(each.source).name: each.reason for each in skipped}
    assert sorted(reasons) == ["2.jpg", "3.heic", "4.dng", "5.mp4", "inside"]
    expected = {
        "2.jpg": "is not a picture that can be read",
        "3.heic": "is HEIC, which is not read here; save it as JPEG",
        "4.dng": "is a raw photograph; save it as JPEG",
        "5.mp4": "is a video; name it as an input of its own",
        "inside": "is a folder inside this one; name it as an input of its own",
    }
    for name, reason in expected.items():
        assert f"'{name}' {reason}" in reasons[name]


def test_results_of_a_run_are_no_input_of_the_next(tmp_path: Path) -> None:
    """`edgemoe run in --out in`, twice; a folder of results inside is none either."""
    for name in ("a.png", "a.panel.png", "a.semseg.png"):
        picture(tmp_path / name)
    report = {"frames": [{"files": ["a.panel.png", "a.semseg.png"]}], "earlier_results": [], "video": None}
    (tmp_path / "run.json").write_text(json.dumps(report))
    (tmp_path / "out").mkdir()
    picture(tmp_path / "out" / "b.panel.png")
    (tmp_path / "out" / "run.json").write_text("{}")
    source = open_source(tmp_path)
    assert going_on(source) == (["a"], [])
    assert source.notes == (f"2 results of an earlier run in '{tmp_path}' are no input",)
    (tmp_path / "a.semseg.png").unlink()
    assert open_source(tmp_path).notes == (f"1 result of an earlier run in '{tmp_path}' is no input",)
    (tmp_path / "a.png").unlink()
    with pytest.raises(MediaError, match="holds nothing but results of an earlier run"):
        open_source(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"frames": 3}', '{"frames": [{"files": [1, "a.png"]}]}', "[" * 9999])
def test_a_report_that_is_none_hides_no_picture(tmp_path: Path, text: str) -> None:
    picture(tmp_path / "b.png")
    (tmp_path / "run.json").write_text(text)
    assert going_on(open_source(tmp_path))[0] == ["b"]


def test_several_inputs_come_in_the_order_given(tmp_path: Path) -> None:
    for name in ("z.png", "a.png", "f10.png", "f9.png"):
        picture(tmp_path / name)
    (tmp_path / "more").mkdir()
    picture(tmp_path / "more" / "m.png")
    source = open_sources([str(tmp_path / name) for name in ("z.png", "more", "f*.png", "a.png")])
    assert (source.kind, source.length) == ("inputs", 5)
    assert going_on(source) == (["z", "m", "f9", "f10", "a"], [])


def test_of_several_inputs_one_that_cannot_be_used_is_skipped_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    names, skipped = going_on(open_sources([str(tmp_path / "empty"), str(tmp_path / "a.png")]))
    assert names == ["a"]
    assert [Path(each.source).name for each in skipped] == ["empty"]
    with pytest.raises(MediaError, match="does not exist"):
        open_sources([str(tmp_path / "a.png"), str(tmp_path / "b.png")])
    with pytest.raises(MediaError, match="no file matches"):
        open_sources([str(tmp_path / "*.jpg")])
    with pytest.raises(MediaError, match="run alone; give one input"):
        open_sources([str(tmp_path / "a.png"), "camera:0"])


def test_a_name_with_the_letters_of_a_pattern_is_a_name(tmp_path: Path) -> None:
    picture(tmp_path / "a[1].png")
    assert going_on(open_sources([str(tmp_path / "a[1].png")]))[0] == ["a[1]"]


def piped(monkeypatch: pytest.MonkeyPatch, content: bytes, terminal: bool = False) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: terminal))


def test_a_picture_can_be_piped_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, picture(tmp_path / "a.png", 7).read_bytes())
    (frame,) = open_sources(["-"])
    assert (frame.name, frame.source) == ("stdin", "standard input")
    assert (frame.picture == 7).all()


@pytest.mark.parametrize(
    ("content", "terminal", "words"),
    [(b"", False, "is empty"), (b"text", False, "is not a picture"), (b"", True, "is a terminal; pipe a picture in")],
)
def test_bad_standard_input(monkeypatch: pytest.MonkeyPatch, content: bytes, terminal: bool, words: str) -> None:
    piped(monkeypatch, content, terminal)
    with pytest.raises(MediaError, match=words):
        list(open_sources(["-"]))


def test_a_folder_with_a_name_that_is_no_text_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png").rename(Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")))
    names, skipped = going_on(open_source(tmp_path))
    assert len(names) == 1
    assert not skipped
