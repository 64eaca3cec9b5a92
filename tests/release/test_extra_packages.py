"""What the extras ask for beside what a board has: NumPy 1.26 and the packages that the driver is tested with stay."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tomllib
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BOARD = {"platform_machine": "aarch64", "python_version": "3.10", "sys_platform": "linux", "extra": ""}
PINNED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
FIRST_FOR_NUMPY_2 = {"opencv-python-headless": "4.12.0.88"}  # asks for NumPy 2, as do all after it


def asked(extra: str) -> list[Requirement]:
    """What the project and one of its extras ask for on a board."""
    lines = [*PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] if extra else [])]
    found = [Requirement(line) for line in lines]
    return [each for each in found if each.marker is None or each.marker.evaluate(BOARD)]


def name_of(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


@pytest.mark.parametrize(
    "image", ["constraints-oldest.txt", "constraints-pynq-3.1.2.txt", "constraints-pynq-4.0.0.txt"]
)
@pytest.mark.parametrize("extra", ["", "board", "video", "rtl"])
def test_what_an_image_has_stays_as_it_is(extra: str, image: str) -> None:
    """pip leaves alone what a range already takes."""
    there = {name_of(name): version for name, version in PINNED.findall((ROOT / image).read_text(encoding="utf-8"))}
    assert there["numpy"].startswith("1.26.")
    for requirement in asked(extra):
        version = there.get(name_of(requirement.name))
        assert version is None or requirement.specifier.contains(version), (
            f"{requirement} replaces {version} of {image}"
        )


@pytest.mark.parametrize("extra", ["", "board", "video", "rtl"])
def test_nothing_brings_numpy_2_to_a_board(extra: str) -> None:
    for requirement in asked(extra):
        first = FIRST_FOR_NUMPY_2.get(name_of(requirement.name))
        assert first is None or not requirement.specifier.contains(first), f"{requirement} brings NumPy 2 to a board"


def test_every_extra_is_named_where_users_look() -> None:
    page = (ROOT / "docs" / "start" / "pc.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for extra in PROJECT["optional-dependencies"]:
        assert f"`{extra}`" in page, f"docs/start/pc.md does not say what extra '{extra}' brings"
        assert f"`{extra}`" in readme, f"README.md does not name extra '{extra}'"
    table = readme.partition("| for | extras |")[2].partition("\n\n")[0]
    strangers = set(re.findall(r"`(\w+)`", table)) - set(PROJECT["optional-dependencies"])
    assert not strangers, f"README.md offers extras that there are not: {', '.join(sorted(strangers))}"
