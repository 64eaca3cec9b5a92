"""Tables of the report: published designs, area, accuracy."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.report_format import DASH, NOT_MEASURED, Cell, Table, number, table
from benchmarks.report_inputs import CLOCKS, Inputs, Row, milliseconds

BACKBONE_TOKENS, IMAGENET_TOKENS = 129, 197  # of the released models' frames, and of ImageNet's 224 × 224
BOARD = "ZCU102"
MODULES_SHOWN = 14
METRICS = {
    "mIoU": ("segmentation mIoU", 4),
    "RMSE": ("depth RMSE", 5),
    "ratio": ("depth RMSE ÷ that of the mean map", 4),
    "same experts": ("tokens with the same experts as in float", 4),
}
ARITHMETICS = {
    "float": "float, torch",
    "edge_moe": "Edge-MoE's released arithmetic",
    "w16a16": "W16A16, this project",
    "w8a8": "W8A8, this project",
}


def giga_operations(inputs: Inputs, tokens: int, tasks: int = 1) -> float:
    """Two operations per multiply-accumulate of one frame, heads included, none for filling up tiles."""
    return float(2 * inputs.point("tokens", tokens, tasks)["macs"] / 1e9)


def comparison(inputs: Inputs) -> Table:
    """Published MoE accelerators and ours."""
    heads = ("design", "board, clock", "precision", "tokens", "ms per frame", "frames/s", "GOPS printed",
             f"GOPS, {BACKBONE_TOKENS} tokens", f"GOPS, {IMAGENET_TOKENS} tokens", "DSP", "BRAM36", "kLUT",
             "W")  # fmt: skip
    counts = [giga_operations(inputs, tokens) for tokens in (BACKBONE_TOKENS, IMAGENET_TOKENS)]
    rows: list[list[object]] = [
        [
            _named(d), f"{d['board']}, {d['mhz']} MHz", d["precision"], d["tokens"], number(d["ms"], 2),
            number(1000 / d["ms"], 1), number(d["gop_printed"] / d["ms"] * 1000),
            *(number(count / d["ms"] * 1000) for count in counts), number(d["dsp"]), number(d["bram36"]),
            number(d["lut"] and d["lut"] / 1000, 1), number(d["watts"], 2),
        ]
        for d in inputs.published["moe"]
    ]  # fmt: skip
    published = len(rows)
    rows += _ours(inputs)
    return table(heads, rows, ours=range(published, len(rows)))


def _named(design: Row) -> Cell:
    return Cell(design["name"], note=design["where"])


def _ours(inputs: Inputs) -> Iterator[list[object]]:
    clock = inputs.ablation["clock_mhz"]
    for frame in inputs.frames_for_parts():
        tasks, used = len(frame["tasks"]), inputs.shape(frame["hardware"])["used"]
        rate = number(giga_operations(inputs, BACKBONE_TOKENS, tasks) / frame["ms"] * 1000)
        yield [
            Cell(f"this design, {tasks} task{'s' * (tasks > 1)}", kind="counted"),
            f"shape {frame['hardware']}, taken at {clock} MHz", frame["precision"].upper(), BACKBONE_TOKENS,
            number(frame["ms"], 2), number(1000 / frame["ms"], 1), DASH, rate, DASH, number(used["dsp"]),
            number(used["bram36"], 1), number(used["lut"] / 1000, 1), NOT_MEASURED,
        ]  # fmt: skip
    point = inputs.point("tokens", IMAGENET_TOKENS)
    ms = milliseconds(point["cycles"], clock)
    shape = f"shape {inputs.scaling['hardware']}" + (", larger buffers" if point["too_small"] else "")
    yield [
        Cell("this design, 1 task", kind="predicted"), shape, inputs.scaling["precision"].upper(),
        IMAGENET_TOKENS, number(ms, 2), number(1000 / ms, 1), DASH, DASH,
        number(giga_operations(inputs, IMAGENET_TOKENS) / ms * 1000), DASH, DASH, DASH, NOT_MEASURED,
    ]  # fmt: skip


def same_precision(inputs: Inputs) -> Table:
    """Each published design on the ZCU102 beside ours: in its own precision first, and in W8A8, at each of CLOCKS."""
    rows: list[list[object]] = []
    own = []
    for design in inputs.published_on(BOARD):
        own.append(len(rows))
        for frame in inputs.beside(design):
            times = [milliseconds(frame["cycles"], clock) for clock in CLOCKS]
            rows.append([
                _named(design), design["precision"], number(design["ms"], 2), frame["precision"].upper(),
                *(number(ms, 2) for ms in times), *(f"{number(design['ms'] / ms, 1)} ×" for ms in times),
            ])  # fmt: skip
    heads = ("design", "its precision", "its ms", "ours in", *(f"ms at {clock} MHz" for clock in CLOCKS),
             *(f"rate at {clock} MHz" for clock in CLOCKS))  # fmt: skip
    return table(heads, rows, ours=own)


def clocks(inputs: Inputs) -> Table:
    """Every counted frame on a shape that is meant for a part, as time at each of CLOCKS."""
    rows = [
        [frame["hardware"], frame["precision"].upper(), len(frame["tasks"]), number(frame["cycles"]),
         *(number(milliseconds(frame["cycles"], clock), 2) for clock in CLOCKS),
         *(number(1000 / milliseconds(frame["cycles"], clock)) for clock in CLOCKS)]
        for frame in inputs.frames_for_parts()
    ]  # fmt: skip
    heads = ("shape", "precision", "tasks", "cycles, counted", *(f"ms at {clock} MHz" for clock in CLOCKS),
             *(f"frames/s at {clock} MHz" for clock in CLOCKS))  # fmt: skip
    return table(heads, rows)


def mixed(inputs: Inputs) -> Table:
    """Counted frames whose widths differ from layer to layer, beside the compiler's prediction."""
    rows = [
        [frame["setting"], len(frame["tasks"]), number(frame["cycles"]), number(frame["predicted"]),
         number(frame["bytes_read"] / 1e6, 2),
         *(number(milliseconds(frame["cycles"], clock), 2) for clock in CLOCKS)]
        for frame in inputs.mixed()
    ]  # fmt: skip
    times = (f"ms at {clock} MHz" for clock in CLOCKS)
    heads = ("shape, widths", "tasks", "cycles, counted", "predicted", "MB read", *times)
    return table(heads, rows)


