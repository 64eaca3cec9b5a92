"""The README's tables of figures: what stands between `<!-- NAME -->` and `<!-- end of NAME -->` is written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.page_tables import placed
from benchmarks.report_format import number
from benchmarks.report_inputs import CLOCKS, SOURCES, Inputs, ReportError, Row, milliseconds

PICTURES = {
    "comparison": "One frame: published milliseconds on a ZCU102, and ours, counted, each with its precision",
    "ladder": "The five techniques added one by one, in the paper's machine and in this one",
}
NOT_RUN = "not yet run on a board"


def update_readme(readme: str, inputs: Inputs) -> str:
    """The text with all tables replaced; raises ArgumentError when a place is missing."""
    for name, lines in (("figures", figures(inputs)), ("engines", engines(inputs))):
        readme = placed(readme, name, "make report", lines, Path("README.md"))
    return readme


def figures(inputs: Inputs) -> Iterator[str]:
    """Headline numbers, each with its command."""
    yield from ("| measured | figure | command |", "| --- | --- | --- |")
    eight, sixteen = inputs.precisions()
    for frame in (eight, inputs.frame(inputs.hardware, 2), sixteen):
        tasks = len(frame["tasks"])
        what = f"`{frame['model']}`, {_tasks(tasks)}, `{frame['hardware']}`, {frame['precision'].upper()}: RTL, counted"
        times = " / ".join(f"{milliseconds(frame['cycles'], clock):.2f}" for clock in CLOCKS)
        figure = f"**{number(frame['cycles'])} cycles** ({times} ms at {' / '.join(map(str, CLOCKS))} MHz)"
        figure += f", array busy {100 * frame['utilisation']:.0f} %, weights {inputs.ablation['weights']}"
        yield _row(what, figure, "make bench")
    yield from _beside(inputs)
    for shape in inputs.area:
        used, total = shape["used"], shape["total"]
        share = f" ({100 * used['lut'] / total['lut']:.0f} % of {shape['part'].split('-')[0]})" if total else ""
        figure = f"{number(used['lut'])} LUT{share}, {number(used['dsp'])} DSP, {number(used['bram36'], 1)} BRAM36"
        figure += f", {number(used['uram'])} UltraRAM" if used["uram"] else ""
        figure += f", longest path {shape['levels']:.1f} levels"
        yield _row(f"`{shape['hardware']}` by open synthesis", figure, "make area")
    for shape in inputs.timing:
        late = ", ".join(f"{number(each['late'])} late at {each['mhz']} MHz" for each in shape["clocks"])
        figure = f"latest path {shape['worst']:.2f} ns; of {number(shape['endpoints'])} endpoints {late}"
        yield _row(f"`{shape['hardware']}`, clock by estimate", figure, SOURCES["timing"])
    rungs = inputs.ablation["ladder"]
    ours, paper = (rungs[0][key] / rungs[-1][key] for key in ("cycles", "paper_ms"))
    figure = f"{ours:.1f} × fewer cycles at the least (paper, on its machine: {paper:.1f} ×)"
    yield _row("the five ideas together", figure, "make ablation")
    for precision in ("w8a8", "w16a16"):
        yield from _accuracy(inputs, precision)
    for row in inputs.csim:
        if len(row["tasks"]) == 1 and row["hardware"] == inputs.hardware:
            what = f"C simulation of the HLS engine, `{row['model']}`, one core"
            yield _row(what, f"{row['seconds']:.2f} s", "make bench-csim")
    yield from _host(inputs)
    for name, what in PICTURES.items():
        yield from ("", f"![{what}](docs/images/report_{name}.svg)")


def _beside(inputs: Inputs) -> Iterator[str]:
    for design in inputs.published_on("ZCU102"):
        rates = (
            f"{frame['precision'].upper()} {design['ms'] / milliseconds(frame['cycles'], max(CLOCKS)):.1f} ×"
            f" ({design['ms'] / milliseconds(frame['cycles'], min(CLOCKS)):.1f} ×)"
            for frame in inputs.beside(design)
        )
        what = f"rate against {design['name']}, {design['precision']}, {design['ms']:.2f} ms at {design['mhz']} MHz"
        figure = f"{', '.join(rates)}, if our clock is {max(CLOCKS)} MHz ({min(CLOCKS)})"
        yield _row(what, figure, SOURCES["bench"])


def _host(inputs: Inputs) -> Iterator[str]:
    for row in inputs.golden:
        if len(row["tasks"]) == 1 and row["hardware"] == inputs.hardware:
            cores = f"{row['threads']} core{'s' * (row['threads'] > 1)}"
            what = f"golden engine against torch float32, `{row['model']}`, {cores}"
            yield _row(what, f"{row['golden_ms']:.0f} ms against {row['torch_ms']:.0f} ms", "make bench")


def _row(what: str, figure: str, command: str) -> str:
    return f"| {what} | {figure} | `{command}` |"


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count > 1)}"


def _accuracy(inputs: Inputs, precision: str) -> Iterator[str]:
    for model in dict.fromkeys(row["model"] for row in inputs.evaluation):
        rows = [row for row in inputs.evaluation if row["model"] == model]
        miou, depth = (
            f"{_value(rows, precision, metric):.3f} ({_value(rows, 'float', metric):.3f})"
            for metric in ("mIoU", "ratio")
        )
        same = f"same experts {100 * _value(rows, precision, 'same experts'):.2f} %"
        what = f"`{model}` {precision.upper()} (float), {rows[0]['scenes']} held-out drawn scenes"
        figure = f"mIoU {miou}, depth RMSE {depth} × the mean map's, {same}"
        yield _row(what, figure, f"make eval MODEL={model}")


def _value(rows: Sequence[Row], precision: str, metric: str) -> float:
    values = [row["value"] for row in rows if (row["precision"], row["metric"]) == (precision, metric)]
    if not values:
        raise ReportError(f"build/reports/eval.json has no {metric} in {precision}; `{SOURCES['eval']}` measures it")
    return float(values[-1])


def engines(inputs: Inputs) -> Iterator[str]:
    """Configuration × engine, with what the last benches proved of each pair."""
    yield from ("| configuration | golden | csim | rtl | board |", "| --- | --- | --- | --- | --- |")
    runs = [*inputs.bench["frames"], *inputs.csim]
    for hardware in dict.fromkeys(run["hardware"] for run in runs):
        csim = [row for row in inputs.csim if row["hardware"] == hardware]
        rtl = [frame for frame in inputs.bench["frames"] if frame["hardware"] == hardware]
        yield f"| `{hardware}` | defines the bits | {_equal(csim)} | {_equal(rtl)} | {NOT_RUN} |"


def _equal(runs: Sequence[Row]) -> str:
    if not runs:
        return "not run by the benches"
    if not all(run["bit_exact"] for run in runs):
        return "**differs from golden**"
    models: dict[str, list[str]] = {}
    for run in runs:
        models.setdefault(run["model"], []).append(str(len(run["tasks"])))
    frames = "; ".join(f"`{model}`, {' and '.join(dict.fromkeys(counts))} task(s)" for model, counts in models.items())
    return f"= golden: {frames}"
