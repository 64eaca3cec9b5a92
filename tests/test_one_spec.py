"""Every width and constant of the machine is written once, in edgemoe.spec; everything else takes it from there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from enum import IntEnum
from importlib import import_module
from pathlib import Path

import pytest

from edgemoe.spec import interface, machine
from edgemoe.spec.generate.constants import groups, hardware_constants, hls_schedule, precision_constants
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.isa import FIELDS, Buffer, Epilogue, Opcode
from edgemoe.spec.machine import Sizes, sizes
from edgemoe.spec.precision import W8A8
from edgemoe.spec.records import HEADERS, sizes_of

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("host", "golden", "hls", "rtl", "sim", "benchmarks", "tests", "bitstreams")
SPEC = ROOT / "host" / "edgemoe" / "spec"
GENERATED = {"generated", "include"}  # and checked for freshness
MICRO = Sizes(load_hardware_config("micro"))
LITERAL = r"(?:-?\d+'[a-z]*)?-?\d\w*"
C_CONSTANT = re.compile(rf"\b([A-Z][A-Z0-9_]+)\s*=\s*{LITERAL}\s*[,;}}]|^\s*#define\s+([A-Z][A-Z0-9_]+)\s+{LITERAL}\b")
VERILOG_CONSTANT = re.compile(rf"(?<!parameter )\b([A-Z][A-Z0-9_]+)\s*=\s*{LITERAL}\s*[,;]")
OWN_CONSTANT = re.compile(r"^\s*localparam (?:\[[^\]]*\] )?([A-Z][A-Z0-9_]+) = ([^,;]+);", re.MULTILINE)
WIDTH = re.compile(r"\[((?:\d+\*)?[A-Z][A-Z0-9_]+\+\d+:0)\]")
NUMBER = re.compile(r"(?<![\w'])\d+\b")
SMALL = 2  # up to here a number is a step or a sign
COMMON = {near for power in range(32) for near in ((1 << power) - 1, 1 << power, (1 << power) + 1)} | {*range(65)}
PART_SELECT = re.compile(r"\b([A-Z]+)_([A-Z_]+?)(?:_LOW)?\s*\+:\s*(\w+)")
NARROWER = {"DRAIN_LANE +: LANE_BITS", "DRAIN_TILE +: 8", "DRAIN_TILE +: KEY_WORD_BITS"}  # low bits are all that count
ENUMS = (machine.PassKind, machine.Left, machine.Fetch, Opcode, Buffer, Epilogue)
Repeat = tuple[int, str]  # line, what is written there again


def assigned(tree: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    """Names and what is assigned to each, `A, B = 1, 2` and `A = B = 1` taken apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            pairs: list[tuple[ast.expr, ast.expr]] = [(node.target, node.value)]
        elif isinstance(node, ast.Assign):
            pairs = [(target, node.value) for target in node.targets]
        else:
            continue
        for target, value in pairs:
            parts: list[tuple[ast.expr, ast.expr]] = [(target, value)]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                parts = [*zip(target.elts, value.elts, strict=True)]
            yield from ((name, each) for name, each in parts if isinstance(name, ast.Name))


def constants() -> set[str]:
    """Names of what the specification fixes: its own constants in Python, and those of the generated headers."""
    names = {constant.name for group in (*groups(), hls_schedule()) for constant in group.constants}
    build = (*precision_constants(W8A8), *hardware_constants(MICRO.hardware))
    names |= {constant.name for constant in build} | {size.name.upper() for size in sizes()}
    for path in SPEC.glob("[a-z]*.py"):
        values = vars(import_module(f"edgemoe.spec.{path.stem}"))
        names |= {name for name, value in values.items() if name.isupper() and type(value) is int}
    for prefix, enum in (("PASS", machine.PassKind), ("LEFT", machine.Left), ("FETCH", machine.Fetch)):
        names |= {f"{prefix}_{member.name}" for member in enum}
    return {name for name in names if not name.startswith("_")}


CONSTANTS = constants()


def is_literal(value: ast.expr) -> bool:
    """Whether a value is a number, or reckoned from nothing but numbers."""
    reckoned = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.IfExp, ast.Compare, ast.operator, ast.unaryop, ast.cmpop)
    nodes = [*ast.walk(value)]
    numbers = [node for node in nodes if isinstance(node, ast.Constant)]
    return all(isinstance(node, reckoned) for node in nodes) and all(type(node.value) is int for node in numbers)


