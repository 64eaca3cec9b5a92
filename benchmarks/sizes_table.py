"""The table of `make bench-sizes`: a line for each model and shape, joined with the lines that a page has already.

The page is the record: a run on another computer, or of a few models, replaces the lines that it has figures for and
leaves all others as they stand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

Row = dict[str, Any]
Cells = tuple[str, ...]  # one text for each of HEADS
HEADS = ("model", "shape", "blocks", "predicted", "counted on RTL", "with its routing, off by %", "array busy, %",
         "MB by the formula", "MB moved", "csim", "RTL")  # fmt: skip
MODEL, SHAPE, BLOCKS, PREDICTED, COUNTED, FORMULA, CSIM = (
    HEADS.index(name)
    for name in ("model", "shape", "blocks", "predicted", "counted on RTL", "MB by the formula", "csim")
)
NOT_RUN = "–"
_ALIGNED = ("left", "left", *("right",) * 7, "left", "left")


def cells(row: Row) -> Cells:
    """The line of a model on a shape, as text."""
    on_csim, on_rtl = (row["engines"].get(name, {}) for name in ("csim", "rtl"))
    counted = on_rtl.get("cycles")
    moved = on_rtl["bytes_read"] + on_rtl["bytes_written"] if counted else row["weights"] + row["rows"]
    return (
        row["model"], f"`{row['hardware']}`", str(row["turns"]), f"{row['predicted']:,}",
        f"{counted:,}" if counted else "", f"{100 * (on_rtl['predicted'] / counted - 1):.1f}" if counted else "",
        f"{100 * (on_rtl['mac_busy_cycles'] / counted if counted else row['predicted_busy']):.0f}",
        f"{(row['weights_formula'] + row['rows_formula']) / 1e6:.1f}", f"{moved / 1e6:.1f}",
        _said(on_csim), _said(on_rtl),
    )  # fmt: skip


def _said(engine: Mapping[str, Any]) -> str:
    return NOT_RUN if not engine else "= golden" if engine["equal"] else "DIFFERS"


def table(lines: Sequence[Cells]) -> list[str]:
    """Lines of a page's table."""
    return tabulate(lines, HEADS, tablefmt="pipe", disable_numparse=True, colalign=_ALIGNED).splitlines()


def read_table(lines: Sequence[str]) -> list[Cells]:
    """The cells of a table that `table` has written; nothing for lines that are none of it."""
    found = [tuple(text.strip() for text in line.strip("|").split("|")) for line in lines if line.startswith("| ")]
    return [each for each in found if len(each) == len(HEADS) and each != HEADS]


def joined(earlier: Sequence[Cells], fresh: Sequence[Cells], models: Sequence[str]) -> list[Cells]:
    """Both, by model and then by shape, without models that are no longer there.

    A fresh line takes the place of the earlier one; where it has not run the RTL, and the same program has been, only
    what it says of the C simulation does. Where it has not run that, and blocks and traffic are as they were, what the
    earlier one says of it stays.
    """
    by_name = {(each[MODEL], each[SHAPE]): each for each in earlier}
    for each in fresh:
        name = each[MODEL], each[SHAPE]
        old = by_name.get(name)
        if old is not None and old[COUNTED] and not each[COUNTED] and old[PREDICTED] == each[PREDICTED]:
            said = each[CSIM] if each[CSIM] != NOT_RUN else old[CSIM]
            each = (*old[:CSIM], said, *old[CSIM + 1 :])
        elif old is not None and each[CSIM] == NOT_RUN and all(each[n] == old[n] for n in (BLOCKS, FORMULA)):
            each = (*each[:CSIM], old[CSIM], *each[CSIM + 1 :])
        by_name[name] = each
    known = [each for each in by_name.values() if each[MODEL] in models]
    return sorted(known, key=lambda each: (list(models).index(each[MODEL]), each[SHAPE].strip("`")))
