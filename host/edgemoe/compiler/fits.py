"""Does a model fit a hardware configuration? If not, say which buffer, the size needed and the size there is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgemoe.compiler import residency
from edgemoe.compiler.residency import Need
from edgemoe.errors import EdgeMoeError
from edgemoe.spec.hardware import VECTOR, HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.model import ModelConfig


class DoesNotFitError(EdgeMoeError, ValueError):
    """A model that the hardware cannot hold; one line per limit that it breaks."""

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        return "; ".join(line.strip(" :") for line in str(self).splitlines())


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
    return residency.limits(Need(config, len(tasks), hardware, wide))
