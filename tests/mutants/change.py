"""Which single changes a line of source allows, in Verilog, C++ and Python, and one of them applied.

What is said about a program and is no part of it stays as it is: comments, texts, preconditions and assertions,
annotations, exports, defaults that every instance overrides, wires that name for lint what nothing reads.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS = {
    "==": "!=", "!=": "==", "&&": "||", "||": "&&", "<": "<=", ">": ">=", "<=": "<", ">=": ">", "+": "-", "-": "+",
    "&": "|", "|": "&", "<<": ">>", ">>": "<<", "+=": "-=", "-=": "+=",
}  # fmt: skip
BINARY = re.compile(r"(?<= )(==|!=|&&|\|\||<<|>>|\+=|-=|<=|>=|<|>|\+|-|&|\|)(?= )")
NEGATION = re.compile(r"!(?=[\w(])")
NUMBER = re.compile(r"(?<![\w.'])\d+(?![\w.'])")
BIT = re.compile(r"\b1'b[01]\b")
VERILOG_STATEMENT = re.compile(r"^\s*(?:if \(.*\) |else )?([\w\[\]:+ ]+ <= [^;]*;)\s*$")
C_STATEMENT = re.compile(r"^\s*(?:if \(.*\) )?((?!return|const|typedef)[\w.\[\]]+ [-+|]?= [^;]*;)\s*$")
DECLARED = re.compile(r"^\s*(?:reg|wire|localparam|integer|genvar)\b(?: signed)?(?: *\[[^\]]*\])?")
VERILOG_SAID = re.compile(r"^\s*(`|\(\*|module\b|endmodule|input\b|output\b|parameter\b|generate|endgenerate|genvar)")
VERILOG_UNREAD = re.compile(r"^\s*wire unused\w* = ")
C_SAID = re.compile(r"^\s*(#|static_assert|template|typedef|using|namespace|EDGEMOE_\w+\()")
HIDDEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


@dataclass(frozen=True, order=True)
class Change:
    """One place of a file and what stands there instead. line counts from 1; begin, end: characters of the line."""

    file: str
    line: int
    begin: int
    end: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.begin + 1}  {self.before.strip()} → {self.after.strip() or 'nothing'}"

    def line_of(self, text: str) -> str:
        """The line that it changes, as it stands in the file."""
        return text.splitlines()[self.line - 1]

    def applied(self, text: str) -> str:
        """The whole file with this change. Raises ValueError where `before` does not stand there."""
        lines = text.splitlines(keepends=True)
        line = lines[self.line - 1] if self.line <= len(lines) else ""
        if line[self.begin : self.end] != self.before:
            raise ValueError(f"{self.file}, line {self.line} is not what was changed; draw the mutants again")
        lines[self.line - 1] = line[: self.begin] + self.after + line[self.end :]
        return "".join(lines)


def changes(path: Path, name: str) -> list[Change]:
    """All of a file, in order. name: what it is called in the result."""
    text = path.read_text(encoding="utf-8")
    found = _of_python(text) if path.suffix == ".py" else _of_lines(text, verilog=path.suffix == ".v")
    return sorted({Change(name, *place) for place in found})


Place = tuple[int, int, int, str, str]


def _of_lines(text: str, verilog: bool) -> Iterator[Place]:
    """Verilog and C++: operators with a blank on either side, negations, numbers, bits, assignments left out."""
    visible = HIDDEN.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    said, statement = (VERILOG_SAID, VERILOG_STATEMENT) if verilog else (C_SAID, C_STATEMENT)
    unread = False  # inside such a wire
    for number, line in enumerate(visible.splitlines(), 1):
        begins = VERILOG_UNREAD.match(line) if verilog else None
        if unread or begins:
            unread = ";" not in line
            continue
        if said.match(line):
            continue
        for match in BINARY.finditer(line):
            depth = line[: match.start()].count("(") - line[: match.start()].count(")")
            if verilog and match[0] == "<=" and depth == 0:
                continue  # an assignment
            yield number, match.start(), match.end(), match[0], SWAPS[match[0]]
        for match in NEGATION.finditer(line):
            yield number, match.start(), match.end(), "!", ""
        for match in BIT.finditer(line) if verilog else ():
            yield number, match.start(), match.end(), match[0], match[0][:-1] + str(1 - int(match[0][-1]))
        width = DECLARED.match(line) if verilog else None  # one bit more of a register changes nothing
        for match in NUMBER.finditer(line, width.end() if width else 0):
            yield number, match.start(), match.end(), match[0], str(int(match[0]) + 1)
        whole = statement.match(line)
        if whole is not None:
            yield number, whole.start(1), whole.end(1), whole[1], ";"


PYTHON_SWAPS: dict[type[ast.AST], tuple[str, str]] = {
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"), ast.Is: ("is", "is not"), ast.IsNot: ("is not", "is"), ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"), ast.And: ("and", "or"), ast.Or: ("or", "and"), ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "+"),
    ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"), ast.BitAnd: ("&", "|"), ast.BitOr: ("|", "&"),
}  # fmt: skip
UNTOUCHED = (ast.Import, ast.ImportFrom, ast.Raise, ast.Assert, ast.JoinedStr, ast.Match)
TYPING = {"TypeVar", "ParamSpec", "NewType", "cast"}


def _of_python(text: str) -> Iterator[Place]:
    """Python: comparisons, logic, arithmetic, numbers, truth values, negations, calls left out."""
    lines = text.splitlines()
    for node in _nodes(ast.parse(text)):
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            for left, operator, right in zip(parts, node.ops, parts[1:], strict=False):
                yield from _between(lines, left, right, PYTHON_SWAPS[type(operator)])
        elif isinstance(node, ast.BoolOp):
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield from _between(lines, left, right, PYTHON_SWAPS[type(node.op)])
        elif isinstance(node, ast.BinOp) and type(node.op) in PYTHON_SWAPS:
            yield from _between(lines, node.left, node.right, PYTHON_SWAPS[type(node.op)])
        elif isinstance(node, ast.Constant) and type(node.value) in (bool, int):
            new = str(not node.value) if isinstance(node.value, bool) else str(node.value + 1)
            yield from _whole(lines, node, new)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            begin = node.col_offset
            if lines[node.lineno - 1].isascii():
                yield node.lineno, begin, begin + 4, "not ", ""
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            yield from _whole(lines, node, "pass")


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """What runs: no imports, texts of errors, annotations, decorators, exports, assertions (`strict` of zip is one)."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params", "bases", "keywords") and not (
            name == "keywords" and isinstance(node, ast.Call) and ast.unparse(node.func) != "field"
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, UNTOUCHED):
                continue
            if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
                continue
            if isinstance(child, ast.Call) and ast.unparse(child.func) in TYPING:
                continue
            if isinstance(child, ast.keyword) and child.arg == "strict":
                continue
            yield from _nodes(child)


