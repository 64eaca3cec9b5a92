"""What a proof is: a module of rtl/ inside a harness, a method, and properties, each with the mutant that it kills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mutant:
    """One changed line: `old`, which the file of rtl/ has once, replaced by `new`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Property:
    """A labelled assertion of the harness.

    label: without the instance that it stands in. says: what it states, in words. mutant: a fault of the module that
    violates it, found within `cycles`.
    """

    label: str
    says: str
    mutant: Mutant
    cycles: int = 16


@dataclass(frozen=True)
class Induction:
    """For all time: holds in the first `depth` cycles, and whenever it held in `depth` cycles, in the next one, too."""

    depth: int = 3

    def __str__(self) -> str:
        return "all time (induction)"


@dataclass(frozen=True)
class Bounded:
    """In the first `depth` cycles after reset, whatever the inputs are."""

    depth: int

    def __str__(self) -> str:
        return f"{self.depth} cycles"


@dataclass(frozen=True)
class AllInputs:
    """For every input of a pipeline without state: `depth` cycles fill it, and every cycle after them is alike."""

    depth: int

    def __str__(self) -> str:
        return "all inputs"


@dataclass(frozen=True)
class Proof:
    """Properties of one module that hold by one method.

    harness: name of the module in sim/formal/<harness>.v, whose instance `unit` is the module `unit` of rtl/.
    parameters: of the harness. beside: other files of sim/formal that it needs; one with the name of a module of rtl/
    stands for that module. hardware: whose constants the module is built with. invariants: assertions of the harness
    that carry an induction. registers: memories of the module that become
    registers, so that the harness can name their words. constants: of the generated headers, with other values. small:
    parameters for mutants, whose limits are reached sooner. slow: left to `make formal` and `make test-full`.
    """

    harness: str
    unit: str
    method: Induction | Bounded | AllInputs
    properties: tuple[Property, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)
    beside: tuple[str, ...] = ()
    hardware: str = "micro"
    invariants: tuple[str, ...] = ()
    registers: tuple[str, ...] = ()
    constants: Mapping[str, int] = field(default_factory=dict)
    small: Mapping[str, int] = field(default_factory=dict)
    slow: bool = False

    @property
    def name(self) -> str:
        """Harness, method, parameters and constants, for tables and tests."""
        parameters = [f"{name}={value}" for name, value in {**self.parameters, **self.constants}.items()]
        return "-".join([self.harness, type(self.method).__name__.lower(), *parameters])
