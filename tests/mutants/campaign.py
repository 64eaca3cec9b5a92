"""Draws mutants by seed, runs what guards each until something fails, and keeps each verdict as soon as it is known."""

from __future__ import annotations

import json
import os
import random
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from edgemoe.cluster import HERE, Cluster, run
from edgemoe.spec.files import write_text
from tests.mutants import guards
from tests.mutants.change import Change, candidates
from tests.mutants.guards import Stage
from tests.mutants.lines import Ran, lines
from tests.mutants.tree import Ended, Tree

PATIENCE = 4.0  # times what a stage takes on unchanged files, and
ALLOWANCE = 120.0  # seconds more, for what a change makes the build cache build again
LONGEST = 3600.0
PYNQ = "build/envs/pynq-4.0.0/bin/python"
EQUIVALENT = Path(__file__).with_name("equivalent.json")
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
NO_BUILD = re.compile(r"Exiting due to \d+ error|\.(?:hpp|cpp):\d+:\d+: error: |SyntaxError: ")


class Verdict(Enum):
    """How a mutant ended."""

    KILLED = "killed"
    SURVIVED = "survived"
    EQUIVALENT = "equivalent"
    INVALID = "does not build"
    UNREACHED = "no test runs the line"


@dataclass(frozen=True)
class Row:
    """One mutant. by: the test that failed, or why it is equivalent; seconds: on the wall."""

    wing: str
    change: Change
    verdict: Verdict
    by: str
    seconds: float

    def to_json(self) -> dict[str, object]:
        """As build/reports/mutants.json has it."""
        return {"wing": self.wing, **asdict(self.change), "verdict": self.verdict.value, "by": self.by,
                "seconds": round(self.seconds, 1)}  # fmt: skip


def drawn(root: Path, wing: str, seed: int, count: int, part: str = "") -> list[Change]:
    """The first `count` of all changes of a wing in an order that the seed gives: more of them begin with the same.

    part: only of files whose name has it.
    """
    found = [change for change in candidates(root, wing) if part in change.file]
    random.Random(f"{wing} {seed}").shuffle(found)
    return found[:count]


def known_equivalent(root: Path, change: Change) -> str | None:
    """Why no test can see this change, None where nobody has said so."""
    line = change.line_of((root / change.file).read_text(encoding="utf-8")).strip()
    mutant = change.applied((root / change.file).read_text(encoding="utf-8")).splitlines()[change.line - 1].strip()
    for entry in json.loads(EQUIVALENT.read_text(encoding="utf-8")):
        if (entry["file"], entry["line"], entry["mutant"]) == (change.file, line, mutant):
            return str(entry["why"])
    return None


