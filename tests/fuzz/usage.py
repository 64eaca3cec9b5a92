"""What users do with files: read them, and then what comes next, because a reader may let through what breaks later.

Each takes the folder of a case and an empty folder for what it writes.
"""

from __future__ import annotations

import contextlib
import io
import math
from pathlib import Path

import numpy as np

from edgemoe.cli import main as edgemoe
from edgemoe.compiler.compile import compile_checkpoint
from edgemoe.compiler.fits import limits
from edgemoe.compiler.program import load_program
from edgemoe.devices.base import DeviceError
from edgemoe.devices.registry import open_device
from edgemoe.devices.rtl.build import check_shape
from edgemoe.media.resize import resize
from edgemoe.media.sources import open_source
from edgemoe.overlay.check_handoff import differences
from edgemoe.overlay.hardware_handoff import read_handoff
from edgemoe.overlay.manifest import HWH_FILE, check_hardware, load_overlay
from edgemoe.session import Session
from edgemoe.spec.board import Board, load_board
from edgemoe.spec.calibration import calibrated_tensors
from edgemoe.spec.checkpoint import tensor_shapes
from edgemoe.spec.generate.headers import hls_header
from edgemoe.spec.generate.machine import verilog_headers
from edgemoe.spec.hardware import load_hardware_config
from edgemoe.spec.model import load_model_config
from edgemoe.spec.strict import from_dict, read_json

MICRO = load_hardware_config("micro")
VIDEO_FRAMES = 50


def command(*words: str) -> None:
    """The command in this process; raises AssertionError with what it printed unless it ends well."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(printed):
        status = edgemoe(words)
    assert status == 0, f"edgemoe {' '.join(words)} ends with {status}: {printed.getvalue()[-2000:]}"


def model_config(given: Path, _: Path) -> None:
    config = load_model_config(given / "model.json")
    assert sum(map(math.prod, tensor_shapes(config).values())) > 0
    assert calibrated_tensors(config)
    assert list(limits(config, tuple(task.name for task in config.tasks), MICRO))


def hardware_config(given: Path, _: Path) -> None:
    config = load_hardware_config(given / "hardware.json")
    hls_header(config)
    with contextlib.suppress(DeviceError):  # a shape that golden takes and the Verilog does not
        check_shape(config)
        verilog_headers(config)


def board_config(given: Path, _: Path) -> None:
    board = from_dict(Board, read_json(given / "board.json"), "board.json")
    assert board.clock_mhz > 0
    board.connections(MICRO)
    board.memory(board.data_port)


def checkpoint(given: Path, out: Path) -> None:
    compile_checkpoint(given / "model", None, MICRO).save(out / "program")
    load_program(out / "program")


def program(given: Path, _: Path) -> None:
    folder = given / "program"
    manifest = load_program(folder).manifest
    for name in ("info", "disasm"):
        command(name, "--model", str(folder))
    if manifest.hardware != MICRO:
        return
    frame = np.zeros((manifest.model.image_height, manifest.model.image_width, 3), dtype=np.uint8)
    with open_device("golden", MICRO) as device, Session(load_program(folder), device) as session:
        session.run(frame)


def overlay(given: Path, _: Path) -> None:
    files = load_overlay(given)
    check_hardware(files.manifest, load_hardware_config("zcu102"))
    read_handoff(files.hwh)


def handoff(given: Path, _: Path) -> None:
    differences(read_handoff(given / HWH_FILE), load_hardware_config("zcu102"), load_board("zcu102"))


def source(given: Path, _: Path) -> None:
    (path,) = given.iterdir()
    for number, frame in enumerate(open_source(path)):
        if frame.picture.size <= 1 << 22:
            resize(frame.picture, 32, 48, "crop")
        if number == VIDEO_FRAMES:
            break


def _pth(given: Path) -> Path:
    """The one thing in a folder: a file, or a folder of files."""
    (path,) = given.iterdir()
    return path


def import_moe(given: Path, out: Path) -> None:
    from edgemoe_golden.importing import import_checkpoint, load_imported_model

    import_checkpoint(_pth(given), load_model_config("micro"), out / "model")
    load_imported_model(out / "model")


def import_dense(given: Path, out: Path) -> None:
    from edgemoe_golden.importing import import_dense as dense
    from edgemoe_golden.importing import load_imported_model

    dense(given, out / "model")
    load_imported_model(out / "model")


def import_onnx(given: Path, out: Path) -> None:
    """Without what the trunk leaves to the host, which the library's own runtime executes."""
    from edgemoe_golden.importing import import_dense as dense

    dense(given, out / "model")


def imported_checkpoint(given: Path, _: Path) -> None:
    from edgemoe_golden.importing import load_imported_model

    load_imported_model(given / "model")


def array(given: Path, _: Path) -> None:
    from edgemoe_golden.data.samples import read_array

    read_array(_pth(given), (3,))


def data_set(given: Path, _: Path) -> None:
    from edgemoe_golden.data import open_data

    assert list(open_data(given / "data"))
