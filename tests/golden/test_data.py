"""Data sets: small trees in each layout are read as M³ViT reads them; broken ones are refused by name."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.recfunctions import repack_fields
from PIL import Image

from benchmarks.evaluate_data import evaluate_data
from edgemoe_golden.data import DataError, matlab_file, open_data

MINI = Path(__file__).resolve().parents[2] / "models" / "mini"
RNG = np.random.default_rng(12)
SIZE = (12, 20)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)


def make_cityscapes(root: Path, height: int = SIZE[0], width: int = SIZE[1], pictures: int = 11) -> Path:
    for number in range(pictures):
        save(root / f"val/image/{number}.npy", RNG.integers(0, 256, (height, width, 3)) / 255)
        save(root / f"val/label_7/{number}.npy", RNG.integers(-1, 7, (height, width)))
        save(root / f"val/depth/{number}.npy", RNG.random((height, width, 1)) * (RNG.random((height, width, 1)) > 0.1))
    return root


def make_nyud(root: Path) -> Path:
    (root / "gt_sets").mkdir(parents=True)
    (root / "gt_sets/val.txt").write_text("0001\n0004\n")
    for name in ("0001", "0004"):
        save(root / f"images/{name}.jpg", RNG.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        save(root / f"segmentation/{name}.png", RNG.integers(0, 41, SIZE, dtype=np.uint8))
        save(root / f"depth/{name}.npy", RNG.random(SIZE, dtype=np.float32) + 1)
        save(root / f"normals/{name}.npy", RNG.standard_normal((*SIZE, 3)))
        save(root / f"edge/{name}.npy", RNG.integers(0, 2, SIZE))
    return root


def save_parts(path: Path, objects: list[tuple[int, list[tuple[str, np.ndarray]]]]) -> None:
    """A PASCAL-Parts annotation: anno.objects(i).class_ind, .mask, .parts(j).part_name, .mask."""
    from scipy.io import savemat

    part_fields = [("part_name", object), ("mask", object)]
    fields = [("class", object), ("class_ind", object), ("mask", object), ("parts", object)]
    cells = np.zeros((1, len(objects)), dtype=fields)
    for index, (number, parts) in enumerate(objects):
        made = np.zeros((1, len(parts)) if parts else (0, 0), dtype=part_fields)
        for place, (name, mask) in enumerate(parts):
            made[0, place] = (name, mask)
        cells[0, index] = ("thing", number, np.ones(SIZE, np.uint8), made)
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(str(path), {"anno": {"imname": "x", "objects": cells}})


HEAD = np.zeros(SIZE, np.uint8)
HEAD[:3, :4] = 1
FOOT = np.zeros(SIZE, np.uint8)
FOOT[9:, 10:] = 1


def make_pascal(root: Path) -> Path:
    from scipy.io import savemat

    (root / "ImageSets/Context").mkdir(parents=True)
    (root / "ImageSets/Context/val.txt").write_text("2008_000002\n2008_000003\n")
    (root / "db_info").mkdir()
    (root / "db_info/nyu_classes.json").write_text(json.dumps({"chair": 5, "unknown": 0, "bathtub": 9}))
    (root / "db_info/context_classes.json").write_text(json.dumps({"chair": 104, "unknown": 1, "tvmonitor": 427}))
    for name in ("2008_000002", "2008_000003"):
        save(root / f"JPEGImages/{name}.jpg", RNG.integers(0, 256, (*SIZE, 3), dtype=np.uint8))
        save(root / f"normals_distill/{name}.png", np.full((*SIZE, 3), (255, 128, 0), dtype=np.uint8))
        save(root / f"sal_distill/{name}.png", np.tile(np.uint8([0, 127, 128, 255]), (SIZE[0], 5)))
        labels = np.full(SIZE, 9)
        labels[:2], labels[2:4] = 104, 427
        (root / "pascal-context/trainval").mkdir(parents=True, exist_ok=True)
        savemat(str(root / f"pascal-context/trainval/{name}.mat"), {"LabelMap": labels})
    save(root / "semseg/VOC12/2008_000002.png", np.full(SIZE, 15, dtype=np.uint8))
    save(root / "semseg/pascal-context/2008_000002.png", np.full(SIZE, 3, dtype=np.uint8))
    save(root / "semseg/pascal-context/2008_000003.png", np.full(SIZE, 255, dtype=np.uint8))
    save_parts(root / "human_parts/2008_000002.mat", [(7, []), (15, [("lear", HEAD), ("rfoot", FOOT)]), (15, [])])
    save_parts(root / "human_parts/2008_000003.mat", [(8, [("head", HEAD)])])
    return root


def test_cityscapes_in_numeric_order(tmp_path: Path) -> None:
    samples = list(open_data(make_cityscapes(tmp_path)))
    assert [sample.name for sample in samples] == [str(number) for number in range(11)]
    label, depth = (np.load(tmp_path / f"val/{part}/10.npy") for part in ("label_7", "depth"))
    targets = samples[10].targets
    assert np.array_equal(targets["semseg"], np.where(label == -1, 255, label))
    assert np.array_equal(targets["depth"], depth[..., 0].astype(np.float32))
    assert np.array_equal(samples[10].image / 255, np.load(tmp_path / "val/image/10.npy"))


def test_nyud_classes_begin_at_one_and_background_is_ignored(tmp_path: Path) -> None:
    data = open_data(make_nyud(tmp_path))
    assert data.tasks == ("semseg", "depth", "normals", "edge")
    first, second = data
    stored = np.asarray(Image.open(tmp_path / "segmentation/0004.png")).astype(int)
    assert np.array_equal(second.targets["semseg"], np.where(stored == 0, 255, stored - 1))
    assert np.array_equal(first.targets["depth"], np.load(tmp_path / "depth/0001.npy"))
    assert first.targets["normals"].shape == (*SIZE, 3)


def test_pascal_parts_normals_and_saliency(tmp_path: Path) -> None:
    with_person, without = open_data(make_pascal(tmp_path))
    parts = with_person.targets["human_parts"]
    assert np.array_equal(parts, HEAD * 1 + FOOT * 6)
    assert "human_parts" not in without.targets
    assert (with_person.targets["semseg"] == 15).all(), "VOC12 goes before pascal-context"
    assert (without.targets["semseg"] == 255).all()
    assert with_person.targets["sal"][0, :4].tolist() == [0, 0, 1, 1]
    normals = with_person.targets["normals"]
    assert normals[3, 0].tolist() == pytest.approx([1, 1 / 255, -1], abs=1e-6)
    assert (normals[4:] == 0).all(), "only classes that both lists name have normals, and tvmonitor"


def other_size(root: Path) -> None:
    save(root / "val/label_7/3.npy", np.zeros((5, 5)))


def unknown_class(root: Path) -> None:
    save(root / "val/label_7/3.npy", np.full(SIZE, 7))


def dark_picture(root: Path) -> None:
    save(root / "val/image/3.npy", np.full((*SIZE, 3), 200.0))


def not_finite(root: Path) -> None:
    save(root / "val/depth/3.npy", np.full(SIZE, np.nan))


def lost(root: Path) -> None:
    (root / "val/depth/3.npy").unlink()


def pickled(root: Path) -> None:
    np.save(root / "val/depth/3.npy", np.array([{}], dtype=object), allow_pickle=True)


def torn_header(root: Path) -> None:
    """NumPy parses it as Python's text, and tokenize has errors of its own."""
    path = root / "val/depth/3.npy"
    path.write_bytes(path.read_bytes().replace(b"}", b"("))


