"""Which layers get 16 bits, which 4: greedy by noise per cycle, measured again after each share of the budget.

Noise that independent roundings add is nearly additive, so the gains of single changes may be ranked; a few rounds
from new starting points take up the rest. Every round starts from tensors that the quantiser made for the widths taken
before it: what eases an activation of 8 bits burdens weights, for nothing where it has 16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.compiler.quantise import quantise
from edgemoe.errors import ArgumentError
from edgemoe.spec.calibration import is_inner, mixable_activations, mixable_layers
from edgemoe.spec.checkpoint import Tensors
from edgemoe.spec.hardware import HardwareConfig
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.precision import W8A8
from edgemoe_golden.budget.cost import frame_cycles
from edgemoe_golden.budget.fidelity import Reference
from edgemoe_golden.budget.sensitivity import Sensitivity
from edgemoe_golden.quantising.recipe import Tuned

ROUNDS = 3
MOST = 4.0  # budgets above this share of more cycles buy nothing: all of it wide is less

Measured = dict[str, float]
"""Name of a change → noise with it; kept from round to round and from run to run by the caller."""


@dataclass(frozen=True)
class Choice:
    """One change that was taken. before, noise: of the whole network at the start of the round, without and with it
    alone. cycles: with it and all before it.
    """

    name: str
    before: float
    noise: float
    cycles: int


@dataclass(frozen=True)
class Chosen:
    """tuned: for its widths. base_cycles: without them. choices: in the order in which they were taken."""

    tuned: Tuned
    base_cycles: int
    cycles: int
    choices: tuple[Choice, ...]


@dataclass
class Search:
    """Widths for one model on one hardware shape.

    tuned: for activations of 8 bits. tasks: of one frame. retune: what the quantiser finds for other activations of 16
    bits; without it, everything stays as it is. judge: how good activations of 16 bits are, in dB on pictures that the
    tensors were not made from; with it, a round whose choice is no better there leaves the one before it. remembered:
    measurements of an earlier, interrupted run, round by round; `keep` is called after each new one, so that they can
    be written down. progress: called per measurement.
    """

    config: ModelConfig
    tensors: Tensors
    tuned: Tuned
    hardware: HardwareConfig
    tasks: Sequence[str]
    references: Sequence[Reference]
    retune: Callable[[Sequence[str]], Tuned] | None = None
    judge: Callable[[Sequence[str]], float] | None = None
    remembered: dict[str, Measured] | None = None
    keep: Callable[[dict[str, Measured]], None] = lambda _: None
    progress: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        if not self.hardware.wide_tokens:
            raise ArgumentError(
                f"hardware '{self.hardware.name}' takes no activations of 16 bits beside those of 8; choose one with "
                '"wide_tokens": true'
            )
        self._plain = with_widths(self.tuned, ())
        self._model = quantise(self.config, self.tensors, self._plain.calibration, W8A8, self._plain.calibrated)
        self._rounds = dict(self.remembered or {})
        self._base = frame_cycles(self._model, self.tasks, self.hardware)

    def _cycles(self, wide: Sequence[str]) -> int:
        return frame_cycles(self._model, self.tasks, self.hardware, wide, self._plain.calibration.narrow)

    def _fits(self, wide: Sequence[str]) -> bool:
        if any(name for name in wide if is_inner(name)) and not self.hardware.wide_inner:
            return False
        try:
            require_fit(self.config, tuple(self.tasks), self.hardware, wide)
        except DoesNotFitError:
            return False
        return True

    def choose(self, budget: float) -> Chosen:
        """Widths that lower the noise most for at most `budget` (0.1: a tenth) more cycles than W8A8 weights alone.

        Raises ArgumentError for a budget outside 0 … MOST.
        """
        if not 0 <= budget <= MOST:
            raise ArgumentError(f"a budget is 0 … {100 * MOST:.0f} % more cycles, found {100 * budget:g} %")
        *_, chosen = self.path([budget * (number + 1) / ROUNDS for number in range(ROUNDS)])
        return chosen

    def path(self, budgets: Sequence[float]) -> Iterator[Chosen]:
        """One round for each of rising budgets, which goes on from the choice before it."""
        wide: tuple[str, ...] = ()
        choices: list[Choice] = []
        tuned = self._plain
        for number, budget in enumerate(budgets):
            taken = self._round(f"round {number} {sorted(wide)}", wide, round(self._base * (1 + budget)), tuned)
            further = self._better(wide, taken)
            if further != wide:
                choices += [choice for choice in taken if choice.name in further]
                wide = further
                tuned = with_widths(self.retune(wide) if self.retune else tuned, wide)
            yield Chosen(tuned, self._base, self._cycles(wide), tuple(choices))

    def _better(self, wide: tuple[str, ...], taken: Sequence[Choice]) -> tuple[str, ...]:
        """Widths with all that a round took, or the first half of it where that is no better, or else without."""
        known, names = mixable_activations(self.config), [choice.name for choice in taken]
        whole, half = (_in_order([*wide, *own], known) for own in (names, names[: len(names) // 2]))
        if self.judge is None or not taken:
            return whole
        return next((each for each in (whole, half) if self._judged(each) > self._judged(wide)), wide)

    def _judged(self, wide: tuple[str, ...]) -> float:
        """As `judge` says, once for each choice and over interruptions."""
        known, name = self._rounds.setdefault("judged", {}), ", ".join(wide)
        if name not in known and self.judge is not None:
            known[name] = self.judge(wide)
            self.keep(self._rounds)
        return known[name]

    def _round(self, key: str, wide: Sequence[str], allowed: int, tuned: Tuned) -> list[Choice]:
        """Changes of one round: single gains from one starting point, best ratio first, while cycles allow."""
        now, gains = self._cycles(wide), self._rounds.setdefault(key, {})
        start: Sensitivity | None = None
        prices = {}
        for name in self._candidates(wide):
            cost = self._cycles([*wide, name]) - now
            if now + cost <= allowed and self._fits([*wide, name]):
                prices[name] = cost
        for name in ("", *prices):
            if name in gains:
                continue
            if start is None:
                start = Sensitivity(self.config, self.tensors, tuned.calibration, self.references, tuned.calibrated)
            gains[name] = start.with_widths(_block_of(name), (name,), ()) if name else start.noise
            self.keep(self._rounds)
            self.progress()
        noise = gains[""]
        order = sorted(prices, key=lambda name: -(noise - gains[name]) / max(prices[name], 1))
        taken: list[Choice] = []
        for name in order:
            gain = noise - gains[name]
            own = [*wide, *(choice.name for choice in taken), name]
            cycles = self._cycles(own)
            if gain > 0 and cycles <= allowed and self._fits(own):
                taken.append(Choice(name, noise, gains[name], cycles))
        return taken

    def _candidates(self, wide: Sequence[str]) -> list[str]:
        names = mixable_activations(self.config)
        return [name for name in names if name.startswith("blocks.") and name not in wide]


def with_widths(tuned: Tuned, wide: tuple[str, ...]) -> Tuned:
    """The same tensors with other activations on 16 bits."""
    return replace(tuned, calibration=replace(tuned.calibration, wide=wide))


def _block_of(name: str) -> int:
    return int(name.split(".")[1])


def _in_order(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in known if name in names)


def narrow_layers(config: ModelConfig, kind: str) -> tuple[str, ...]:
    """Layers of a kind: `experts`, `all`, or `none`."""
    layers = mixable_layers(config)
    return tuple(name for name in layers if kind == "all" or (kind == "experts" and name.endswith(".experts")))