def _whole(lines: list[str], node: ast.expr | ast.stmt, new: str) -> Iterator[Place]:
    line = lines[node.lineno - 1]
    if node.lineno == node.end_lineno and line.isascii() and node.end_col_offset is not None:
        yield node.lineno, node.col_offset, node.end_col_offset, line[node.col_offset : node.end_col_offset], new


def _between(lines: list[str], left: ast.expr, right: ast.expr, swap: tuple[str, str]) -> Iterator[Place]:
    """The operator between two operands of one line."""
    line = lines[right.lineno - 1]
    if left.end_lineno != right.lineno or not line.isascii() or left.end_col_offset is None:
        return
    old, new = swap
    at = line.find(f" {old} ", left.end_col_offset, right.col_offset)
    if at >= 0:
        yield right.lineno, at + 1, at + 1 + len(old), old, new


WINGS: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "rtl": ("rtl/**/*.v", lambda path: "generated" not in path.parts),
    "hls": ("hls/**/*.hpp", lambda path: not {"generated", "tops", "simulation"} & set(path.parts)),
    "host": ("host/edgemoe/**/*.py", lambda path: _guarded_host(path)),
}
HOST_PARTS = {"compiler", "devices", "pynq"}
PREDICTIONS = {  # held within 1 %, not by ==
    "cycles.py", "timeline.py", "array_clock.py", "beside.py", "moves.py", "prefetch.py",
    "hls_array.py", "hls_cycles.py"
}  # fmt: skip
HOST_FILES = {"session.py", "accelerator.py", "control.py", "frame_run.py", "frames.py"}


def _guarded_host(path: Path) -> bool:
    inside = path.parts[path.parts.index("edgemoe") + 1 :]
    if inside[0] in HOST_PARTS:
        return "simulated" not in inside and path.name not in PREDICTIONS
    return inside[0] in HOST_FILES


def candidates(root: Path, wing: str) -> list[Change]:
    """All changes of a wing: rtl, hls or host (compiler, session, devices, driver). Order: files, lines."""
    pattern, wanted = WINGS[wing]
    paths = sorted(path for path in root.glob(pattern) if wanted(path.relative_to(root)))
    return [one for path in paths for one in changes(path, path.relative_to(root).as_posix())]
