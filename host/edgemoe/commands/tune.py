"""`edgemoe tune`: a hardware shape for a part and a model, by search; its frontier as a table and a picture."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path

from edgemoe.cluster import add_cluster_arguments, cluster_of
from edgemoe.commands.common import table, task_names
from edgemoe.errors import ArgumentError
from edgemoe.media.files import require_writable, write_whole
from edgemoe.shipped import model_folder
from edgemoe.spec.checkpoint import CONFIG_FILE
from edgemoe.spec.model import ModelConfig, load_model_config, model_names
from edgemoe.spec.strict import to_dict
from edgemoe.tuning.area import area_model, left_out, load_points
from edgemoe.tuning.candidates import GOALS, Budget, Candidate, shipped
from edgemoe.tuning.chart import drawn
from edgemoe.tuning.energy import break_even_watts
from edgemoe.tuning.parts import Resources, part_named, part_names
from edgemoe.tuning.search import Found, search
from edgemoe.tuning.space import Target
from edgemoe.tuning.verify import Verified, require_checkout, verify

_CELLS = tuple(field.name for field in fields(Resources))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument("--part", required=True, help=f"{', '.join(part_names())}, or the board that it is on")
    parser.add_argument(
        "--model", default="tiny", help=f"sizes: {', '.join(model_names())}, a JSON file, or a checkpoint folder"
    )
    parser.add_argument("--task", help="tasks of a frame, separated by commas (default: all of the model's, together)")
    parser.add_argument("--goal", choices=GOALS, default=GOALS[0], help="what to choose by (default: %(default)s)")
    parser.add_argument("--max-ms", type=float, default=float("inf"), help="milliseconds that a frame may take")
    parser.add_argument(
        "--share", type=float, default=0.9, help="of the part's logic that may be used (default: %(default)s)"
    )
    parser.add_argument(
        "--limit", action="append", default=[], metavar="CELL=COUNT", help="a limit of your own, such as dsp=1420"
    )
    parser.add_argument(
        "--clock", type=int, help="MHz that times are counted at (default: what the part's shapes have)"
    )
    parser.add_argument("--trials", type=int, default=400, help="shapes to judge (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("tuned"), help="folder for the shape and the picture")
    parser.add_argument("--verify", action="store_true", help="synthesise the choice and run one frame on its RTL")
    add_cluster_arguments(parser)


def main(options: argparse.Namespace) -> int:
    """Search, print, write; 1 where a verified shape does not keep what was predicted."""
    part, cluster = part_named(options.part), cluster_of(options)
    model, checkpoint = _model(options.model)
    if options.verify:
        require_checkout()
        checkpoint = checkpoint or model_folder(options.model)
    tasks = task_names(options.task) or tuple(task.name for task in model.tasks)
    for task in tasks:
        model.task_index(task)
    if options.trials < 1 or not 0 < options.share <= 1 or options.max_ms <= 0:
        raise ArgumentError("--trials and --max-ms must be positive, --share must lie in 0 … 1")
    require_writable(options.out)
    area, target = area_model(), Target(model, tasks, part, options.clock or part.clock_mhz)
    budget = Budget(_limited(part.total, options.share, options.limit), options.share, options.max_ms)
    found = search(target, budget, area, options.goal, options.trials, options.seed, cluster)
    chosen, by_hand = found.best(options.goal), shipped(target, budget, area)
    title = f"'{model.name}', {' and '.join(tasks)}, on {part.name} ({part.board})"
    print(_frontier(title, found, chosen, by_hand))
    print(_estimates(chosen, target))
    written = write_whole(
        options.out,
        {
            f"{chosen.hardware.name}.json": (json.dumps(to_dict(chosen.hardware), indent=2) + "\n").encode(),
            f"{chosen.hardware.name}.png": drawn(title, found.judged, found.frontier, chosen, by_hand),
        },
    )
    print(f"written: {', '.join(map(str, written))}; every command takes it: --hardware {written[0]}")
    if not options.verify or checkpoint is None:
        return 0
    return _compared(chosen, budget, verify(written[0], chosen.hardware, checkpoint, tasks))


def _model(given: str) -> tuple[ModelConfig, Path | None]:
    """Sizes, and the folder of their weights if that was named."""
    if given in model_names() or given.endswith(".json"):
        return load_model_config(given), None
    folder = model_folder(given)
    return load_model_config(folder / CONFIG_FILE), folder


def _limited(total: Resources, share: float, limits: list[str]) -> Resources:
    """The part's cells, fewer where a limit says so. Logic is counted before `share` is taken of it."""
    cells = {name: getattr(total, name) for name in _CELLS}
    for limit in limits:
        name, _, count = limit.partition("=")
        if name not in cells or not count.isdigit():
            raise ArgumentError(f"--limit {limit}: must be one of {', '.join(_CELLS)} and a number, such as dsp=1420")
        of_logic = 1 if name in ("bram36", "uram") else share
        cells[name] = min(cells[name], int(count) / of_logic)
    return Resources(**cells)


