"""Scenes depend on the seed alone, and picture, labels and depth tell of the same world."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy._core import _multiarray_umath
from PIL import Image

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import load_model_config
from edgemoe_golden.scenes import DEMO_SEEDS, LABELS, TRAINING_SEEDS, VALIDATION_SEEDS, Drive, draw_scene
from edgemoe_golden.scenes.camera import NEAR
from edgemoe_golden.scenes.labels import ROAD, SKY
from edgemoe_golden.scenes.scene import DRAWING_VERSION, SAMPLES


def test_labels_are_those_of_the_models() -> None:
    for name in ("mini", "tiny"):
        assert load_model_config(name).tasks[0].labels == LABELS


def test_the_same_seed_gives_the_same_scene_whatever_was_drawn_before() -> None:
    first = draw_scene(11)
    draw_scene(12)
    again = draw_scene(11)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.label, again.label)
    assert np.array_equal(first.inverse_depth, again.inverse_depth)
    assert not np.array_equal(first.image, draw_scene(12).image)


PRINT_DIGEST = """
import hashlib
from edgemoe_golden.scenes import draw_scene

digest = hashlib.sha256()
for seed in range(27, 35):
    scene = draw_scene(seed)
    for part in (scene.image, scene.label, scene.inverse_depth):
        digest.update(part.tobytes())
print(digest.hexdigest()[:16])
"""
DIGESTS = {4: "7f1078fc28c13068"}  # of DRAWING_VERSION: what is drawn otherwise is another version


def digest(**environment: str) -> str:
    """Of eight scenes, drawn by another process."""
    command = [sys.executable, "-W", "error", "-c", PRINT_DIGEST]
    drawn = subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True)
    return drawn.stdout.strip()


def test_scenes_are_the_same_on_every_processor() -> None:
    """NumPy without what it takes beyond its baseline, and the oldest kernels of its BLAS."""
    features = [name for name in _multiarray_umath.__cpu_dispatch__ if _multiarray_umath.__cpu_features__[name]]
    assert digest() == DIGESTS[DRAWING_VERSION]
    oldest = digest(NPY_DISABLE_CPU_FEATURES=" ".join(features), OPENBLAS_CORETYPE="Prescott")
    assert oldest == DIGESTS[DRAWING_VERSION]


@pytest.mark.parametrize("size", [(128, 256), (64, 64), (96, 48)])
@pytest.mark.parametrize("seed", [3, 4, 5])
def test_labels_and_depth_agree(seed: int, size: tuple[int, int]) -> None:
    scene = draw_scene(seed, *size)
    assert scene.image.shape == (*size, 3)
    assert scene.image.dtype == scene.label.dtype == np.uint8
    assert scene.inverse_depth.dtype == np.float32
    assert scene.label.max() < len(LABELS)
    assert np.array_equal(scene.label == SKY, scene.inverse_depth == 0)
    assert scene.inverse_depth.max() <= 1 / NEAR


@pytest.mark.parametrize("seed", range(20, 28))
def test_road_lies_on_the_ground_plane(seed: int) -> None:
    """A road pixel's ray meets Y = 0 at the depth that the map gives (float32 arithmetic)."""
    scene = draw_scene(seed)
    camera = scene.camera
    rows, columns = np.nonzero(scene.label == ROAD)
    x, y = camera.columns()[columns * SAMPLES], camera.rows()[rows * SAMPLES]
    down = -(camera.rotation[0, 1] * x + camera.rotation[1, 1] * y + camera.rotation[2, 1])
    assert len(rows) > 100, f"seed {seed}"
    np.testing.assert_allclose(scene.inverse_depth[rows, columns], down / camera.elevation, rtol=1e-3, atol=1e-6)


def test_every_class_appears() -> None:
    seen = np.unique(np.concatenate([draw_scene(seed).label.ravel() for seed in range(12)]))
    assert seen.tolist() == list(range(len(LABELS)))


def test_training_validation_and_demo_seeds_are_disjoint() -> None:
    ranges = sorted((DEMO_SEEDS, VALIDATION_SEEDS, TRAINING_SEEDS), key=lambda seeds: seeds.start)
    assert all(left.stop <= right.start for left, right in itertools.pairwise(ranges))


def test_command_writes_a_picture_without_torch(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "scene.png"
    code = "import sys; sys.modules['torch'] = None; from edgemoe_golden.scenes.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "--seed", "7", "--out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    assert np.array_equal(np.asarray(Image.open(path)), draw_scene(7).image)
    assert [entry.name for entry in path.parent.iterdir()] == ["scene.png"]


def test_impossible_seeds_and_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="scene -3 does not exist"):
        draw_scene(-3)
    with pytest.raises(ValueError, match="sides must be 16 … 4096"):
        draw_scene(1, 8, 256)


def test_a_drive_is_one_world_whichever_way_one_looks_at_it() -> None:
    """The same frame again, a lap later, and from a drive with other frames between."""
    drive = Drive(seed=3, height=64, width=128, frames=100)
    frame = drive.frame(17)
    for same in (drive.frame(17), drive.frame(117), Drive(seed=3, height=64, width=128, frames=200).frame(34)):
        assert np.array_equal(frame.image, same.image)
        assert np.array_equal(frame.inverse_depth, same.inverse_depth)
    assert not np.array_equal(frame.image, Drive(seed=4, height=64, width=128, frames=100).frame(17).image)


def test_a_drive_moves_little_from_frame_to_frame_also_where_the_lap_ends() -> None:
    drive = Drive(height=64, width=128, frames=480)

    def change(first: int, second: int) -> float:
        return float(np.abs(drive.frame(first).image.astype(int) - drive.frame(second).image).mean())

    far, steps = change(10, 250), [change(number, number + 1) for number in (10, 171, 333, 479)]
    assert max(steps) < far / 2, f"{steps} against {far} between places that lie apart"
    assert steps[-1] < 1.5 * max(steps[:-1]), f"{steps}: the lap ends with a jump"


@pytest.mark.parametrize("number", [20, 200])
def test_what_stands_comes_nearer_as_fast_as_the_camera_goes(number: int) -> None:
    """400 m in 400 frames: every tree, which has one depth, is a metre nearer in the next frame."""
    drive = Drive(height=64, width=128, frames=400)

    def trees(frame: int) -> np.ndarray:
        scene = drive.frame(frame)
        near = (scene.label == LABELS.index("vegetation")) & (scene.inverse_depth > 1 / 40)
        distances, pixels = np.unique((1 / scene.inverse_depth[near]).round(2), return_counts=True)
        return np.asarray(distances[pixels >= 3])

    before, after = trees(number), trees(number + 1)
    assert len(before) >= 3
    assert [float(np.abs(after - (distance - 1)).min()) < 0.03 for distance in before] == [True] * len(before)


def test_a_drive_shows_every_class_and_changing_weather() -> None:
    scenes = [Drive(height=64, width=128, frames=12).frame(number) for number in range(12)]
    assert len({scene.weather for scene in scenes}) == 6
    assert set(np.unique(np.concatenate([scene.label for scene in scenes]))) == set(range(len(LABELS)))


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"frames": 0}, {"height": 8}, {"width": 5000}])
def test_a_drive_that_cannot_be_drawn_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match="drive"):
        Drive(**wrong)
