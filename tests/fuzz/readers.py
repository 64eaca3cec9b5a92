"""Every reader of files from elsewhere. A new one is one line of READERS: its name, what writes valid files into an
empty folder, and what reads them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz import samples, usage
from tests.fuzz.mutate import mutate_folder
from tests.fuzz.target import Rng, Target, copied

Make = Callable[[Path, Rng], object]


def later(name: str, module: str = "torch_samples") -> Callable[..., Any]:
    """A function of a module that needs torch or onnx, imported when it is first called: other readers need none."""

    def call(*arguments: Any) -> Any:
        return getattr(importlib.import_module(f"tests.fuzz.{module}"), name)(*arguments)

    return call


def reader(
    name: str,
    write: Make,
    read: Callable[[Path, Path], object],
    group: str = "",
    mutate: Make = mutate_folder,
    mend: Callable[[Path, Rng], object] = lambda folder, rng: None,
) -> Target:
    """A target: valid files, mutated, mended (as a forger would, with hashes made anew) and read."""

    def make(folder: Path, rng: Rng) -> None:
        write(folder, rng)
        mutate(folder, rng)
        mend(folder, rng)

    def attempt(given: Path, out: Path) -> str:
        read(given, out)
        return "read"

    return Target(name, make, attempt, group or "files", write)


def _onnx(name: str) -> Callable[..., Any]:
    return later(name, "onnx_samples")


READERS: tuple[Target, ...] = (
    reader("model config", copied(samples.model_config), usage.model_config),
    reader("hardware config", copied(samples.hardware_config), usage.hardware_config),
    reader("board config", copied(samples.board_config), usage.board_config),
    reader("checkpoint", copied(samples.checkpoint), usage.checkpoint),
    reader("program", copied(samples.program), usage.program, "files", samples.mutate_program, samples.mend_program),
    reader("overlay", copied(samples.overlay), usage.overlay, mend=samples.mend_overlay),
    reader("hwh", copied(samples.handoff), usage.handoff),
    reader("picture", samples.picture, usage.source),
    reader("picture folder", samples.pictures, usage.source),
    reader("video", samples.video, usage.source, group="video"),
    reader("pth", later("moe_file"), usage.import_moe, group="torch"),
    reader("ranks", copied(later("ranks")), usage.import_moe, group="torch"),
    reader("raw folder", copied(later("raw_folder")), usage.import_moe, group="torch"),
    reader("dense safetensors", copied(later("dense_safetensors")), usage.import_dense, group="torch"),
    reader("dense pth", copied(later("dense_torch")), usage.import_dense, group="torch"),
    reader("onnx", copied(_onnx("onnx_file")), usage.import_onnx, "onnx", _onnx("mutate_onnx")),
    reader("imported checkpoint", copied(later("imported_checkpoint")), usage.imported_checkpoint, group="torch"),
    reader("npy", samples.array, usage.array, "torch", samples.mutate_array),
    reader("data set", later("data_set"), usage.data_set, group="torch"),
)
