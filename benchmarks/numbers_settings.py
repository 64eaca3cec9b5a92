"""The settings that `make numbers` compares, for any network: before and after, widths, narrow weights."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
from PIL import Image

from benchmarks.numbers_kept import Kept
from edgemoe.compiler.quantise import quantise
from edgemoe.compiler.quantised import QuantisedModel
from edgemoe.spec.calibration import mixable_activations
from edgemoe.spec.checkpoint import Tensors
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.precision import W8A8, W16A16, Precision
from edgemoe_golden.budget.cost import frame_cycles
from edgemoe_golden.budget.fidelity import references
from edgemoe_golden.budget.search import Chosen, Search, narrow_layers
from edgemoe_golden.calibration_picture import draw_distribution
from edgemoe_golden.calibration_report import Loss, losses
from edgemoe_golden.model import M3ViT
from edgemoe_golden.quantising.gains import Gain, gains, kept_steps
from edgemoe_golden.quantising.observed import DEFAULT_RULE, Histograms, calibration_of, observe
from edgemoe_golden.quantising.options import STEPS, Options
from edgemoe_golden.quantising.pictures import Frames
from edgemoe_golden.quantising.recipe import Recipe, Tuned, default_range, evenly

BUDGETS = (0.05, 0.10, 0.15, 0.20, 0.35)
MEASURED_FRAMES = 3
"""Calibrating pictures that gains of widths are measured on."""

WHEN = ("before", "after")
BEFORE, AFTER = "W8A8 before: ranges by rule, nearest", "W8A8 after: steps that gain"
WIDE, FINE = "all activations 16", "W16A16"
EXPERTS_W4, ALL_W4 = "experts W4", "all blocks' weights W4"


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

    hardware, fine: shapes whose cycles count, W8A8 with all options and W16A16. more_frames: pictures that weights of
    4 bits are calibrated on, where `frames` are only some of them. found: of the steps' cross-validation, by setting;
    choices: by budget, both filled by `settings`, which goes on from what `kept` holds.
    """

    model: M3ViT
    frames: Frames
    hardware: HardwareConfig
    fine: HardwareConfig
    kept: Kept
    budgets: Sequence[float] = BUDGETS
    more_frames: Frames | None = None

    def __post_init__(self) -> None:
        self.seen: Histograms = observe(self.model, self.frames, len(self.frames))
        self.found: dict[str, list[Gain]] = {}
        self.choices: dict[float, Chosen] = {}
        self.tensors = tensors_of(self.model)

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
        self._keep_worst("before", plain, self.seen)
        recipe = self._judged(AFTER, (), progress)

        def make() -> Tuned:
            work = recipe.work(progress=progress)
            after = recipe.result(work)
            self._keep_worst("after", after, {**self.seen, **work.result.histograms})
            return after

        yield self._stepped(AFTER, make)
        kinds = {EXPERTS_W4: "experts"} if config.moe_blocks else {}
        for name, kind in {**kinds, ALL_W4: "all"}.items():
            narrow = [layer for layer in narrow_layers(config, kind) if layer.startswith("blocks.")]
            own = self._judged(name, narrow, progress)
            yield self._stepped(name, partial(_taken, own, progress))
        yield from self._mixed(recipe, self._tuned(AFTER, make), progress)
        wide = [name for name in mixable_activations(config) if name.startswith("blocks.")]
        yield self._stepped(WIDE, lambda: recipe.result(recipe.work(wide, progress)))

    def _judged(self, setting: str, narrow: Sequence[str], progress: Callable[[], None]) -> Recipe:
        """The quantiser with the steps that gain on pictures that they have not seen."""
        config, whole = self.model.config, self.recipe(frozenset(STEPS), narrow)
        frames = evenly(config, whole.frames, judged=True)

        def judge() -> list[dict[str, object]]:
            own = gains(config, whole.state, frames, self.seen["residual"], whole.options, default_range, progress)
            return [asdict(each) for each in own]

        self.found[setting] = found = [Gain(**row) for row in self.kept.value(f"steps {setting}", judge)]
        return replace(whole, options=replace(whole.options, steps=kept_steps(found)))

    def _mixed(self, recipe: Recipe, after: Tuned, progress: Callable[[], None]) -> Iterator[Setting]:
        frames = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in self.frames[:MEASURED_FRAMES]]
        search = Search(self.model.config, self.tensors, after, self.hardware,
                        [self.model.config.tasks[0].name], references(self.model, frames),
                        retune=lambda wide: self._tuned(key_of_widths(wide), lambda: recipe.tuned(wide)),
                        judge=lambda wide: recipe.judged(wide, progress), remembered=self.kept.read("search"),
                        keep=lambda rounds: self.kept.write("search", rounds), progress=progress)  # fmt: skip
        path, seconds = search.path(self.budgets), 0.0
        for budget in self.budgets:
            name, start = f"mixed, {100 * budget:g} % more cycles", time.perf_counter()
            self.choices[budget] = chosen = next(path)
            spent = time.perf_counter() - start
            seconds += float(self.kept.value(f"seconds {name}", partial(float, spent)))
            yield self._setting(name, chosen.tuned, seconds)

    def _stepped(self, name: str, make: Callable[[], Tuned]) -> Setting:
        start = time.perf_counter()
        tuned = self._tuned(name, make)
        spent = time.perf_counter() - start
        return self._setting(name, tuned, self.kept.value(f"seconds {name}", lambda: spent))

    def _tuned(self, name: str, make: Callable[[], Tuned]) -> Tuned:
        return self.kept.tuned(name, self.model.config, self.tensors, make)

    def _setting(self, name: str, tuned: Tuned, seconds: float, precision: Precision = W8A8) -> Setting:
        hardware = self.fine if precision.fine else self.hardware
        model = Setting(name, tuned, precision, 0, seconds).model(self.model)
        cycles = frame_cycles(model, [self.model.config.tasks[0].name], hardware, model.wide, model.narrow)
        return Setting(name, tuned, precision, cycles, seconds)

    def _keep_worst(self, when: str, tuned: Tuned, seen: Histograms) -> None:
        """The activation that loses most, and its distribution."""
        ranges = {"w8a8": tuned.calibration.ranges["w8a8"]}
        found = losses(self.model.config, replace(tuned.calibration, ranges=ranges), seen)
        loss = next(loss for loss in found if loss.kind == "activation")
        self.kept.write(f"worst {when}", asdict(loss))
        self.kept.keep_picture(f"worst {when}", drawn_loss(when, loss, seen))


def _taken(recipe: Recipe, progress: Callable[[], None]) -> Tuned:
    return recipe.result(recipe.work(progress=progress))


def key_of_widths(wide: Sequence[str]) -> str:
    """A name for a choice of activations on 16 bits."""
    return f"steps for {hashlib.sha256(' '.join(wide).encode()).hexdigest()[:16]}"


def drawn_loss(when: str, loss: Loss, seen: Histograms) -> Image.Image:
    """Distribution of a tensor with the limits of its grid."""
    title = f"{when}: {loss.tensor} loses most"
    note = f"SQNR {loss.sqnr_db:.1f} dB on {loss.bits} bits, {100 * loss.clipped:.4f} % clipped"
    return draw_distribution(seen[loss.tensor], loss.low, loss.high, title, note)
