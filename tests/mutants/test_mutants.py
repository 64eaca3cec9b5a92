"""What `make mutants` changes, what it runs, and that it tells killed, survived, equivalent and unbuildable apart."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edgemoe.cluster import Cluster
from edgemoe.spec.places import REPOSITORY
from tests.mutants import campaign, guards
from tests.mutants.__main__ import share, table
from tests.mutants.campaign import Campaign, Row, Verdict, drawn
from tests.mutants.change import WINGS, Change, candidates, changes
from tests.mutants.lines import Ran, by_line
from tests.mutants.tree import Tree

VERILOG = """\
`default_nettype none
module counter #(parameter BITS = 4) (
    input wire clock,
    output reg [BITS-1:0] count
);
    reg [3:0] last; // 7 + 8
    always @(posedge clock) begin
        if (!last[0] && count <= 9) count <= count + 1'b1;
    end
    wire unused = &{1'b0, last[3:1],
                    last[2]};
    wire odd = last[0] ^ 1'b1;
endmodule
"""
HEADER = """\
#pragma HLS inline
static_assert(1 + 1 == 2, "3 < 4");
int total(int value) {
    int sum = value > 0 ? value : 0;
    sum += 2;  // sum - 1
    return sum;
}
"""
PYTHON = '''\
"""1 < 2."""
def total(values: "list[int]", most: int = 3) -> int:
    if not values or len(values) > most:
        raise ValueError(f"{len(values) + 1} are too many")
    values.sort()
    for _ in zip(values, values, strict=True):
        assert most > 0
    return sum(values) // 2
'''


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "counter.v",
            VERILOG,
            [
                "8 !→",
                "8 0→1",
                "8 &&→||",
                "8 <=→<",
                "8 9→10",
                "8 count <= count + 1'b1;→;",
                "8 +→-",
                "8 1'b1→1'b0",
                "12 0→1",
                "12 1'b1→1'b0",
            ],
        ),
        ("total.hpp", HEADER, ["4 >→>=", "4 0→1", "4 0→1", "5 sum += 2;→;", "5 +=→-=", "5 2→3"]),
        ("total.py", PYTHON, ["2 3→4", "3 not →", "3 or→and", "3 >→>=", "5 values.sort()→pass", "8 //→*", "8 2→3"]),
    ],
)
def test_what_runs_is_changed_and_what_is_said_is_not(
    name: str, text: str, expected: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    found = [f"{one.line} {one.before}→{one.after}" for one in changes(tmp_path / name, name)]
    assert found == expected


def test_a_change_is_one_line_and_refuses_another_text() -> None:
    change = Change("counter.v", 8, 12, 13, "!", "")
    before, after = VERILOG.splitlines(), change.applied(VERILOG).splitlines()
    assert [number for number, (a, b) in enumerate(zip(before, after, strict=True), 1) if a != b] == [8]
    assert "if (last[0]" in after[7]
    with pytest.raises(ValueError, match="line 8 is not what was changed"):
        change.applied(VERILOG.replace("        if (!", "    if (!"))


@pytest.mark.parametrize("wing", WINGS)
def test_mutants_are_drawn_by_seed_and_applied_to_the_checkout(wing: str) -> None:
    few = drawn(REPOSITORY, wing, 5, 20)
    assert few == drawn(REPOSITORY, wing, 5, 40)[:20]
    assert few != drawn(REPOSITORY, wing, 6, 20)
    assert len(set(few)) == 20
    for change in few:
        text = (REPOSITORY / change.file).read_text(encoding="utf-8")
        assert change.applied(text) != text


def test_guards_that_are_chosen_by_engine_have_it_in_their_names() -> None:
    """`-k csim` leaves out a test that opens the C simulation by itself."""
    stages = [*guards.rtl("rtl/edgemoe_core.v"), *guards.hls("hls/machine/drain.hpp")]
    files = {word for stage in stages if "-k" in stage for word in stage if word.endswith(".py")}
    assert guards.WHOLE_MACHINE in files
    for file in sorted(files):
        for test in ast.parse((REPOSITORY / file).read_text(encoding="utf-8")).body:
            if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
                said, named = (
                    {each.value for part in parts for each in ast.walk(part) if isinstance(each, ast.Constant)}
                    for parts in (test.body, test.decorator_list)
                )
                unnamed = said & {"csim", "rtl"} - named
                assert not unnamed, f"{file}::{test.name}: let pytest.mark.parametrize name {unnamed}"


def test_every_file_of_the_hardware_has_guards() -> None:
    """One bench, proof or test of the machine at least, each of which exists."""
    for wing, stages_of in (("rtl", guards.rtl), ("hls", guards.hls)):
        for file in sorted({change.file for change in candidates(REPOSITORY, wing)}):
            stages = stages_of(file)
            assert guards.WHOLE_MACHINE in {stage[0] for stage in stages}, file
            for word in (word for stage in stages for word in stage if word.startswith("tests/")):
                assert (REPOSITORY / word.partition("::")[0]).exists(), word


def test_the_guards_of_a_module_are_those_of_the_nearest_bench() -> None:
    benches = [{word.partition("[")[2].partition("-")[0] for word in stage} for stage in guards.rtl("rtl/parts/gelu.v")]
    assert benches[:2] == [{"gelu"}, {"post_lane"}]


def test_a_line_of_the_host_is_guarded_by_the_tests_that_run_it() -> None:
    first, *others, long = [f"tests/host/test_stream.py::test_{number}" for number in range(guards.FIRST + 2)]
    line = ("host/edgemoe/session.py", 10)
    ran = Ran({line: [first, *others, long]}, dict.fromkeys([first, *others], 1.0) | {long: guards.LONGEST})
    assert guards.host(line, ran) == [(first, *others[:-1], *guards.QUICK), (others[-1], *guards.QUICK)]
    assert guards.host(("host/edgemoe/session.py", 11), ran) == []
    anywhere = Ran({("host/edgemoe/session.py", 0): [first]}, ran.seconds)
    assert guards.host(("host/edgemoe/session.py", 11), anywhere) == [(first, *guards.QUICK)]
    assert guards.host(("host/edgemoe/pynq/driver.py", 1), ran) == [guards.DRIVER]
    board = Ran({("host/edgemoe/pynq/board.py", 3): [first]}, ran.seconds)
    assert guards.host(("host/edgemoe/pynq/board.py", 3), board) == [(first, *guards.QUICK), guards.DRIVER]


def test_a_line_that_no_test_runs_itself_is_guarded_by_the_tests_of_its_file(tmp_path: Path) -> None:
    """Constants run while the module is imported; another process ran what only the test file's name tells."""
    source, test = tmp_path / "host" / "total.py", tmp_path / "tests" / "test_sums.py"
    for path, text in ((source, "MOST = 3\n\n\ndef total():\n    return MOST\n\n\ndef other():\n    return 0\n"),
                       (test, "from total import other, total\n\n\ndef test_a():\n    assert total() == 3\n\n\n"
                              "def test_b():\n    assert other() == 0\n")):  # fmt: skip
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
    (tmp_path / ".rc").write_text("[run]\ndynamic_context = test_function\nsource = host\ndata_file = data\n")
    run = [sys.executable, "-m", "coverage", "run", "--rcfile=.rc", "-m", "pytest", "-q", "--rootdir=.", "tests"]
    subprocess.run(run, cwd=tmp_path, env={**os.environ, "PYTHONPATH": "host"}, check=True, capture_output=True)
    (tmp_path / "tests" / "test_total.py").write_text("", encoding="utf-8")
    times = {"test_sums.test_a": 2.0, "test_sums.test_b": 1.0, "test_total.test_c": 3.0}
    ran = by_line(tmp_path / "data", times, tmp_path)
    a, b, c = (f"tests/{name.replace('.', '.py::')}" for name in times)
    whole = [b, a, c]
    found = {line: tests for (_, line), tests in ran.tests.items()}
    assert found == {0: whole, 1: whole, 4: whole, 5: [a], 8: whole, 9: [b]}
    assert ran.seconds == {a: 2.0, b: 1.0, c: 3.0}


def test_equivalent_mutants_are_lines_of_the_checkout() -> None:
    """A reason is kept for a line as it stands, once."""
    entries = json.loads(campaign.EQUIVALENT.read_text(encoding="utf-8"))
    known = [(entry["file"], entry["line"], entry["mutant"]) for entry in entries]
    assert [one for one, count in Counter(known).items() if count > 1] == []
    for entry in entries:
        assert set(entry) == {"file", "line", "mutant", "why"}
        lines = [line.strip() for line in (REPOSITORY / entry["file"]).read_text(encoding="utf-8").splitlines()]
        assert entry["line"] in lines, f"{entry['file']} has no line {entry['line']!r} any more"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of one kernel and one test of it."""
    root = tmp_path / "checkout"
    (root / "hls" / "kernels").mkdir(parents=True)
    (root / "hls" / "kernels" / "total.hpp").write_text(HEADER, encoding="utf-8")
    (root / "tests").mkdir()
    (root / "tests" / "test_total.py").write_text(
        "from pathlib import Path\n\n\n"
        "def test_it_adds_two():\n"
        "    text = Path('hls/kernels/total.hpp').read_text()\n"
        "    assert '> 0 ? value : 1' not in text, f'total.hpp:{4}:5: error: expected'\n"
        "    assert 'sum += 2' in text\n",
        encoding="utf-8",
    )
    subprocess.run(["git", "init", "-q", root], check=True)
    subprocess.run(["git", "-C", root, "add", "."], check=True)
    return root


def judged(root: Path, folder: Path, changes: list[Change]) -> list[Row]:
    return Campaign(root, folder).judge("hls", changes, lambda row: None)


def test_verdicts_and_a_checkout_left_as_it_was(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "hls", lambda file: [("tests/test_total.py",)])
    reasons = tmp_path / "equivalent.json"
    line = "int sum = value > 0 ? value : 0;"
    entry = {"file": "hls/kernels/total.hpp", "line": line, "mutant": line.replace("> 0", ">= 0")}
    reasons.write_text(json.dumps([entry | {"why": "0 is 0 either way"}]))
    monkeypatch.setattr(campaign, "EQUIVALENT", reasons)
    found = changes(checkout / "hls/kernels/total.hpp", "hls/kernels/total.hpp")
    rows = judged(checkout, tmp_path / "build", found)
    assert [row.verdict for row in rows] == [
        Verdict.EQUIVALENT, Verdict.SURVIVED, Verdict.INVALID, Verdict.KILLED, Verdict.KILLED, Verdict.KILLED,
    ]  # fmt: skip
    assert rows[0].by == "0 is 0 either way"
    assert rows[3].by == "tests/test_total.py::test_it_adds_two"
    assert share(rows, "hls") == 3 / 4
    assert "75.0 %" in table(rows)
    assert (checkout / "hls/kernels/total.hpp").read_text(encoding="utf-8") == HEADER
    copy = tmp_path / "build" / "tree" / "hls/kernels/total.hpp"
    assert copy.read_text(encoding="utf-8") == HEADER


def test_what_a_changed_file_builds_comes_from_no_cache(checkout: Path, tmp_path: Path) -> None:
    file = checkout / "host/edgemoe/devices/csim/build.py"
    file.parent.mkdir(parents=True)
    file.write_text("limit = 1\n", encoding="utf-8")
    subprocess.run(["git", "-C", checkout, "add", "."], check=True)
    tree = Tree(checkout, tmp_path / "tree")
    built = tree.folder / "build/csim/small/edgemoe.so"
    built.parent.mkdir(parents=True)
    built.write_text("by the unchanged file", encoding="utf-8")
    (change,) = changes(file, file.relative_to(checkout).as_posix())
    with tree.changed(change):
        assert not built.exists()
        built.parent.mkdir(parents=True)
        built.write_text("by the changed one", encoding="utf-8")
    assert built.read_text(encoding="utf-8") == "by the unchanged file"
    (tree.folder / "build/csim").rename(tree.folder / "build/csim.aside")
    built.parent.mkdir(parents=True)
    Tree(checkout, tree.folder)
    assert built.read_text(encoding="utf-8") == "by the unchanged file", "a run that was killed left it aside"


def test_a_run_goes_on_where_it_was_until_a_file_changes(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "hls", lambda file: [("tests/test_total.py",)])
    first = changes(checkout / "hls/kernels/total.hpp", "hls/kernels/total.hpp")[-1:]
    assert [row.verdict for row in judged(checkout, tmp_path / "build", first)] == [Verdict.KILLED]
    with monkeypatch.context() as broken:
        broken.setattr(Campaign, "_run", None)  # what is known is not run again
        assert [row.verdict for row in judged(checkout, tmp_path / "build", first)] == [Verdict.KILLED]
    (checkout / "tests" / "test_total.py").write_text("def test_it():\n    pass\n", encoding="utf-8")
    assert [row.verdict for row in judged(checkout, tmp_path / "build", first)] == [Verdict.SURVIVED]


@pytest.mark.slow
def test_workers_come_to_the_same_verdicts_in_copies_of_their_own(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    monkeypatch.setattr(guards, "hls", lambda file: [("tests/test_total.py",)])
    found = changes(checkout / "hls/kernels/total.hpp", "hls/kernels/total.hpp")
    here = judged(checkout, tmp_path / "here", found)
    apart = Campaign(checkout, tmp_path / "apart").judge("hls", found, lambda row: None, Cluster(2))
    facts = [[(row.change, row.verdict, row.by) for row in rows] for rows in (here, apart)]
    assert facts[0] == facts[1]
    monkeypatch.setattr(Campaign, "_run", None)  # what workers found is known
    assert [row.verdict for row in judged(checkout, tmp_path / "apart", found)] == [row.verdict for row in apart]


def test_guards_that_fail_before_the_change_prove_nothing(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "hls", lambda file: [("tests/test_other.py",)])
    found = changes(checkout / "hls/kernels/total.hpp", "hls/kernels/total.hpp")
    with pytest.raises(RuntimeError, match="fails before anything is changed"):
        judged(checkout, tmp_path / "build", found)
