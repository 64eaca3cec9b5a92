"""One shape judged: the area that it takes of a part, the cycles of a frame, the energy estimated for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.cycles import cycles_of
from edgemoe.compiler.fits import DoesNotFitError, require_fit
from edgemoe.compiler.hollow import hollow_model
from edgemoe.compiler.program import Program
from edgemoe.devices.base import DeviceError
from edgemoe.errors import ArgumentError
from edgemoe.spec.hardware import VECTOR, HardwareConfig, hardware_names, load_hardware_config
from edgemoe.spec.model import ModelConfig
from edgemoe.spec.strict import ConfigError
from edgemoe.tuning.area import AreaModel
from edgemoe.tuning.energy import Energy, energy
from edgemoe.tuning.parts import Resources
from edgemoe.tuning.space import PREFETCH_KIB, Choice, Target, choice_of, shape

MOST_PREFETCH = 1024 * max(PREFETCH_KIB)
MEMORIES = ("bram36", "uram")  # known exactly, so all of them may be used
GOALS = ("latency", "energy-proxy", "area")


@dataclass(frozen=True)
class Budget:
    """What a shape may take. cells: of the part; share: of its logic, with room to route; milliseconds: of a frame."""

    cells: Resources
    share: float
    milliseconds: float = float("inf")

    @property
    def allowed(self) -> Resources:
        """Cells that a shape may take."""
        names = [field.name for field in fields(Resources)]
        return Resources(**{name: getattr(self.cells, name) * (name in MEMORIES or self.share) for name in names})

    def shares(self, used: Resources) -> dict[str, float]:
        """Used over allowed, by kind of cell; above 1: too much. A kind that the part lacks and nobody uses is 0."""
        found = {}
        for field in fields(Resources):
            allowed, taken = getattr(self.allowed, field.name), getattr(used, field.name)
            found[field.name] = taken / allowed if allowed else float(taken > 0) * 2
        return found


@dataclass(frozen=True)
class Candidate:
    """A shape with what is predicted of it. shares: of the budget, by kind of cell."""

    choice: Choice
    hardware: HardwareConfig
    used: Resources
    shares: dict[str, float]
    cycles: int
    milliseconds: float
    moved_bytes: int
    energy: Energy

    @property
    def largest(self) -> tuple[str, float]:
        """The kind of cell that is scarcest, and its share."""
        return max(self.shares.items(), key=lambda item: item[1])

    def excess(self, budget: Budget) -> float:
        """How far beyond the budget, 0 within it."""
        return max(0.0, self.largest[1] - 1, self.milliseconds / budget.milliseconds - 1)

    def merit(self, goal: str) -> tuple[float, ...]:
        """Smaller is better; what a goal leaves open is decided by the other two."""
        latency, proxy, area = self.milliseconds, self.energy.proxy, self.largest[1]
        return {"latency": (latency, area), "energy-proxy": (proxy, area), "area": (area, latency)}[goal]


def judged(choice: Choice, target: Target, budget: Budget, area: AreaModel) -> Candidate | str:
    """A candidate, or in one sentence why there is none."""
    try:
        hardware = shape(choice, target, f"{target.part.name}_{target.model.name}")
    except (ConfigError, DeviceError, DoesNotFitError) as error:
        return " ".join(str(error).split())
    return candidate(choice, hardware, target, budget, area)


def candidate(choice: Choice, hardware: HardwareConfig, target: Target, budget: Budget, area: AreaModel) -> Candidate:
    """What is predicted of a configuration that holds the target's model."""
    program = _program(target.model, target.tasks, _unhurried(hardware))
    cycles = sum(each.cycles for each in cycles_of(program.instructions, hardware))
    moved = program.stream.size + program.manifest.input_bytes + program.manifest.output_bytes
    milliseconds = cycles / target.clock_mhz / 1e3
    used = area.predict(hardware)
    estimate = energy(target.part, moved, milliseconds, used.lut, target.clock_mhz)
    return Candidate(choice, hardware, used, budget.shares(used), cycles, milliseconds, moved, estimate)


def _unhurried(hardware: HardwareConfig) -> HardwareConfig:
    """The same array and buffers; all else changes when things happen, not what the program says."""
    return replace(hardware, name="any", part="any", post_lanes=hardware.out_par, layernorm_lanes=VECTOR, ports=1,
                   bytes_per_cycle=1.0, prefetch_bytes=MOST_PREFETCH, ultra_ram=False)  # fmt: skip


@lru_cache(maxsize=64)
def _program(model: ModelConfig, tasks: tuple[str, ...], hardware: HardwareConfig) -> Program:
    return compile_model(hollow_model(model, hardware), list(tasks), hardware)


def shipped(target: Target, budget: Budget, area: AreaModel) -> dict[str, Candidate]:
    """Shapes made by hand for the target's part that hold its model, by name; options have no area, see AreaModel."""
    found = {}
    for name in hardware_names():
        hardware = load_hardware_config(name)
        if hardware.part.startswith(target.part.name):
            with suppress(DoesNotFitError, ArgumentError):
                require_fit(target.model, target.tasks, hardware)
                found[name] = candidate(choice_of(hardware, target.model), hardware, target, budget, area)
    return found


def frontier(candidates: list[Candidate]) -> list[Candidate]:
    """Those that no other beats in both time and largest share, fastest first."""
    best: list[Candidate] = []
    for each in sorted(candidates, key=lambda one: (one.merit("latency"), str(one.choice))):
        if not best or each.largest[1] < best[-1].largest[1]:
            best.append(each)
    return best
