"""The form of the RTL: shapes that cannot be built are refused in words, preconditions are watched in simulation."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from edgemoe.devices.rtl.build import RTL_FOLDER
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.places import REPOSITORY
from sim.common.misuse import VARIABLE
from tests.checks.rtl_lint import complaints

MICRO = load_hardware_config("micro")


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (replace(MICRO, token_par=1), "token_par_must_be_2_or_more"),
        (replace(MICRO, token_par=16), "in_par_must_be_a_multiple_of_token_par"),
        (replace(MICRO, in_par=16), "in_par_must_be_at_most_out_par"),
        (replace(MICRO, out_par=32, post_lanes=32), "out_par_must_be_8_or_16"),
        (replace(MICRO, max_top_k=9), "max_top_k_must_be_at_most_8"),
        (replace(MICRO, token_par=2, max_rows=255), "max_rows_must_be_at_most_127_tiles_of_token_par"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_elaboration_names_the_limit(shape: HardwareConfig, said: str) -> None:
    """The rules of edgemoe.devices.rtl.build.check_shape, for whoever builds the Verilog without it."""
    assert any(said in line for line in complaints(shape)), complaints(shape)


def test_no_net_is_implicit() -> None:
    """An undeclared name would become a net of one bit; what is compiled after a file of ours may rely on that."""
    for path in sorted(RTL_FOLDER.rglob("*.v")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "// SPDX-License-Identifier: MIT", path
        assert "`default_nettype none" in lines, path
        assert lines[-1] == "`default_nettype wire", path
        untyped = [line for line in lines if re.match(r"    (input|output) +(?!wire|reg| )", line)]
        assert not untyped, f"{path}: without its kind of net, a port is an implicit one: {untyped}"


PUSH = {"push": 1}
MISUSES: dict[str, tuple[str, dict[str, int], list[dict[str, int]], str]] = {  # module, parameters, inputs, said
    "fifo": ("fifo", {"BITS": 8, "DEPTH": 2}, [PUSH, PUSH, PUSH], "push while full"),
    "dot_product": ("dot_product", {"LANES": 8}, [{"activations": 1 << 10}], "an activation of the smallest value"),
    "row_walk": ("row_walk", {}, [{"start": 1, "rows": 2, "vectors": 1}, {}], "start while it walks"),
    "scratchpad": ("scratchpad", {"DEPTH": 3}, [{"write_enable": 1, "write_depth": 3}], "a write beyond DEPTH"),
    "weight_port": (
        "weight_port",
        {},
        [{"begin_run": 1, "words": 4, "room_words": 16}, {"begin_run": 0}, {}, {}, {"begin_run": 1}, {"begin_run": 0}],
        "begin_run before the last run is flushed",
    ),
    "weight_buffer": (
        "weight_buffer",
        {"PREFETCH_BYTES": 8192},
        [{"begin_run": 1, "run_lines": 4}, {"begin_run": 0, "skip": 1, "skip_lines": 3}, {}, {"skip": 0}],
        "more lines skipped than are left",
    ),
    "legality": ("legality", {}, [{"start": 1}, {"start": 0, "instruction": 1}, {}], "changed before it was checked"),
}


@pytest.mark.parametrize("misuse", MISUSES)
def test_a_broken_precondition_stops_the_simulation(misuse: str) -> None:
    """Verilog names the instance and what went wrong: a unit of each wing."""
    top, parameters, inputs, said = MISUSES[misuse]
    given = [word for name, value in parameters.items() for word in ("--parameter", f"{name}={value}")]
    command = [sys.executable, "-m", "sim.common.runner", "sim.common.misuse", "--top", top, *given]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {VARIABLE: json.dumps(inputs), "SIM": "verilator"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert re.search(rf"^{top}\S*: .*{said}", done.stdout, re.MULTILINE), done.stdout + done.stderr
