"""What Vitis HLS would refuse or silently ignore: pragmas, what cannot be synthesised, loops without a plan."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from clang.cindex import Cursor, CursorKind
from frame_runner import mutated, replace_once

from edgemoe.devices.csim.build import HLS_FOLDER
from edgemoe.spec.registers import OFFSETS, REGISTERS
from tests.checks.pragmas import check, parse, sources

KERNELS = sources(HLS_FOLDER)


def code(path: Path) -> str:
    """A file without its comments."""
    return re.sub(r"//.*|/\*.*?\*/", "", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("configuration", ["zcu102", "zcu102_w16a16"])
def test_every_pragma_is_one_that_vitis_knows_where_it_stands(configuration: str) -> None:
    assert check(configuration=configuration) == []


class Mistake(NamedTuple):
    """One replacement in one file, and the complaint that it must bring."""

    file: str
    before: str
    after: str
    complaint: str


COMPUTE, TOP, RUN, ROWS = "machine/compute.hpp", "edgemoe.cpp", "machine/run.hpp", "machine/rows.hpp"
BEST = "        int64_t most = 0;\n"
TOTAL = "    int64_t total = 0;\n"
FIRST = "    const uint64_t first = i.address / MEMORY_WORD_BYTES;\n"
KEY = "variable=machine.pads.key dim="
MISTAKES = {
    "a misspelt directive": Mistake(ROWS, FIRST, f"#pragma HLS inlin\n{FIRST}", "unknown directive 'inlin'"),
    "a misspelt option": Mistake(
        COMPUTE, "#pragma HLS pipeline II=1", "#pragma HLS pipeline I=1", "unknown option 'I'"
    ),
    "a constant that does not exist": Mistake(
        "machine/route.hpp", "II=ROUTE_INTERVAL", "II=ROUTE_INTERVALS", "'ROUTE_INTERVALS' is neither a number nor a"
    ),
    "a variable that does not exist": Mistake(
        RUN, "variable=lines depth", "variable=line depth", "there is no 'line' in run_program"
    ),
    "a member that does not exist": Mistake(
        RUN, f"{KEY}1", "variable=machine.pads.keys dim=1", "there is no 'machine.pads.keys'"
    ),
    "a dimension too many": Mistake(RUN, f"{KEY}3", f"{KEY}4", "has 3 dimensions, not 4"),
    "a port that does not exist": Mistake(
        TOP, "mode=s_axilite port=input ", "mode=s_axilite port=inputs ", "'inputs' is no argument of edgemoe_top"
    ),
    "a register that does not exist": Mistake(
        TOP, "offset=0x01C\n", "offset=REG_INPUTS\n", "constant 'REG_INPUTS' does not exist"
    ),
    "a pragma outside its loop": Mistake(
        "kernels/gate.hpp", TOTAL, f"#pragma HLS pipeline II=1\n{TOTAL}", "pipeline: belongs into a loop"
    ),
    "a pragma after a statement": Mistake(
        "kernels/gate.hpp", BEST, f"{BEST}#pragma HLS unroll\n", "stands after a statement"
    ),
    "a missing required option": Mistake(RUN, " depth=PREFETCH_PAIRS", "", "option 'depth' is missing"),
    "a word that is none of the choices": Mistake(
        TOP, "mode=s_axilite port=return", "mode=s_axilit port=return", "'s_axilit' is none of m_axi, s_axilite"
    ),
}


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of one copy of the sources with all the mistakes, each on a line of its own: the copy is parsed once."""
    (name, before, after, _), *others = MISTAKES.values()
    folder = mutated(tmp_path_factory.mktemp("mistakes"), name, before, after)
    for name, before, after, _ in others:
        replace_once(folder / name, before, after)
    return check(folder)


@pytest.mark.parametrize("case", MISTAKES)
def test_a_seeded_mistake_in_a_pragma_is_found(case: str, complaints: list[str]) -> None:
    name, _, _, complaint = MISTAKES[case]
    assert any(text.startswith(f"{name}:") and complaint in text for text in complaints), complaints


def test_nothing_but_the_seeded_mistakes_is_found(complaints: list[str]) -> None:
    known = [(mistake.file, mistake.complaint) for mistake in MISTAKES.values()]
    assert not [text for text in complaints
                if not any(text.startswith(f"{name}:") and said in text for name, said in known)]  # fmt: skip


