"""Which test runs which line of the host package: coverage.py's contexts, taken once from the tests as they are.

A line outside functions runs while its module is imported, by whichever test comes first: it counts as run by all tests
of its file, as does one that only fixtures or other processes run. Those are the tests that run anything of it, and
what is in the test file of its name.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from coverage import CoverageData

from edgemoe.spec.files import write_text
from tests.mutants.tree import Tree

TESTS = ("tests/host", "tests/ops", "tests/overlay", "tests/system/test_session.py", "tests/system/test_engines.py",
         "tests/system/test_streamed_models.py", "tests/system/test_onnx_models.py",
         "tests/system/test_dense_models.py", "tests/system/test_diff.py", "tests/system/test_cycles.py",
         "tests/golden/test_streaming.py", "tests/golden/test_mixed.py", "tests/golden/test_gate_forms.py",
         "tests/golden/test_rewrites.py", "tests/golden/test_import_onnx_front.py", "tests/rtl/test_device.py",
         "tests/rtl/test_faults.py")  # fmt: skip
SETTINGS = "[run]\ndynamic_context = test_function\nsource = host/edgemoe\nconcurrency = thread\n"
SECONDS = 3600.0


@dataclass(frozen=True)
class Ran:
    """tests: of each (file, line), quick ones first, line 0 is any; seconds: of each, with all its parameters."""

    tests: Mapping[tuple[str, int], Sequence[str]]
    seconds: Mapping[str, float]


def lines(tree: Tree, kept: Path) -> Ran:
    """Tests of each line, from `kept` where an earlier run left them.

    Raises RuntimeError when one of them fails as things are.
    """
    if not kept.is_file():
        settings, data, times = (tree.folder / "build" / name for name in ("coverage.ini", "coverage", "times.xml"))
        settings.parent.mkdir(exist_ok=True)
        settings.write_text(f"{SETTINGS}data_file = {data}\n", encoding="utf-8")
        command = ["-m", "coverage", "run", "--rcfile", str(settings), "-m", "pytest", "-q", "-m", "not slow"]
        ended = tree.python([*command, f"--junitxml={times}", *TESTS], SECONDS)
        if ended.status != 0:
            raise RuntimeError(f"the tests fail before anything is changed:\n{ended.text[-2000:]}")
        ran = by_line(data, seconds(times), tree.folder)
        found = [[*line, tests] for line, tests in ran.tests.items()]
        write_text(kept, json.dumps({"tests": found, "seconds": ran.seconds}))
    facts = json.loads(kept.read_text(encoding="utf-8"))
    return Ran({(file, line): tests for file, line, tests in facts["tests"]}, facts["seconds"])


def seconds(report: Path) -> dict[str, float]:
    """Time of each test function, all its parameters, from pytest's JUnit report; keys as coverage.py names them."""
    total: dict[str, float] = defaultdict(float)
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.get("classname", "").rpartition(".")[2]
        total[f"{module}.{case.get('name', '').partition('[')[0]}"] += float(case.get("time", 0))
    return dict(total)


def by_line(data: Path, times: Mapping[str, float], root: Path) -> Ran:
    """Node names that pytest takes, of each line that ran, and their times."""
    files = {path.stem: path.relative_to(root).as_posix() for path in (root / "tests").rglob("test_*.py")}
    covered = CoverageData(str(data))
    covered.read()
    found: dict[tuple[str, int], list[str]] = {}
    for file in covered.measured_files():
        name = Path(file).relative_to(root).as_posix()
        by_number = {
            number: {short for context in contexts if (short := ".".join(context.split(".")[-2:])) in times}
            for number, contexts in covered.contexts_by_lineno(file).items()
        }
        of_file = set().union(*by_number.values(), (one for one in times if one.startswith(f"test_{Path(file).stem}.")))
        inside = _inside_functions(Path(file).read_text(encoding="utf-8"))
        for number, tests in [*by_number.items(), (0, of_file)]:
            ordered = sorted((number in inside and tests) or of_file, key=lambda one: (times[one], one))
            found[name, number] = [_node(one, files) for one in ordered]
    return Ran(found, {_node(one, files): time for one, time in times.items() if one.partition(".")[0] in files})


def _inside_functions(text: str) -> set[int]:
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {line for one in functions for line in range(one.body[0].lineno, (one.end_lineno or 0) + 1)}


def _node(test: str, files: Mapping[str, str]) -> str:
    module, _, name = test.partition(".")
    return f"{files[module]}::{name}"
