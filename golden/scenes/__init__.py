"""Street scenes drawn from a seed, with exact labels and depth (NumPy; Pillow only to save pictures)."""

from edgemoe_golden.scenes.drive import Drive
from edgemoe_golden.scenes.labels import LABELS
from edgemoe_golden.scenes.scene import DEMO_SEEDS, DRAWING_VERSION, TRAINING_SEEDS, VALIDATION_SEEDS, Scene, draw_scene

__all__ = [
    "DEMO_SEEDS",
    "DRAWING_VERSION",
    "LABELS",
    "TRAINING_SEEDS",
    "VALIDATION_SEEDS",
    "Drive",
    "Scene",
    "draw_scene",
]
