"""Scenes for training: drawn once into memory-mapped files, targets on the grid of head cells."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from edgemoe.spec.files import write_atomically
from edgemoe.spec.model import ModelConfig
from edgemoe_golden.scenes import DRAWING_VERSION, LABELS, TRAINING_SEEDS, Scene, draw_scene

CHUNK = 250
"""Scenes per file: what an interrupted run draws again at most, per process."""


@dataclass(frozen=True)
class Cells:
    """Frame and targets of one scene or batch (leading axis B).

    image [H, W, 3] uint8. shares [R, S, classes] uint8: pixels of each class in a head cell.
    inverse_depth [R, S] float16: mean over the cell, 1/m.
    """

    image: NDArray[np.uint8]
    shares: NDArray[np.uint8]
    inverse_depth: NDArray[np.float16]


def cells_of(scene: Scene, config: ModelConfig) -> Cells:
    """Reduce the label and depth maps of a scene to the model's head cells."""
    side = config.patch // config.head_cells
    rows, columns = config.image_height // side, config.image_width // side
    tiles = scene.label.reshape(rows, side, columns, side)
    shares = np.stack([(tiles == label).sum(axis=(1, 3)) for label in range(len(LABELS))], axis=-1)
    depth = scene.inverse_depth.reshape(rows, side, columns, side).mean(axis=(1, 3))
    return Cells(scene.image, shares.astype(np.uint8), depth.astype(np.float16))


def _draw_chunk(folder: Path, chunk: int, config: ModelConfig) -> None:
    first = TRAINING_SEEDS.start + chunk * CHUNK
    size = config.image_height, config.image_width
    cells = [cells_of(draw_scene(seed, *size), config) for seed in range(first, first + CHUNK)]
    for name in ("inverse_depth", "shares", "image"):
        stacked = np.stack([getattr(cell, name) for cell in cells])
        write_atomically(folder / f"{name}_{chunk:04d}.npy", partial(_save, values=stacked))


def _save(path: Path, values: NDArray[Any]) -> None:
    with path.open("wb") as file:
        np.save(file, values)


class SceneStore:
    """Training scenes 0 … count - 1 of one frame size, drawn on first use."""

    def __init__(self, root: Path, config: ModelConfig, count: int, processes: int = 1) -> None:
        """Draw what is missing under `root` with a progress bar, then map the files.

        count is rounded up to whole files of `CHUNK` scenes.
        """
        side = config.patch // config.head_cells
        self.folder = root / f"v{DRAWING_VERSION}_{config.image_height}x{config.image_width}_cell{side}"
        chunks = range(-(-count // CHUNK))
        # The image file is written last, so its presence says that the chunk is complete.
        missing = [chunk for chunk in chunks if not (self.folder / f"image_{chunk:04d}.npy").is_file()]
        if missing:
            os.environ.setdefault("OMP_NUM_THREADS", "1")
            with (
                ProcessPoolExecutor(processes) as pool,
                tqdm(total=len(missing) * CHUNK, desc="drawing scenes", unit="scene") as bar,
            ):
                for future in [pool.submit(_draw_chunk, self.folder, chunk, config) for chunk in missing]:
                    future.result()
                    bar.update(CHUNK)
        self._files = {
            name: [np.load(self.folder / f"{name}_{chunk:04d}.npy", mmap_mode="r") for chunk in chunks]
            for name in ("image", "shares", "inverse_depth")
        }
        self.count = len(chunks) * CHUNK

    def batch(self, indices: NDArray[np.int64]) -> Cells:
        """Copy some scenes into memory."""
        parts = [
            np.stack([files[index // CHUNK][index % CHUNK] for index in indices]) for files in self._files.values()
        ]
        return Cells(*parts)

    def mean_inverse_depth(self) -> NDArray[np.float32]:
        """Mean map [R, S] over all training scenes: what a model that never looks would answer."""
        total = sum(file.astype(np.float64).sum(axis=0) for file in self._files["inverse_depth"])
        return np.asarray(total / self.count, dtype=np.float32)


@dataclass(frozen=True)
class Batch:
    """One training step: images [B, H, W, 3] uint8, shares [B, classes, R, S], inverse_depth [B, 1, R, S]."""

    images: Tensor
    shares: Tensor
    inverse_depth: Tensor

    def to(self, device: str) -> Batch:
        """The same batch on another device."""
        return Batch(self.images.to(device), self.shares.to(device), self.inverse_depth.to(device))


def training_batch(store: SceneStore, seed: int, step: int, size: int) -> Batch:
    """The batch of one step: scenes in an order reshuffled every pass, each mirrored with probability ½.

    Depends on seed and step alone, so that a resumed run sees the same data.
    """
    positions = np.arange(step * size, (step + 1) * size)
    passes, places = positions // store.count, positions % store.count
    orders = {number: np.random.default_rng([seed, number]).permutation(store.count) for number in set(passes.tolist())}
    indices = np.array([orders[number][place] for number, place in zip(passes.tolist(), places.tolist(), strict=True)])
    cells = store.batch(indices)
    images = torch.from_numpy(cells.image)
    shares = torch.from_numpy(cells.shares).permute(0, 3, 1, 2).float()
    depth = torch.from_numpy(cells.inverse_depth).unsqueeze(1).float()
    mirrored = torch.from_numpy(np.random.default_rng([seed, step, 1]).random(size) < 0.5)[:, None, None, None]
    return Batch(
        images=torch.where(mirrored, images.flip(2), images),
        shares=torch.where(mirrored, shares.flip(3), shares) / shares.sum(1, keepdim=True),
        inverse_depth=torch.where(mirrored, depth.flip(3), depth),
    )
