"""Data never becomes code: what a stranger's files say reaches no compiler, no path and no script."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgemoe.cli import main
from edgemoe.compiler.program import ProgramError, load_program
from edgemoe.devices.build_cache import BuildCache
from edgemoe.devices.csim import build as csim_build
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl import build as rtl_build
from edgemoe.spec.board import load_board
from edgemoe.spec.calibration import load_calibration
from edgemoe.spec.checkpoint import CALIBRATION_FILE, CONFIG_FILE, load_checkpoint
from edgemoe.spec.generate.headers import hls_header, verilog_header
from edgemoe.spec.generate.vitis import vitis_cfg, vitis_tcl
from edgemoe.spec.hardware import HardwareConfig, load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe.spec.names import tcl_word
from edgemoe.spec.strict import ConfigError, from_dict, read_json, to_dict
from edgemoe.spec.task import POOLS, TASK_KINDS, TaskConfig
from tests.examples import program as examples

ENGINES = ("golden", "csim", "rtl")

# Each leaves the comment of a generated header, or the folder of builds, and leaves a file `owned` behind.
EXPLOITS = {
    "C++": 'micro\nextern "C" int creat(const char *, unsigned);\ninline int owned = creat("owned", 420);',
    "Verilog": 'micro\ninitial $system("touch owned");',
    "path": "../../owned/micro",
}


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is there when foreign text was run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "owned"


@pytest.fixture
def builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that engines build in, empty."""
    folder = tmp_path / "builds"
    monkeypatch.setattr(csim_build, "BUILD_FOLDER", folder / "csim")
    monkeypatch.setattr(rtl_build, "BUILD_FOLDER", folder / "rtl")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    examples.small_program().save(tmp_path / "program")
    return tmp_path / "program"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", EXPLOITS)
def test_a_program_folder_cannot_run_code(folder: Path, builds: Path, marker: Path, kind: str, engine: str) -> None:
    """The hardware's name is written into the headers that csim and rtl are compiled with, and names their folders."""
    examples.forge_program(folder, lambda m: m["hardware"].update(name=EXPLOITS[kind]))
    with pytest.raises(ProgramError, match=r"hardware: name.* must be .*compile the model again"):
        open_device(engine, load_program(folder).manifest.hardware).close()
    assert not marker.exists(), "text from the program folder was run"
    assert not builds.exists(), "something was built"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", EXPLOITS)
def test_a_hardware_file_cannot_run_code(tmp_path: Path, builds: Path, marker: Path, kind: str, engine: str) -> None:
    data = {**to_dict(load_hardware_config("micro")), "name": EXPLOITS[kind]}
    path = tmp_path / "hardware.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"hardware\.json: name.* must be "):
        open_device(engine, load_hardware_config(path)).close()
    assert not marker.exists(), "text from the hardware file was run"
    assert not builds.exists(), "something was built"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", EXPLOITS)
