"""The evidence on one page: `make report`, or `python -m benchmarks.report`.

Takes every figure from build/reports, where the benches wrote them, and what others have published from
docs/published.json; stops with a sentence when one is missing. Writes docs/report.html, pictures in docs/images, and
the tables of figures in README.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from string import Template

from benchmarks.report_inputs import Inputs, ReportError, load_inputs
from benchmarks.report_readme import PICTURES, update_readme

ROOT = Path(__file__).resolve().parents[1]


def page(inputs: Inputs, root: Path, drawings: Path) -> str:
    """The page; drawings: folder that SVG and PNG files of all charts go to. Raises ReportError."""
    from benchmarks import report_ablation as ablation  # what draws needs the `plots` extra, the checks do not
    from benchmarks import report_charts as charts
    from benchmarks import report_tables as tables
    from benchmarks.report_figures import figures
    from benchmarks.report_html import image, svg
    from benchmarks.report_timeline import draw_timeline
    from benchmarks.scaling_plots import draw_bytes, draw_cycles, draw_roofline

    drawn = {
        "comparison": (charts.draw_comparison, "Time of one frame; grey: published, on a board; blue: ours, counted."),
        "timeline": (draw_timeline, "One frame with one task on the RTL engine; at the end of a row, thousand cycles."),
        "split": (charts.draw_split, "Where the cycles of each kind of instruction go."),
        "ladder": (charts.draw_ladder, "The five techniques added one by one: theirs, and ours."),
        "reads": (charts.draw_reads, "Reads of the key and value scratchpads per step of the array."),
        "layers": (charts.draw_layers, "Signal over error of the residual stream along the network."),
    }
    places: dict[str, str] = {}
    for name, (draw, caption) in drawn.items():
        draw(inputs, drawings / name)
        places[f"{name}_chart"] = svg(drawings / f"{name}.svg", caption)
    grown = {"cycles": (draw_cycles, "Cycles"), "bytes": (draw_bytes, "Bytes"), "roofline": (draw_roofline, "Roofline")}
    scaling = []
    for name, (draw_scaling, caption) in grown.items():
        draw_scaling(inputs.scaling, drawings / f"scaling_{name}.svg")
        scaling.append(svg(drawings / f"scaling_{name}.svg", f"{caption}, predicted."))
    places |= figures(inputs)
    for module, names in (
        (tables, ("comparison", "intervals", "dense", "area", "modules", "accuracy", "evaluation")),
        (ablation, ("techniques", "ladder", "checks", "gelu")),
    ):
        places |= {name: getattr(module, name)(inputs) for name in names}
    places["scaling_charts"] = "\n".join(scaling)
    places["panel"] = image(root / "docs/images/panel.jpg", "A drawn street: input, segmentation, depth, experts")
    template = Template((root / "docs/report_template.html").read_text(encoding="utf-8"))
    return template.substitute(places)


def main() -> int:
    """Write the page, its pictures and the README's tables; 1 when a figure is missing."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--reports", type=Path, default=ROOT / "build/reports", help="where the benches' files are")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout that is written to")
    options = parser.parse_args()
    root: Path = options.root
    try:
        inputs = load_inputs(options.reports, root / "docs/published.json")
        with tempfile.TemporaryDirectory() as temporary:
            drawings = Path(temporary)
            text = page(inputs, root, drawings)
            readme = update_readme((root / "README.md").read_text(encoding="utf-8"), inputs)
            pictures = {name: (drawings / f"{name}.png").read_bytes() for name in PICTURES}
    except ReportError as error:
        print(f"no report: {error}", file=sys.stderr)
        return 1
    (root / "docs/report.html").write_text(text, encoding="utf-8")
    for name, data in pictures.items():
        (root / f"docs/images/report_{name}.png").write_bytes(data)
    (root / "README.md").write_text(readme, encoding="utf-8")
    print(f"docs/report.html: {len(text) / 1e6:.1f} MB, one file; README.md and docs/images brought up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
