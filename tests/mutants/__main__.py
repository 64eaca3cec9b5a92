"""`python -m tests.mutants --count 60 --seed 3`: one-line mutants of rtl/, hls/ and host/, and what notices them.

Prints every mutant as it ends and a table, writes build/reports/mutants.json; ends with 1 where fewer than 95 % of a
wing's are killed. A run that was ended goes on where it was, as long as no file of the checkout has changed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from tabulate import tabulate

from edgemoe.cluster import add_cluster_arguments, cluster_of
from edgemoe.spec.files import write_text
from edgemoe.spec.places import REPOSITORY
from edgemoe.spec.terminal import accept_all_text
from tests.mutants.campaign import Campaign, Row, Verdict, drawn
from tests.mutants.change import WINGS

REPORT = Path("build/reports/mutants.json")
BAR = 0.95


def main(words: list[str] | None = None) -> int:
    """Judge mutants; 1 where a wing is below the bar."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="mutants of each wing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(WINGS), default=list(WINGS), metavar="WING")
    parser.add_argument("--file", default="", help="only those of files whose name has this part")
    parser.add_argument("--list", action="store_true", help="print the mutants and judge none")
    add_cluster_arguments(parser)
    options = parser.parse_args(words)
    cluster = cluster_of(options)
    mutants = {wing: drawn(REPOSITORY, wing, options.seed, options.count, options.file) for wing in options.only}
    if options.list:
        print("\n".join(f"{wing}  {change}" for wing, changes in mutants.items() for change in changes))
        return 0
    campaign = Campaign(REPOSITORY, REPOSITORY / "build" / "mutants")
    rows = [row for wing, changes in mutants.items() for row in campaign.judge(wing, changes, _say, cluster)]
    print(table(rows))
    if options.only == list(WINGS) and not options.file:
        report = {"seed": options.seed, "count": options.count, "mutants": [row.to_json() for row in rows]}
        write_text(REPOSITORY / REPORT, json.dumps(report, indent=1) + "\n")
    return int(any(share(rows, wing) < BAR for wing in options.only))


def _say(row: Row) -> None:
    print(f"{row.verdict.value:10}  {row.change}  {row.by}  ({row.seconds:.0f} s)", flush=True)


def counts(rows: list[Row], wing: str) -> Counter[Verdict]:
    """How many mutants of a wing ended how."""
    return Counter(row.verdict for row in rows if row.wing == wing)


def share(rows: list[Row], wing: str) -> float:
    """Killed among those that build and are not equivalent; 1 where there are none."""
    ended = counts(rows, wing)
    judged = ended[Verdict.KILLED] + ended[Verdict.SURVIVED] + ended[Verdict.UNREACHED]
    return ended[Verdict.KILLED] / judged if judged else 1.0


def table(rows: list[Row]) -> str:
    """One line a wing."""
    wings = list(dict.fromkeys(row.wing for row in rows))
    lines = [
        (wing, *(counts(rows, wing)[verdict] for verdict in Verdict), f"{100 * share(rows, wing):.1f} %")
        for wing in wings
    ]
    return tabulate(lines, ("wing", *(verdict.value for verdict in Verdict), "killed of those that count"))


if __name__ == "__main__":
    sys.exit(main())
