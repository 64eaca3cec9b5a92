"""Street scenes drawn from a seed, with exact labels and depth (NumPy; Pillow only to save pictures)."""

from golden.scenes.labels import LABELS
from golden.scenes.scene import DEMO_SEEDS, DRAWING_VERSION, TRAINING_SEEDS, VALIDATION_SEEDS, Scene, draw_scene

__all__ = ["DEMO_SEEDS", "DRAWING_VERSION", "LABELS", "TRAINING_SEEDS", "VALIDATION_SEEDS", "Scene", "draw_scene"]
