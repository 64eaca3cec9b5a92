"""Accelerator: a model on an engine in three lines; closing and errors leave nothing behind."""

from __future__ import annotations

import gc
import io
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgemoe import Accelerator
from edgemoe.devices.base import DeviceError, MissingToolError
from edgemoe.devices.flat_memory import FlatMemory
from edgemoe.errors import ArgumentError, EdgeMoeError
from edgemoe.session import SessionError
from edgemoe.spec.checkpoint import CheckpointError
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import ConfigError
from tests.examples.program import write_checkpoint

FRAME = np.random.default_rng(5).integers(0, 256, (60, 100, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("models") / "micro")


def test_three_lines_give_a_result_and_engines_agree(checkpoint: Path) -> None:
    results = []
    for engine in ("golden", "csim"):
        try:
            with Accelerator(engine, "micro") as accelerator:
                accelerator.load(checkpoint)
                results.append(accelerator(FRAME, tasks=("semseg", "depth")))
        except MissingToolError as error:
            pytest.skip(str(error))
    assert [result.engine for result in results] == ["golden", "csim"]
    for task in ("semseg", "depth"):
        assert np.array_equal(results[0].outputs[task], results[1].outputs[task])


def test_tasks_may_change_from_frame_to_frame(checkpoint: Path) -> None:
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        both = accelerator(FRAME)
        assert set(both.outputs) == {"semseg", "depth"}
        alone = accelerator(FRAME, tasks=["depth"])
        assert set(alone.outputs) == {"depth"}
        assert np.array_equal(alone.outputs["depth"], both.outputs["depth"])


def test_closing_gives_everything_back_and_is_final(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = FlatMemory()
    accelerator = Accelerator("golden", "micro")
    monkeypatch.setattr(accelerator._device, "_memory", memory)
    accelerator.load(checkpoint)
    accelerator(FRAME)
    assert memory.allocated > 0
    accelerator.load(checkpoint)
    assert memory.allocated == 0
    accelerator(FRAME)
    accelerator.close()
    accelerator.close()
    assert memory.allocated == 0
    with pytest.raises(SessionError, match="is closed"):
        accelerator(FRAME)


def test_hundreds_of_frames_leak_nothing(checkpoint: Path) -> None:
    """Python's own count of live bytes: the process' size would also count what other tests left behind."""
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        for _ in range(10):
            accelerator(FRAME, tasks=("depth",))
        tracemalloc.start()
        try:
            accelerator(FRAME, tasks=("depth",))
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(300):
                accelerator(FRAME, tasks=("depth",))
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 50_000, "bytes"
        finally:
            tracemalloc.stop()


def test_errors_are_sentences_and_the_next_call_works(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="unknown device 'zcu1'"):
        Accelerator("zcu1")
    with pytest.raises(ConfigError, match="no hardware configuration 'zcu1'"):
        Accelerator("golden", "zcu1")
    with Accelerator("golden", "micro") as accelerator:
        with pytest.raises(SessionError, match="no model is loaded"):
            accelerator(FRAME)
        with pytest.raises(CheckpointError, match="is not a folder"):
            accelerator.load(tmp_path / "nowhere")
        (tmp_path / "empty").mkdir()
        accelerator.load(tmp_path / "empty")
        with pytest.raises((CheckpointError, ConfigError)):
            accelerator(FRAME)
        accelerator.load(checkpoint)
        with pytest.raises(ConfigError, match="has no task 'normals'"):
            accelerator(FRAME, tasks=("normals",))
        for nothing in (3, ("depth", 3)):
            with pytest.raises(ArgumentError, match=r"tasks are named by strings, as in tasks=\('semseg', 'depth'\)"):
                accelerator(FRAME, tasks=nothing)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="expected uint8"):
            accelerator(FRAME.astype(float))
        with pytest.raises(EdgeMoeError, match=r"'street\.png' does not exist"):
            accelerator("street.png")
        assert set(accelerator(FRAME).outputs) == {"semseg", "depth"}


def test_one_task_may_be_named_by_itself(checkpoint: Path) -> None:
    """A string is a sequence of letters, too, and `no task 'd'` helps nobody."""
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        assert set(accelerator(FRAME, tasks="depth").outputs) == {"depth"}
        assert [set(result.outputs) for result in accelerator.stream([FRAME], tasks="semseg")] == [{"semseg"}]


def test_every_way_to_hand_over_a_picture_gives_the_same(checkpoint: Path, tmp_path: Path) -> None:
    """A path, its name, a Pillow image, arrays of RGB, RGBA and from the other end; grey in three forms."""
    grey = FRAME[:, :, 0]
    Image.fromarray(FRAME).save(tmp_path / "a.png")
    opaque = np.dstack([FRAME, np.full(grey.shape, 255, np.uint8)])
    big_endian = grey.astype(">u2") << 8  # the upper eight of sixteen bits
    coloured = [FRAME, tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(FRAME), opaque, FRAME[::-1][::-1]]
    greys = [np.dstack([grey] * 3), grey, grey[:, :, None], Image.fromarray(grey), big_endian]
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        for same in (coloured, greys):
            results = [accelerator(frame, tasks="depth") for frame in same]
            streamed = list(accelerator.stream(same, tasks="depth"))
            for each in (*results, *streamed):
                assert np.array_equal(each.outputs["depth"], results[0].outputs["depth"])
            assert [each.name for each in results] == [each.name for each in streamed]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (None, "a frame is a path, a Pillow image or a NumPy array .*; found NoneType"),
        ([[1, 2], [3, 4]], r"found list; numpy\.asarray"),
        (np.zeros((0, 4, 3), np.uint8), r"the frame is empty \(uint8 \(0, 4, 3\)\)"),
        (np.zeros((3, 8, 9), np.uint8), r"channels come last: frame\.transpose"),
        (np.zeros((2, 8, 9, 3), np.uint8), "one picture at a time"),
        (np.zeros((8, 9, 3)), r"found float64 \(8, 9, 3\); values of 0 … 1 become"),
        (np.zeros((8, 9, 2), np.uint8), r"expected uint8 height×width×3 .* found uint8 \(8, 9, 2\)"),
        (b"bytes", r"found bytes; PIL\.Image\.open reads an encoded picture"),
        (io.BytesIO(b"file"), r"found BytesIO; PIL\.Image\.open reads an encoded picture"),
        (np.zeros((8, 9, 3), np.uint16), r"found uint16 \(8, 9, 3\); values of 16 bits become \(frame >> 8\)"),
        (np.zeros((8, 9, 3), np.int64), r"found int64 \(8, 9, 3\); values of 0 … 255 become frame\.astype"),
        ("folder", "is not a file"),
        ("a\0b", "cannot be read|does not exist|is not a file"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,  # no address, which no process shares
)
def test_what_is_no_picture_gets_one_sentence_with_what_to_do(
    checkpoint: Path, tmp_path: Path, frame: object, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with Accelerator("golden", "micro") as accelerator:
        accelerator.load(checkpoint)
        with pytest.raises(EdgeMoeError, match=words) as caught:
            accelerator(frame)
        assert "\n" not in str(caught.value)
        assert set(accelerator(FRAME).outputs) == {"semseg", "depth"}


def test_accelerator_and_result_say_in_a_line_what_they_are(checkpoint: Path) -> None:
    with Accelerator("golden", "micro") as accelerator:
        assert repr(accelerator) == "<Accelerator on 'golden': hardware 'micro', model not loaded yet>"
        with pytest.raises(SessionError, match=r"no model is loaded; call load\(\)"):
            _ = accelerator.model
        result = accelerator.load(checkpoint)(FRAME)
        assert accelerator.model == load_model_config("micro")
        assert repr(accelerator) == "<Accelerator on 'golden': hardware 'micro', model 'micro'>"
    assert repr(accelerator) == "<Accelerator on 'golden': closed>"
    shown = repr(result)
    assert shown.startswith("PictureResult(micro on golden: semseg 7×4×6, depth 1×4×6; experts of 1 block; ")
    assert "MHz, estimated; " in shown
    assert shown.endswith(" ms on this host)")
    slow = replace(result, timings_ms={"total": 1523.4})
    assert repr(slow).endswith("; 1523 ms on this host)"), "no powers of ten"


def test_a_result_shows_and_saves_itself(checkpoint: Path, tmp_path: Path) -> None:
    with Accelerator("golden", "micro") as accelerator:
        result = accelerator.load(checkpoint)(FRAME)
    png = result._repr_png_()
    with Image.open(io.BytesIO(png)) as displayed:
        assert displayed.size == result.panel().size
        assert np.array_equal(np.asarray(displayed), np.asarray(result.panel()))
    assert result.map("semseg").shape == (32, 48)
    assert result.picture("depth").mode == "RGB"
    assert result.resized is not None
    assert result.resized.to_source(result.map("depth"), np.nan).shape == FRAME.shape[:2], "over the picture that came"
    names = {path.name for path in result.save(tmp_path, "a")}
    assert names == {
        *("a.panel.png", "a.npz", "a.semseg.png", "a.semseg.overlay.png", "a.depth.png", "a.depth.colour.png"),
    }
    with pytest.raises(EdgeMoeError, match="task 'normals' was not run; there are semseg, depth"):
        result.map("normals")


def test_models_go_by_folder_or_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Wherever this is called from, also as the README spells it."""
    monkeypatch.chdir(tmp_path)
    with Accelerator("golden", "zcu102") as accelerator:
        for name in ("mini", "models/mini", Path("models/mini")):
            assert "model 'mini'" in repr(accelerator.load(name))
        assert "model 'tiny'" in repr(accelerator.load())
        Path("mini").mkdir()  # of results, as --out mini makes it
        assert accelerator.load("mini").model.name == "mini"
        with pytest.raises(CheckpointError, match="or one of mini, tiny"):
            accelerator.load("micra")
        with pytest.raises(CheckpointError, match="'small' is sizes without weights, which `edgemoe info "):
            accelerator.load("small")
