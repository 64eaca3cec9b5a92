"""Checks every `#pragma HLS` of the HLS sources: `python -m tests.checks.pragmas` (part of `make lint`).

A C++ compiler ignores unknown pragmas, misspellings included. Checked here with libclang: directive and option names,
required options, values (integers, constants that exist, or known words), variables and ports that exist where the
pragma stands, dimensions that the array has, and the place: at the head of a loop body or of a function.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from clang import cindex
from clang.cindex import Cursor, CursorKind, TranslationUnit

from edgemoe.devices.csim.build import HLS_FOLDER, compiler, header_folder
from edgemoe.spec.terminal import accept_all_text

NUMBER, VARIABLE, PORT, WORD, FLAG = "number", "variable", "port", "word", "flag"


@dataclass(frozen=True)
class Directive:
    """options: name → kind, or the words it may be. required: options that must stand. place: `loop` or `function`."""

    place: str
    options: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    required: tuple[str, ...] = ()


DIRECTIVES = {
    "pipeline": Directive("loop", {"II": NUMBER, "rewind": FLAG, "off": FLAG, "style": ("stp", "flp", "frp")}),
    "unroll": Directive("loop", {"factor": NUMBER, "skip_exit_check": FLAG}),
    "loop_tripcount": Directive("loop", {"min": NUMBER, "max": NUMBER, "avg": NUMBER}, ("min", "max")),
    "dependence": Directive(
        "loop",
        {
            "variable": VARIABLE,
            **dict.fromkeys(("inter", "intra", "RAW", "WAR", "WAW", "true", "false"), FLAG),
            "distance": NUMBER,
        },
        ("variable",),
    ),
    "disaggregate": Directive("function", {"variable": VARIABLE}, ("variable",)),
    "bind_storage": Directive(
        "function",
        {
            "variable": VARIABLE,
            "type": ("ram_s2p", "ram_2p", "ram_t2p", "ram_1p", "fifo"),
            "impl": ("bram", "uram", "lutram"),
        },
        ("variable", "type"),
    ),
    "inline": Directive("function", {"off": FLAG, "recursive": FLAG}),
    "dataflow": Directive("function", {"disable_start_propagation": FLAG}),
    "stream": Directive(
        "function", {"variable": VARIABLE, "depth": NUMBER, "type": ("fifo", "pipo", "shared")}, ("variable", "depth")
    ),
    "array_partition": Directive(
        "function",
        {"variable": VARIABLE, "dim": NUMBER, "factor": NUMBER, "complete": FLAG, "cyclic": FLAG, "block": FLAG},
        ("variable",),
    ),
    "interface": Directive(
        "function",
        {
            "mode": ("m_axi", "s_axilite"),
            "port": PORT,
            "bundle": WORD,
            "offset": WORD,
            "num_read_outstanding": NUMBER,
            "num_write_outstanding": NUMBER,
            "max_read_burst_length": NUMBER,
            "max_write_burst_length": NUMBER,
            "depth": NUMBER,
        },
        ("mode", "port", "bundle"),
    ),
}
_LOOPS = (CursorKind.FOR_STMT, CursorKind.WHILE_STMT, CursorKind.DO_STMT)
_FUNCTIONS = (CursorKind.FUNCTION_DECL, CursorKind.CXX_METHOD, CursorKind.FUNCTION_TEMPLATE)


@cache
def parse(top: Path, configuration: str) -> TranslationUnit:
    """The syntax tree of the top with everything it includes; raises ValueError when it has errors."""
    folder = top.parent
    arguments = ["-x", "c++", "-std=c++17", "-Wno-everything", "-DEDGEMOE_AS_SYNTHESISED", f"-I{folder / 'simulation'}"]
    arguments += [f"-I{HLS_FOLDER / 'generated' / configuration}", f"-isystem{header_folder()}"]
    own = subprocess.run([compiler(), "-print-file-name=include"], capture_output=True, text=True, check=True)
    arguments.append(f"-isystem{own.stdout.strip()}")  # libclang comes without the compiler's own headers
    unit = cindex.Index.create().parse(str(top), args=arguments)
    errors = [str(d) for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
    if errors:
        raise ValueError(f"{top} does not parse: {errors[0]}")
    return unit


def sources(folder: Path) -> list[Path]:
    """The files that are synthesised."""
    return [
        *sorted((folder / "kernels").glob("*.hpp")),
        *sorted((folder / "machine").glob("*.hpp")),
        *folder.glob("*.cpp"),
    ]


def check(folder: Path = HLS_FOLDER, configuration: str = "zcu102") -> list[str]:
    """Complaints, each with file and line."""
    unit = parse(folder / "edgemoe.cpp", configuration)
    tree = _Tree(unit, folder)
    found = []
    for path in sources(folder):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if "#pragma" in line and "#pragma once" not in line:
                found += [f"{path.relative_to(folder)}:{number}: {text}" for text in _pragma(tree, path, number, line)]
    return found


def _pragma(tree: _Tree, path: Path, number: int, line: str) -> Iterator[str]:
    match = re.fullmatch(r"\s*#pragma HLS (\w+)((?: \w+(?:=[\w.]+)?)*)\s*", line)
    if not match:
        yield "not of the form '#pragma HLS directive option=value …'"
        return
    name, rest = match[1], match[2].split()
    if name not in DIRECTIVES:
        yield f"unknown directive '{name}'; known are {', '.join(DIRECTIVES)}"
        return
    directive, given = DIRECTIVES[name], [part.partition("=") for part in rest]
    for option in directive.required:
        if option not in [part[0] for part in given]:
            yield f"{name}: option '{option}' is missing"
    function = tree.innermost(path, number, _FUNCTIONS)
    if function is None:
        yield f"{name}: stands outside any function"
        return
    for option, sign, value in given:
        if option not in directive.options:
            yield f"{name}: unknown option '{option}'; known are {', '.join(directive.options)}"
        else:
            yield from _value(tree, function, f"{name}: {option}", directive.options[option], bool(sign), value)
    if name == "array_partition":
        yield from _dimension(tree, function, {part[0]: part[2] for part in given})
    yield from _place(tree, path, number, name, directive.place, function)


def _value(
    tree: _Tree, function: Cursor, what: str, kind: str | tuple[str, ...], signed: bool, value: str
) -> Iterator[str]:
    if (kind == FLAG) == signed:
        yield f"{what} takes {'no' if kind == FLAG else 'a'} value"
    elif isinstance(kind, tuple) and value not in kind:
        yield f"{what}: '{value}' is none of {', '.join(kind)}"
    elif kind == NUMBER and not value.isdigit() and value not in tree.constants:
        yield f"{what}: '{value}' is neither a number nor a constant"
    elif kind == PORT and value != "return" and value not in {a.spelling for a in function.get_arguments()}:
        yield f"{what}: '{value}' is no argument of {function.spelling}"
    elif kind == VARIABLE and tree.member(function, value) is None:
        yield f"{what}: there is no '{value}' in {function.spelling}"
    elif kind == WORD and value.isupper() and value not in tree.constants:
        yield f"{what}: constant '{value}' does not exist"


def _dimension(tree: _Tree, function: Cursor, given: dict[str, str]) -> Iterator[str]:
    member = tree.member(function, given.get("variable", ""))
    if member is None:
        return
    kind, dimensions = member.type.get_canonical(), 0
    while kind.kind == cindex.TypeKind.CONSTANTARRAY:
        kind, dimensions = kind.element_type.get_canonical(), dimensions + 1
    wanted = int(given.get("dim", "1")) if given.get("dim", "1").isdigit() else 1
    if dimensions == 0:
        yield f"array_partition: '{given['variable']}' is no array"
    elif wanted > dimensions:
        yield f"array_partition: '{given['variable']}' has {dimensions} dimensions, not {wanted}"
    if sum(option in given for option in ("complete", "cyclic", "block")) != 1:
        yield "array_partition: exactly one of complete, cyclic, block must stand"
    if ("factor" in given) == ("complete" in given):
        yield "array_partition: 'factor' goes with cyclic and block, and only with them"


def _place(tree: _Tree, path: Path, number: int, name: str, place: str, function: Cursor) -> Iterator[str]:
    """Pragmas stand at the head of a body; those about variables may follow declarations."""
    loop = tree.innermost(path, number, _LOOPS)
    owner = loop if place == "loop" else function
    if owner is None or (place == "function" and loop is not None):
        yield f"{name}: belongs into a {place}"
        return
    if name in ("array_partition", "stream", "disaggregate", "bind_storage"):
        return
    body = list(owner.get_children())[-1]
    statements = [child.extent.start.line for child in body.get_children() if child.extent.start.line < number]
    if statements:
        yield f"{name}: stands after a statement (line {statements[0]}); it belongs at the head of the {place}'s body"


class _Tree:
    """Questions about the syntax tree."""

    def __init__(self, unit: TranslationUnit, folder: Path) -> None:
        self.constants: set[str] = set()
        self._by_file: dict[str, list[Cursor]] = {}
        self._walk(unit.cursor, folder)

    def _walk(self, cursor: Cursor, folder: Path) -> None:
        for child in cursor.get_children():
            location = child.location.file
            if location is None or "/ap_types/" in location.name or location.name.startswith("/usr"):
                continue
            if child.kind == CursorKind.VAR_DECL and child.semantic_parent.kind in (
                CursorKind.NAMESPACE,
                CursorKind.TRANSLATION_UNIT,
            ):
                self.constants.add(child.spelling)
            if child.kind in _LOOPS or (child.kind in _FUNCTIONS and child.is_definition()):
                self._by_file.setdefault(str(Path(location.name).resolve()), []).append(child)
            self._walk(child, folder)

    def innermost(self, path: Path, line: int, kinds: tuple[CursorKind, ...]) -> Cursor | None:
        """The smallest function or loop around a line."""
        around = [
            cursor
            for cursor in self._by_file.get(str(path.resolve()), [])
            if cursor.kind in kinds and cursor.extent.start.line <= line <= cursor.extent.end.line
        ]
        return min(around, key=lambda cursor: cursor.extent.end.line - cursor.extent.start.line, default=None)

    def member(self, function: Cursor, path: str) -> Cursor | None:
        """The variable `a`, or the member `a.b.c`, seen from a function."""
        first, *rest = path.split(".")
        found = next((c for c in _descendants(function) if c.spelling == first and _is_variable(c)), None)
        for name in rest:
            if found is None:
                return None
            kind = found.type.get_canonical()
            while kind.kind in (cindex.TypeKind.LVALUEREFERENCE, cindex.TypeKind.POINTER):
                kind = kind.get_pointee().get_canonical()
            found = next((f for f in kind.get_fields() if f.spelling == name), None)
        return found


def _is_variable(cursor: Cursor) -> bool:
    return cursor.kind in (CursorKind.VAR_DECL, CursorKind.PARM_DECL)


def _descendants(cursor: Cursor) -> Iterator[Cursor]:
    for child in cursor.get_children():
        yield child
        yield from _descendants(child)


def main() -> int:
    """Print complaints; 1 when there are any."""
    accept_all_text()
    complaints = check()
    print("\n".join(complaints) or "HLS pragmas: no complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