def intervals(inputs: Inputs) -> Table:
    """What is inside each measured time, and what of the design is public."""
    rows: list[list[object]] = [[_named(d), d["board"], d["interval"], d["hardware"]] for d in inputs.published["moe"]]
    ours = "frame in memory to results of all heads in memory: patch embedding, blocks, one head per task"
    rows.append(["this design", "none yet", ours, "all of it public; no bitstream yet"])
    return table(("design", "board", "the time contains", "hardware"), rows, ours=[len(rows) - 1])


def dense(inputs: Inputs) -> Table:
    """Leaders among accelerators of dense vision transformers."""
    heads = ("design", "board, clock", "precision", "model", "ms", "ms is", "GOPS printed", "GOPS/DSP", "DSP", "W")
    rows = [
        [
            _named(d), f"{d['board']}, {d['mhz']} MHz", d["precision"], d["model"], number(d["ms"], 3), d["ms_is"],
            number(d["gops"]),
            number(d["gops"] / d["dsp"], 2) if d["gops"] and d["dsp"] else DASH, number(d["dsp"]),
            number(d["watts"], 1),
        ]
        for d in inputs.published["dense"]
    ]  # fmt: skip
    published = len(rows)
    for frame in inputs.precisions():
        used = inputs.shape(frame["hardware"])["used"]
        rate = giga_operations(inputs, BACKBONE_TOKENS) / frame["ms"] * 1000
        rows.append([
            Cell("this design, 1 task", kind="counted"), frame["hardware"], frame["precision"].upper(),
            f"M³ViT, {frame['model']}", number(frame["ms"], 3), "per frame, one at a time", number(rate, 0),
            number(rate / used["dsp"], 2), number(used["dsp"]), NOT_MEASURED,
        ])  # fmt: skip
    for frame in inputs.dense:
        rows.append([
            Cell("this design", kind="counted"), f"{frame['hardware']}, {frame['clock_mhz']} MHz",
            frame["precision"].upper(), frame["model"], number(frame["ms"], 3), "per frame, one at a time", DASH, DASH,
            DASH, NOT_MEASURED,
        ])  # fmt: skip
    return table(heads, rows, ours=range(published, len(rows)))