def test_the_command_refuses_it_too(
    folder: Path, builds: Path, marker: Path, kind: str, engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    examples.forge_program(folder, lambda m: m["hardware"].update(name=EXPLOITS[kind]))
    picture = marker.with_name("street.png")
    Image.fromarray(np.zeros((32, 48, 3), dtype=np.uint8)).save(picture)
    assert main(["run", str(picture), "--model", str(folder), "--device", engine, "--out", str(marker)]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not marker.exists()
    assert not builds.exists()


def unchecked(config: HardwareConfig, **changes: object) -> HardwareConfig:
    """A configuration whose checks were evaded: what is written must be safe all the same."""
    other = copy.copy(config)
    for name, value in changes.items():
        object.__setattr__(other, name, value)
    return other


@pytest.mark.parametrize("kind", EXPLOITS)
def test_generated_headers_hold_no_foreign_line(kind: str) -> None:
    plain = load_hardware_config("micro")
    for generate in (hls_header, verilog_header):
        forged = generate(unchecked(plain, name=EXPLOITS[kind] + "\\\nx\u2028y\r"))
        assert [line.split("//")[0] for line in forged.split("\n") if "CONFIG_HASH" not in line] == [
            line.split("//")[0] for line in generate(plain).split("\n") if "CONFIG_HASH" not in line
        ]
        assert not any(line.endswith("\\") for line in forged.splitlines())


def test_a_build_folder_stays_in_its_place() -> None:
    for name in (*EXPLOITS.values(), "..", "/etc", "x" * 300):
        built = BuildCache(Path("a"), "engine 'test'").place(name, "0" * 16)
        assert built.resolve().parent == Path("a").resolve()
        assert re.fullmatch(r"[\w.-]{1,81}", built.name, re.ASCII)


TCL_WORDS = ["xczu9eg-ffvb1156-2-e", "simulation only", "} [exec touch owned] {", "$argv [pid] ;", "a\\", "{", "a\nb}"]


@pytest.mark.parametrize("text", TCL_WORDS)
def test_tcl_reads_a_word_as_it_was(text: str) -> None:
    tkinter = pytest.importorskip("tkinter")
    assert tkinter.Tcl().eval(f"set word {tcl_word(text)}\nset word") == text


@pytest.mark.parametrize("text", TCL_WORDS)
def test_a_part_stays_one_word_of_the_vitis_script(text: str) -> None:
    hardware = unchecked(load_hardware_config("micro"), part=text)
    assert f"set part {tcl_word(text)}\n" in vitis_tcl(hardware)
    assert len(vitis_cfg(hardware).splitlines()) == len(vitis_cfg(load_hardware_config("micro")).splitlines())


NO_NAMES = ["", ".", "..", "a/b", "a b", "a\nb", "ä", "x" * 65, "a;b", "$x", "a\x00", "a\u202eb"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_no_file_brings_such_a_name(name: str) -> None:
    hardware, model, board = load_hardware_config("micro"), load_model_config("micro"), load_board("zcu102")
    for change in (
        lambda: replace(hardware, name=name),
        lambda: replace(hardware, part=name),
        lambda: replace(model, name=name),
        lambda: replace(model.tasks[0], name=name),
        lambda: replace(board, name=name),
        lambda: replace(board, part=name),
        lambda: replace(board, board_part=f"xilinx.com:{name}:part0"),
        lambda: replace(board, hardware=(name,)),
    ):
        with pytest.raises(ConfigError, match="found"):
            change()


@pytest.mark.parametrize("name", ["../boards/zcu102", "../hardware/micro", "/etc/passwd", "..", ""])
def test_a_configuration_by_name_is_one_of_the_package(name: str) -> None:
    for load in (load_hardware_config, load_model_config, load_board):
        with pytest.raises(ConfigError, match="there are"):
            load(name)


JSON = {
    "nested lists": ("[" * 200_000, "nested more than 16 deep"),
    "nested objects": ('{"a":' * 200_000, "nested more than 16 deep"),
    "nested and closed": ("[" * 17 + "]" * 17, "nested more than 16 deep"),
    "a key twice": ('{"name": "a", "depth": 1, "name": "b"}', "key 'name' stands twice in one object"),
    "NaN": ('{"a": NaN}', "number NaN is not finite"),
    "infinity": ('{"a": -Infinity}', "number -Infinity is not finite"),
    "too large a float": ('{"a": 1e999}', "number 1e999 is not finite"),
    "too large an integer": (f'{{"a": {2**70}}}', f"number {2**70} does not fit 64 bits"),
    "thousands of digits": ('{"a": 1' + "0" * 5000 + "}", "does not fit 64 bits"),
    "too many bytes": (" " * (1 << 20) + "{}", "larger than 1048576 bytes"),
}


@pytest.mark.parametrize("case", JSON)
def test_json_that_readers_would_not_agree_on_is_refused(tmp_path: Path, case: str) -> None:
    text, message = JSON[case]
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"file\.json: .*{message}"):
        read_json(path)


STRINGS = ["a\nb", "\x1b[31m", "\u202e", "\ud800", "x" * 1001]


@pytest.mark.parametrize("text", STRINGS, ids=ascii)
def test_labels_are_text_without_control_characters(text: str) -> None:
    data = {"name": "semseg", "kind": "segmentation", "channels": 1, "labels": [text]}
    with pytest.raises(ConfigError, match=r"labels\[0\].*(control characters|at most 1000)") as caught:
        from_dict(TaskConfig, data, "task")
    assert str(caught.value).isprintable()
    with pytest.raises(ConfigError, match="label"):
        TaskConfig("semseg", "segmentation", 1, (text,))
    assert from_dict(TaskConfig, {**data, "labels": ["<b>Straße & Gehweg</b> 道路"]}, "task").labels


@pytest.mark.parametrize("kind", TASK_KINDS)
@pytest.mark.parametrize("pool", ["", *POOLS, "../x"])
def test_a_pool_is_one_of_those_that_a_kind_has(kind: str, pool: str) -> None:
    if pool in (POOLS if kind == "classification" else ("",)):
        assert TaskConfig("task", kind, 2, pool=pool).pool == pool
    else:
        with pytest.raises(ConfigError, match=f"task 'task' of kind '{kind}': pool '{pool}'; expected (none|one of)"):
            TaskConfig("task", kind, 2, pool=pool)


MODEL, HARDWARE, BOARD = load_model_config("micro"), load_hardware_config("micro"), load_board("zcu102")
SIZES = [
    *((MODEL, name, value) for name in ("depth", "width", "patch", "heads", "mlp_ratio") for value in (-1, 0, 10**9)),
    *((MODEL, name, 10**9) for name in ("image_height", "image_width", "experts", "top_k", "expert_ratio")),
    *((MODEL, "head_cells", value) for value in (0, 10**9)),
    *((MODEL, "layernorm_epsilon", value) for value in (0.0, -1.0, 1e9)),
    *((HARDWARE, name, value) for name in ("clock_mhz", "bytes_per_cycle", "token_par") for value in (-1, 0, 10**9)),
    *((HARDWARE, name, 10**12) for name in ("row_elements", "hidden_elements", "prefetch_bytes", "first_beat_cycles")),
    *((HARDWARE, name, 10**12) for name in ("layernorm_lanes", "max_rows", "max_tokens", "max_experts", "max_top_k")),
    *((BOARD, "high_memory_mib", value) for value in (-1, 10**9)),
    *((BOARD, name, 0) for name in ("low_memory_mib", "clock_divisor")),
]


@pytest.mark.parametrize(("config", "name", "value"), SIZES, ids=lambda part: str(getattr(part, "name", part)))
def test_sizes_have_bounds(config: Any, name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must lie in .*, found {re.escape(str(value))}$"):
        replace(config, **{name: value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_height": 65536, "image_width": 65536, "patch": 64}, "more than 65535 tokens"),
        ({"pixel_mean": (1e9, 0.0, 0.0)}, "pixel_mean must lie in"),
        ({"pixel_std": (1e-9, 1.0, 1.0)}, "pixel_std must lie in"),
        ({"tasks": ()}, "tasks must be"),
        ({"tasks": MODEL.tasks * 40}, "tasks must be"),
    ],
)
def test_sizes_together_have_bounds(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(MODEL, **changes)


def test_a_model_of_a_thousand_million_blocks_allocates_nothing(tmp_path: Path) -> None:
    """540 bytes of configuration must not become memory."""
    folder = examples.write_checkpoint(tmp_path / "bomb")
    data = to_dict(load_model_config("micro")) | {"depth": 10**9}
    (folder / CONFIG_FILE).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.json: depth must lie in 1 … 1,024, found 1000000000"):
        load_checkpoint(folder)


CALIBRATIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "too wide": (lambda r: r["w8a8"]["residual"].update(high=1e300), r"w8a8\.residual: range .* is wider than"),
    "turned": (lambda r: r["w8a8"]["residual"].update(low=9.0), "is not an interval"),
    "unknown precision": (lambda r: r.update(w9=r["w8a8"]), "precision 'w9' is unknown"),
    "unknown tensor": (lambda r: r["w8a8"].update(x={"low": 0, "high": 1}), "model 'micro' has no tensor 'x'"),
    "missing tensor": (lambda r: r["w8a8"].pop("residual"), "tensor 'residual' has no range"),
}


@pytest.mark.parametrize("case", CALIBRATIONS)
def test_a_calibration_is_read_strictly(tmp_path: Path, case: str) -> None:
    change, message = CALIBRATIONS[case]
    path = examples.write_checkpoint(tmp_path / "model") / CALIBRATION_FILE
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data["ranges"])
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        load_calibration(path, load_model_config("micro"))


def test_a_long_list_of_a_file_is_shown_in_part() -> None:
    with pytest.raises(ConfigError) as caught:
        replace(load_model_config("tiny"), moe_blocks=(1,) * 1000)
    assert "moe_blocks [1, 1, 1," in str(caught.value)
    assert "… 1,000 in all] must ascend without repeats" in str(caught.value)
    assert len(str(caught.value)) < 160
