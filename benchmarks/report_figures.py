"""The figures in the report's sentences: what docs/report_template.html calls {{ name }}."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.report_format import number
from benchmarks.report_inputs import CLOCKS, Inputs, milliseconds
from benchmarks.report_tables import BACKBONE_TOKENS, IMAGENET_TOKENS, giga_operations, least, metric_spread


def figures(inputs: Inputs) -> dict[str, str]:
    """Formatted, by name."""
    return _frames(inputs) | _operations(inputs) | _ablation(inputs) | _rest(inputs)


def _frames(inputs: Inputs) -> dict[str, str]:
    one, two = (inputs.frame(inputs.hardware, tasks) for tasks in (1, 2))
    _, fine = inputs.precisions()
    used, memory = inputs.shape(inputs.hardware)["used"], inputs.bench["memory"][inputs.hardware]
    predicted = inputs.point("tokens", BACKBONE_TOKENS)["cycles"]
    first = inputs.published["moe"][0]
    return {
        "hardware": str(inputs.hardware),
        "clock": number(inputs.ablation["clock_mhz"]),
        "one_cycles": number(one["cycles"]),
        "one_times": _times(one["cycles"]),
        "fine_cycles": number(fine["cycles"]),
        "fine_times": _times(fine["cycles"]),
        "clocks": _list(CLOCKS),
        "two_cycles": number(two["cycles"]),
        "two_times": _times(two["cycles"]),
        "first_name": str(first["name"]),
        "first_precision": str(first["precision"]),
        "first_gain": number(first["ms"] / one["ms"], 1),
        "first_gain_fine": number(first["ms"] / fine["ms"], 1),
        "utilisation": number(100 * one["utilisation"]),
        "megabytes_read": number(one["bytes_read"] / 1e6, 2),
        "memory_floor": number(one["memory_floor_cycles"]),
        "array_steps": number(one["mac_busy_cycles"]),
        "dsp": number(used["dsp"]),
        "bram": number(used["bram36"], 1),
        "lut": number(used["lut"]),
        "ports": number(memory["ports"]),
        "port_bits": number(8 * memory["port_bytes"]),
        "rate": number(memory["bytes_per_cycle"], 1),
        "first_beat": number(memory["first_beat_cycles"]),
        "predicted_cycles": number(predicted),
        "predicted_off": number(100 * (predicted / one["cycles"] - 1), 1, sign=True),
    }


def _times(cycles: float) -> str:
    return f"{_list(number(milliseconds(cycles, clock), 2) for clock in CLOCKS)} ms"


def _list(values: Iterable[object]) -> str:
    """`200, 250 and 300`."""
    *most, last = map(str, values)
    return f"{', '.join(most)} and {last}"


def _operations(inputs: Inputs) -> dict[str, str]:
    return {
        "small_tokens": number(BACKBONE_TOKENS),
        "small_gop": number(giga_operations(inputs, BACKBONE_TOKENS), 2),
        "large_tokens": number(IMAGENET_TOKENS),
        "large_gop": number(giga_operations(inputs, IMAGENET_TOKENS), 2),
        "printed_gop": number(inputs.published["moe"][0]["gop_printed"], 1),
    }


def _ablation(inputs: Inputs) -> dict[str, str]:
    rungs, reads = inputs.ablation["ladder"], inputs.ablation["reads"]
    delta, wide, _ = inputs.ablation["gelu"]
    tokens = max(read["tokens"] for read in reads)
    even = [read["per_step"] for read in reads if read["tokens"] == tokens]
    return {
        "ladder_gain": number(rungs[0]["cycles"] / rungs[-1]["cycles"], 1),
        "paper_gain": number(rungs[0]["paper_ms"] / rungs[-1]["paper_ms"], 1),
        "even_tokens": number(tokens),
        "reads_range": " to ".join(dict.fromkeys(number(value, 2) for value in (min(even), max(even)))),
        "table_times": number(wide["table_bits"] / delta["table_bits"]),
    }


def _rest(inputs: Inputs) -> dict[str, str]:
    accuracy = inputs.arithmetics
    return {
        "scaling_model": str(inputs.scaling["model"]),
        "scaling_hardware": str(inputs.scaling["hardware"]),
        "accuracy_model": str(accuracy["model"]),
        "accuracy_scenes": number(accuracy["scenes"]),
        "miou_spread": number(metric_spread(inputs, "mIoU"), 5),
        "depth_spread": number(metric_spread(inputs, "ratio"), 5),
        "w16_least": least(inputs, "w16a16"),
        "w8_least": least(inputs, "w8a8"),
        "edge_least": least(inputs, "edge_moe"),
        "weights": str(inputs.ablation["weights"]),
    }
