"""All proofs, and for each property the mutant that it kills: `make formal`, or `python -m sim.formal [PART OF NAME]`.

Prints a table and writes build/reports/formal.json. Ends with 1 when a property does not hold or its mutant lives.
Seconds are those of the clock on the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from tabulate import tabulate
from tqdm import tqdm

from edgemoe.spec.terminal import accept_all_text
from sim.formal import arithmetic, control, masters, queues
from sim.formal.proof import Proof, Property
from sim.formal.prover import Verdict, kill, prove

PROOFS = (*masters.PROOFS, *control.PROOFS, *queues.PROOFS, *arithmetic.PROOFS)
REPORT = Path("build/reports/formal.json")
JOBS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Row:
    """One property. seconds: of its proof, shared with the properties beside it; killed: its mutant violates it."""

    module: str
    property: str
    says: str
    method: str
    parameters: dict[str, int]
    holds: bool
    seconds: float
    killed: bool
    kill_seconds: float


def _row(proof: Proof, one: Property, proved: Verdict, killed: Verdict) -> Row:
    held = one.label not in proved.failed and not set(proved.failed) & set(proof.invariants)
    return Row(
        proof.unit, one.label, one.says, str(proof.method), {**proof.parameters, **proof.constants}, held,
        round(proved.seconds, 1), killed.failed == (one.label,), round(killed.seconds, 1),
    )  # fmt: skip


def judge(proofs: tuple[Proof, ...]) -> list[Row]:
    """Run everything about these proofs, two tools at a time. Raises ProverError when a tool fails."""
    rows = []
    total = len(proofs) + sum(len(proof.properties) for proof in proofs)
    with ThreadPoolExecutor(JOBS) as pool, tqdm(total=total, unit="run", leave=False) as bar:
        tasks = []
        for proof in proofs:
            proved = pool.submit(prove, proof)
            tasks.append((proof, proved, [pool.submit(kill, proof, one) for one in proof.properties]))
            for future in (proved, *tasks[-1][2]):
                future.add_done_callback(lambda _: bar.update())
        for proof, proved, kills in tasks:
            rows += [_row(proof, one, proved.result(), killed.result())
                     for one, killed in zip(proof.properties, kills, strict=True)]  # fmt: skip
    return rows


def table(rows: list[Row]) -> str:
    """What is printed."""
    cells = [
        (row.module, row.property, row.method, " ".join(f"{name}={value}" for name, value in row.parameters.items()),
         "holds" if row.holds else "FAILS", row.seconds, "killed" if row.killed else "LIVES", row.kill_seconds)
        for row in rows
    ]  # fmt: skip
    headers = ("module", "property", "for", "with", "", "s", "mutant", "s")
    return tabulate(cells, headers, disable_numparse=True)


def main() -> int:
    """Judge the proofs whose name has the given part, and report; 1 when something fails."""
    accept_all_text()
    parser = argparse.ArgumentParser(prog="python -m sim.formal", description=__doc__)
    parser.add_argument("part", nargs="?", default="", help="of the names of proofs; all without it")
    part = parser.parse_args().part
    rows = judge(tuple(proof for proof in PROOFS if part in proof.name))
    print(table(rows))
    if not part:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps([asdict(row) for row in rows], indent=1, ensure_ascii=False) + "\n", "utf-8")
    bad = [row for row in rows if not (row.holds and row.killed)]
    print(f"{len(rows)} properties, {len(bad)} of them fail or leave their mutant alive")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