def area(inputs: Inputs) -> Table:
    """Every synthesised shape against its part."""
    names = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM36": "bram36", "URAM": "uram"}
    rows: list[list[object]] = []
    for shape in inputs.area:
        cells = [_share(shape["used"][key], (shape["total"] or {}).get(key)) for key in names.values()]
        fits = "yes" if shape["fits"] else "no"
        levels = f"{shape['levels']:.1f} (ceiling {shape['level_ceiling']:g})"
        rows.append([Cell(shape["hardware"], note=shape["part"]),
                     shape["precision"].upper(), number(shape["macs_per_cycle"]),
                     f"{shape['prefetch_bytes'] // 1024} KiB", *cells, levels, fits])  # fmt: skip
    heads = ("shape", "precision", "MAC per cycle", "prefetch", *names, "logic levels", "within its limits")
    return table(heads, rows)


def _share(used: float, total: float | None) -> Cell:
    return Cell(
        number(used, 1 if used % 1 else 0), note=f"{100 * used / total:.0f} % of {number(total)}" if total else ""
    )


def timing(inputs: Inputs) -> Table:
    """The latest path of every estimated shape, and what is late at each of CLOCKS."""
    rows: list[list[object]] = []
    for shape in inputs.timing:
        worst, late = shape["paths"][0], {each["mhz"]: each["late"] for each in shape["clocks"]}
        path = Cell(
            f"{worst['end']} ← {worst['start']}", note=f"{worst['levels']:.1f} levels, fan-out {worst['fan_out']}"
        )
        rows.append([Cell(shape["hardware"], note=shape["part"]), number(shape["endpoints"]), number(shape["worst"], 2),
                     *(number(late[clock]) for clock in CLOCKS), path])  # fmt: skip
    heads = ("shape", "endpoints", "latest, ns", *(f"late at {clock} MHz" for clock in CLOCKS), "latest path")
    return table(heads, rows)


def modules(inputs: Inputs) -> Table:
    """The largest modules of the shape that the page is about."""
    shape = inputs.shape(inputs.hardware)
    rows = sorted(shape["modules"], key=lambda row: -row["used"]["lut"])[:MODULES_SHOWN]
    cells = [[row["module"], row["instances"], *(number(row["used"][key], 1 if row["used"][key] % 1 else 0)
              for key in ("lut", "ff", "dsp", "bram36")), number(row["levels"], 1)] for row in rows]  # fmt: skip
    return table(("module", "instances", "LUT", "FF", "DSP", "BRAM36", "logic levels"), cells)


def accuracy(inputs: Inputs) -> Table:
    """The same weights and frames in four arithmetics."""
    return table(("", *(name for name, _ in METRICS.values()), "least SQNR of the residual stream, dB"),
                 ([ARITHMETICS[name], *_metrics(inputs.arithmetics["metrics"], name), least(inputs, name)]
                  for name in ARITHMETICS), ours=(2, 3))  # fmt: skip


def least(inputs: Inputs, arithmetic: str) -> str:
    """The least SQNR of the residual stream, dB."""
    rows = [row["sqnr_db"] for row in inputs.arithmetics["layers"]
            if row["arithmetic"] == arithmetic and row["tensor"].endswith(".residual")]  # fmt: skip
    return number(min(rows), 1) if rows else DASH


def evaluation(inputs: Inputs) -> Table:
    """Held-out scenes: float and integers."""
    models = dict.fromkeys((row["model"], row["precision"]) for row in inputs.evaluation)
    rows = [
        [model, ARITHMETICS.get(precision, precision), _scenes(inputs, model, precision),
         *_metrics([row for row in inputs.evaluation if row["model"] == model], precision)]
        for model, precision in models
    ]  # fmt: skip
    return table(("model", "arithmetic", "scenes", *(name for name, _ in METRICS.values())), rows)


def _scenes(inputs: Inputs, model: str, precision: str) -> int:
    return max(
        int(row["scenes"]) for row in inputs.evaluation if (row["model"], row["precision"]) == (model, precision)
    )


def _metrics(rows: list[Row], precision: str) -> Iterator[str]:
    for metric, (_, digits) in METRICS.items():
        values = [r["value"] for r in rows if r["precision"] == precision and r["metric"] == metric]
        yield number(values[-1], digits) if values else DASH


def metric_spread(inputs: Inputs, metric: str) -> float:
    """Largest minus smallest value of a metric over the arithmetics."""
    values = [row["value"] for row in inputs.arithmetics["metrics"] if row["metric"] == metric]
    return float(max(values) - min(values))
