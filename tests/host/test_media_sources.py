"""Sources: what INPUT can be, in which order frames come, and what is said when there are none."""

from __future__ import annotations

import builtins
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgemoe.media.errors import MediaError
from edgemoe.media.sources import natural_key, open_source
from edgemoe.media.video import VideoWriter, read_video


def picture(path: Path, level: int = 0) -> Path:
    Image.new("RGB", (8, 6), (level, level, level)).save(path)
    return path


def test_a_picture_is_one_frame_named_after_its_file(tmp_path: Path) -> None:
    source = open_source(picture(tmp_path / "street.view.png", 9))
    assert (source.kind, source.length) == ("picture", 1)
    ((name, pixels),) = source
    assert name == "street.view"
    assert pixels.shape == (6, 8, 3)
    assert pixels.dtype == np.uint8
    assert (pixels == 9).all()


def test_a_folder_gives_its_pictures_in_natural_order(tmp_path: Path) -> None:
    for level, name in enumerate(["f10.png", "f2.PNG", "F1.jpg", ".hidden.png", "notes.txt"]):
        picture(tmp_path / name, level) if name != "notes.txt" else (tmp_path / name).write_text("no picture")
    (tmp_path / "f3.png").mkdir()
    source = open_source(tmp_path)
    assert (source.kind, source.length) == ("folder", 3)
    assert [name for name, _ in source] == ["F1", "f2", "f10"]
    assert [int(pixels[0, 0, 0]) for _, pixels in source] == [2, 1, 0], "a source can be iterated again"


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
    with pytest.raises(MediaError, match=r"'.*none.mp4' does not exist; give a picture, a folder"):
        open_source(tmp_path / "none.mp4")
    with pytest.raises(MediaError, match=r"folder '.*' holds no pictures; files that end in jpg, jpeg, png"):
        open_source(tmp_path)
    with pytest.raises(MediaError, match=r"cannot be read|does not exist"):
        open_source("x" * 5000)
    with pytest.raises(MediaError, match=r"cannot be read|does not exist"):
        open_source("a\0b")


def test_without_opencv_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_opencv(name: str, *rest: Any, **options: Any) -> Any:
        if name == "cv2":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_opencv)
    (tmp_path / "a.mp4").write_bytes(b"x")
    uses = [
        lambda: open_source(tmp_path / "a.mp4"),
        lambda: list(open_source("camera:0")),
        lambda: VideoWriter(tmp_path / "b.mp4", 10),
    ]
    for use in uses:
        with pytest.raises(MediaError, match=r"needs OpenCV, please run: pip install 'edgemoe\[video\]'"):
            use()


def bars(level: int) -> np.ndarray[Any, Any]:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:, :48] = (level, 40, 200)
    return frame


def write_video(path: Path, frames: int, codecs: tuple[str, ...] = ("mp4v",)) -> None:
    writer = VideoWriter(path, 10, codecs)
    for index in range(frames):
        writer.write(bars(20 * index))
    writer.close()


def test_video_round_trip(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    write_video(tmp_path / "clip.mp4", 5)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    source = open_source(tmp_path / "clip.mp4")
    assert (source.kind, source.length, source.frames_per_second) == ("video", 5, 10)
    frames = list(source)
    assert [frame.name for frame in frames] == [f"clip-{index:06d}" for index in range(5)]
    for index, (_, pixels) in enumerate(frames):
        # MPEG-4 is lossy; red and blue swapped would differ by more than 100.
        assert np.abs(pixels[32, 20].astype(int) - (20 * index, 40, 200)).max() < 16
        assert pixels[32, 80].max() < 16


@pytest.mark.parametrize("content", [b"", b"no video at all"])
def test_bad_videos(tmp_path: Path, content: bytes) -> None:
    pytest.importorskip("cv2")
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=r"'bad\.mp4' cannot be read as a video .* accepted are mp4"):
        open_source(tmp_path / "bad.mp4")


def test_a_truncated_video(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    write_video(tmp_path / "whole.mp4", 5)
    content = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(MediaError, match=r"'cut\.mp4' cannot be read as a video"):
        list(read_video(tmp_path / "cut.mp4"))


def test_a_camera_that_is_not_there() -> None:
    pytest.importorskip("cv2")
    with pytest.raises(MediaError, match="camera 99 cannot be opened; check that it is plugged in"):
        list(open_source("camera:99"))


def test_video_frames_must_be_even_and_alike(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(MediaError, match="even sides, found 5×4"):
        VideoWriter(tmp_path / "odd.mp4", 10).write(np.zeros((4, 5, 3), np.uint8))
    writer = VideoWriter(tmp_path / "two.mp4", 10)
    writer.write(bars(0))
    with pytest.raises(MediaError, match="a frame of"):
        writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_does_not_read_back_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("cv2")
    monkeypatch.setattr(VideoWriter, "_readable_frames", lambda self: 1)
    with pytest.raises(MediaError, match="could not be written completely"):
        write_video(tmp_path / "clip.mp4", 3)
    assert list(tmp_path.iterdir()) == []
