"""What each step gains: learned on every other picture, measured on those in between.

Steps are added one after the other, in the order of `STEPS`; the first row has none of them. A figure from the pictures
that were learned on flatters: limits that fit them clip what others have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tabulate import tabulate

from edgemoe.spec.model import ModelConfig
from edgemoe_golden.quantising.options import STEPS, Options
from edgemoe_golden.quantising.quantiser import quantise_network
from edgemoe_golden.quantising.rewrites import State
from edgemoe_golden.quantising.work import Frames, Rule
from edgemoe_golden.ranges import Histogram

PLAIN = "ranges by rule, nearest"


@dataclass(frozen=True)
class Gain:
    """Mean SQNR of the residual stream after the last block with this step and all before it, in dB."""

    step: str
    learned_db: float
    unseen_db: float


def gains(
    config: ModelConfig,
    state: State,
    frames: Frames,
    residual: Histogram,
    options: Options,
    rule: Rule,
    progress: Callable[[], None],
) -> list[Gain]:
    """One row without steps, then one for each step of `options`; frames: at least two."""
    learned, unseen = frames[::2], frames[1::2]
    names = [step for step in STEPS if step in options.steps]
    found = []
    for count in range(len(names) + 1):
        own = replace(options, steps=frozenset(names[:count]))
        work = quantise_network(config, state, learned, residual, own, rule, unseen, progress)
        label = names[count - 1] if count else PLAIN
        found.append(Gain(label, work.decibels(learned=True), work.decibels(learned=False)))
    return found


def table(found: list[Gain], pictures: int) -> str:
    """The rows as text, with what each adds."""
    rows = []
    for before, gain in zip([found[0], *found], found, strict=False):
        change = None if gain is before else gain.unseen_db - before.unseen_db
        rows.append((gain.step, gain.learned_db, gain.unseen_db, change))
    learned = (pictures + 1) // 2
    heads = ("step, added to those above", f"dB on {learned} learned", f"on {pictures - learned} unseen", "gain")
    return tabulate(rows, heads, "plain", floatfmt=("", ".1f", ".1f", "+.1f"))
