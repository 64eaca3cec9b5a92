"""What `benchmarks.rtl_frames` counts: shapes, and shapes whose programs choose widths by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgemoe.compiler.compile import compile_checkpoint, compile_model
from edgemoe.compiler.program import Program
from edgemoe.compiler.quantise import quantise
from edgemoe.spec.calibration import load_calibration, mixable_activations
from edgemoe.spec.checkpoint import CALIBRATION_FILE, load_checkpoint
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe_golden.budget.search import narrow_layers

NARROW = ("none", "experts", "all")
WIDE = ("none", "attention")


@dataclass(frozen=True)
class Setting:
    """hardware: name of a shape. narrow: layers with weights of 4 bits. wide: activations of 16 bits; `attention` are
    the outputs of attention, which gain most for their cycles.
    """

    hardware: str
    narrow: str = "none"
    wide: str = "none"

    @property
    def mixed(self) -> bool:
        """Whether widths differ from layer to layer."""
        return (self.narrow, self.wide) != ("none", "none")

    @property
    def label(self) -> str:
        """Such as `kv260, experts W4`."""
        narrow = {"none": "", "experts": ", experts W4", "all": ", all blocks W4"}[self.narrow]
        return f"{self.hardware}{narrow}{', attention A16' if self.wide != 'none' else ''}"

    def shape(self) -> HardwareConfig:
        """The shape, with the options that the widths need; raises ConfigError."""
        own = load_hardware_config(self.hardware)
        return replace(
            own,
            narrow_weights=own.narrow_weights or self.narrow != "none",
            wide_tokens=own.wide_tokens or self.wide != "none",
        )


DEFAULT = (
    *map(Setting, ("zcu102", "zcu102_w16a16", "kv260", "micro")),
    Setting("kv260", "experts"),
    Setting("zcu102_mixed", "experts", "attention"),
)


def program_of(folder: Path, tasks: Sequence[str] | None, setting: Setting) -> Program:
    """The checkpoint compiled in that setting; tasks None: all of the model's. Weights of 4 bits are rounded to the
    nearest: how they were rounded moves no cycle. Raises ConfigError, ProgramError.
    """
    hardware = setting.shape()
    if not setting.mixed:
        return compile_checkpoint(folder, tasks, hardware)
    config, tensors = load_checkpoint(folder)
    narrow = tuple(name for name in narrow_layers(config, setting.narrow) if name.startswith("blocks."))
    wide = [name for name in mixable_activations(config) if setting.wide != "none" and name.endswith(".attention")]
    calibration = replace(load_calibration(folder / CALIBRATION_FILE, config), narrow=narrow, wide=tuple(wide))
    model = quantise(config, tensors, calibration, hardware.numbers)
    return compile_model(model, [task.name for task in config.tasks] if tasks is None else tasks, hardware)