def repeats(suffix: str, text: str) -> list[Repeat]:
    """Constants of the specification that a file gives a value of its own; a module's parameters are its own."""
    if suffix == ".py":
        tree = ast.parse(text)
        found = [(name.lineno, name.id) for name, value in assigned(tree) if name.id.isupper() and is_literal(value)]
        return [(line, name) for line, name in found if name.lstrip("_") in CONSTANTS] + [*enum_repeats(tree)]
    if suffix == ".tcl":
        words = (interface.VENDOR, interface.LIBRARY, interface.VERSION)
        return [(number, word) for number, line in enumerate(text.splitlines(), 1) for word in words
                if re.search(rf"(?<!\S){re.escape(word)}(?!\S)", line)]  # fmt: skip
    pattern = VERILOG_CONSTANT if suffix in (".v", ".vh") else C_CONSTANT
    lines = ((number, line.partition("//")[0]) for number, line in enumerate(text.splitlines(), 1))
    return [
        (number, name)
        for number, line in lines
        for match in pattern.finditer(line)
        for name in match.groups()
        if name in CONSTANTS
    ]


def enum_repeats(tree: ast.AST) -> Iterator[Repeat]:
    """Classes with the members of an enumeration of the specification."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            members = {name.id for name, _ in assigned(node)}
            for enum in ENUMS:
                if {member.name for member in enum} <= members:
                    yield node.lineno, f"the members of {enum.__name__}"


def files(*suffixes: str) -> list[Path]:
    """What people write, beside the specification."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in suffixes)
    return sorted(path for path in paths if not GENERATED & {*path.parts} and SPEC not in path.parents)


def test_no_constant_is_written_twice() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name} stands in host/edgemoe/spec; take it from there"
        for path in files(".py", ".hpp", ".cpp", ".h", ".v", ".vh", ".tcl")
        for line, name in repeats(path.suffix, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("suffix", "text", "name"),
    [
        (".py", "QUERY_TILES = 8\n", "QUERY_TILES"),
        (".py", "_TILE_QUEUE: int = 4 * 4\n", "_TILE_QUEUE"),
        (".py", "def f():\n    A, LOGIT_BITS = 1, 48 if 2 > 1 else 42\n", "LOGIT_BITS"),
        (".py", "A = VECTOR = 16\n", "VECTOR"),
        (".py", "class Kind(IntEnum):\n" + "".join(f"    {m.name} = {int(m)}\n" for m in machine.Left), "Left"),
        (".hpp", "constexpr int QUERY_TILES = 4;      // tiles\n", "QUERY_TILES"),
        (".hpp", "enum { PASS_QKV = 0, PASS_GELU };\n", "PASS_QKV"),
        (".cpp", "#define STREAM_LINE_BYTES 64\n", "STREAM_LINE_BYTES"),
        (".v", "    localparam [5:0] MAX_SHIFT = 6'd60;\n", "MAX_SHIFT"),
        (".v", "    localparam JOB_DELAY = 18, STAGES = 24;\n", "JOB_DELAY"),
        (".tcl", "export_design -vendor edgemoe.org\n", "edgemoe.org"),
    ],
)
def test_a_repeat_is_found(suffix: str, text: str, name: str) -> None:
    assert any(name in found for _, found in repeats(suffix, text)), f"{text!r} passes"


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".py", "from edgemoe.spec.machine import QUERY_TILES\nSLOTS = Sizes(CONFIG).slots\nBLOCK = 8\n"),
        (
            ".hpp",
            "// QUERY_TILES = 8;\nconstexpr int INSTRUCTION_WORDS = INSTRUCTION_BYTES / 4;\n",
        ),
        (".v", "    parameter LOGIT_BITS = 42;\n    localparam CYCLES = GATE_CYCLES;\n"),
    ],
)
def test_what_is_derived_or_its_own_passes(suffix: str, text: str) -> None:
    assert repeats(suffix, text) == []


def shared(texts: dict[str, str]) -> Iterator[str]:
    """What several modules of the Verilog, name → text, make from the same number: the specification lacks its name.

    A localparam and its value; a constant with something added, as a width; a number that is not COMMON, whatever its
    name. Parameters come from a module's parent; states, several to a statement, are its own.
    """
    owners: dict[str, set[str]] = {}
    for module, text in texts.items():
        code = re.sub(r"//[^\n]*", "", text)
        constants = OWN_CONSTANT.findall(code)
        said = [f"{name} = {value}" for name, value in constants] + WIDTH.findall(code)
        said = [each for each in said if any(int(number) > SMALL for number in NUMBER.findall(each))]
        numbers = [value.rpartition("'d")[2] for _, value in constants]
        said += [number for number in numbers if number.isdecimal() and int(number) not in COMMON]
        for each in said:
            owners.setdefault(each, set()).add(module)
    return (f"{each}: {', '.join(sorted(modules))}" for each, modules in owners.items() if len(modules) > 1)


