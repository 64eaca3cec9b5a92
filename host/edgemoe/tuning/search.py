"""The search: Optuna's tree-structured Parzen estimator within a budget, first for the goal, then for the frontier.

Shapes are asked for in batches that workers share. A batch is judged as a whole and told in the order in which it was
asked for, so the same seed gives the same shapes whatever the number of workers.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from edgemoe.cluster import HERE, Cluster, pool
from edgemoe.compiler.fits import DoesNotFitError
from edgemoe.devices.base import DeviceError
from edgemoe.errors import ArgumentError
from edgemoe.extras import how_to_install
from edgemoe.spec.hardware import VECTOR
from edgemoe.spec.strict import ConfigError
from edgemoe.tuning.area import AreaModel
from edgemoe.tuning.candidates import Budget, Candidate, frontier, judged
from edgemoe.tuning.parts import Part
from edgemoe.tuning.space import ARRAYS, LAYERNORM_LANES, PORTS, POST_ROWS, PREFETCH_KIB, Choice, Target, shape

if TYPE_CHECKING:
    from optuna import Trial

BATCH = 8
PATIENCE = 25  # batches without a new shape
STARTUP = 32  # shapes drawn at random before anything is learned from them
Array = tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """judged: every shape that was looked at once, in order; within: those of them that the budget allows."""

    judged: tuple[Candidate, ...]
    within: tuple[Candidate, ...]

    def best(self, goal: str) -> Candidate:
        """Of those within the budget."""
        return min(self.within, key=lambda each: (each.merit(goal), str(each.choice)))

    @property
    def frontier(self) -> list[Candidate]:
        """See `candidates.frontier`, of those within the budget."""
        return frontier(list(self.within))


def search(
    target: Target, budget: Budget, area: AreaModel, goal: str, trials: int, seed: int = 1, cluster: Cluster = HERE
) -> Found:
    """Shapes for a target. goal: one of GOALS; trials: shapes to judge, about; fewer where nothing new is
    asked for any more.

    Raises ArgumentError where Optuna is missing, DoesNotFitError when no shape that was tried is within the budget.
    """
    if find_spec("optuna") is None:
        raise ArgumentError(f"tune needs Optuna, which is not installed; run: {how_to_install('tune')}")
    known: dict[Choice, Candidate | str] = {}
    arrays = _buildable(target, known)
    with pool(cluster) as workers, tqdm(total=trials, desc="judging shapes", unit="shape", leave=False) as bar:
        for objectives, until in ((1, 2 * trials // 3), (2, trials)):
            study, stale = _study(seed, objectives), 0
            while arrays and len(known) < until and stale < PATIENCE:
                asked = [study.ask() for _ in range(BATCH)]
                wanted = [_choice(trial, target.part, arrays) for trial in asked]
                new = [choice for choice in dict.fromkeys(wanted) if choice not in known]
                tasks = [(choice, target, budget, area) for choice in new]
                known.update(zip(new, workers.run(judged, tasks), strict=True))
                for trial, choice in zip(asked, wanted, strict=True):
                    _tell(study, trial, known[choice], budget, goal)
                stale = 0 if new else stale + 1
                bar.update(len(new))
    candidates = [each for each in known.values() if isinstance(each, Candidate)]
    within = [each for each in candidates if each.excess(budget) == 0]
    if not within:
        raise DoesNotFitError(_why(target, budget, known))
    return Found(tuple(candidates), tuple(within))


def _study(seed: int, objectives: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, n_startup_trials=STARTUP)
    return optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)


def _buildable(target: Target, known: dict[Choice, Candidate | str]) -> dict[str, Array]:
    """Arrays by name, without those that the Verilog cannot have for this model; why not goes to `known`."""
    found = {}
    for array in ARRAYS:
        choice = Choice(array, 1, VECTOR, 1, max(PREFETCH_KIB), ultra_ram=False)
        try:
            shape(choice, target, "any")
        except (ConfigError, DeviceError, DoesNotFitError) as error:
            known[choice] = " ".join(str(error).split())
        else:
            found["×".join(map(str, array))] = array
    return found


def _choice(trial: Trial, part: Part, arrays: Mapping[str, Array]) -> Choice:
    """What is too wide for the array is cut to what it takes."""
    array = arrays[str(trial.suggest_categorical("array", list(arrays)))]
    rows = trial.suggest_categorical("post rows", POST_ROWS)
    lanes = trial.suggest_categorical("LayerNorm lanes", LAYERNORM_LANES)
    ports = trial.suggest_categorical("ports", tuple(ports for ports in PORTS if ports <= part.ports))
    prefetch = trial.suggest_categorical("prefetch", PREFETCH_KIB)
    ultra = trial.suggest_categorical("UltraRAM", (False, True)) if part.total.uram else False
    whole = trial.suggest_categorical("HIDDEN whole", (False, True))
    return Choice(array, min(rows, array[0]), min(lanes, VECTOR * array[0]), ports, prefetch, ultra, whole)


def _tell(study: Any, trial: Trial, result: Candidate | str, budget: Budget, goal: str) -> None:
    from optuna.trial import TrialState

    if isinstance(result, str):
        study.tell(trial, state=TrialState.FAIL)
        return
    trial.set_constraint("beyond the budget", result.excess(budget))
    study.tell(trial, result.merit(goal)[: len(study.directions)])


def _why(target: Target, budget: Budget, known: Mapping[Choice, Candidate | str]) -> str:
    """The shape that came nearest, or what all of them lack."""
    whose = f"no shape of {target.part.name} ({target.part.board}) holds model '{target.model.name}'"
    whose += f" for {' and '.join(target.tasks)}"
    candidates = [each for each in known.values() if isinstance(each, Candidate)]
    if not candidates:
        return f"{whose}: {known[max(known, key=lambda choice: choice.array)]}"
    fitting = [each for each in candidates if each.largest[1] <= 1]
    if fitting:
        fastest = min(each.milliseconds for each in fitting)
        return (
            f"{whose} within {budget.milliseconds:g} ms: the fastest that was found takes {fastest:.2f} ms; allow more "
            "time, or take a larger part"
        )
    nearest = min(candidates, key=lambda each: each.largest[1])
    kind, _ = nearest.largest
    used, allowed = (getattr(cells, kind) for cells in (nearest.used, budget.allowed))
    return (
        f"{whose}: the nearest one, {nearest.choice}, needs {used:,.0f} {kind.upper()} where {allowed:,.0f} may be "
        "used; take a larger part, fewer tasks or a smaller model"
    )
