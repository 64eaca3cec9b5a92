"""What a session hands over for one frame, and everything below it needs to draw and to write."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edgemoe.errors import ArgumentError
from edgemoe.spec.model import ModelConfig

Routing = tuple[NDArray[np.uint16], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class FrameResult:
    """One frame through one engine.

    frame: uint8 H×W×3 RGB, the model's input size.
    outputs: task → float32 C×(Hp·s)×(Wp·s), real values on the cell grid (logits or the task's unit); of a
        classification C logits; of features tokens×D.
    decoded: name → float32 array of what a host decoder (edgemoe.decoder) made of the features; usually empty.
    routing: task → MoE block → (experts uint16 tokens×k, scores float32 tokens×k), both in order of choice;
        prefix tokens first, then the patches row by row. Empty for a model without experts.
    timings_ms: name → milliseconds on this host; `total` is the whole frame and is what panels show.
    counters: name → count of the engine; `cycles` is shown on panels when present.
    engine, model, hardware: names for titles and reports, e.g. `golden`, `tiny`, `zcu102`.
    clock_mhz: of the bitstream on a board, else what the hardware is meant to reach; 0: not said.
    estimated_cycles: of a frame, predicted from shapes, for engines that count none; 0: not estimated.
    """

    frame: NDArray[np.uint8]
    outputs: dict[str, NDArray[np.float32]]
    engine: str
    model: str
    hardware: str
    decoded: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    routing: dict[str, dict[int, Routing]] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    clock_mhz: float = 0.0
    estimated_cycles: int = 0

    @property
    def cycles(self) -> int:
        """Of the accelerator, counted by the engine or else estimated; 0: neither."""
        return self.counters.get("cycles", 0) or self.estimated_cycles

    @property
    def accelerator_ms(self) -> float | None:
        """Milliseconds of the accelerator: its cycles at its clock; None where either is not known."""
        return self.cycles / self.clock_mhz / 1e3 if self.cycles and self.clock_mhz else None

    def __repr__(self) -> str:
        """One line instead of pages of numbers."""
        outputs = ", ".join(f"{task} {'×'.join(map(str, output.shape))}" for task, output in self.outputs.items())
        blocks = max((len(each) for each in self.routing.values()), default=0)
        experts = f"; experts of {blocks} block{'s' if blocks != 1 else ''}" if blocks else ""
        time = self.accelerator_ms
        counted = "counted" if self.counters.get("cycles") else "estimated"
        clock = f"; {time_in_words(time)} at {self.clock_mhz:g} MHz, {counted}" if time is not None else ""
        host = f"; {time_in_words(self.timings_ms['total'])} on this host" if "total" in self.timings_ms else ""
        return f"{type(self).__name__}({self.model} on {self.engine}: {outputs}{experts}{clock}{host})"

    def check(self, model: ModelConfig) -> None:
        """Compare every shape and type with `model`; raises ArgumentError naming the first that differs."""
        _expect("frame", self.frame, (model.image_height, model.image_width, 3), np.uint8)
        if not self.outputs:
            raise ArgumentError("a frame result needs the output of at least one task")
        for task, output in self.outputs.items():
            _expect(f"outputs['{task}']", output, model.output_shape(task), np.float32)
        for task, blocks in self.routing.items():
            model.task_index(task)
            for block, (experts, scores) in blocks.items():
                where = f"routing['{task}'][{block}]"
                _expect(f"{where} experts", experts, (model.tokens, model.top_k), np.uint16)
                _expect(f"{where} scores", scores, (model.tokens, model.top_k), np.float32)
                if int(experts.max()) >= model.experts:
                    raise ArgumentError(f"{where}: expert {int(experts.max())} of a model with {model.experts}")


def time_in_words(milliseconds: float) -> str:
    """Three digits of milliseconds, or seconds."""
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.3g} ms"


def _expect(name: str, array: NDArray[np.generic], shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    if array.shape != shape or array.dtype != dtype:
        expected = f"{np.dtype(dtype).name} {shape}"
        raise ArgumentError(f"{name}: expected {expected}, found {array.dtype.name} {array.shape}")
