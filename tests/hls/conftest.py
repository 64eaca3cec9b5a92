"""One small program and frame per precision, with golden's output; NumPy only."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from frame_subject import Subject

from edgemoe.compiler.compile import compile_model
from edgemoe.compiler.program import Program
from edgemoe.compiler.quantise import quantise
from edgemoe.devices.base import MissingToolError
from edgemoe.devices.csim.build import header_folder
from edgemoe.devices.registry import open_device
from edgemoe.session import Session
from edgemoe.spec.calibration import is_inner, mixable_activations, mixable_layers
from edgemoe.spec.model import load_model_config
from sim.common.shapes import shape
from tests.examples.program import plain_calibration, random_tensors, small_program


@pytest.fixture(scope="session", autouse=True)
def buildable() -> None:
    """Skip with one sentence where C simulation cannot be built."""
    if shutil.which("g++") is None:
        pytest.skip("g++ is not installed")
    try:
        header_folder()
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=["micro", "micro_w16a16"])
def subject(request: pytest.FixtureRequest) -> Subject:
    return subject_of(small_program(hardware_name=request.param))


@pytest.fixture(scope="session")
def mixed_subject() -> Subject:
    """Every option, of each kind half: activations of 16 bits, weights of 4, another activation function."""
    plain = load_model_config("micro")
    config = replace(plain, activation="quick_gelu", gate_bias=True, renormalised_scores=True)
    hardware = shape("wide_inner_pairs")
    wide = {name: is_inner(name) for name in mixable_activations(config)}
    inner, tokens = ([name for name in wide if wide[name] == kind] for kind in (True, False))
    mixed = {"wide": (*inner[:3], *tokens[::2]), "narrow": tuple(mixable_layers(config)[::2])}
    calibration = replace(plain_calibration(config), **mixed)
    model = quantise(config, random_tensors(config), calibration, hardware.numbers)
    return subject_of(compile_model(model, ("semseg", "depth"), hardware))


def subject_of(program: Program) -> Subject:
    """With golden's output for one random frame."""
    model = program.manifest.model
    shape = (model.image_height, model.image_width, 3)
    frame = np.random.default_rng(8).integers(0, 256, shape, dtype=np.uint8)
    with open_device("golden", program.manifest.hardware) as device, Session(program, device) as session:
        return Subject(program, frame, session.run_raw(frame))
