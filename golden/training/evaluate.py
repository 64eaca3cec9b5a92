"""Evaluation on held-out scenes: `python -m edgemoe_golden.training.evaluate models/mini`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from edgemoe.spec.terminal import accept_all_text
from edgemoe_golden.data.metrics import ClassMetric
from edgemoe_golden.model import M3ViT, head_maps, load_checkpoint_model
from edgemoe_golden.scenes import LABELS, VALIDATION_SEEDS, draw_scene
from edgemoe_golden.training.data import SceneStore


@dataclass(frozen=True)
class Quality:
    """iou, miou: intersection over union per class and its mean, see `ClassMetric`. depth_rmse: of inverse depth, 1/m.

    depth_baseline: the same error of the mean training map. scenes: how many were looked at.
    """

    iou: dict[str, float]
    miou: float
    depth_rmse: float
    depth_baseline: float
    scenes: int

    @property
    def depth_ratio(self) -> float:
        """Depth error relative to the mean training map; 1 means that the picture was not looked at."""
        return self.depth_rmse / self.depth_baseline

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {value:.3f}" for name, value in self.iou.items())
        return (
            f"{self.scenes} held-out scenes: mIoU {self.miou:.3f} ({classes}); "
            f"inverse depth RMSE {self.depth_rmse:.4f} 1/m, "
            f"{self.depth_ratio:.3f} of the mean map's {self.depth_baseline:.4f}"
        )


def full_size(maps: Tensor, height: int, width: int) -> Tensor:
    """Bilinear upsampling of cell maps, as the host does it."""
    return functional.interpolate(maps.float(), (height, width), mode="bilinear", align_corners=False)


def evaluate(model: M3ViT, mean_map: NDArray[np.float32], scenes: int = 200) -> Quality:
    """Measure a model with tasks `semseg` and `depth` on validation scenes, at full resolution."""
    config = model.config
    size = config.image_height, config.image_width
    baseline = full_size(torch.from_numpy(mean_map)[None, None], *size)[0, 0]
    classes = ClassMetric(len(LABELS))
    errors = np.zeros(2)
    for seed in tqdm(VALIDATION_SEEDS[:scenes], desc="evaluating", unit="scene"):
        scene = draw_scene(seed, *size)
        with torch.inference_mode():
            outputs = model.forward_tasks(torch.from_numpy(scene.image)[None], ["semseg", "depth"])
        maps = {name: full_size(head_maps(output, config), *size)[0] for name, output in outputs.items()}
        classes.add(maps["semseg"].argmax(0).numpy(), scene.label)
        truth = torch.from_numpy(scene.inverse_depth)
        errors += [float(((maps["depth"][0] - truth) ** 2).mean()), float(((baseline - truth) ** 2).mean())]
    rmse, reference = np.sqrt(errors / scenes)
    iou = dict(zip(LABELS, classes.by_class().tolist(), strict=True))
    return Quality(iou, classes.values()["mIoU"], float(rmse), float(reference), scenes)


def main() -> None:
    """Print the quality of a checkpoint."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--scenes", type=int, default=200, help="held-out scenes to look at (default: %(default)s)")
    parser.add_argument(
        "--data", type=Path, default=Path("build/scenes"), help="training scenes (default: %(default)s)"
    )
    parser.add_argument("--training-scenes", type=int, default=2000, help="for the mean map (default: %(default)s)")
    options = parser.parse_args()
    model = load_checkpoint_model(options.checkpoint)
    store = SceneStore(options.data, model.config, options.training_scenes)
    print(evaluate(model, store.mean_inverse_depth(), options.scenes))


if __name__ == "__main__":
    main()
