"""Tables of the ablation."""

from __future__ import annotations

from benchmarks.report_format import DASH, Cell, Table, megabytes, number, table
from benchmarks.report_inputs import Inputs


def techniques(inputs: Inputs) -> Table:
    """Each technique alone switched off."""
    found = inputs.ablation
    heads = ("switched off", "instead", "cycles", "", "× all five", "MB read", "area, reads", "what was run, or the "
             "formula")  # fmt: skip
    rows: list[list[object]] = [["nothing: all five", DASH, number(found["cycles"]), Cell(kind="counted"), "1.00 ×",
             megabytes(found["bytes_read"]), DASH, "one frame on the RTL engine, equal to golden"]]  # fmt: skip
    for row in found["techniques"]:
        also = [f"{name} {number(value, 0 if value >= 100 else 1)}" for name, value in row["also"].items()]
        added = [f"{number(value, sign=True)} {name}" for name, value in (row["area"] or {}).items() if value]
        how = row["how"] + (f". Area: {row['area_how']}" if row["area"] else "")
        area = "; ".join(added + also) or DASH
        rows.append([row["technique"], row["instead"], number(row["cycles"]), Cell(kind=row["cycles_kind"]),
                     f"{row['cycles'] / found['cycles']:.2f} ×", megabytes(row["bytes_read"]), area,
                     Cell(note=how)])  # fmt: skip
    return table(heads, rows, ours=[0])


def ladder(inputs: Inputs) -> Table:
    """Cumulative, beside the paper's."""
    rungs = inputs.ablation["ladder"]
    clock = inputs.ablation["clock_mhz"] * 1000
    rows = [
        [rung["rung"], number(rung["cycles"]), number(rung["counted"]), number(rung["modelled"]),
         number(rung["cycles"] / clock, 2), f"{rungs[0]['cycles'] / rung['cycles']:.2f} ×",
         number(rung["paper_ms"], 1), f"{rungs[0]['paper_ms'] / rung['paper_ms']:.2f} ×"]
        for rung in rungs
    ]  # fmt: skip
    heads = ("", "cycles", "of them counted", "of them modelled", "ms", "gain", "paper, ms", "paper, gain")
    return table(heads, rows)


def checks(inputs: Inputs) -> Table:
    """What the models say of the machine as it is."""
    rows = [[row["what"], number(row["modelled"]), number(row["counted"]),
             f"{100 * (row['modelled'] / row['counted'] - 1):+.1f} %".replace("-", "−")]
            for row in inputs.ablation["checks"]]  # fmt: skip
    return table(("cycles of", "modelled", "counted", "off"), rows)


def gelu(inputs: Inputs) -> Table:
    """Three units, one lane each."""
    rows = [
        [row["name"], number(row["entries"]) if row["entries"] else DASH,
         number(row["table_bits"]) if row["table_bits"] else DASH, f"{row['max_error']:.4f}", number(row["lut"]),
         number(row["ff"]), number(row["dsp"]), number(row["bram36"], 1)]
        for row in inputs.ablation["gelu"]
    ]  # fmt: skip
    return table(("GELU, one lane", "entries", "table bits", "largest error", "LUT", "FF", "DSP", "BRAM36"), rows)
