"""Widths within a budget: what is measured is what a whole run gives, and the search keeps to its budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgemoe.compiler.quantise import quantise
from edgemoe.errors import ArgumentError
from edgemoe.spec.calibrated import Calibrated
from edgemoe.spec.calibration import Calibration
from edgemoe.spec.checkpoint import load_checkpoint
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import OPTIONS
from edgemoe.spec.precision import W8A8
from edgemoe_golden.budget.cost import frame_cycles
from edgemoe_golden.budget.fidelity import Reference, fidelity, references
from edgemoe_golden.budget.integer_network import IntegerBlock, embedded
from edgemoe_golden.budget.picture import draw_choice
from edgemoe_golden.budget.search import Measured, Search, narrow_layers
from edgemoe_golden.budget.sensitivity import Sensitivity
from edgemoe_golden.model import load_checkpoint_model
from edgemoe_golden.quantising.recipe import Tuned
from tests.examples.program import plain_calibration, write_checkpoint

HARDWARE = replace(load_hardware_config("zcu102"), name="mixed", **dict.fromkeys(OPTIONS, True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("budget") / "model")


@pytest.fixture(scope="module")
def found(folder: Path) -> list[Reference]:
    model = load_checkpoint_model(folder)
    shape = (2, model.config.image_height, model.config.image_width, 3)
    return references(model, list(np.random.default_rng(4).integers(0, 256, shape, dtype=np.uint8)))


def coarse(folder: Path) -> Calibration:
    """Ranges as wide as they come, so that 8 bits lose much and 16 little."""
    return plain_calibration(load_checkpoint(folder)[0], 40.0)


def search(folder: Path, found: list[Reference], **changes: object) -> Search:
    config, tensors = load_checkpoint(folder)
    own = Search(config, tensors, Tuned(coarse(folder)), HARDWARE, [config.tasks[0].name], found)
    return replace(own, **changes)  # type: ignore[arg-type]


def test_one_block_tried_again_is_what_the_whole_network_would_give(folder: Path, found: list[Reference]) -> None:
    config, tensors = load_checkpoint(folder)
    start = Sensitivity(config, tensors, coarse(folder), found)
    tried = start.with_widths(1, ["blocks.1.norm2", "blocks.1.hidden"], ["blocks.1.experts"])
    wide, narrow = ("blocks.1.norm2", "blocks.1.hidden"), ("blocks.1.experts",)
    whole = Sensitivity(config, tensors, replace(coarse(folder), wide=wide, narrow=narrow), found)
    assert tried == whole.noise != start.noise


def test_forced_routing_takes_the_experts_that_are_given(folder: Path, found: list[Reference]) -> None:
    config, tensors = load_checkpoint(folder)
    model = quantise(config, tensors, coarse(folder), W8A8)
    residual = embedded(model, found[0].frame)
    moe = config.moe_blocks[0]
    block = IntegerBlock(model.blocks[moe], config, W8A8)
    free = block.run(residual, 0)
    assert free.chosen is not None
    assert np.array_equal(block.run(residual, 0, free.chosen).residual, free.residual)
    others = (free.chosen + 1) % config.experts
    assert not np.array_equal(block.run(residual, 0, others).residual, free.residual)


@pytest.mark.parametrize("budget", [0.0, 0.05, 0.3])
def test_the_choice_keeps_to_its_budget_and_takes_noise_away(
    folder: Path, found: list[Reference], budget: float
) -> None:
    own = search(folder, found)
    chosen = own.choose(budget)
    assert chosen.cycles <= chosen.base_cycles * (1 + budget)
    assert bool(chosen.tuned.calibration.wide) == (budget > 0)
    model = quantise(own.config, own.tensors, chosen.tuned.calibration, W8A8)
    assert chosen.cycles == frame_cycles(model, own.tasks, HARDWARE, model.wide, model.narrow)
    before, after = (
        Sensitivity(own.config, own.tensors, each, found).noise for each in (coarse(folder), chosen.tuned.calibration)
    )
    assert after < before if budget else after == before


def test_all_of_it_wide_comes_nearer_to_the_float_network(folder: Path, found: list[Reference]) -> None:
    own = search(folder, found)
    plain, wide = (
        fidelity(quantise(own.config, own.tensors, each, W8A8), found)
        for each in (coarse(folder), own.choose(4.0).tuned.calibration)
    )
    assert wide.sqnr_db > plain.sqnr_db + 10
    assert wide.same_experts >= plain.same_experts


def test_a_search_that_was_interrupted_goes_on_where_it_was(folder: Path, found: list[Reference]) -> None:
    """The same choice, and nothing measured twice."""
    kept: dict[str, Measured] = {}
    counts = {"first": 0, "second": 0}

    def keep(rounds: Mapping[str, Measured]) -> None:
        kept.clear()
        kept.update({key: dict(gains) for key, gains in rounds.items()})
        counts["first"] += 1
        if counts["first"] == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(folder, found, keep=keep).choose(0.2)

    def count(_: object) -> None:
        counts["second"] += 1

    resumed = search(folder, found, remembered=kept, keep=count).choose(0.2)
    whole = search(folder, found, keep=lambda _: counts.update(whole=counts.get("whole", 0) + 1)).choose(0.2)
    assert resumed == whole
    assert counts["second"] == counts["whole"] - 7


@pytest.mark.parametrize("budget", [-0.1, 10.0])
def test_a_budget_that_makes_no_sense_is_refused(folder: Path, found: list[Reference], budget: float) -> None:
    with pytest.raises(ArgumentError, match=r"a budget is 0 … 400 % more cycles, found -?10+ %"):
        search(folder, found).choose(budget)


def test_every_round_starts_from_tensors_made_for_the_widths_before_it(folder: Path, found: list[Reference]) -> None:
    """And the last ones go with the choice."""
    config, tensors = load_checkpoint(folder)
    asked: list[tuple[str, ...]] = []

    def retune(wide: Sequence[str]) -> Tuned:
        asked.append(tuple(wide))
        scaled = {name: values * np.float32(1 + 2**-8) for name, values in tensors.items()}
        return Tuned(replace(coarse(folder), wide=tuple(wide)), Calibrated(scaled, {}))

    kept: dict[str, Measured] = {}
    chosen = search(folder, found, retune=retune, keep=kept.update).choose(0.3)
    assert asked[-1] == chosen.tuned.calibration.wide
    assert chosen.tuned.calibrated is not None
    assert len(asked) > 1
    starts = {key: gains[""] for key, gains in kept.items()}
    for wide in asked[:-1]:
        number = next(key for key in starts if key.endswith(str(sorted(wide))))
        tuned = retune(wide)
        assert starts[number] == Sensitivity(config, tensors, tuned.calibration, found, tuned.calibrated).noise
        assert starts[number] != Sensitivity(config, tensors, tuned.calibration, found).noise


def test_a_wider_budget_keeps_the_choice_before_it_unless_its_own_is_better(
    folder: Path, found: list[Reference]
) -> None:
    """All that a round took is judged, then half of it; each choice once, also where a search goes on."""
    free = list(search(folder, found).path([0.1, 0.3]))
    first, second = (chosen.tuned.calibration.wide for chosen in free)
    asked: list[tuple[str, ...]] = []

    def judged(scores: Mapping[int, float], kept: dict[str, Measured]) -> list[tuple[str, ...]]:
        def judge(wide: Sequence[str]) -> float:
            asked.append(tuple(wide))
            return scores.get(len(wide), 0.0)

        own = search(folder, found, judge=judge, remembered=kept, keep=kept.update)
        return [chosen.tuned.calibration.wide for chosen in own.path([0.1, 0.3])]

    assert len(first) < len(second)
    assert judged({len(first): 1.0, len(second): 2.0}, {}) == [first, second]
    assert judged({len(first): 2.0, len(second): 1.0}, {}) == [first, first]
    half = len(first) + (len(second) - len(first)) // 2
    kept: dict[str, Measured] = {}
    chosen = judged({len(first): 2.0, half: 3.0}, kept)
    assert chosen[0] == first
    assert set(first) < set(chosen[1]) < set(second)
    assert len(chosen[1]) == half
    asked.clear()
    assert judged({}, kept) == chosen
    assert not asked


def test_only_what_the_hardware_takes_is_chosen(folder: Path, found: list[Reference]) -> None:
    tokens = replace(HARDWARE, wide_inner=False)
    chosen = search(folder, found, hardware=tokens).choose(4.0).tuned.calibration.wide
    assert chosen
    assert not any(name.endswith((".qkv", ".hidden")) for name in chosen)
    with pytest.raises(
        ArgumentError, match='takes no activations of 16 bits beside those of 8; choose one with "wide_tok'
    ):
        search(folder, found, hardware=load_hardware_config("zcu102"))


def test_layers_with_narrow_weights_stay_narrow(folder: Path, found: list[Reference]) -> None:
    narrow = narrow_layers(load_checkpoint(folder)[0], "experts")
    own = search(folder, found, tuned=Tuned(replace(coarse(folder), narrow=narrow)))
    chosen = own.choose(0.1)
    assert chosen.tuned.calibration.narrow == ("blocks.1.experts",)
    assert narrow_layers(own.config, "none") == ()


def test_the_choice_as_a_picture_names_every_block_and_tensor(folder: Path, found: list[Reference]) -> None:
    pytest.importorskip("matplotlib")
    own = search(folder, found)
    picture = draw_choice(own.config, own.choose(0.2))
    assert picture.size[0] > 600
    assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 50
