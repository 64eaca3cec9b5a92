"""Does a model fit a hardware configuration? If not, say which buffer, the size needed and the size there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgemoe.errors import EdgeMoeError
from edgemoe.spec.hardware import VECTOR, HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.memory import linear_bytes
from edgemoe.spec.model import ModelConfig


class DoesNotFitError(EdgeMoeError, ValueError):
    """A model that the hardware cannot hold; one line per limit that it breaks."""


def require_fit(
    config: ModelConfig, tasks: tuple[str, ...], hardware: HardwareConfig, wide: Sequence[str] = ()
) -> None:
    """Raise DoesNotFitError unless every buffer holds what `tasks` together need in the worst case of routing.

    wide: activations of 16 bits, by the names of `mixable_activations`.
    """
    problems = _problems(config, tasks, hardware, wide)
    if problems:
        together = f" for tasks {', '.join(tasks)} together" if len(tasks) > 1 else ""
        lines = "\n  ".join([*problems, _remedy(config, tasks, hardware, wide)])
        raise DoesNotFitError(f"model '{config.name}' does not fit hardware '{hardware.name}'{together}:\n  {lines}")


def _problems(config: ModelConfig, tasks: tuple[str, ...], hardware: HardwareConfig, wide: Sequence[str]) -> list[str]:
    problems = [
        f"{what}: needs {needed:,} {unit}, there are {available:,}"
        for what, needed, available, unit in limits(config, tasks, hardware, wide)
        if needed > available
    ]
    for what, size in (("width", config.width), ("head width", config.head_width)):
        if size % VECTOR:
            problems.append(f"{what} {size}: must be a multiple of {VECTOR}")
    return problems


def _remedy(config: ModelConfig, tasks: tuple[str, ...], hardware: HardwareConfig, wide: Sequence[str]) -> str:
    """Which shipped shapes of the same precision hold the model."""
    shapes = [load_hardware_config(name) for name in hardware_names()]
    fitting = [
        shape.name for shape in shapes
        if shape.precision == hardware.precision and not _problems(config, tasks, shape, wide)
        and set(shape.options) >= set(hardware.options)
    ]  # fmt: skip
    return f"it fits {', '.join(fitting)}" if fitting else f"no shipped shape in {hardware.precision} holds it"


def limits(
    config: ModelConfig, tasks: tuple[str, ...], hardware: HardwareConfig, wide: Sequence[str] = ()
) -> Iterator[tuple[str, int, int, str]]:
    """(what, needed, available, unit) of every limit."""
    groups = len(tasks) if config.moe_blocks else 1
    rows = config.first_row + groups * config.tokens
    pictures = hardware.room(config.input_rows, config.embedded_features)
    yield "rows of any buffer (tasks × tokens)", rows, hardware.max_rows, "rows"
    yield "keys of attention", config.tokens, hardware.max_tokens, "tokens"
    yield "LayerNorm width", config.width, hardware.max_width, "features"
    row_buffers = "each of RESIDUAL, NORM, GATE_INPUT, QUERY, KEY, VALUE (rows in whole tiles × width)"
    yield row_buffers, hardware.room(rows, config.width), hardware.row_elements, "elements"
    if any(name.endswith(".qkv") for name in wide):
        double = hardware.room(rows, 2 * config.width)
        yield "QUERY, KEY and VALUE of 16 bits (twice that)", double, hardware.row_elements, "elements"
    hidden = hardware.hidden_elements
    yield "HIDDEN (patches × patch features)", pictures, hidden, "elements"
    dense, experts = (any(_wide_hidden(config, wide, moe)) for moe in (False, True))
    row = config.mlp_hidden * (2 if dense else 1)
    yield "HIDDEN (one tile of rows of a dense block)", hardware.room(1, row), hidden, "elements"
    if config.moe_blocks:
        worst = hardware.room(rows, config.expert_hidden * (2 if experts else 1))
        yield "HIDDEN (all tokens at one expert × expert hidden width)", worst, hidden, "elements"
        yield "experts", config.experts, hardware.max_experts, "experts"
        yield "experts per token", config.top_k, hardware.max_top_k, "experts"
    widest = max(config.embedded_features, config.mlp_hidden, config.width, config.expert_hidden)
    tile = linear_bytes(hardware.out_par, widest, hardware)
    yield "weight prefetch (one output tile of the widest layer)", tile, hardware.prefetch_bytes, "bytes"


def _wide_hidden(config: ModelConfig, wide: Sequence[str], moe: bool) -> Iterator[bool]:
    """For each dense or each MoE block, whether its hidden layer has 16 bits."""
    return (f"blocks.{index}.hidden" in wide for index in range(config.depth) if (index in config.moe_blocks) == moe)
