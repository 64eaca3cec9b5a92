"""Small hardware beside the configurations of the specification, for what `micro` does not have."""

from __future__ import annotations

from dataclasses import replace

from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.isa import OPTIONS
from sim.examples.machine import small_hardware

SHAPES = {
    # Two rows are drained a cycle.
    "pairs": replace(load_hardware_config("micro"), name="pairs", post_lanes=16),
    # Two rows are normalised side by side.
    "groups": replace(load_hardware_config("micro"), name="groups", layernorm_lanes=32),
    # A weight buffer that is soon full.
    "short_prefetch": replace(load_hardware_config("micro"), name="short_prefetch", prefetch_bytes=32768),
    # The same, and the words of a line come on four ports.
    "ports": replace(load_hardware_config("micro"), name="ports", ports=4, bytes_per_cycle=64.0, prefetch_bytes=32768),
    # An output tile is as wide as two input tiles.
    "wide": replace(load_hardware_config("micro_w16a16"), name="wide", out_par=16, post_lanes=32),
    # Weights of 4 bits: two tiles of them in a line, and two lines for one.
    "narrow": replace(load_hardware_config("micro"), name="narrow", narrow_weights=True),
    "narrow_tiles": replace(
        load_hardware_config("micro"), name="narrow_tiles", in_par=16, out_par=16, post_lanes=16, narrow_weights=True
    ),
    # Tokens of 16 bits: half a vector is drained a row, one row a cycle; a whole one, two rows.
    "wide_tokens": replace(load_hardware_config("micro"), name="wide_tokens", wide_tokens=True),
    "wide_tokens_pairs": replace(
        load_hardware_config("micro"),
        name="wide_tokens_pairs",
        in_par=16,
        out_par=16,
        post_lanes=32,
        wide_tokens=True,
        narrow_weights=True,
        activations=True,
        gate_forms=True,
    ),
    # Queries, keys, values and hidden layers of 16 bits, too.
    "wide_inner": replace(load_hardware_config("micro"), name="wide_inner", wide_tokens=True, wide_inner=True),
    "wide_inner_pairs": replace(
        load_hardware_config("micro"),
        name="wide_inner_pairs",
        in_par=16,
        out_par=16,
        post_lanes=32,
        **dict.fromkeys(OPTIONS, True),  # type: ignore[arg-type]
    ),
    # Four tables of activation functions, looked up at the nearest entry and interpolated.
    "activations": replace(load_hardware_config("micro"), name="activations", activations=True),
    "activations_fine": replace(load_hardware_config("micro_w16a16"), name="activations_fine", activations=True),
    # Gates with a bias, and scores of the chosen experts alone.
    "gate_forms": replace(load_hardware_config("micro"), name="gate_forms", gate_forms=True),
    "gate_forms_fine": replace(load_hardware_config("micro_w16a16"), name="gate_forms_fine", gate_forms=True),
    # Rows in memory between instructions, with what else changes those rows.
    "streaming": replace(load_hardware_config("micro"), name="streaming", streaming=True, gate_forms=True),
    "streaming_fine": replace(
        load_hardware_config("micro_w16a16"), name="streaming_fine", streaming=True, gate_forms=True
    ),
    "small_streaming": replace(small_hardware("w8a8"), name="small_streaming", streaming=True),
    # Multipliers of the 7-series, with two weights 16 bits apart.
    "dsp48e1": replace(load_hardware_config("micro"), name="dsp48e1", dsp="dsp48e1"),
    # What EXPERTS gathers lies behind QUERY.
    "ultra": replace(load_hardware_config("micro"), name="ultra", ultra_ram=True),
    # The examples of programs and instructions are made for it.
    "small": small_hardware("w8a8"),
}


def shape(name: str) -> HardwareConfig:
    """One of SHAPES, a configuration of the specification, or what a JSON file says; see `load_hardware_config`."""
    return SHAPES[name] if name in SHAPES else load_hardware_config(name)
