"""ONNX graphs that change their picture before the patches are embedded: that part is cut out and runs on the host."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from library_models import pictures
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

onnx_models = pytest.importorskip("onnx_models", reason="onnx and onnxruntime are not installed here")

from onnx_models import TOLERANCE, Saliency, answer, export, outcome, timm_model  # noqa: E402

from edgemoe.accelerator import Accelerator  # noqa: E402
from edgemoe.cli import main  # noqa: E402
from edgemoe.compiler.compile import compile_checkpoint  # noqa: E402
from edgemoe.compiler.program import ProgramError, load_program  # noqa: E402
from edgemoe.fitting import HostPreprocessor  # noqa: E402
from edgemoe.spec.checkpoint import PREPROCESSOR_FILE, CheckpointError  # noqa: E402
from edgemoe.spec.hardware import load_hardware_config  # noqa: E402
from edgemoe_golden.calibrate import main as calibrate  # noqa: E402
from edgemoe_golden.importing import DenseOptions, import_dense  # noqa: E402
from edgemoe_golden.model import load_checkpoint_model  # noqa: E402

SIDE = 32  # of what the trunk takes
HALF = DenseOptions(mean=(0.5, 0.4, 0.3), deviation=(0.5, 0.25, 0.2))
BYTES = DenseOptions()
Change = Callable[[Tensor], Tensor]


class Before(nn.Module):
    """A network behind a change of its picture, floats [1, 3, h, w]."""

    def __init__(self, network: nn.Module, change: Change) -> None:
        super().__init__()
        self.network, self.change = network, change

    def forward(self, pixels: Tensor) -> Tensor:
        output: Tensor = self.network(self.change(pixels))
        return output


class BeforeOfBytes(Before):
    """The same of bytes [1, h, w, 3], which are normalised after the change."""

    def forward(self, frames: Tensor) -> Tensor:
        changed = self.change(frames.permute(0, 3, 1, 2).float())
        output: Tensor = self.network((changed / 255 - 0.5) / 0.25)
        return output


class Whole(nn.Module):
    """A decoder that looks at the picture once more."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        output: Tensor = self.network(halved(pixels)) + pixels.mean()
        return output


def halved(pixels: Tensor) -> Tensor:
    return functional.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def bicubic(pixels: Tensor) -> Tensor:
    return functional.interpolate(pixels, size=(SIDE, SIDE), mode="bicubic", align_corners=False)


def centre(pixels: Tensor) -> Tensor:
    return pixels[:, :, 4 : 4 + SIDE, 6 : 6 + SIDE]


def border(pixels: Tensor) -> Tensor:
    return functional.pad(pixels, (2, 4, 0, 8))


# what: size of the pictures, the change, whether pixels stay what they were
CHANGES: dict[str, tuple[tuple[int, int], Change, bool]] = {
    "a resize": ((64, 48), halved, False),
    "a bicubic resize": ((48, 48), bicubic, False),
    "a crop": ((40, 48), centre, True),
    "a border": ((24, 26), border, True),
}


def network() -> nn.Module:
    return timm_model("vit_tiny_patch16_224", num_classes=5)


def preprocessor_of(folder: Path) -> HostPreprocessor:
    return HostPreprocessor((folder / PREPROCESSOR_FILE).read_bytes(), load_checkpoint_model(folder).config)


@pytest.mark.parametrize("of_bytes", [False, True], ids=["floats", "bytes"])
@pytest.mark.parametrize("what", CHANGES)
def test_what_comes_before_the_patches_runs_on_the_host(what: str, of_bytes: bool, tmp_path: Path) -> None:
    size, change, exact = CHANGES[what]
    frame = pictures(*size, count=1)
    model = (BeforeOfBytes if of_bytes else Before)(network(), change)
    path = export(model, tmp_path / "network.onnx", size, **({"given": frame} if of_bytes else {}))
    report = import_dense(path, tmp_path / "out", BYTES if of_bytes else HALF)
    assert (report.config.image_height, report.config.image_width) == (SIDE, SIDE)
    assert any(f"changes pictures of {size[1]}×{size[0]}" in note for note in report.notes)
    own = preprocessor_of(tmp_path / "out")
    assert own.size == size
    found = own(frame[0].numpy())
    mean, deviation = ((0.0,) * 3, (1 / 255,) * 3) if of_bytes else (HALF.mean, HALF.deviation)
    shift, scale = (np.array(each)[:, None, None] for each in (mean, deviation))
    values = ((frame[0].permute(2, 0, 1).numpy() / 255 - shift) / scale)[None].astype(np.float32)
    changed = change(torch.from_numpy(values))[0].numpy()
    expected = ((changed * scale + shift) * 255).transpose(1, 2, 0).clip(0, 255)
    assert np.abs(found - expected).max() <= 0.501, "a picture rounded to bytes, as near as float32 has it"
    given = frame.numpy() if of_bytes else values
    whole, ours = answer(path, given)[0][0], outcome(tmp_path / "out", torch.from_numpy(found)[None])
    bound = TOLERANCE if exact and not (what == "a border" and not of_bytes) else 0.02
    assert np.abs(ours - whole).max() <= bound * np.abs(whole).max()


