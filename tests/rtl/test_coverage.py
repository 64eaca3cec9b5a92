"""Every module of rtl/ has a bench: one of its own, or that of the unit whose every output it helps to make."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgemoe.devices.rtl.build import modules, sources_of
from sim.common.runner import ROOT

SIM, TESTS = ROOT / "sim", Path(__file__).parent
MODULES = modules()
BENCH_OF_TOP = {"edgemoe_top": "frame"}  # whole frames

# Modules without a bench of their own, and the unit in whose bench all that they put out is compared.
SHARED = {
    "accesses": "state_rules",
    "bank_writer": "compute",
    "drain_place": "compute",
    "edgemoe_core": "edgemoe_top",
    "field_rules": "legality",
    "gate_choice": "gate",
    "gate_divide": "gate",
    "gate_scores": "gate",
    "key_mask": "matmul",
    "layernorm_affine": "layernorm",
    "layernorm_roots": "layernorm",
    "linear": "compute",
    "matmul_lane": "matmul",
    "matmul_steps": "matmul",
    "row_units": "edgemoe_top",
    "row_walk": "store",
    "scratchpads": "edgemoe_top",
    "sequencer": "edgemoe_top",
    "sum_ring": "matmul",
    "weight_ports": "edgemoe_top",
    "word_fifo": "head",
}


def bench_of(unit: str) -> Path:
    """The file of a unit's bench."""
    wing = MODULES[unit].relative_to(ROOT / "rtl").parent
    return SIM / wing / f"{BENCH_OF_TOP.get(unit, unit)}_bench.py"


@pytest.mark.parametrize("module", MODULES)
def test_a_bench_instantiates(module: str) -> None:
    unit = SHARED.get(module, module)
    assert bench_of(unit).is_file(), f"{MODULES[module]} has no bench: write one, or name a unit in SHARED"
    below = [path.stem for path in sources_of(MODULES[unit])]
    assert module in below, f"{unit} has no instance of {module} any more"
    name = bench_of(unit).stem.removesuffix("_bench")
    others = [path.read_text(encoding="utf-8") for path in TESTS.glob("test_*.py") if path != Path(__file__)]
    assert any(f'"{name}"' in text or f".{name}_bench" in text for text in others), f"no test runs {name}_bench"


def test_the_table_has_no_strangers() -> None:
    assert set(SHARED) <= set(MODULES), "SHARED names modules that rtl/ does not have"
    twice = [module for module in SHARED if bench_of(module).is_file()]
    assert not twice, f"{twice} have benches of their own"
    units = {bench_of(module) for module in MODULES}
    assert set(SIM.rglob("*_bench.py")) <= units, "a bench of a module that rtl/ does not have"
