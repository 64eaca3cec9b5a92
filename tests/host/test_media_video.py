"""Video: frames at their time stamps, upright, and a word where a file holds less than it says."""

from __future__ import annotations

import struct
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgemoe.media.errors import MediaError
from edgemoe.media.sources import open_source
from edgemoe.media.video import probe_video, read_video
from edgemoe.media.video_writer import VideoWriter

av = pytest.importorskip("av", reason="needs the extra 'video'")

UNEVEN = (0.0, 0.04, 0.1, 0.5, 0.55, 1.2)
"""Time stamps of a telephone's video."""


def bars(level: int) -> np.ndarray[Any, Any]:
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:, :48] = (level, 40, 200)
    return frame


def write_video(path: Path, frames: int, codecs: tuple[str, ...] = ("libx264",), rate: float = 10) -> Path:
    writer = VideoWriter(path, rate, codecs)
    for index in range(frames):
        writer.write(bars(20 * index % 256))
    writer.close()
    return path


def foreign_video(path: Path, kind: str, codec: str, frames: int = 8, sound: str = "") -> Path:
    """A file as other programs write it: noise, so that every frame takes room."""
    with av.open(str(path), "w", format=kind) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height = 96, 64
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        audio = container.add_stream(sound, rate=8000) if sound else None
        for index in range(frames):
            noise = np.random.default_rng(index).integers(0, 256, (64, 96, 3), dtype=np.uint8)
            picture = av.VideoFrame.from_ndarray(noise, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, 10)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
        if audio is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
            silence.rate, silence.pts = 8000, 0
            container.mux([*audio.encode(silence), *audio.encode(None)])
    return path


def read_whole(path: Path) -> tuple[list[float], str]:
    """Time stamps of all frames that can be read, and what is said then."""
    seconds: list[float] = []
    try:
        for frame in read_video(path):
            seconds.append(frame.seconds)
    except MediaError as error:
        return seconds, str(error)
    return seconds, ""


def test_without_pyav_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.mp4").write_bytes(b"x")
    for use in (lambda: open_source(tmp_path / "a.mp4"), lambda: VideoWriter(tmp_path / "b.mp4", 10)):
        with pytest.raises(MediaError, match=r"a video needs PyAV; run: .*python.* -m pip install"):
            use()


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_video_round_trip(tmp_path: Path, codec: str) -> None:
    write_video(tmp_path / "clip.mp4", 5, (codec,))
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
    source = open_source(tmp_path / "clip.mp4")
    assert (source.kind, source.length, source.frames_per_second, source.notes) == ("video", 5, 10, ())
    frames = list(source)
    assert [frame.name for frame in frames] == [f"clip-{index:06d}" for index in range(5)]
    for index, frame in enumerate(frames):
        # Codecs are lossy; red and blue swapped would differ by more than 100.
        assert np.abs(frame.picture[32, 20].astype(int) - (20 * index, 40, 200)).max() < 16
        assert frame.picture[32, 80].max() < 16
        assert frame.seconds == pytest.approx(index / 10, abs=1e-3)


@pytest.mark.parametrize("rate", [24, 25, 30000 / 1001, 60])
def test_the_rate_of_a_source_is_kept(tmp_path: Path, rate: float) -> None:
    found = probe_video(write_video(tmp_path / "clip.mp4", 30, rate=rate)).frames_per_second
    assert found == pytest.approx(rate, rel=1e-4)


