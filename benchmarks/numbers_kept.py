"""What a run of `make numbers` has found so far: one that was ended goes on from there, while no source changes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

import edgemoe
import edgemoe_golden
from edgemoe.spec.calibrated import CALIBRATED_FILE, merged
from edgemoe.spec.calibration import load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, Tensors
from edgemoe.spec.files import write_atomically, write_text
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.quantising.output import write_calibrated
from edgemoe_golden.quantising.recipe import Tuned

SOURCES = (Path(edgemoe.__file__).parent, Path(edgemoe_golden.__file__).parent)


def key_of(parts: Iterable[bytes]) -> str:
    """Names everything that figures depend on: all modules of the two packages, those of this bench, and `parts`."""
    digest = hashlib.sha256()
    modules = [path for folder in SOURCES for path in sorted(folder.rglob("*.py"))]
    for path in [*modules, *sorted(Path(__file__).parent.glob("numbers*.py"))]:
        digest.update(path.read_bytes())
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Kept:
    """A folder with one file for each thing that took long, by name."""

    folder: Path

    def _path(self, name: str, suffix: str = "") -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / (re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") + suffix)

    def value(self, name: str, make: Callable[[], Any]) -> Any:
        """What JSON holds: what was written under this name, or else what `make` gives, then written."""
        known = self.read(name)
        if known is None:
            self.write(name, make())
        return self.read(name)

    def read(self, name: str) -> Any:
        """What was written, None where nothing was."""
        path = self._path(name, ".json")
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def write(self, name: str, value: Any) -> None:
        """Keep a value."""
        write_text(self._path(name, ".json"), json.dumps(value) + "\n")

    def tuned(self, name: str, config: ModelConfig, tensors: Tensors, make: Callable[[], Tuned]) -> Tuned:
        """A run of the quantiser's steps; config, tensors: of the checkpoint."""
        folder = self._path(name)
        if not (folder / CALIBRATION_FILE).is_file():
            made = make()
            assert made.stored is not None, "ranges by rule take no time"
            folder.mkdir(parents=True, exist_ok=True)
            write_calibrated(folder, made.calibration, made.stored)
        calibration = load_calibration(folder / CALIBRATION_FILE, config)
        stored = load_file(folder / CALIBRATED_FILE)
        return Tuned(calibration, merged(config, tensors, calibration, stored), stored)

    def picture(self, name: str) -> Image.Image:
        """A picture that was kept."""
        return Image.open(self._path(name, ".png"))

    def keep_picture(self, name: str, picture: Image.Image) -> None:
        """Keep a picture."""
        write_atomically(self._path(name, ".png"), lambda temporary: picture.save(temporary, format="PNG"))

    def array(self, name: str) -> NDArray[np.int8]:
        """An array that was kept."""
        found: NDArray[np.int8] = np.load(self._path(name, ".npy"), allow_pickle=False)
        return found

    def keep_array(self, name: str, array: NDArray[np.int8]) -> None:
        """Keep an array."""
        np.save(self._path(name, ".npy"), array, allow_pickle=False)
