"""The evidence on one page: `make report`, or `python -m benchmarks.report`.

Takes every figure from build/reports, where the benches wrote them, and what others have published from
docs/published.json; stops with a sentence when one is missing. Writes docs/report.html, its charts as
docs/images/report_*.svg beside it, and the tables of figures in README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import report_ablation as ablation
from benchmarks import report_tables as tables
from benchmarks.report_figures import figures
from benchmarks.report_inputs import SOURCES, Inputs, ReportError, load_inputs
from benchmarks.report_readme import update_readme
from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.spec.terminal import accept_all_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
PIXELS_PER_INCH = 96  # of CSS
TABLES = (
    tables.same_precision, tables.clocks, tables.mixed, tables.comparison, tables.intervals, tables.dense, tables.area,
    tables.timing, tables.modules, tables.accuracy, tables.evaluation, ablation.techniques, ablation.ladder,
    ablation.checks, ablation.gelu,
)  # fmt: skip


def charts(inputs: Inputs) -> dict[str, Figure]:
    """All charts by the names that the template calls them."""
    from benchmarks import report_charts as drawn
    from benchmarks import scaling_plots as scaling
    from benchmarks.report_timeline import draw_timeline

    return {
        "comparison": drawn.draw_comparison(inputs),
        "timeline": draw_timeline(inputs),
        "split": drawn.draw_split(inputs),
        "ladder": drawn.draw_ladder(inputs),
        "reads": drawn.draw_reads(inputs),
        "layers": drawn.draw_layers(inputs),
        "scaling_cycles": scaling.draw_cycles(inputs.scaling),
        "scaling_bytes": scaling.draw_bytes(inputs.scaling),
        "scaling_roofline": scaling.draw_roofline(inputs.scaling),
    }


def page(inputs: Inputs, template: Path, drawn: Mapping[str, Figure]) -> str:
    """The page, which shows the drawn charts as files beside it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template.parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    widths = {name: round(PIXELS_PER_INCH * figure.get_figwidth()) for name, figure in drawn.items()}
    shown = {make.__name__: make(inputs) for make in TABLES}
    return environment.get_template(template.name).render(figures(inputs), tables=shown, charts=widths, sources=SOURCES)


def main() -> int:
    """Write the page, its pictures and the README's tables; 1 when a figure is missing."""
    accept_all_text()
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--reports", type=Path, default=ROOT / "build/reports", help="where the benches' files are")
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout that is written to")
    options = parser.parse_args()
    root: Path = options.root
    try:
        inputs = load_inputs(options.reports, root / "docs/published.json")
        readme = update_readme((root / "README.md").read_text(encoding="utf-8"), inputs)
        drawn = charts(inputs)
        text = page(inputs, root / "docs/report_template.html", drawn)
    except (ArgumentError, ReportError) as error:
        print(f"no report: {error}", file=sys.stderr)
        return 1
    except ModuleNotFoundError as error:
        print(f"no report: it needs {error.name}; run: {how_to_install('plots')}", file=sys.stderr)
        return 1
    from benchmarks.report_style import save

    for name, figure in drawn.items():
        save(figure, root / f"docs/images/report_{name}.svg")
    (root / "docs/report.html").write_text(text, encoding="utf-8")
    (root / "README.md").write_text(readme, encoding="utf-8")
    print(f"docs/report.html with {len(drawn)} charts in docs/images; README.md brought up to date")
    return 0


if __name__ == "__main__":
    sys.exit(main())
