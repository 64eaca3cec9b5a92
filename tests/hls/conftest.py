"""One small program and frame per precision, with golden's output; NumPy only."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from frame_subject import Subject

from edgemoe.devices.base import DeviceError
from edgemoe.devices.csim.build import header_folder
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from tests.examples.program import small_program


@pytest.fixture(scope="session", autouse=True)
def buildable() -> None:
    """Skip with one sentence where C simulation cannot be built."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    try:
        header_folder()
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=["micro", "micro_w16a16"])
def subject(request: pytest.FixtureRequest) -> Subject:
    program = small_program(hardware_name=request.param)
    model = program.manifest.model
    shape = (model.image_height, model.image_width, 3)
    frame = np.random.default_rng(8).integers(0, 256, shape, dtype=np.uint8)
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        return Subject(program, frame, session.run_raw(frame))
