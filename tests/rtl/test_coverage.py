"""Every module of rtl/ has a bench: one of its own, or that of the unit whose every output it helps to make."""

from __future__ import annotations

import pytest

from edgemoe.devices.rtl.build import modules, sources_of
from edgemoe.kernels.benches import Bench, benches
from edgemoe.spec.places import REPOSITORY

MODULES = modules()
BENCHES = {bench.top: bench for bench in benches()}

# Modules without a bench of their own, and the unit in whose bench all that they put out is compared.
SHARED = {
    "accesses": "state_rules",
    "bank_writer": "compute",
    "drain_place": "compute",
    "edgemoe_core": "edgemoe_top",
    "epilogue": "compute",
    "field_rules": "legality",
    "gate_choice": "gate",
    "gate_divide": "gate",
    "gate_scores": "gate",
    "key_mask": "matmul",
    "late_choice": "weight_buffer",
    "layernorm_affine": "layernorm",
    "layernorm_copy": "layernorm",
    "layernorm_roots": "layernorm",
    "layernorm_standardise": "layernorm_normalise",
    "matmul_lane": "matmul",
    "matmul_steps": "matmul",
    "row_units": "edgemoe_top",
    "row_walk": "store",
    "scratchpads": "edgemoe_top",
    "stream_take": "stream_reader",
    "sum_place": "matmul",
    "sum_ring": "matmul",
    "word_fifo_counters": "word_fifo",
}


@pytest.mark.parametrize("module", MODULES)
def test_a_bench_instantiates(module: str) -> None:
    unit = SHARED.get(module, module)
    assert unit in BENCHES, f"{MODULES[module]} has no bench: write one, or name a unit in SHARED"
    below = [path.stem for path in sources_of(MODULES[unit])]
    assert module in below, f"{unit} has no instance of {module} any more"
    assert not all(run.slow for run in BENCHES[unit].runs), f"only `make test-full` runs the bench of {unit}"


@pytest.mark.parametrize("bench", BENCHES.values(), ids=lambda bench: bench.name)
def test_a_bench_stands_where_its_module_does(bench: Bench) -> None:
    assert bench.top in MODULES, f"{bench.path} is of a module that rtl/ does not have"
    wings = bench.path.relative_to(REPOSITORY / "sim").parent, MODULES[bench.top].relative_to(REPOSITORY / "rtl").parent
    assert wings[0] == wings[1], f"{bench.path} belongs into sim/{wings[1]}"
    assert {run.top for run in bench.runs} == {bench.runs[0].top}, f"{bench.path} is of several modules"


def test_the_table_has_no_strangers() -> None:
    assert set(SHARED) <= set(MODULES), "SHARED names modules that rtl/ does not have"
    twice = sorted(set(SHARED) & set(BENCHES))
    assert not twice, f"{twice} have benches of their own"
