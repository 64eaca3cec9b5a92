"""An ONNX file from import to panel: trunk on the accelerator, decoder on the host, beside it or in a program."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
onnx_models = pytest.importorskip("onnx_models", reason="onnx and onnxruntime are not installed here")

from onnx_models import Saliency, answer, export, onnx, timm_model  # noqa: E402

from edgemoe.cli import main  # noqa: E402
from edgemoe.compiler.compile import compile_checkpoint  # noqa: E402
from edgemoe.compiler.program import Program, ProgramError, load_program  # noqa: E402
from edgemoe.decoder import HostDecoder  # noqa: E402
from edgemoe.devices.base import MissingToolError  # noqa: E402
from edgemoe.devices.registry import open_device  # noqa: E402
from edgemoe.media.decode import decoded_map  # noqa: E402
from edgemoe.media.panel import draw_panel  # noqa: E402
from edgemoe.results import FrameResult  # noqa: E402
from edgemoe.session import Session  # noqa: E402
from edgemoe.spec.checkpoint import DECODER_FILE  # noqa: E402
from edgemoe.spec.hardware import load_hardware_config  # noqa: E402
from edgemoe.spec.model import ModelConfig  # noqa: E402
from edgemoe_golden.calibrate import main as calibrate  # noqa: E402
from edgemoe_golden.importing import DenseOptions, import_dense  # noqa: E402

SIZE, GRID, WIDTH = (64, 80), (4, 5), 32


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(ONNX file, calibrated checkpoint folder)."""
    folder = tmp_path_factory.mktemp("onnx")
    trunk = timm_model("vit_tiny_patch16_224", img_size=SIZE, embed_dim=WIDTH)
    path = export(Saliency(trunk, WIDTH, GRID), folder / "network.onnx", SIZE, output_names=["saliency"])
    import_dense(path, folder / "model", DenseOptions(mean=(0.5,) * 3, deviation=(0.5,) * 3))
    calibrate([str(folder / "model"), "--scenes", "2", "--report", str(folder)])
    return path, folder / "model"


@pytest.fixture(scope="module")
def program(imported: tuple[Path, Path]) -> Program:
    return compile_checkpoint(imported[1], None, load_hardware_config("micro_w16a16"))


FRAME = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def result_on(program: Program, engine: str = "golden") -> FrameResult:
    try:
        with open_device(engine, program.manifest.hardware) as device, Session(program, device) as session:
            assert not session.decoder_note
            return session.run(FRAME)
    except MissingToolError as error:
        pytest.skip(str(error))


def test_features_and_decoder_give_the_map_of_the_graph(imported: tuple[Path, Path], program: Program) -> None:
    pixels = ((FRAME / 255 - 0.5) / 0.5).transpose(2, 0, 1)[None].astype(np.float32)
    expected, found = answer(imported[0], pixels)[0][0], result_on(program).decoded["saliency"]
    assert found.shape == expected.shape == (1, 8, 10)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("engine", ["csim", "rtl"])
def test_every_engine_gives_the_same_map(program: Program, engine: str) -> None:
    assert np.array_equal(result_on(program, engine).decoded["saliency"], result_on(program).decoded["saliency"])


def test_a_program_carries_the_decoder(program: Program, tmp_path: Path) -> None:
    program.save(tmp_path / "program")
    stored = load_program(tmp_path / "program")
    assert stored.decoder == program.decoder
    assert np.array_equal(result_on(stored).decoded["saliency"], result_on(program).decoded["saliency"])
    path = tmp_path / "program" / DECODER_FILE
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ProgramError, match="contents differ from the manifest's sha256"):
        load_program(tmp_path / "program")


def test_other_tasks_leave_the_decoder_behind(imported: tuple[Path, Path]) -> None:
    """A program without features has nothing that the decoder could read."""
    assert compile_checkpoint(imported[1], ("features",), load_hardware_config("micro")).decoder
    (imported[1] / DECODER_FILE).rename(imported[1] / "aside")
    try:
        assert not compile_checkpoint(imported[1], None, load_hardware_config("micro")).decoder
    finally:
        (imported[1] / "aside").rename(imported[1] / DECODER_FILE)


def test_run_writes_map_panel_and_report(imported: tuple[Path, Path], tmp_path: Path) -> None:
    Image.fromarray(FRAME).save(tmp_path / "frame.png")
    command = ["run", str(tmp_path / "frame.png"), "--model", str(imported[1]), "--hardware", "micro"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    frame = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["frames"][0]
    assert frame["decoded"]["saliency"]["shape"] == [1, 8, 10]
    with np.load(tmp_path / "out" / "frame.npz") as arrays:
        assert arrays["decoded.saliency"].shape == (1, 8, 10)
    assert Image.open(tmp_path / "out" / "frame.panel.png").width > 1400, "input, features and the map"


def test_without_the_extra_the_features_come_alone(
    imported: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a board: one sentence, and everything else as ever."""
    Image.fromarray(FRAME).save(tmp_path / "frame.png")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    command = ["run", str(tmp_path / "frame.png"), "--model", str(imported[1]), "--hardware", "micro"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().err
    assert "the decoder of this model needs onnxruntime; install the 'onnx' extra" in said
    with np.load(tmp_path / "out" / "frame.npz") as arrays:
        assert "output.features" in arrays.files
        assert not any(name.startswith("decoded.") for name in arrays.files)


def graph(shape: list[int], **changes: str) -> bytes:
    """A decoder that passes its tokens on; changes: put what makes it a bad one."""
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Identity", ["tokens"], ["y"], name="pass")
    made = onnx.helper.make_graph([node], "decoder", [value("tokens", 1, shape)], [value("y", 1, shape)])
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)])
    if "location" in changes:
        tensor = onnx.helper.make_tensor("w", 1, [1], [0.0])
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=changes["location"])
        model.graph.initializer.append(tensor)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x08", "not a readable ONNX file"),
        (graph([1, 21, 33]), "the model has 21 tokens of 32 features"),
        (graph([1, 21, 32], location="secret"), "a host decoder holds its own tensors"),
    ],
)
def test_a_decoder_that_does_not_fit_is_refused(content: bytes, said: str, program: Program) -> None:
    model = program.manifest.model
    with pytest.raises(ProgramError, match=said):
        HostDecoder(content, model)
    with open_device("golden", program.manifest.hardware) as device, pytest.raises(ProgramError, match=said):
        Session(replace(program, decoder=content), device)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 8, 10), (1, 8, 10)),
        ((64, 80), (1, 64, 80)),
        ((5, 64, 80), (5, 64, 80)),
        ((21, 32), None),
        ((1, 3, 4), None),
        ((1, 10, 8), None),
        ((1000,), None),
        ((0, 64, 80), None),
    ],
)
def test_what_lies_over_the_picture_is_a_map(
    shape: tuple[int, ...], expected: tuple[int, ...] | None, program: Program
) -> None:
    model: ModelConfig = program.manifest.model
    found = decoded_map(np.zeros(shape, np.float32), model)
    assert (None if found is None else found.shape) == expected


def test_a_map_of_classes_is_drawn_by_the_largest(program: Program) -> None:
    classes = np.random.default_rng(0).standard_normal((5, 64, 80)).astype(np.float32)
    result = replace(result_on(program), decoded={"classes.of/it": classes, "logits": classes[0, 0]})
    assert draw_panel(result, program.manifest.model).shape[1] > 1400
