"""Which test runs which line of the host package: coverage.py's contexts, taken once from the tests as they are."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData

from tests.mutants.tree import Tree

TESTS = ("tests/host", "tests/ops", "tests/overlay", "tests/system/test_session.py", "tests/system/test_engines.py",
         "tests/golden/test_mixed.py", "tests/golden/test_gate_forms.py", "tests/golden/test_rewrites.py")  # fmt: skip
SETTINGS = "[run]\ndynamic_context = test_function\nsource = host/edgemoe\nconcurrency = thread\n"
SECONDS = 3600.0

Ran = dict[tuple[str, int], list[str]]


def lines(tree: Tree) -> Ran:
    """Tests of each (file, line), quick ones first. Raises RuntimeError when one of them fails as things are."""
    settings, data, times = (tree.folder / "build" / name for name in ("coverage.ini", "coverage", "times.xml"))
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(f"{SETTINGS}data_file = {data}\n", encoding="utf-8")
    command = ["-m", "coverage", "run", "--rcfile", str(settings), "-m", "pytest", "-q", "-m", "not slow"]
    ended = tree.python([*command, f"--junitxml={times}", *TESTS], SECONDS)
    if ended.status != 0:
        raise RuntimeError(f"the tests fail before anything is changed:\n{ended.text[-2000:]}")
    return by_line(data, seconds(times), tree.folder)


def seconds(report: Path) -> dict[str, float]:
    """Time of each test function, all its parameters, from pytest's JUnit report; keys as coverage.py names them."""
    total: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "").rpartition(".")[2]
        total[f"{module}.{re.sub(r'[[].*', '', case.get('name', ''), flags=re.DOTALL)}"] += float(case.get("time", 0))
    return dict(total)


def by_line(data: Path, times: dict[str, float], root: Path) -> Ran:
    """Node names that pytest takes, of each line that a test ran."""
    files = {path.stem: path.relative_to(root).as_posix() for path in (root / "tests").rglob("test_*.py")}
    covered = CoverageData(str(data))
    covered.read()
    found: Ran = {}
    for file in covered.measured_files():
        name = Path(file).relative_to(root).as_posix()
        for line, contexts in covered.contexts_by_lineno(file).items():
            short = {".".join(context.split(".")[-2:]) for context in contexts if context}
            known = sorted((one for one in short if one in times), key=lambda one: (times[one], one))
            found[name, line] = [f"{files[one.partition('.')[0]]}::{one.partition('.')[2]}" for one in known]
    return found