def test_no_two_modules_make_the_same_constant() -> None:
    """What two modules need has a name in edgemoe.spec.machine, or one of them gives it to the other.

    A proof of sim/formal is no module of the machine: it says anew what its subject has to be.
    """
    modules = [path for path in files(".v") if path.is_relative_to(ROOT / "rtl")]
    found = [*shared({path.stem: path.read_text(encoding="utf-8") for path in modules})]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("    localparam VARIANCE_BITS = 68;\n", "    localparam VARIANCE_BITS = 68;  // as there\n"),
        ("    localparam SUM_BITS = RESIDUAL_BITS + 10;\n", "    localparam SUM_BITS = RESIDUAL_BITS + 10;\n"),
        ("    localparam THIRD = 43691;\n", "    localparam [15:0] ONE_THIRD = 16'd43691;\n"),
        ("    input wire [RESIDUAL_BITS+9:0] sum,\n", "    reg [RESIDUAL_BITS+9:0] total;\n"),
    ],
)
def test_a_constant_of_two_modules_is_found(first: str, second: str) -> None:
    assert [*shared({"first": first, "second": second})], f"{first!r} beside {second!r} passes"
    own = "    parameter SUM_BITS = 26,\n    localparam IDLE = 0, LAST = 68;\n"
    assert not [*shared({"first": first, "second": own})]


def field_widths() -> dict[tuple[str, str], int | str]:
    """(record, field) → width, as a number or as the name of a size; FIELD: those of instructions."""
    widths: dict[tuple[str, str], int | str] = {("FIELD", name.upper()): f.width for name, f in FIELDS.items()}
    for records in HEADERS:
        for record in records:
            for field in record.fields:
                widths[record.name.upper(), field.name.upper()] = field.width
    return widths


def wrong_selects(text: str) -> Iterator[str]:
    """Part selects of a field that are not as wide as it, and not known to be narrower."""
    widths = field_widths()
    for match in PART_SELECT.finditer(re.sub(r"//[^\n]*", "", text)):
        record, field, given = match.groups()
        if (record, field) in widths:
            wanted = widths[record, field]
            bits = wanted if isinstance(wanted, int) else sizes_of(wanted, MICRO)
            if given not in (str(bits), str(wanted).upper()) and match[0] not in NARROWER:
                yield f"{match[0]}, the table has {wanted}"


def test_every_part_select_is_as_wide_as_its_field() -> None:
    """Verilog says `pass[PASS_KIND +: 3]`: a width beside the table's, so each is compared."""
    texts = {path: path.read_text(encoding="utf-8") for path in files(".v")}
    found = [f"{path.relative_to(ROOT)}: {wrong}" for path, text in texts.items() for wrong in wrong_selects(text)]
    assert not found, "\n".join(found)
    assert sum(len(PART_SELECT.findall(text)) for text in texts.values()) > 100
    assert [*wrong_selects("now[PASS_FIRST_ROW +: 12]")] == ["PASS_FIRST_ROW +: 12, the table has 16"]
    assert [*wrong_selects("step[STEP_MASK +: OUT_PAR]")] == ["STEP_MASK +: OUT_PAR, the table has in_par"]


def test_pages_have_the_values_of_the_table() -> None:
    """Where a page says `READ_LATENCY = 2` or `JOB_DELAY = 10 + PRODUCT_LATENCY + TOKEN_PAR`, the table does."""
    fixed = {size.name.upper(): getattr(MICRO, size.name) for size in sizes()}
    terms = fixed | {"TOKEN_PAR": MICRO.hardware.token_par}
    found = []
    for path in sorted((ROOT / "docs").rglob("*.md")):
        pattern = r"\b([A-Z][A-Z0-9_]+) = (\d+)\b((?: \+ [A-Z][A-Z0-9_]+)*)"
        for name, value, more in re.findall(pattern, path.read_text(encoding="utf-8")):
            if name in fixed:
                said = int(value) + sum(terms[term] for term in more.split(" + ")[1:])
                found.append((name, path.name, said, fixed[name]))
    assert len(found) >= 3, "pages name no sizes"
    assert all(said == value for _, _, said, value in found), found


def test_nothing_is_evaluated() -> None:
    """What a file says is parsed, never run."""
    for path in files(".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path.relative_to(ROOT)}:{node.lineno}: {node.func.id}"


def test_enumerations_fit_their_fields() -> None:
    widths = {name: width for name, width in field_widths().items() if name[1] in ("KIND", "LEFT")}
    assert len(widths) == 5
    largest: dict[tuple[str, str], type[IntEnum]] = {("FETCH", "KIND"): machine.Fetch}
    for name, width in widths.items():
        members = largest.get(name, machine.Left if name[1] == "LEFT" else machine.PassKind)
        assert max(members) < 1 << int(width), name