def test_a_variable_frame_rate_is_kept(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    for index, seconds in enumerate(UNEVEN):
        writer.write(bars(index), seconds)
    writer.close()
    assert [frame.seconds for frame in read_video(tmp_path / "clip.mp4")] == pytest.approx(UNEVEN, abs=1e-4)


def test_time_stamps_that_stand_still_or_go_back_do_not_stop_a_video(tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "clip.mp4", 25)
    for seconds in (0.0, 0.2, 0.2, 0.1, 0.3):
        writer.write(bars(9), seconds)
    writer.close()
    assert len(list(read_video(tmp_path / "clip.mp4"))) == 5


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_video_is_turned_upright(tmp_path: Path, turn: int) -> None:
    """A telephone stores the sensor's picture and how to turn it: the matrix of the track header."""
    content = bytearray(write_video(tmp_path / "clip.mp4", 2).read_bytes())
    one = 1 << 16
    rows = {0: (one, 0, 0, one), 90: (0, one, -one, 0), 180: (-one, 0, 0, -one), 270: (0, -one, one, 0)}[turn]
    matrix = struct.pack(">9i", rows[0], rows[1], 0, rows[2], rows[3], 0, 0, 0, 1 << 30)
    at = content.index(struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, 1 << 30), content.index(b"tkhd"))
    content[at : at + 36] = matrix
    (tmp_path / "turned.mp4").write_bytes(content)
    stored, shown = (next(read_video(tmp_path / name)).picture for name in ("clip.mp4", "turned.mp4"))
    assert np.array_equal(shown, np.rot90(stored, -turn // 90))  # the matrix turns clockwise


def test_sound_is_left_out_with_a_word(tmp_path: Path) -> None:
    source = open_source(foreign_video(tmp_path / "a.mp4", "mp4", "libx264", sound="aac"))
    assert source.notes == ("the sound of 'a.mp4' is left out",)
    assert len(list(source)) == 8


CONTAINERS = {
    "avi": ("a.avi", "avi", "mpeg4", "pcm_s16le"),
    "motion jpeg": ("a.avi", "avi", "mjpeg", ""),
    "matroska": ("a.mkv", "matroska", "libx264", ""),
    "webm": ("a.webm", "webm", "libvpx-vp9", ""),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_a_file_that_was_cut_off_gives_what_it_holds_and_says_so(tmp_path: Path, container: str, share: float) -> None:
    name, kind, codec, sound = CONTAINERS[container]
    content = foreign_video(tmp_path / name, kind, codec, sound=sound).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * share)])
    seconds, said = read_whole(tmp_path / name)
    if share == 1:
        assert (seconds, said) == (pytest.approx([index / 10 for index in range(8)], abs=1e-3), "")
    else:
        assert 0 < len(seconds) < 8
        assert f"'{name}' is cut off or damaged: {len(seconds)} frame" in said
        assert said.endswith("; copy it again")


def test_a_cut_mp4_whose_index_comes_first_says_so(tmp_path: Path) -> None:
    """Ours do: browsers then show them while they load."""
    writer = VideoWriter(tmp_path / "a.mp4", 10)
    for index in range(8):
        writer.write(np.random.default_rng(index).integers(0, 256, (64, 96, 3), dtype=np.uint8))
    writer.close()
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(content[: len(content) // 2])
    seconds, said = read_whole(tmp_path / "a.mp4")
    assert 0 < len(seconds) < 8
    assert "of the 8 that it says it holds" in said


@pytest.mark.parametrize(
    "content",
    [b"", b"no video at all", b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", b"ffconcat version 1.0\nfile other.mp4\n"],
    ids=["empty", "text", "playlist", "list of files"],
)
def test_bad_videos(tmp_path: Path, content: bytes) -> None:
    """A list that names other files is none: what a file says must not open another one."""
    write_video(tmp_path / "other.mp4", 3)
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(MediaError, match=r"'bad\.mp4' cannot be read as a video .* accepted are mp4"):
        open_source(tmp_path / "bad.mp4")


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        audio = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        silence.rate, silence.pts = 8000, 0
        container.mux([*audio.encode(silence), *audio.encode(None)])
    with pytest.raises(MediaError, match=r"'a\.mp4' holds sound and no pictures"):
        open_source(tmp_path / "a.mp4")


def test_altered_bytes_never_raise_anything_else(tmp_path: Path) -> None:
    content = write_video(tmp_path / "a.mp4", 4).read_bytes()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        altered = np.frombuffer(content, np.uint8).copy()
        altered[rng.integers(0, len(altered), 4)] = rng.integers(0, 256, 4)
        (tmp_path / "b.mp4").write_bytes(altered.tobytes())
        try:
            for frame in read_video(tmp_path / "b.mp4"):
                assert frame.picture.ndim == 3, f"seed {seed}"
        except MediaError:
            continue


def test_video_frames_must_be_even_and_alike(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="even sides, found 5×4"):
        VideoWriter(tmp_path / "odd.mp4", 10).write(np.zeros((4, 5, 3), np.uint8))
    writer = VideoWriter(tmp_path / "two.mp4", 10)
    writer.write(bars(0))
    with pytest.raises(MediaError, match="a frame of"):
        writer.write(np.zeros((32, 32, 3), np.uint8))
    writer.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_video_that_does_not_read_back_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoWriter, "_readable_frames", lambda self: 1)
    with pytest.raises(MediaError, match="could not be written completely"):
        write_video(tmp_path / "clip.mp4", 3)
    assert list(tmp_path.iterdir()) == []
