"""`python -m tests.fuzz --minutes 10 --seed 3`: fuzz all readers and engines; `--replay FILE`: one case again."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from tabulate import tabulate

from edgemoe.spec.files import write_text
from edgemoe.spec.terminal import accept_all_text
from tests.fuzz.campaign import ROOT, Budget, Campaign, Tally, replay
from tests.fuzz.targets import TARGETS, target_named

REPORT = ROOT / "build" / "reports" / "fuzz.json"


def main(words: list[str] | None = None) -> int:
    """Fuzz or replay; 1 where there is a fault."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--cases", type=int, default=1 << 40, help="of each target at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=list(TARGETS), metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "fuzz", help="folder for cases that end badly")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="one of those once more, and nothing else")
    options = parser.parse_args(words)
    if options.replay is not None:
        return _replay(options.replay)
    campaign = Campaign([target_named(name) for name in options.only], options.seed, options.out)
    tallies = campaign.run(Budget(options.cases, 60 * options.minutes))
    print(table(tallies))
    for tally in tallies:
        for path in tally.kept:
            print(f"{tally.target.name}: repeat with `make fuzz REPLAY={path}`")
        for place, count in tally.places.most_common():
            print(f"  {count} × {place}")
    if options.only == list(TARGETS):
        rows = [{"target": t.target.name, "cases": t.cases, "outcomes": dict(t.outcomes), "faults": t.places.total()}
                for t in tallies]  # fmt: skip
        report = {"seed": options.seed, "minutes": options.minutes, "targets": rows}
        write_text(REPORT, json.dumps(report, indent=1) + "\n")
    return int(any(tally.places for tally in tallies))


def table(tallies: list[Tally]) -> str:
    """One line a target."""
    rows = []
    for tally in tallies:
        outcomes = ", ".join(f"{count:,} {name}" for name, count in tally.outcomes.most_common())
        rows.append((tally.target.name, f"{tally.cases:,}", outcomes, tally.places.total(), f"{tally.seconds:.0f}"))
    return tabulate(rows, ("target", "cases", "outcomes", "faults", "seconds"), disable_numparse=True)


def _replay(path: Path) -> int:
    facts, fault = replay(path)
    print(f"target '{facts['target']}', seed {facts['seed']}, case {facts['number']}")
    print("ends well now" if fault is None else fault)
    return int(fault is not None)


if __name__ == "__main__":
    sys.exit(main())
