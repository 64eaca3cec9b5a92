"""The form of the RTL: shapes that cannot be built are refused in words, no net is implicit."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from edgemoe.devices.rtl.build import RTL_FOLDER
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
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


def test_the_last_shape_within_all_limits_is_built() -> None:
    """Each limit is one more in the examples above."""
    assert complaints(replace(MICRO, token_par=2, in_par=8, out_par=8, max_top_k=8, max_rows=254)) == []


def test_no_net_is_implicit() -> None:
    """An undeclared name would become a net of one bit; what is compiled after a file of ours may rely on that."""
    for path in sorted(RTL_FOLDER.rglob("*.v")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == "// SPDX-License-Identifier: MIT", path
        assert "`default_nettype none" in lines, path
        assert lines[-1] == "`default_nettype wire", path
        untyped = [line for line in lines if re.match(r"    (input|output) +(?!wire|reg| )", line)]
        assert not untyped, f"{path}: without its kind of net, a port is an implicit one: {untyped}"
