"""Writers: arrays as they were, files whole or not at all, names distinct, a report of the run."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgemoe.media.errors import MediaError
from edgemoe.media.files import Names, write_whole
from edgemoe.media.interpolate import upsample
from edgemoe.media.panel import PanelStyle, draw_panel
from edgemoe.media.resize import resize
from edgemoe.media.sources import Skipped, SourceFrame, open_source
from edgemoe.media.writers import RunOptions, RunWriter
from tests.examples.media import model, result

CONFIG = model()


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def report(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return content


def test_arrays_read_back_equal(tmp_path: Path) -> None:
    frame = result(CONFIG)
    with RunWriter(tmp_path, CONFIG) as writer:
        writer.write("a", frame)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        stored = dict(arrays)
    logits, depth = frame.outputs["semseg"], frame.outputs["depth"]
    experts, scores = frame.routing["semseg"][1]
    task_experts, task_scores = frame.routing["depth"][1]
    expected = {
        "frame": frame.frame,
        "output.semseg": logits,
        "map.semseg": upsample(logits, 32, 48).argmax(axis=0).astype(np.uint16),
        "output.depth": depth,
        "map.depth": upsample(depth, 32, 48)[0],
        "experts.semseg.1": experts,
        "scores.semseg.1": scores,
        "experts.depth.1": task_experts,
        "scores.depth.1": task_scores,
    }
    assert sorted(stored) == sorted(expected)
    for name, array in expected.items():
        assert stored[name].dtype == array.dtype, name
        assert np.array_equal(stored[name], array), name


def test_the_panel_is_what_draw_panel_gives(tmp_path: Path) -> None:
    frame, resized = result(CONFIG), resize(np.zeros((50, 50, 3), np.uint8), 32, 48)
    with RunWriter(tmp_path, CONFIG) as writer:
        paths = writer.write("a", frame, resized)
    assert [path.name for path in paths] == ["a.panel.png", "a.npz"]
    with Image.open(tmp_path / "a.panel.png") as stored:
        assert np.array_equal(np.asarray(stored), draw_panel(frame, CONFIG, "a", resized.statement))


def test_the_report_tells_the_run(tmp_path: Path) -> None:
    resized = resize(np.zeros((50, 50, 3), np.uint8), 32, 48)
    with RunWriter(tmp_path / "deep" / "out", CONFIG, "pictures/") as writer:
        writer.write("one", result(CONFIG), resized)
        writer.write("two", result(CONFIG))
    content = report(tmp_path / "deep" / "out")
    assert content["complete"] is True
    assert content["error"] is None
    assert (content["source"], content["engine"], content["hardware"]) == ("pictures/", "golden", "zcu102")
    assert content["model_hash"] == f"{CONFIG.hash():08x}"
    assert content["tasks"] == ["semseg", "depth"]
    assert {"edgemoe", "python", "numpy", "pillow"} == set(content["versions"])
    assert content["summary"]["frames"] == 2
    assert content["summary"]["total_ms"] == {"mean": 12.5, "median": 12.5, "min": 12.5, "max": 12.5}
    first, second = content["frames"]
    assert first == {
        "name": "one",
        "source": None,
        "files": ["one.panel.png", "one.npz"],
        "resize": resized.statement,
        "box": list(resized.box),
        "inner": list(resized.inner),
        "timings_ms": {"total": 12.5, "run": 10.0},
        "counters": {"cycles": 1234567},
    }
    assert second["name"] == "two"
    assert content["pixels"] == {"mean": list(CONFIG.pixel_mean), "deviation": list(CONFIG.pixel_std)}
    assert (content["skipped"], content["notes"], content["earlier_results"]) == ([], [], [])


@pytest.mark.parametrize(
    ("options", "endings"),
    [
        (RunOptions(), [".npz", ".png"]),
        (RunOptions(arrays=False), [".png"]),
        (RunOptions(panels=False), [".npz"]),
        (RunOptions(panels=False, arrays=False), []),
    ],
)
def test_outputs_can_be_left_out(tmp_path: Path, options: RunOptions, endings: list[str]) -> None:
    with RunWriter(tmp_path, CONFIG, options=options) as writer:
        writer.write("a", result(CONFIG))
    assert sorted(path.suffix for path in tmp_path.iterdir()) == sorted([*endings, ".json"])


def test_frames_of_the_same_name_get_distinct_files(tmp_path: Path) -> None:
    with RunWriter(tmp_path, CONFIG, options=RunOptions(panels=False)) as writer:
        files = [writer.write(name, result(CONFIG))[0].name for name in ("a", "A", "a", "a-2", "../b", "")]
    assert files == ["a.npz", "A-2.npz", "a-3.npz", "a-2-2.npz", "_b.npz", "frame.npz"]
    assert {path.name for path in tmp_path.iterdir()} == {*files, "run.json"}


@pytest.mark.parametrize("name", ["../../etc", "/abs", "a/b\\c", ".hidden", "x" * 500, "nul\0", "日本", " . "])
def test_names_are_safe(name: str) -> None:
    safe = Names().take(name)
    assert Path(safe).name == safe
    assert 0 < len(safe) <= 110
    assert not safe.startswith(".")
    assert "\0" not in safe


def full_after(monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    """Let the disk run full after a number of writes, each failing half-way."""
    write = Path.write_bytes
    done = 0

    def write_bytes(self: Path, content: bytes) -> int:
        nonlocal done
        done += 1
        if done > writes:
            write(self, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)


@pytest.mark.parametrize("writes", [0, 1])
def test_a_full_disk_leaves_no_half_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int) -> None:
    with RunWriter(tmp_path, CONFIG) as writer:
        writer.write("first", result(CONFIG))
    before = snapshot(tmp_path)
    full_after(monkeypatch, writes)
    with pytest.raises(MediaError) as caught, RunWriter(tmp_path, CONFIG) as writer:
        writer.write("second", result(CONFIG))
    assert "no space left on the disk; second.panel.png, second.npz" in str(caught.value)
    assert "choose another folder" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_full_disk_leaves_no_folder_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full_after(monkeypatch, 0)
    with pytest.raises(MediaError, match="no space left"), RunWriter(tmp_path / "a" / "b", CONFIG) as writer:
        writer.write("x", result(CONFIG))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_rename_takes_back_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.name == "b":
            raise OSError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(MediaError, match="permission denied"):
        write_whole(tmp_path, {"a": b"1", "b": b"2"})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(MediaError, match="choose another folder"), RunWriter(folder, CONFIG) as writer:
            writer.write("a", result(CONFIG))


def test_without_frames_nothing_is_written(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "out", CONFIG):
        pass
    with pytest.raises(MediaError, match="bad"), RunWriter(tmp_path / "out", CONFIG):
        raise MediaError("bad input")
    assert list(tmp_path.iterdir()) == []


def test_a_result_of_another_model_writes_nothing(tmp_path: Path) -> None:
    other = model(image_height=64)
    with pytest.raises(ValueError, match="frame: expected"), RunWriter(tmp_path / "out", CONFIG) as writer:
        writer.write("a", result(other))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "words"), [(MediaError("damaged"), "damaged"), (KeyboardInterrupt(), "stopped by Ctrl-C")]
)
def test_an_early_end_still_reports_the_frames_so_far(tmp_path: Path, error: BaseException, words: str) -> None:
    def run() -> None:
        with RunWriter(tmp_path, CONFIG) as writer:
            writer.write("a", result(CONFIG))
            raise error

    with pytest.raises(type(error)):
        run()
    content = report(tmp_path)
    assert content["complete"] is False
    assert content["error"] == words
    assert [frame["name"] for frame in content["frames"]] == ["a"]


def test_a_video_of_the_panels(tmp_path: Path) -> None:
    pytest.importorskip("av")
    options = RunOptions(panels=False, arrays=False, video_rate=5)
    frames = [result(CONFIG, seed) for seed in range(3)]
    with RunWriter(tmp_path, CONFIG, options=options) as writer:
        for index, frame in enumerate(frames):
            writer.write(f"f{index}", frame)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["panel.mp4", "run.json"]
    assert report(tmp_path)["video"] == "panel.mp4"
    source = open_source(tmp_path / "panel.mp4")
    assert (source.length, source.frames_per_second) == (3, 5)
    shown = next(iter(source)).picture.astype(int)
    panel = draw_panel(frames[0], CONFIG, "f0").astype(int)
    assert shown.shape == panel.shape
    assert np.abs(shown - panel).mean() < 6


def test_the_colours_of_a_video_keep_their_scale_and_only_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In 1/m, by the nearest distance: 1.25 m, farther, still farther, 0.55 m, farther again."""
    pytest.importorskip("av")
    styles: list[PanelStyle] = []

    def panel(*arguments: Any) -> np.ndarray:
        styles.append(arguments[4])
        return np.zeros((32, 32, 3), np.uint8)

    monkeypatch.setattr("edgemoe.media.writers.draw_panel", panel)
    with RunWriter(tmp_path, CONFIG, options=RunOptions(arrays=False, video_rate=5)) as writer:
        for level in (0.8, 0.5, 0.1, 1.8, 0.5):
            frame = result(CONFIG)
            frame.outputs["depth"][:] = level
            writer.write("f", frame)
    assert np.allclose([style.spans["depth"] for style in styles], [(0, 1), (0, 1), (0, 1), (0, 2), (0, 2)])
    assert all(style.whole_legend for style in styles)