def test_a_program_carries_it_and_every_way_to_run_uses_it(tmp_path: Path) -> None:
    path = export(Before(network(), centre), tmp_path / "network.onnx", (40, 48))
    folder = tmp_path / "out"
    import_dense(path, folder, HALF)
    calibrate([str(folder), "--scenes", "2", "--report", str(tmp_path / "report")])
    program = compile_checkpoint(folder, None, load_hardware_config("micro"))
    program.save(tmp_path / "program")
    assert load_program(tmp_path / "program").preprocessor == (folder / PREPROCESSOR_FILE).read_bytes()

    frame = pictures(40, 48, count=1)[0].numpy()
    with Accelerator("golden", "micro").load(folder) as accelerator:
        result = accelerator(frame)
    assert np.array_equal(result.frame, frame[4 : 4 + SIDE, 6 : 6 + SIDE])
    assert "its own preprocessing to 32×32" in result.resized.statement

    Image.fromarray(frame).save(tmp_path / "frame.png")
    command = ["run", str(tmp_path / "frame.png"), "--model", str(tmp_path / "program")]
    command += ["--out", str(tmp_path / "run")]
    assert main(command) == 0
    with np.load(tmp_path / "run" / "frame.npz") as arrays:
        assert np.array_equal(arrays["output.classification"], result.outputs["classification"])
    assert "its own preprocessing" in json.loads((tmp_path / "run" / "run.json").read_text())["frames"][0]["resize"]


def test_without_the_extra_pictures_are_resized_and_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = export(Before(network(), halved), tmp_path / "network.onnx", (64, 64))
    import_dense(path, tmp_path / "out", HALF)
    calibrate([str(tmp_path / "out"), "--scenes", "2", "--report", str(tmp_path / "report")])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    Image.fromarray(pictures(64, 64, count=1)[0].numpy()).save(tmp_path / "frame.png")
    command = ["run", str(tmp_path / "frame.png"), "--model", str(tmp_path / "out"), "--hardware", "micro"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    said = capsys.readouterr().err
    assert "the preprocessor of this model needs onnxruntime" in said
    assert "pictures are brought to 32×32 without it" in said


def squared(pixels: Tensor) -> Tensor:
    return halved(pixels * pixels * 9)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "what is no picture any more": (lambda: Before(network(), squared), "of pixels from 0 to 255; resizes, crops and"),
    "a decoder that looks at the picture": (lambda: Whole(network()), "from before the patches are embedded"),
    "one channel": (lambda: Before(timm_model("vit_tiny_patch16_224", num_classes=5, in_chans=1),
                                   lambda pixels: halved(pixels.mean(1, keepdim=True))), "of three channels before"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_cut_out_is_refused(what: str, tmp_path: Path) -> None:
    build, said = REFUSED[what]
    path = export(build(), tmp_path / "network.onnx", (64, 64))
    with pytest.raises(CheckpointError) as error:
        import_dense(path, tmp_path / "out", HALF)
    assert said in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["another size", "another graph"])
def test_a_preprocessor_of_another_model_is_refused(change: str, tmp_path: Path) -> None:
    path = export(Before(network(), centre), tmp_path / "network.onnx", (40, 48))
    import_dense(path, tmp_path / "out", HALF)
    config, content = (
        load_checkpoint_model(tmp_path / "out").config,
        (tmp_path / "out" / PREPROCESSOR_FILE).read_bytes(),
    )
    if change == "another size":
        from dataclasses import replace

        other = HostPreprocessor(content, replace(config, image_height=64))
        with pytest.raises(ProgramError, match=r"gave uint8 \(1, 32, 32, 3\); the model takes uint8 \(1, 64, 32, 3\)"):
            other(np.zeros((40, 48, 3), np.uint8))
    else:
        saliency = export(Saliency(timm_model("vit_tiny_patch16_224"), 64, (2, 2)), tmp_path / "other.onnx")
        with pytest.raises(ProgramError, match=r"takes tensor\(float\) .*; expected bytes \[1, height, width, 3\]"):
            HostPreprocessor(saliency.read_bytes(), config)
