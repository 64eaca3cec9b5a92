"""The process that tries cases, with limits on memory and on the CPU time of a case.

It says on its first standard output, one JSON object a line, which case it begins and how each ended: so whoever reads
that knows which case ended the process. Everything else that is printed goes to the file `log` of its folder.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgemoe.errors import EdgeMoeError
from tests.fuzz.target import Target
from tests.fuzz.targets import target_named

LONGEST_SENTENCE = 2000
_MEBIBYTE = 1 << 20
Say = Callable[[dict[str, Any]], None]


def main(words: list[str] | None = None) -> int:
    """Cases of some targets in turn until the time or their number is up, or one case that lies in a folder."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.worker")
    parser.add_argument("folder", type=Path, help="to work in; what ended the process is left in `case`")
    parser.add_argument("--targets", nargs="+", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--skip", type=int, default=0, help="so many targets' first case")
    parser.add_argument("--cases", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--replay", action="store_true", help="the case is in the folder `case`")
    options = parser.parse_args(words)
    targets = [target_named(name) for name in options.targets]
    say = _own_channel(options.folder)
    for target in targets:
        _warm_up(target, options.folder)
    _limit_memory(targets)
    if options.replay:
        say({"begin": options.first, "target": targets[0].name})
        attempt(targets[0], options.folder / "case", options.first, say)
        return 0
    end = time.monotonic() + options.seconds
    for number in range(options.first, options.first + options.cases):
        for target in targets[options.skip if number == options.first else 0 :]:
            if time.monotonic() > end:
                return 0
            case = options.folder / "case"
            shutil.rmtree(case, ignore_errors=True)
            (case / "in").mkdir(parents=True)
            say({"begin": number, "target": target.name})
            target.make(case / "in", target.rng(options.seed, number))
            attempt(target, case, number, say)
    return 0


def _own_channel(folder: Path) -> Say:
    """The standard output for this module's lines alone; that of all others becomes the log."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)

    def say(what: dict[str, Any]) -> None:
        channel.write(json.dumps(what) + "\n")
        channel.flush()

    return say


def _warm_up(target: Target, folder: Path) -> None:
    """What the first case loads and builds counts for none of the later ones."""
    case = folder / "warm-up"
    for part in ("in", "out"):
        (case / part).mkdir(parents=True)
    target.make(case / "in", target.rng(0, 0))
    try:
        target.attempt(case / "in", case / "out")
    except EdgeMoeError:
        pass
    except Exception:
        traceback.print_exc()
    shutil.rmtree(case)


def _limit_memory(targets: list[Target]) -> None:
    """From here on the process may take so much more than it has; the most that one of the targets may take."""
    limits = [target.memory_mib for target in targets]
    if None not in limits:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + max(limit or 0 for limit in limits) * _MEBIBYTE
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def attempt(target: Target, case: Path, number: int, say: Say) -> None:
    """Try a copy of the case in `in`, and say how it ended."""
    given, out = case / "given", case / "out"
    shutil.copytree(case / "in", given)
    out.mkdir()
    before = _digest(given)
    signal.setitimer(signal.ITIMER_PROF, target.seconds)  # then the process is ended by SIGPROF
    outcome, fault = _outcome(target, given, out)
    signal.setitimer(signal.ITIMER_PROF, 0)
    if fault is None and outcome == "refused" and any(out.iterdir()):
        fault = f"refused, but it left {', '.join(sorted(path.name for path in out.iterdir()))}"
    if fault is None and _digest(given) != before:
        fault = "its input was changed"
    said = {"end": number, "target": target.name}
    say(said | ({"outcome": outcome} if fault is None else {"fault": fault.replace(str(case), "CASE")}))
    if fault is not None:
        gc.collect()


def _outcome(target: Target, given: Path, out: Path) -> tuple[str, str | None]:
    """What to count the case as, and what is wrong."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)  # users would see lines that nobody wrote for them
            return target.attempt(given, out), None
    except EdgeMoeError as error:
        text = str(error)
        if not text or not text.replace("\n  ", "").isprintable() or len(text) > LONGEST_SENTENCE:
            return "", f"refused with what is no sentence: {text[:LONGEST_SENTENCE]!r}"
        return "refused", None
    except BaseException:
        return "", traceback.format_exc()


def _digest(folder: Path) -> str:
    """Of names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(repr((str(path.relative_to(folder)), path.is_file())).encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
