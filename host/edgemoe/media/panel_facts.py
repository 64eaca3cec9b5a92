"""What a panel says in words: title, times and cycles at its head, and the table of the run."""

from __future__ import annotations

from edgemoe.media import legends
from edgemoe.media.canvas import Canvas
from edgemoe.media.layout import MARGIN
from edgemoe.media.typeface import fit, text_width
from edgemoe.results import FrameResult, time_in_words
from edgemoe.spec.model import ModelConfig

_UNKNOWN = "not counted by this engine"


def draw_header(canvas: Canvas, result: FrameResult, name: str) -> None:
    """The title, and large what the accelerator takes, where that is known, else what this host took."""
    theme, right = canvas.theme, canvas.width - MARGIN
    large, small = _times(result)
    canvas.text(right, 62, large, 34, theme.ink, "rs")
    canvas.text(right, 90, small, legends.TEXT, theme.muted, "rs")
    room = right - MARGIN - max(text_width(large, 34), text_width(small, legends.TEXT)) - 48
    canvas.text(MARGIN, 62, fit(name, 34, room), 34, theme.ink)
    origin = f"{result.model}  ·  {result.engine} engine  ·  {result.hardware}"
    canvas.text(MARGIN, 90, fit(origin, legends.TEXT, room), legends.TEXT, theme.muted)


def _times(result: FrameResult) -> tuple[str, str]:
    """The large figure, and the line below it."""
    total, accelerator = result.timings_ms.get("total"), result.accelerator_ms
    counted = result.counters.get("cycles")
    host = "" if total is None else time_in_words(total)
    cycles = f"{counted:,} accelerator cycles" if counted else ""
    if accelerator is None:
        return host, _joined("on this host" if host else "", cycles)
    said = f"accelerator at {result.clock_mhz:g} MHz, {'counted' if counted else 'estimated'}"
    large = f"{'' if counted else '≈ '}{time_in_words(accelerator)}"
    return large, _joined(said, cycles, f"{host} on this host" if host else "")


def _joined(*parts: str) -> str:
    return "  ·  ".join(part for part in parts if part)


def facts_of(result: FrameResult, model: ModelConfig) -> list[tuple[str, str]]:
    """The rows of the run's table: the same ones for every frame of every engine."""
    prefix = {0: "", 1: " + class token"}.get(model.prefix_tokens, f" + {model.prefix_tokens} prefix tokens")
    counters, cycles = result.counters, result.counters.get("cycles", 0)
    busy, read = counters.get("mac_busy_cycles"), counters.get("bytes_read")
    estimated = f"{result.estimated_cycles:,} estimated" if result.estimated_cycles else _UNKNOWN
    return [
        ("Model", f"{result.model}, {model.depth} blocks of width {model.width}, {model.heads} heads"),
        ("Tokens", f"{model.tokens} = {model.grid_width} × {model.grid_height} patches{prefix}"),
        ("Experts", f"{model.top_k} of {model.experts} per token, in blocks {', '.join(map(str, model.moe_blocks))}"),
        ("Engine", result.engine),
        ("Hardware", result.hardware),
        ("Cycles", f"{cycles:,}" if cycles else estimated),
        ("Array busy", f"{100 * busy / cycles:.0f} %" if busy and cycles else _UNKNOWN),
        ("Memory read", f"{read / 1e6:.2f} MB" if read else _UNKNOWN),
        ("This host", _host(result)),
    ]


def _host(result: FrameResult) -> str:
    total, engine = result.timings_ms.get("total"), result.timings_ms.get("engine")
    if total is None:
        return "not timed"
    part = f", {time_in_words(engine)} of it the engine" if engine is not None else ""
    return f"{time_in_words(total)}{part}"