def torn_archive(root: Path) -> None:
    (root / "val/depth/3.npy").write_bytes(b"PK\x03\x04" + bytes(40))


def beyond_float32(root: Path) -> None:
    save(root / "val/depth/3.npy", np.full((*SIZE, 1), 1e300))


def named(root: Path) -> None:
    save(root / "val/image/first.npy", np.zeros((*SIZE, 3)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (other_size, r"label_7/3.npy: size \(5, 5\); its picture has \(12, 20\)"),
        (unknown_class, r"label_7/3.npy: classes 7 … 7; expected -1 … 6"),
        (dark_picture, r"image/3.npy: shape .* expected H×W×3 values in \[0, 1\]"),
        (not_finite, "depth/3.npy: holds NaN"),
        (lost, "depth/3.npy: no such file"),
        (pickled, "depth/3.npy: not a readable NumPy array"),
        (torn_header, "depth/3.npy: not a readable NumPy array"),
        (torn_archive, "depth/3.npy: not a readable NumPy array"),
        (beyond_float32, "depth/3.npy: holds values beyond those of float32"),
        (named, "first.npy: expected arrays 0.npy, 1.npy"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_broken_files_are_named(damage: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    damage(make_cityscapes(tmp_path))
    with pytest.raises(DataError, match=message):
        list(open_data(tmp_path))


@pytest.mark.parametrize("name", ["a\x7f", "a\x00", "../../a", "a b", "x" * 65])
def test_a_list_of_pictures_holds_names(name: str, tmp_path: Path) -> None:
    root = make_nyud(tmp_path)
    (root / "gt_sets/val.txt").write_text(f"0001\n{name}\n")
    with pytest.raises(DataError, match=r"val\.txt: names of pictures must be 1 to 64 letters.*, found '") as caught:
        open_data(root)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("cut", [0, 100, 200, -8])
def test_a_torn_matlab_file_is_named(cut: int, tmp_path: Path) -> None:
    root = make_pascal(tmp_path)
    path = root / "human_parts/2008_000002.mat"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match=r"000002\.mat: not a readable MATLAB file \("):
        list(open_data(root))


def test_a_broken_list_picture_and_part_are_named(tmp_path: Path) -> None:
    root = make_pascal(tmp_path)
    with pytest.raises(DataError, match=r"Context/test.txt: no readable list"):
        open_data(root, "test")
    save_parts(root / "human_parts/2008_000002.mat", [(15, [("wing", HEAD)])])
    with pytest.raises(DataError, match=r"000002.mat: unknown part 'wing'"):
        list(open_data(root))
    (root / "JPEGImages/2008_000002.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"000002.jpg: not a readable picture"):
        list(open_data(root))


def test_a_picture_that_claims_more_than_there_is_memory_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Pillow says it of a PNG whose chunk has a length of two GiB."""
    root = make_pascal(tmp_path)

    def opened(path: Path) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(Image, "open", opened)
    with pytest.raises(DataError, match=r"not a readable picture \(it does not fit into the memory here\)"):
        list(open_data(root))


def without(field: str) -> Callable[[np.ndarray], np.ndarray]:
    return lambda record: repack_fields(record[[name for name in record.dtype.names or () if name != field]])


def put(field: str, value: object) -> Callable[[np.ndarray], np.ndarray]:
    def change(record: np.ndarray) -> np.ndarray:
        record[field] = np.empty_like(record[field])
        for place in np.ndindex(record.shape):
            record[field][place] = value
        return record

    return change


RECORDS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "no name of a part": ("parts", without("part_name")),
    "no mask of a part": ("parts", without("mask")),
    "an empty name of a part": ("parts", put("part_name", np.zeros(0))),
    "no class": ("objects", without("class_ind")),
    "a class that is text": ("objects", put("class_ind", "person")),
    "parts that are a number": ("objects", put("parts", 7)),
    "a mask of text": ("parts", put("mask", "mask")),
    "a mask of colours": ("parts", put("mask", np.ones((*SIZE, 3), np.uint8))),
}


@pytest.mark.parametrize("what", RECORDS)
def test_a_matlab_file_of_other_records_is_named(what: str, tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    root = make_pascal(tmp_path)
    path = root / "human_parts/2008_000002.mat"
    level, change = RECORDS[what]
    annotation = loadmat(str(path))["anno"]
    objects = annotation[0, 0]["objects"]
    if level == "objects":
        objects = change(objects)
    else:
        for place in np.ndindex(objects.shape):
            parts = objects["parts"][place]
            objects["parts"][place] = change(parts) if parts.size else parts
    savemat(str(path), {"anno": {"imname": "x", "objects": objects}})
    with pytest.raises(DataError, match=r"000002\.mat: .*(class_ind and parts of mask and part_name|for each pixel)"):
        list(open_data(root))


def test_a_matlab_file_that_ends_its_reader_is_named_and_the_next_one_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SciPy's reader crashes on some broken files (fuzzing, seed 47)."""
    path = make_pascal(tmp_path) / "human_parts/2008_000002.mat"
    dying = [sys.executable, "-c", "import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGSEGV)"]
    readers = [subprocess.Popen(dying, stdin=subprocess.PIPE, stdout=subprocess.PIPE)]
    monkeypatch.setattr(matlab_file, "_readers", readers)
    with pytest.raises(DataError, match=r"000002\.mat: not a readable MATLAB file \(the process that read it ended\)"):
        matlab_file.read_mat(path, "anno")
    assert readers == []
    assert matlab_file.read_mat(path, "anno").dtype.names == ("imname", "objects")
    (reader,) = readers
    assert matlab_file.read_mat(path, "anno").size == 1
    assert readers == [reader], "one process for all files"
    matlab_file._close()


def test_a_folder_of_no_known_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"expected val/image \(Cityscapes of MTAN\), gt_sets"):
        open_data(tmp_path)


def test_a_model_is_evaluated_on_a_data_set(tmp_path: Path) -> None:
    """`mini` on pictures of its own size: figures of both tasks, float and integers, close to one another."""
    figures = evaluate_data(MINI, make_cityscapes(tmp_path, 128, 256, 2), "val", ["w8a8"])
    found = {(figure.precision, figure.task, figure.metric): figure.value for figure in figures}
    assert set(found) == {
        (precision, *figure)
        for precision in ("float", "w8a8")
        for figure in (("semseg", "mIoU"), ("depth", "RMSE"), ("depth", "log RMSE"))
    }
    assert found["w8a8", "depth", "RMSE"] == pytest.approx(found["float", "depth", "RMSE"], rel=0.05)
    assert {figure.scenes for figure in figures} == {2}


def test_pictures_of_another_size_are_fitted(tmp_path: Path) -> None:
    root = make_nyud(tmp_path)
    for name in ("0001", "0004"):
        save(root / f"segmentation/{name}.png", RNG.integers(0, 8, SIZE, dtype=np.uint8))
    figures = evaluate_data(MINI, root, "val", [])
    assert [(figure.task, figure.metric) for figure in figures][:2] == [("semseg", "mIoU"), ("depth", "RMSE")]


def test_a_model_with_fewer_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"class \d+ in the ground truth; the model has 7 classes"):
        evaluate_data(MINI, make_nyud(tmp_path), "val", [])