class Campaign:
    """Judges mutants in a copy of the checkout. folder: where that lies, and verdicts, so that a run that was ended
    goes on; tree: name of the copy.
    """

    def __init__(self, root: Path, folder: Path, tree: str = "tree") -> None:
        self.tree = Tree(root, folder / tree)
        self._folder = folder
        of_checkout = f"{self.tree.digest()[:16]}.json"
        self._kept, self._times, self._lines = (
            folder / f"{name}-{of_checkout}" for name in ("verdicts", "times", "lines")
        )
        self._rows = {(row.wing, row.change): row for row in map(_row, _read(self._kept))}
        self._clean: dict[Stage, float] = {tuple(stage): time for stage, time in _read(self._times)}
        self._ran: Ran | None = None

    def judge(
        self, wing: str, changes: Sequence[Change], say: Callable[[Row], None], cluster: Cluster = HERE
    ) -> list[Row]:
        """A row for each change, in their order; said as they end. On a cluster, each worker has a copy of its own.

        Raises RuntimeError when a guard fails on unchanged files.
        """
        for change in changes:
            if (wing, change) in self._rows:
                say(self._rows[wing, change])
        waiting = [change for change in changes if (wing, change) not in self._rows]

        def keep(number: int, row: Row) -> None:
            self._rows[wing, waiting[number]] = row
            write_text(self._kept, json.dumps([one.to_json() for one in self._rows.values()], indent=1) + "\n")
            say(row)

        if cluster == HERE:
            for number, change in enumerate(waiting):
                keep(number, self._judge(wing, change))
        else:
            place = str(self.tree.root), str(self._folder)
            tasks = [(*place, wing, change, self._why(change), self._timed(wing, change)) for change in waiting]
            run(tried_apart, tasks, cluster, done=keep)
        return [self._rows[wing, change] for change in changes]

    def _judge(self, wing: str, change: Change) -> Row:
        return self.tried(wing, change, self._why(change), self._stages(wing, change))

    def _timed(self, wing: str, change: Change) -> list[tuple[Stage, float | None]]:
        return [(stage, self._clean.get(stage)) for stage in self._stages(wing, change)]

    def _why(self, change: Change) -> str | None:
        return known_equivalent(self.tree.root, change)

    def tried(self, wing: str, change: Change, why: str | None, stages: Sequence[Stage]) -> Row:
        """One mutant, in this copy. why: it is equivalent; stages: what guards its line."""
        begun = time.monotonic()
        if why is not None:
            return Row(wing, change, Verdict.EQUIVALENT, why, 0.0)
        for stage in stages:
            limit = PATIENCE * self._seconds(stage) + ALLOWANCE
            with self.tree.changed(change):
                ended = self._run(stage, limit)
            if ended.status != 0:
                verdict, by = _failure(ended)
                return Row(wing, change, verdict, by, time.monotonic() - begun)
        verdict = Verdict.SURVIVED if stages else Verdict.UNREACHED
        return Row(wing, change, verdict, "", time.monotonic() - begun)

    def _stages(self, wing: str, change: Change) -> list[Stage]:
        if wing == "rtl":
            return guards.rtl(change.file)
        if wing == "hls":
            return guards.hls(change.file)
        if self._ran is None:
            self._ran = lines(self.tree, self._lines)
        stages = guards.host((change.file, change.line), self._ran)
        seconds = self._ran.seconds
        self.know({one: sum(map(seconds.__getitem__, one[:-2])) for one in stages if one != guards.DRIVER})
        return stages

    def know(self, times: Mapping[Stage, float]) -> None:
        """These stages have passed on unchanged files, in so many seconds."""
        self._clean.update(times)

    def _seconds(self, stage: Stage) -> float:
        """Time of a stage on unchanged files; it has to pass there."""
        if stage not in self._clean:
            begun = time.monotonic()
            ended = self._run(stage, LONGEST)
            if ended.status != 0:
                raise RuntimeError(f"pytest {' '.join(stage)} fails before anything is changed:\n{ended.text[-2000:]}")
            self._clean[stage] = time.monotonic() - begun
            write_text(self._times, json.dumps(list(self._clean.items()), indent=1) + "\n")
        return self._clean[stage]

    def _run(self, stage: Stage, limit: float) -> Ended:
        interpreter = sys.executable
        if stage == guards.DRIVER:
            interpreter = str(self.tree.root / PYNQ)
            if not Path(interpreter).is_file():
                raise RuntimeError(f"{PYNQ} is not there; `make test-driver` sets it up")
        return self.tree.python(["-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *stage], limit, interpreter)


@cache
def _apart(root: str, folder: str) -> Campaign:
    return Campaign(Path(root), Path(folder), f"tree-{os.getpid()}")


def tried_apart(
    root: str, folder: str, wing: str, change: Change, why: str | None, timed: Sequence[tuple[Stage, float | None]]
) -> Row:
    """One mutant in this worker's own copy of the checkout. timed: stages, and their seconds where they are known."""
    campaign = _apart(root, folder)
    campaign.know({stage: seconds for stage, seconds in timed if seconds is not None})
    return campaign.tried(wing, change, why, [stage for stage, _ in timed])


def _failure(ended: Ended) -> tuple[Verdict, str]:
    """What a failed stage says. A mutant that no tool takes is none."""
    if ended.status is None:
        return Verdict.KILLED, "took too long"
    if NO_BUILD.search(ended.text):
        return Verdict.INVALID, ""
    found = FAILED.search(ended.text)
    return Verdict.KILLED, found[1] if found else f"pytest ended with {ended.status}"


def _read(file: Path) -> list[Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []  # type: ignore[no-any-return]


def _row(facts: dict[str, object]) -> Row:
    change = Change(**{name: facts[name] for name in ("file", "line", "begin", "end", "before", "after")})  # type: ignore[arg-type]
    return Row(str(facts["wing"]), change, Verdict(facts["verdict"]), str(facts["by"]), float(str(facts["seconds"])))
