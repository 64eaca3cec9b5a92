"""One `pip install` is enough: in an empty folder and an empty environment, the wheel runs by itself."""

from __future__ import annotations

import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from distributions import Distributions, Run
from PIL import Image

from edgemoe.kernels.benches import benches

ROOT = Path(__file__).resolve().parents[2]
CARRIED = {
    "host/edgemoe": "edgemoe",
    "host/notebooks": "edgemoe_notebooks",
    "golden": "edgemoe_golden",
    **{name: f"edgemoe/repository/{name}" for name in ("hls", "rtl", "sim", "models")},
}
MADE = ("__pycache__", "edgemoe.egg-info")


def photo(run: Run, tmp_path: Path) -> str:
    """A picture in the user's folder."""
    pixels = np.random.default_rng(2).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "here" / "photo.jpg")
    return "photo.jpg"


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    """What was printed."""
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_every_file_of_packages_sources_and_models(distributions: Distributions) -> None:
    """A package that pyproject.toml forgets would be missing for users only."""
    with zipfile.ZipFile(distributions.wheel) as wheel:
        there = {name: wheel.read(name) for name in wheel.namelist()}
    for folder, place in CARRIED.items():
        files = [
            path for path in sorted((ROOT / folder).rglob("*")) if path.is_file() and not set(path.parts) & {*MADE}
        ]
        assert files
        for path in files:
            name = f"{place}/{path.relative_to(ROOT / folder)}"
            assert there.get(name) == path.read_bytes(), f"{path.relative_to(ROOT)} is not in the wheel as {name}"


def test_nothing_at_the_top_has_a_general_name(distributions: Distributions) -> None:
    with zipfile.ZipFile(distributions.wheel) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"edgemoe", "edgemoe_golden", "edgemoe_notebooks"}


def test_the_source_distribution_is_complete(distributions: Distributions) -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is no checkout of git, which knows what belongs to it")
    with tarfile.open(distributions.source) as archive:
        there = {member.name.partition("/")[2] for member in archive.getmembers()}
    missing = [name for name in listed.stdout.splitlines() if name not in there and (ROOT / name).exists()]
    assert not missing, f"MANIFEST.in leaves out {', '.join(missing)}"


def test_an_index_would_take_both(distributions: Distributions) -> None:
    check = pytest.importorskip("twine.commands.check", reason="install the 'release' extra")
    files = [str(distributions.wheel), str(distributions.source)]
    assert check.check(files, strict=True) is False, "twine finds fault"


@pytest.mark.parametrize("model", ["mini", "tiny"])
def test_a_photograph_runs_on_golden_with_the_shipped_models(model: str, user: Run, tmp_path: Path) -> None:
    picture = photo(user, tmp_path)
    assert "on 'golden'" in succeeded(user("edgemoe", "run", picture, "--model", model, "--out", "out"))
    assert (tmp_path / "here" / "out" / "photo.panel.png").is_file()


def test_the_package_that_runs_is_the_wheels(user: Run, environment: Path) -> None:
    said = succeeded(
        user("python", "-c", "import edgemoe, edgemoe_golden; print(edgemoe.__file__, edgemoe_golden.__file__)")
    )
    assert all(Path(word).is_relative_to(environment) for word in said.split())
    listed = succeeded(user("edgemoe", "sim", "--list"))
    assert all(f"sim/{bench.path.relative_to(ROOT / 'sim')}" in listed for bench in benches())
    assert succeeded(user("edgemoe", "--version")).startswith("edgemoe ")


@pytest.mark.slow
def test_csim_rtl_and_a_bench_are_built_from_the_wheels_sources(user: Run, environment: Path, tmp_path: Path) -> None:
    picture = photo(user, tmp_path)
    before = {path for path in environment.rglob("*") if "__pycache__" not in path.parts}
    outputs = {}
    for engine in ("golden", "csim", "rtl"):
        arguments = ["--model", "mini", "--hardware", "micro", "--device", engine, "--no-panels", "--out", engine]
        succeeded(user("edgemoe", "run", picture, *arguments))
        with np.load(tmp_path / "here" / engine / "photo.npz") as arrays:
            outputs[engine] = dict(arrays)
    for engine in ("csim", "rtl"):
        assert outputs[engine].keys() == outputs["golden"].keys()
        assert all(np.array_equal(outputs[engine][name], values) for name, values in outputs["golden"].items()), engine
    assert "all equal: " in succeeded(user("edgemoe", "sim", "round_shift"))
    cache = tmp_path / "home" / ".cache" / "edgemoe"
    assert {path.name for path in cache.iterdir()} >= {"csim", "rtl", "sim"}
    after = {path for path in environment.rglob("*") if "__pycache__" not in path.parts}
    assert after == before, "what is installed was written to"
