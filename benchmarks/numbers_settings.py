"""The settings that `make numbers` compares, for any network: before and after, widths, narrow weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.calibration import mixable_activations
from edgemoe.spec.checkpoint import Tensors
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.precision import W8A8, W16A16, Precision
from edgemoe_golden.budget.cost import frame_cycles
from edgemoe_golden.budget.fidelity import references
from edgemoe_golden.budget.search import Chosen, Search, narrow_layers
from edgemoe_golden.calibration_report import Loss, losses
from edgemoe_golden.model import M3ViT
from edgemoe_golden.quantising.gains import Gain, gains, kept_steps
from edgemoe_golden.quantising.observed import DEFAULT_RULE, Histograms, calibration_of, observe
from edgemoe_golden.quantising.options import STEPS, Options
from edgemoe_golden.quantising.pictures import Frames
from edgemoe_golden.quantising.recipe import Recipe, Tuned, default_range, evenly
from edgemoe_golden.quantising.work import Work

BUDGETS = (0.05, 0.10, 0.15, 0.20, 0.35)
MEASURED_FRAMES = 3
"""Calibrating pictures that gains of widths are measured on."""

BEFORE, AFTER = "W8A8 before: ranges by rule, nearest", "W8A8 after: steps that gain"
WIDE, FINE = "all activations 16", "W16A16"
EXPERTS_W4, ALL_W4 = "experts W4", "all weights W4 but the patch embedding's"


@dataclass(frozen=True)
class Setting:
    """seconds: that it took to find. cycles: predicted of one frame of the first task."""

    name: str
    tuned: Tuned
    precision: Precision
    cycles: int
    seconds: float

    def model(self, model: M3ViT) -> QuantisedModel:
        """The integers."""
        return quantise(model.config, tensors_of(model), self.tuned.calibration, self.precision, self.tuned.calibrated)


def tensors_of(model: M3ViT) -> Tensors:
    """The float tensors, in NumPy."""
    return {name: value.numpy() for name, value in model.state_dict().items()}


@dataclass
class Comparison:
    """One network with its calibrating pictures.

    hardware, fine: shapes whose cycles count, W8A8 with all options and W16A16. judge_steps: leave out what loses on
    unseen pictures, which takes two runs of the quantiser for each and two more. more_frames: pictures that weights of
    4 bits are calibrated on, where `frames` are only some of them. found: of the steps' cross-validation;
    choices: by budget; worst: activation, before and after, with the distributions, all filled by `settings`.
    """

    model: M3ViT
    frames: Frames
    hardware: HardwareConfig
    fine: HardwareConfig
    budgets: Sequence[float] = BUDGETS
    judge_steps: bool = True
    more_frames: Frames | None = None

    def __post_init__(self) -> None:
        self.seen: Histograms = observe(self.model, self.frames, len(self.frames))
        self.found: list[Gain] = []
        self.choices: dict[float, Chosen] = {}
        self.worst: dict[str, tuple[Loss, Histograms]] = {}

    def recipe(self, steps: frozenset[str], narrow: Sequence[str] = ()) -> Recipe:
        """The quantiser with these steps."""
        config, state = self.model.config, dict(self.model.state_dict())
        options, frames, seen = Options(steps, narrow=frozenset(narrow)), self.frames, self.seen
        if narrow and self.more_frames:
            frames = self.more_frames
            seen = observe(self.model, frames, len(frames))
        return Recipe(config, state, evenly(config, frames), seen, options, "")

    def settings(self, progress: Callable[[], None]) -> Iterator[Setting]:
        """One after the other, what takes longest last; progress: called per part of the network that was quantised
        or width measured.
        """
        config = self.model.config
        plain = Tuned(calibration_of(config, self.seen, "", DEFAULT_RULE))
        yield self._setting(FINE, plain, 0.0, W16A16)
        yield self._setting(BEFORE, plain, 0.0)
        self._worst("before", plain, self.seen)
        start, steps = time.perf_counter(), frozenset(STEPS)
        if self.judge_steps:
            whole, frames = self.recipe(steps), evenly(config, self.frames, judged=True)
            self.found = gains(
                config, whole.state, frames, self.seen, whole.options, default_range, progress
            )
            steps = kept_steps(self.found)
        recipe = self.recipe(steps)
        work = recipe.work(progress=progress)
        after = recipe.result(work)
        self._worst("after", after, {**self.seen, **work.result.histograms})
        yield self._setting(AFTER, after, time.perf_counter() - start)
        kinds = {EXPERTS_W4: "experts"} if config.moe_blocks else {}
        for name, kind in {**kinds, ALL_W4: "all"}.items():
            narrow = [layer for layer in narrow_layers(config, kind) if layer != "patch_embed"]
            yield self._stepped(name, self.recipe(steps | {"gptq", "asymmetric"}, narrow), progress)
        yield from self._mixed(recipe, after, progress)
        wide = [name for name in mixable_activations(config) if name.startswith("blocks.")]
        yield self._stepped(WIDE, recipe, progress, wide)

    def _mixed(self, recipe: Recipe, after: Tuned, progress: Callable[[], None]) -> Iterator[Setting]:
        frames = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in self.frames[:MEASURED_FRAMES]]
        search = Search(self.model.config, tensors_of(self.model), after, self.hardware,
                        [self.model.config.tasks[0].name], references(self.model, frames),
                        retune=lambda wide: recipe.tuned(wide),
                        judge=lambda wide: recipe.judged(wide, progress), progress=progress)  # fmt: skip
        start, path = time.perf_counter(), search.path(self.budgets)
        for budget, chosen in zip(self.budgets, path, strict=True):
            self.choices[budget] = chosen
            yield self._setting(f"mixed, {100 * budget:g} % more cycles", chosen.tuned, time.perf_counter() - start)

    def _stepped(self, name: str, recipe: Recipe, progress: Callable[[], None], wide: Sequence[str] = ()) -> Setting:
        start = time.perf_counter()
        work: Work = recipe.work(wide, progress)
        return self._setting(name, recipe.result(work), time.perf_counter() - start)

    def _setting(self, name: str, tuned: Tuned, seconds: float, precision: Precision = W8A8) -> Setting:
        hardware = self.fine if precision.fine else self.hardware
        model = Setting(name, tuned, precision, 0, seconds).model(self.model)
        cycles = frame_cycles(model, [self.model.config.tasks[0].name], hardware, model.wide, model.narrow)
        return Setting(name, tuned, precision, cycles, seconds)

    def _worst(self, when: str, tuned: Tuned, seen: Histograms) -> None:
        ranges = {"w8a8": tuned.calibration.ranges["w8a8"]}
        found = losses(self.model.config, replace(tuned.calibration, ranges=ranges), seen)
        self.worst[when] = next(loss for loss in found if loss.kind == "activation"), seen
