"""Runs workers, keeps what ends badly as files, counts the rest; and replays such a file."""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from edgemoe.spec.names import path_part
from tests.fuzz.target import Target
from tests.fuzz.targets import target_named

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0  # seconds on the clock for one of a case's CPU: other programs run here, too
STARTING = 3600.0  # seconds on the clock until a worker has built and loaded what it needs: Verilated engines take long
KEPT = 20  # files of one target
_CASE = "case.json"
_FRAME = re.compile(r'File ".*?([\w.]+)", line (\d+)')


@dataclass
class Tally:
    """Of one target. outcomes: how many cases ended how; kept: what was saved; places: faults by where they arose."""

    target: Target
    outcomes: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    kept: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def cases(self) -> int:
        """All that ended, well or not."""
        return self.outcomes.total() + self.places.total()


@dataclass(frozen=True)
class Budget:
    """Whichever is reached first. cases: of each target; seconds: of all together."""

    cases: int = 1 << 40
    seconds: float = float("inf")


class Campaign:
    """One seed, some targets; faults are saved in `folder`."""

    def __init__(self, targets: Sequence[Target], seed: int, folder: Path) -> None:
        self.seed, self.folder = seed, folder
        self.tallies = {target.name: Tally(target) for target in targets}

    def run(self, budget: Budget) -> list[Tally]:
        """Every group of targets in turn, each for its share of the time."""
        groups: dict[str, list[Target]] = {}
        for tally in self.tallies.values():
            groups.setdefault(tally.target.group, []).append(tally.target)
        whole = sum(tally.target.weight for tally in self.tallies.values())
        for targets in groups.values():
            share = sum(target.weight for target in targets) / whole
            self._group(targets, Budget(budget.cases, budget.seconds * share))
        return list(self.tallies.values())

    def _group(self, targets: list[Target], budget: Budget) -> None:
        """Workers one after the other: where one ends at a case, the next begins behind it."""
        begun, first, skip = time.monotonic(), 0, 0
        while first < budget.cases and (left := budget.seconds - (time.monotonic() - begun)) > 0:
            with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
                limits = ["--seed", self.seed, "--first", first, "--skip", skip, "--cases", budget.cases - first]
                limits += ["--seconds", left] if left < float("inf") else []
                worker = Worker(targets, Path(folder), limits)
                for said in worker.lines():
                    self._count(said, Path(folder))
                if worker.number is None:
                    break
                self._count(worker.death(), Path(folder))
                at = worker.number * len(targets) + worker.place + 1
                first, skip = divmod(at, len(targets))
        for target in targets:
            self.tallies[target.name].seconds = (time.monotonic() - begun) / len(targets)

    def _count(self, said: dict[str, Any], folder: Path) -> None:
        if "begin" in said:
            return
        tally = self.tallies[said["target"]]
        if "outcome" in said:
            tally.outcomes[said["outcome"]] += 1
            return
        place = where(said["fault"])
        tally.places[place] += 1
        if tally.places[place] == 1 and len(tally.kept) < KEPT:
            tally.kept.append(self._keep(said, folder / "case" / "in"))

    def _keep(self, said: dict[str, Any], given: Path) -> Path:
        """The case as a file that says where it came from."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{path_part(said['target'])}-seed{self.seed}-{said['end']}.zip"
        facts = {"target": said["target"], "seed": self.seed, "number": said["end"], "fault": said["fault"]}
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_CASE, json.dumps(facts, indent=1))
            for file in sorted(given.rglob("*")):
                archive.write(file, Path("in") / file.relative_to(given))
        return path


def where(fault: str) -> str:
    """The last line of a fault, and the place in the sources that its traceback ends at: one of a kind is enough."""
    lines = fault.strip().splitlines()
    frames = _FRAME.findall(fault)
    place = f" ({frames[-1][0]} {frames[-1][1]})" if frames else ""
    return f"{lines[-1][:160]}{place}" if lines else "no reason given"


class Worker:
    """A process of `tests.fuzz.worker`. number: of the case that it began and did not end, None: of none."""

    def __init__(self, targets: Sequence[Target], folder: Path, limits: Iterable[object]) -> None:
        self.number: int | None = None
        self._target, self._targets, self._folder = targets[0].name, targets, folder
        words = ["--targets", *(target.name for target in targets), *map(str, limits)]
        environment = {**os.environ, **targets[0].environment()}
        command = [sys.executable, "-m", "tests.fuzz.worker", str(folder), *words]
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._late = False

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it says, until it ends or is too slow and is ended."""
        assert self._process.stdout is not None
        self._begun = False
        patience = PATIENCE * max(target.seconds for target in self._targets)
        try:
            for line in _lines(self._process.stdout, lambda: patience if self._begun else STARTING):
                said, self._begun = json.loads(line), True
                self.number, self._target = said.get("begin"), said["target"]
                yield said
        except TimeoutError:
            self._late = True
            os.killpg(self._process.pid, signal.SIGKILL)
        finally:
            self._process.stdout.close()
            status = self._process.wait()
        if not self._begun or (status and self.number is None):
            raise RuntimeError(f"the fuzzer itself failed: {self._log()}")

    @property
    def place(self) -> int:
        """Of the target that it tried last, among its targets."""
        return [target.name for target in self._targets].index(self._target)

    def death(self) -> dict[str, Any]:
        """The case that ended it, as a fault."""
        status = self._process.returncode
        if self._late or status == -signal.SIGPROF:
            reason = "took too long"
        elif status < 0:
            reason = f"the process was ended by {signal.Signals(-status).name}"
        else:
            reason = f"the process ended with {status}"
        return {"end": self.number, "target": self._target, "fault": f"{self._log()}\n{reason}"}

    def _log(self) -> str:
        path = self._folder / "log"
        return path.read_text(encoding="utf-8", errors="replace")[-4000:] if path.is_file() else ""


def _lines(stream: IO[bytes], wait: Callable[[], float]) -> Iterator[bytes]:
    """Its lines as they come; raises TimeoutError when `wait()` seconds bring nothing new."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(wait()):
                raise TimeoutError
            new = os.read(stream.fileno(), 1 << 16)
            if not new:
                return
            *lines, rest = (rest + new).split(b"\n")
            yield from lines


def replay(path: Path) -> tuple[dict[str, Any], str | None]:
    """(what the file says, how the case ends now: None where there is no fault any more)."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / "case")
        facts = json.loads((folder / "case" / _CASE).read_text(encoding="utf-8"))
        (folder / "case" / "in").mkdir(exist_ok=True)
        worker = Worker([target_named(facts["target"])], folder, ["--replay", "--first", facts["number"]])
        ends = list(worker.lines())
        last = ends[-1] if worker.number is None else worker.death()
        return facts, last.get("fault")
