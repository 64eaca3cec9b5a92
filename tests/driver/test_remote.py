"""The same Accelerator over PYNQ.remote: PYNQ's own client against a local board that speaks its protocol."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq is not installed here; run `make test-pynq`")

from simulated_boards import BOARD

from edgemoe import Accelerator
from edgemoe.pynq.board import OVERLAY_VARIABLE, SIMULATED_VARIABLE
from edgemoe.pynq.simulated.install import write_simulated_overlay
from edgemoe.spec.hardware import load_hardware_config

HARDWARE = "micro"
CLIENT = """
import sys
import numpy as np
from edgemoe import Accelerator

checkpoint, frames, result = sys.argv[1:]
pictures = np.load(frames)
with Accelerator("zcu102") as accelerator:
    kind = type(accelerator.device.overlay.device).__name__
    accelerator.load(checkpoint)
    single = [accelerator(picture) for picture in pictures[:2]]
    streamed = list(accelerator.stream(pictures))
names = ("semseg", "depth")
np.savez(
    result,
    kind=kind,
    single=np.stack([np.concatenate([each.outputs[name] for name in names]) for each in single]),
    streamed=np.stack([np.concatenate([each.outputs[name] for name in names]) for each in streamed]),
)
"""


@pytest.fixture
def remote_board() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Address and process of a board; an address of its own on this computer, because the port is fixed."""
    process_id = os.getpid()
    address = f"127.{1 + process_id // 62500 % 250}.{1 + process_id // 250 % 250}.{1 + process_id % 250}"
    server = Path(__file__).with_name("remote_board.py")
    command = [sys.executable, "-W", "ignore", str(server), "golden", HARDWARE, address]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as board:
        assert board.stdout is not None
        assert board.stdout.readline() == "ready\n"
        yield address, board
        board.kill()


def environment(address: str, overlay: Path) -> dict[str, str]:
    """Of a process that sees only the board on the network."""
    names = {**os.environ, "PYNQ_REMOTE_DEVICES": address, OVERLAY_VARIABLE: str(overlay)}
    names.pop(SIMULATED_VARIABLE, None)
    return names


def run_client(address: str, overlay: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", CLIENT, *arguments]
    return subprocess.run(
        command, env=environment(address, overlay), capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    folder = tmp_path / "overlay"
    folder.mkdir()
    write_simulated_overlay(folder, BOARD, load_hardware_config(HARDWARE))
    return folder


def test_a_board_on_the_network_gives_the_same_integers(
    remote_board: Any, overlay: Path, checkpoint: Path, frames: Any, tmp_path: Path
) -> None:
    address, board = remote_board
    np.save(tmp_path / "frames.npy", frames[:4])
    arguments = (str(checkpoint), str(tmp_path / "frames.npy"), str(tmp_path / "result.npz"))
    done = run_client(address, overlay, *arguments)
    assert done.returncode == 0, done.stderr
    with Accelerator("golden", HARDWARE) as accelerator:
        accelerator.load(checkpoint)
        results = [accelerator(frame) for frame in frames[:4]]
    expected = np.stack([np.concatenate([result.outputs[name] for name in ("semseg", "depth")]) for result in results])
    found = np.load(tmp_path / "result.npz")
    assert found["kind"] == "RemoteDevice"
    assert np.array_equal(found["single"], expected[:2])
    assert np.array_equal(found["streamed"], expected)
    assert board.communicate(timeout=30)[0] == "0\n", "buffers that were not freed"


LOSES_ITS_BOARD = """
import sys
import numpy as np
from edgemoe import Accelerator
from edgemoe.devices.base import DeviceError

picture = np.load(sys.argv[2])[0]
with Accelerator("zcu102") as accelerator:
    accelerator.load(sys.argv[1])
    accelerator(picture)
    print("lose me", flush=True)
    sys.stdin.readline()
    try:
        accelerator(picture)
    except DeviceError as error:
        print(error, flush=True)
print("closed")
"""


def test_a_board_that_goes_away(
    remote_board: Any, overlay: Path, checkpoint: Path, frames: Any, tmp_path: Path
) -> None:
    """A sentence, and closing afterwards works."""
    address, board = remote_board
    np.save(tmp_path / "frames.npy", frames[:1])
    command = [sys.executable, "-W", "ignore", "-c", LOSES_ITS_BOARD, str(checkpoint), str(tmp_path / "frames.npy")]
    with subprocess.Popen(
        command, env=environment(address, overlay), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "lose me\n"
        board.kill()
        board.wait()
        output, _ = client.communicate("\n", timeout=120)
    said, closed = output.splitlines()
    assert said.startswith("the board on the network does not answer any more (UNAVAILABLE); check its power")
    assert closed == "closed"


def test_a_board_that_is_not_there(overlay: Path, checkpoint: Path, frames: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", frames[:1])
    done = run_client("127.0.0.1", overlay, str(checkpoint), str(tmp_path / "frames.npy"), "result.npz")
    message = "PYNQ finds no board (Failed to connect to remote device); on a board work as root"
    assert message in done.stderr.splitlines()[-1]