FORBIDDEN = {
    "heap": r"\b(new|delete|malloc|calloc|free)\b",
    "floating point": r"\b(float|double|half|ap_fixed|sqrt|exp|pow)\b\s*[(\w&*<]",
    "library containers": r"\bstd::",
    "exceptions or virtual calls": r"\b(throw|try|catch|virtual|typeid|dynamic_cast)\b",
    "jumps": r"\bgoto\b",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_nothing_stands_there_that_cannot_be_synthesised(what: str) -> None:
    for path in KERNELS:
        for number, line in enumerate(code(path).splitlines(), 1):
            assert not re.search(FORBIDDEN[what], line), f"{path.name}:{number}: {what}: {line.strip()}"


def calls(cursor: Cursor) -> Iterator[str]:
    for child in cursor.get_children():
        if child.kind == CursorKind.CALL_EXPR and child.referenced is not None:
            yield child.referenced.get_usr()
        yield from calls(child)


def functions(cursor: Cursor) -> Iterator[Cursor]:
    for child in cursor.get_children():
        if child.kind == CursorKind.FUNCTION_DECL and child.is_definition():
            yield child
        elif child.kind in (CursorKind.NAMESPACE, CursorKind.LINKAGE_SPEC):
            yield from functions(child)


def test_no_function_calls_itself_directly_or_by_detour() -> None:
    unit = parse(HLS_FOLDER / "edgemoe.cpp", "zcu102")
    ours = [f for f in functions(unit.cursor) if f.location.file and str(HLS_FOLDER) in f.location.file.name]
    graph = {function.get_usr(): set(calls(function)) for function in ours}
    assert len(graph) > 60
    for start in graph:
        reached, waiting = set(), list(graph[start])
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += graph.get(name, ())
        assert start not in reached, start


def test_the_array_has_one_call_site() -> None:
    unit = parse(HLS_FOLDER / "edgemoe.cpp", "zcu102")
    names = [name for function in functions(unit.cursor) for name in calls(function)]
    assert sum("multiply_accumulate" in name for name in names) == 1
    assert sum("@F@compute#" in name for name in names) == 1


@pytest.mark.parametrize("path", KERNELS, ids=lambda path: path.name)
def test_every_loop_has_a_label_and_says_how_often_it_turns(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        if not re.match(r"\s*(for|while) \(", line):
            continue
        place = f"{path.name}:{number + 1}"
        assert re.fullmatch(r"\s*[A-Z_]+:", lines[number - 1]), f"{place}: a loop without a label"
        head = " ".join(lines[number : number + 2])
        assert "// trip" in head or "loop_tripcount" in head, f"{place}: neither a trip count nor a bound"
        bounded = "#pragma HLS" in lines[number + 1] or "// trip" in line
        assert bounded, f"{place}: no pragma and no trip count"


LOOP = re.compile(
    r"for \(\w+ (\w+) = (?P<first>.+?); \1(?: \+ (?P<more>\w+))? (?P<until><=|<|>) (?P<bound>.+); "
    r"(?:\1 \+= (?P<step>\w+)|\+\+\1|--\1)\) (?:\{|.*;)  // trip (?P<trip>[^,]*)"
)
COUNTED_TURNS = 120  # loops whose comment is read; fewer: LOOP has lost some


def less(much: str, little: str) -> str:
    return much if little == "0" else f"{much} − {little}"


def turns(loop: re.Match[str]) -> str:
    """How often a loop turns, as its comment has to say it."""
    first = loop["first"].replace(" - ", " − ")
    bound = re.sub(r"^\(uint32_t\)", "", loop["bound"]).replace(" * ", " · ")
    if loop["until"] == ">":
        return less(first, bound)
    if loop["until"] == "<=":
        bound += " + 1"
    if loop["step"]:
        return f"{less(bound, first if first.isdigit() else '0')} / {loop['step']}"  # from any of the first few lanes
    return less(less(bound, loop["more"] or "0"), first)


def test_a_loop_turns_as_often_as_its_comment_says() -> None:
    """So that none goes one element beyond what it is for, where no sanitizer comes by."""
    counted = 0
    for path in KERNELS:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            loop = LOOP.match(line.strip())
            assert loop or "// trip" not in line, f"{path.name}:{number}: a trip count that is not understood"
            if loop:
                counted += 1
                assert loop["trip"] == turns(loop), f"{path.name}:{number}: turns {turns(loop)} times"
    assert counted >= COUNTED_TURNS


@pytest.mark.parametrize(
    ("turned", "trip"),
    [
        ("e = 0; e < VECTOR; ++e", "VECTOR"),
        ("e = 0; e <= VECTOR; ++e", "VECTOR + 1"),
        ("e = 1; e < VECTOR; ++e", "VECTOR − 1"),
        ("e = 0; e < VECTOR; e += 2", "VECTOR / 2"),
        ("e = n; e < VECTOR; e += 2", "VECTOR / 2"),
        ("e = 1; e < VECTOR; e += 2", "VECTOR − 1 / 2"),
        ("e = 0; e <= VECTOR; e += 2", "VECTOR + 1 / 2"),
        ("e = VECTOR - 1; e > 0; --e", "VECTOR − 1"),
        ("e = VECTOR - 1; e > 1; --e", "VECTOR − 1 − 1"),
    ],
)
def test_a_loop_that_turns_more_or_less_often_says_something_else(turned: str, trip: str) -> None:
    loop = LOOP.match(f"for (int {turned}) {{  // trip VECTOR")
    assert loop
    assert turns(loop) == trip


def test_the_ports_of_the_top_are_the_registers_of_the_specification() -> None:
    unit = parse(HLS_FOLDER / "edgemoe.cpp", "zcu102")
    top = next(f for f in functions(unit.cursor) if f.spelling == "edgemoe_top")
    expected = [register.name for register in REGISTERS if register.kind != "control"]
    assert [argument.spelling for argument in top.get_arguments()] == expected
    text = (HLS_FOLDER / "edgemoe.cpp").read_text(encoding="utf-8")
    for name in expected:
        assert f"mode=s_axilite port={name} bundle=control offset=0x{OFFSETS[name]:03X}\n" in text


def test_modules_stay_small() -> None:
    for path in [*KERNELS, *(HLS_FOLDER / "simulation").iterdir()]:
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
