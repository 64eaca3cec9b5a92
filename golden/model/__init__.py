"""The float M³ViT in torch: what the integer engines approximate, and what is trained and calibrated."""

from edgemoe_golden.model.checkpoint import load_checkpoint_model, save_checkpoint
from edgemoe_golden.model.m3vit import M3ViT
from edgemoe_golden.model.maps import head_maps, task_output
from edgemoe_golden.model.recorder import Recorder, TensorRecorder

__all__ = [
    "M3ViT",
    "Recorder",
    "TensorRecorder",
    "head_maps",
    "load_checkpoint_model",
    "save_checkpoint",
    "task_output",
]