def test_pictures_of_a_folder_have_their_own_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    styles: list[PanelStyle] = []

    def panel(*arguments: Any) -> np.ndarray:
        styles.append(arguments[4])
        return np.zeros((32, 32, 3), np.uint8)

    monkeypatch.setattr("edgemoe.media.writers.draw_panel", panel)
    with RunWriter(tmp_path, CONFIG, options=RunOptions(arrays=False)) as writer:
        for level in (0.8, 0.1):
            frame = result(CONFIG)
            frame.outputs["depth"][:] = level
            writer.write("f", frame)
    assert np.allclose([style.spans["depth"] for style in styles], [(0, 0.8), (0, 0.1)])


def test_a_video_of_panels_has_the_time_stamps_of_its_source(tmp_path: Path) -> None:
    pytest.importorskip("av")
    stamps = (2.0, 2.04, 2.5, 3.1)  # not from 0: a source that was joined on its way
    with RunWriter(tmp_path, CONFIG, options=RunOptions(panels=False, arrays=False, video_rate=25)) as writer:
        for seconds in stamps:
            writer.write(SourceFrame("f", result(CONFIG).frame, "drive.mp4", seconds), result(CONFIG))
    shown = [frame.seconds for frame in open_source(tmp_path / "panel.mp4")]
    assert shown == pytest.approx([seconds - stamps[0] for seconds in stamps], abs=1e-4)
    assert [frame["seconds"] for frame in report(tmp_path)["frames"]] == list(stamps)


