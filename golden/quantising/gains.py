"""What each step gains on pictures that it has not seen, and which steps are kept for that.

Steps are learned on every other picture and measured on those in between, both ways round, so that every picture is
unseen once. They are added one after the other, in the order of `STEPS`; one that loses is left out again. A figure
from the pictures that were learned on flatters: limits and biases that fit them may not fit others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from tabulate import tabulate

from edgemoe.spec.model import ModelConfig
from edgemoe_golden.quantising.options import Options
from edgemoe_golden.quantising.quantiser import quantise_network
from edgemoe_golden.quantising.rewrites import State
from edgemoe_golden.quantising.work import Frames, Rule, halves
from edgemoe_golden.ranges import Histogram

PLAIN = "ranges by rule, nearest"


@dataclass(frozen=True)
class Gain:
    """Mean SQNR of the residual stream after the last block with this step and all kept before it, in dB.

    kept: whether it is higher on unseen pictures than without the step; the first row, without steps, always is.
    """

    step: str
    learned_db: float
    unseen_db: float
    kept: bool


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

    def measured(steps: frozenset[str]) -> tuple[float, float]:
        own, found = replace(options, steps=steps), []
        for learned, unseen in halves(frames):
            work = quantise_network(config, state, learned, residual, own, rule, unseen, progress)
            found.append((work.decibels(learned=True), work.decibels(learned=False)))
        learned_db, unseen_db = np.mean(found, axis=0)
        return float(learned_db), float(unseen_db)

    kept: frozenset[str] = frozenset()
    found = [Gain(PLAIN, *measured(kept), kept=True)]
    best = found[0].unseen_db
    for step in options.able:
        learned_db, unseen_db = measured(kept | {step})
        found.append(Gain(step, learned_db, unseen_db, unseen_db > best))
        if unseen_db > best:
            kept, best = kept | {step}, unseen_db
    return found


def kept_steps(found: list[Gain]) -> frozenset[str]:
    """The steps that gained."""
    return frozenset(gain.step for gain in found[1:] if gain.kept)


def table(found: list[Gain], pictures: int) -> str:
    """The rows as text, with what each adds."""
    rows, before = [], found[0].unseen_db
    for gain in found:
        change = None if gain is found[0] else gain.unseen_db - before
        rows.append((gain.step, gain.learned_db, gain.unseen_db, change, "" if gain.kept else "left out"))
        before = gain.unseen_db if gain.kept else before
    heads = (
        "step, added to those kept above",
        "dB on pictures learned on",
        f"on the other half of {pictures}",
        "gain",
        "",
    )
    return tabulate(rows, heads, "plain", floatfmt=("", ".1f", ".1f", "+.1f", ""))