_HEADS = ("", "array", "post", "LN", "ports", "prefetch", "HIDDEN", "cycles", "ms", "LUT", "DSP", "BRAM36", "URAM",
          "scarcest", "mJ, proxy")  # fmt: skip


def _row(name: str, each: Candidate) -> tuple[object, ...]:
    kind, share = each.largest
    used, choice, hardware = each.used, each.choice, each.hardware
    prefetch = f"{choice.prefetch_kib} KiB {'URAM' if choice.ultra_ram else 'BRAM'}"
    cells = (f"{value:,.0f}" for value in (used.lut, used.dsp, used.bram36, used.uram))
    return (name, "×".join(map(str, choice.array)), hardware.post_lanes, choice.layernorm_lanes, choice.ports, prefetch,
            "whole" if choice.whole_hidden else "blocks", each.cycles, each.milliseconds, *cells,
            f"{100 * share:.0f} % {kind}", each.energy.proxy)  # fmt: skip


def _frontier(title: str, found: Found, chosen: Candidate, by_hand: dict[str, Candidate]) -> str:
    lines = [_row("chosen" if each == chosen else "", each) for each in found.frontier]
    if chosen not in found.frontier:
        lines.append(_row("chosen", chosen))
    lines += [_row(f"{name}, by hand", each) for name, each in by_hand.items()]
    points = load_points()
    worst = max(abs(error["lut"]) for error in left_out(points).values())
    return (
        f"{title}: {len(found.judged):,} shapes judged, {len(found.within):,} within the budget\n"
        f"{table(_HEADS, lines)}\n"
        f"Predicted: cycles with tokens spread evenly over the experts; area fitted to {len(points)} syntheses (each "
        f"one, left out, is missed by at most {100 * worst:.1f} % in LUT)."
    )


def _estimates(chosen: Candidate, target: Target) -> str:
    low, high = chosen.energy.traffic
    lines = [f"Energy, estimated, nothing measured: memory traffic {low:.1f} … {high:.1f} mJ a frame"]
    lines += [
        f"{millijoules:.1f} mJ at the power of {design} on this board"
        for design, millijoules in chosen.energy.bounds.items()
    ]
    if chosen.energy.bounds:
        lines.append(f"below the best of them per frame under {break_even_watts(chosen.milliseconds):.1f} W")
    other = "" if target.part.dsp == "dsp48e2" else (
        f"\nThe syntheses are for UltraScale+: {target.part.name} has other DSP blocks and LUT rows, so this is a guess"
    )  # fmt: skip
    return "; ".join(lines) + "." + other


def _compared(chosen: Candidate, budget: Budget, verified: Verified) -> int:
    """Print predicted beside found; 1 where the frame differs or the shape is too large."""
    pairs = [(name.upper(), getattr(chosen.used, name), getattr(verified.used, name)) for name in _CELLS]
    pairs.append(("cycles", chosen.cycles, verified.cycles))
    rows = [
        (name, f"{predicted:,.10g}", f"{found:,.10g}", f"{100 * (predicted / found - 1):+.1f} %" if found else "")
        for name, predicted, found in pairs
    ]
    fits = max(budget.shares(verified.used).values()) <= 1
    print(table(("", "predicted", "found", "missed by"), rows))
    print(
        f"synthesis: {'within the budget' if fits else 'BEYOND the budget'}, {verified.levels:.1f} logic levels; "
        f"one frame on the RTL engine: {'equal to golden' if verified.equal else 'NOT as golden'}"
    )
    return int(not (fits and verified.equal))