def test_videos_and_pictures_follow_each_other_in_a_video_of_panels(tmp_path: Path) -> None:
    pytest.importorskip("av")
    given = [("a.mp4", 0.0), ("a.mp4", 0.5), ("b.mp4", 0.0), ("b.mp4", 0.1), ("c.jpg", None), ("d.jpg", None)]
    with RunWriter(tmp_path, CONFIG, options=RunOptions(panels=False, arrays=False, video_rate=10)) as writer:
        for source, seconds in given:
            writer.write(SourceFrame("f", result(CONFIG).frame, source, seconds), result(CONFIG))
    shown = [frame.seconds for frame in open_source(tmp_path / "panel.mp4")]
    assert shown == pytest.approx([0, 0.5, 0.6, 0.7, 0.8, 0.9], abs=1e-4)


def test_what_was_skipped_and_what_was_there_before_is_reported(tmp_path: Path) -> None:
    with RunWriter(tmp_path, CONFIG) as writer:
        writer.write("old", result(CONFIG))
        writer.write("both", result(CONFIG))
    with RunWriter(tmp_path, CONFIG, "pictures", notes=("a note",)) as writer:
        writer.write(SourceFrame("both", result(CONFIG).frame, "pictures/both.jpg"), result(CONFIG))
        writer.skip(Skipped("pictures/bad.jpg", "'bad.jpg' is damaged"))
    content = report(tmp_path)
    assert content["complete"] is False
    assert content["error"] is None
    assert content["skipped"] == [{"source": "pictures/bad.jpg", "reason": "'bad.jpg' is damaged"}]
    assert content["notes"] == ["a note"]
    assert content["frames"][0]["source"] == "pictures/both.jpg"
    assert content["earlier_results"] == ["old.npz", "old.panel.png"]
    with RunWriter(tmp_path, CONFIG) as writer:
        writer.write("third", result(CONFIG))
    assert set(content["earlier_results"]) < set(report(tmp_path)["earlier_results"]), "nor are they forgotten"


