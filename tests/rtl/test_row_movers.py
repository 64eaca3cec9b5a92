"""Units that move rows against golden's layouts, each one's bench in sim/<wing>/<unit>_bench.py."""

from __future__ import annotations

import pytest

from sim.common.runner import bench_of, simulate

# Eight banks or wider values where these make a difference.
UNITS = [
    ("copy", "micro"), ("copy", "zcu102"), ("store", "micro"), ("store", "micro_w16a16"), ("patch_embed", "micro"),
    ("patch_embed", "micro_w16a16"), ("experts", "micro"), ("head", "micro"), ("head", "zcu102"),
]  # fmt: skip


@pytest.mark.parametrize(("unit", "hardware"), UNITS, ids=lambda value: value)
def test_unit(unit: str, hardware: str) -> None:
    simulate(bench_of(unit), top=unit, hardware=hardware)