@pytest.mark.parametrize(
    ("frame", "title"),
    [
        (SourceFrame("cat", result(CONFIG).frame, "in/cat.jpg"), "cat.jpg"),
        (SourceFrame("drive-000031", result(CONFIG).frame, "drive.mp4", 63.25), "drive.mp4  ·  1:03.25"),
        (SourceFrame("camera0-000001", result(CONFIG).frame, "camera 0"), "camera0-000001"),
        ("plain", "plain"),
    ],
)
def test_a_panel_is_called_after_its_file(
    tmp_path: Path, frame: SourceFrame | str, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`cat.jpg` and `cat.png` are two pictures."""
    titles: list[str] = []

    def panel(*arguments: Any) -> np.ndarray:
        titles.append(arguments[2])
        return np.zeros((32, 32, 3), np.uint8)

    monkeypatch.setattr("edgemoe.media.writers.draw_panel", panel)
    with RunWriter(tmp_path, CONFIG) as writer:
        writer.write(frame, result(CONFIG))
    assert titles == [title]


def read_png(path: Path) -> tuple[np.ndarray, str]:
    with Image.open(path) as picture:
        return np.asarray(picture), picture.info["Description"]


@pytest.mark.parametrize("padded", [False, True])
def test_plain_pictures_hold_classes_and_metres(tmp_path: Path, padded: bool) -> None:
    """A wide picture padded to 48×32: rows 8 … 23 are picture."""
    resized = resize(np.zeros((16, 48, 3), np.uint8), 32, 48, "pad" if padded else "stretch")
    frame = result(CONFIG)
    with RunWriter(tmp_path, CONFIG, options=RunOptions(panels=False, arrays=False, pictures=True)) as writer:
        paths = writer.write("a", frame, resized)
    assert sorted(path.name for path in paths) == [
        "a.depth.colour.png", "a.depth.png", "a.semseg.overlay.png", "a.semseg.png",
    ]  # fmt: skip
    inside = np.zeros((32, 48), dtype=bool)
    inside[slice(8, 24) if padded else slice(None)] = True
    classes, names = read_png(tmp_path / "a.semseg.png")
    expected = upsample(frame.outputs["semseg"], 32, 48).argmax(axis=0)
    assert np.array_equal(classes, np.where(inside, expected, 255))
    assert names.startswith("0: road; 1: vehicle;")
    depth, unit = read_png(tmp_path / "a.depth.png")
    assert unit == "metres × 256; 0: not known"
    with np.errstate(divide="ignore"):
        metres = np.rint(256 / upsample(frame.outputs["depth"], 32, 48)[0])
    assert np.array_equal(depth, np.where(inside & (metres <= 65535), metres, 0))
    for name in ("a.semseg.overlay.png", "a.depth.colour.png"):
        with Image.open(tmp_path / name) as picture:
            border = np.asarray(picture)[: picture.height // 5]
        assert (len(np.unique(border)) == 1) is padded, name
