"""ONNX files: the trunk is found whatever exporter wrote it, computes what the graph computes, and the rest is named.

Networks are built by timm and transformers with random weights and exported here; nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from library_models import load_timm, normalised, pictures, randomised
from torch import nn

onnx_models = pytest.importorskip("onnx_models", reason="onnx and onnxruntime are not installed here")

from onnx_models import (  # noqa: E402
    FromBytes,
    LastHidden,
    MiddleLayers,
    Saliency,
    answer,
    assert_close,
    changed,
    export,
    onnx,
    outcome,
    timm_model,
    transformers_model,
)

from edgemoe.cli import main  # noqa: E402
from edgemoe.spec.checkpoint import DECODER_FILE, CheckpointError  # noqa: E402
from edgemoe.spec.onnx_file import read_onnx  # noqa: E402
from edgemoe_golden.importing import DenseOptions, import_dense  # noqa: E402
from edgemoe_golden.importing.onnx.graph import fixed_graph  # noqa: E402
from edgemoe_golden.importing.onnx.proof import _difference, prove  # noqa: E402
from edgemoe_golden.importing.onnx.tail import tail_of  # noqa: E402
from edgemoe_golden.importing.onnx.trunk import trunk_of  # noqa: E402
from edgemoe_golden.model import load_checkpoint_model  # noqa: E402

HALF = DenseOptions(mean=(0.5,) * 3, deviation=(0.5,) * 3)
DINO = {"patch_size": 14, "mlp_ratio": 2}
# kind: how the network is built, operator set, side of its pictures, task that it becomes, whether a decoder remains
KINDS: dict[str, tuple[Callable[[], nn.Module], int, int, str, bool]] = {
    "timm ViT": (lambda: timm_model("vit_tiny_patch16_224", num_classes=5), 17, 32, "classification", False),
    "timm ViT, LayerNorm as a chain": (lambda: timm_model("vit_tiny_patch16_224", num_classes=5), 14, 32,
                                       "classification", False),
    "timm ViT, Gelu as one node": (lambda: timm_model("vit_tiny_patch16_224", num_classes=5), 20, 32,
                                   "classification", False),
    "timm ViT, no qkv bias": (lambda: timm_model("vit_tiny_patch16_224", qkv_bias=False, num_classes=5), 17, 32,
                              "classification", False),
    "timm DeiT, distilled": (lambda: timm_model("deit_tiny_distilled_patch16_224", num_classes=5), 17, 32, "features",
                             True),
    "timm DINOv2 with registers": (lambda: timm_model("vit_small_patch14_reg4_dinov2", img_size=28), 14, 28,
                                   "features", True),
    "timm SigLIP": (lambda: timm_model("vit_base_patch16_siglip_224", num_classes=0), 17, 32, "features", True),
    "transformers ViT": (lambda: transformers_model("ViTForImageClassification", "ViTConfig", num_labels=5), 17, 32,
                         "classification", False),
    "transformers DINOv2": (lambda: LastHidden(transformers_model("Dinov2Model", "Dinov2Config", image_size=28,
                                                                  **DINO)), 14, 28, "features", False),
    "transformers DINOv2, positions interpolated in the graph": (
        lambda: LastHidden(transformers_model("Dinov2Model", "Dinov2Config", image_size=42, **DINO)), 14, 28,
        "features", False),
    "a decoder after the trunk": (lambda: Saliency(timm_model("vit_tiny_patch16_224"), 64, (2, 2)), 14, 32,
                                  "features", True),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_the_import_computes_what_the_graph_computes(kind: str, tmp_path: Path) -> None:
    build, opset, side, task, decoder = KINDS[kind]
    path = export(randomised(build()), tmp_path / "network.onnx", (side, side), opset)
    report = import_dense(path, tmp_path / "out", HALF)
    assert [each.kind for each in report.config.tasks] == [task]
    assert (tmp_path / "out" / DECODER_FILE).exists() == decoder
    assert report.notes[-1].startswith("proved: ")
    frames = pictures(side, side, count=1)
    assert_close(outcome(tmp_path / "out", frames), answer(path, normalised(frames).numpy())[0][0])


def test_a_graph_gives_the_tensors_that_its_state_dict_gives(tmp_path: Path) -> None:
    """One way for all files: exporting and reading back changes no weight of a network without LayerScale."""
    model = timm_model("vit_tiny_patch16_224", num_classes=5)
    torch.save(model.state_dict(), tmp_path / "network.pth")
    export(model, tmp_path / "network.onnx")
    options = DenseOptions(mean=(0.5,) * 3, deviation=(0.5,) * 3, name="same")
    import_dense(tmp_path / "network.onnx", tmp_path / "graph", options)
    import_dense(tmp_path / "network.pth", tmp_path / "state", DenseOptions(**{**vars(options), "heads": 2}))
    graph, state = (load_checkpoint_model(tmp_path / name) for name in ("graph", "state"))
    assert graph.config == state.config
    own, expected = graph.state_dict(), state.state_dict()
    moved = {"backbone.cls_token", "backbone.pos_embed"}  # a prefix token carries its position with it
    assert all(torch.equal(value, own[name]) for name, value in expected.items() if name not in moved)
    prefix = [part["backbone.cls_token"] + part["backbone.pos_embed"][:, :1] for part in (own, expected)]
    assert torch.equal(*prefix)


def test_normalisation_inside_the_graph_is_folded_into_the_pixels(tmp_path: Path) -> None:
    """A graph of bytes, channels last, says how it normalises; nothing need be said of its pixels."""
    model = FromBytes(timm_model("vit_tiny_patch16_224", num_classes=5))
    frames = pictures(32, 32, count=1)
    path = export(model, tmp_path / "network.onnx", given=frames)
    report = import_dense(path, tmp_path / "out", DenseOptions())
    assert report.config.pixel_mean == pytest.approx((0.485, 0.456, 0.406))
    assert report.config.pixel_std == pytest.approx((0.229, 0.224, 0.225))
    assert_close(outcome(tmp_path / "out", frames), answer(path, frames.numpy())[0][0])


def test_sixteen_bit_floats_are_read(tmp_path: Path) -> None:
    path = export(timm_model("vit_tiny_patch16_224", num_classes=5), tmp_path / "network.onnx")

    def halve(model: Any) -> None:
        kinds = onnx.TensorProto
        for tensor in model.graph.initializer:
            if tensor.data_type == kinds.FLOAT:
                half = onnx.numpy_helper.to_array(tensor).astype(np.float16)
                tensor.CopyFrom(onnx.numpy_helper.from_array(half, tensor.name))
        for node in model.graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t") and attribute.t.data_type == kinds.FLOAT:
                    half = onnx.numpy_helper.to_array(attribute.t).astype(np.float16)
                    attribute.t.CopyFrom(onnx.numpy_helper.from_array(half, attribute.t.name))
                elif node.op_type == "Cast" and attribute.i == kinds.FLOAT:
                    attribute.i = kinds.FLOAT16
        for entry in (*model.graph.input, *model.graph.output):
            entry.type.tensor_type.elem_type = kinds.FLOAT16

    report = import_dense(changed(path, halve), tmp_path / "out", HALF)
    assert any("16-bit floats" in note for note in report.notes)


def test_pictures_of_any_size_ask_for_one(tmp_path: Path) -> None:
    network = LastHidden(transformers_model("Dinov2Model", "Dinov2Config", image_size=42, **DINO))
    axes = {"picture": {0: "batch", 2: "height", 3: "width"}}
    path = export(network, tmp_path / "network.onnx", (42, 42), 14, dynamic_axes=axes)
    with pytest.raises(CheckpointError, match="pictures of any height; name theirs with --size HEIGHTxWIDTH"):
        import_dense(path, tmp_path / "out", HALF)
    import_dense(path, tmp_path / "out", DenseOptions(size=(28, 56), mean=(0.5,) * 3, deviation=(0.5,) * 3))
    frames = pictures(28, 56, count=1)
    assert_close(outcome(tmp_path / "out", frames), answer(path, normalised(frames).numpy())[0][0])


def test_external_data_beside_the_file_is_read(tmp_path: Path) -> None:
    path = export(timm_model("vit_tiny_patch16_224", num_classes=5), tmp_path / "network.onnx")
    import_dense(path, tmp_path / "whole", DenseOptions(**{**vars(HALF), "name": "same"}))
    model = onnx.load(str(path))
    onnx.save_model(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert len(path.read_bytes()) < (tmp_path / "weights.bin").stat().st_size
    import_dense(path, tmp_path / "split", DenseOptions(**{**vars(HALF), "name": "same"}))
    whole, split = ((tmp_path / name / "weights.safetensors").read_bytes() for name in ("whole", "split"))
    assert whole == split


def test_a_slice_of_sizes_with_an_absurd_step_is_walked_by_nobody(tmp_path: Path) -> None:
    """Propagating the values of sizes would: onnx's shape inference walks it step by step, past every overflow."""

    def change(model: Any) -> None:
        for name, number in (("first", 0), ("last", 4), ("axis", 0), ("step", 3 << 60)):
            model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([number]), name))
        inputs = ["sizes", "first", "last", "axis", "step"]
        model.graph.node.insert(0, onnx.helper.make_node("Slice", inputs, ["part"]))
        model.graph.node.insert(0, onnx.helper.make_node("Shape", ["picture"], ["sizes"]))

    path = export(timm_model("vit_tiny_patch16_224", num_classes=5), tmp_path / "network.onnx")
    assert import_dense(changed(path, change), tmp_path / "out", HALF).notes[-1].startswith("proved: ")


@pytest.mark.parametrize("tensor", ["blocks.0.attn.qkv.weight", "blocks.1.mlp.fc2.bias", "head.bias"])
def test_an_import_that_computes_something_else_is_refused(tensor: str, tmp_path: Path) -> None:
    """The proof compares every block: it names the first value that differs."""
    path = export(timm_model("vit_tiny_patch16_224", num_classes=5), tmp_path / "network.onnx")
    graph = fixed_graph(read_onnx(path), None)
    trunk = trunk_of(graph)
    tail = tail_of(graph, trunk)
    from edgemoe_golden.importing.dense import from_dense
    from edgemoe_golden.importing.source_config import SourceConfig

    state = trunk.state | tail.state
    state[tensor] = state[tensor] + 0.01
    imported, _ = from_dense(state, SourceConfig(heads=2, size=(32, 32)), HALF, "ONNX graph")
    with pytest.raises(CheckpointError, match="differs from our float model by"):
        prove(graph, trunk, tail, imported)


def small(tmp_path: Path, **arguments: Any) -> Path:
    return export(timm_model("vit_tiny_patch16_224", num_classes=5, **arguments), tmp_path / "network.onnx")


def cut(tmp_path: Path) -> Path:
    path = small(tmp_path)
    path.write_bytes(path.read_bytes()[:-1000])
    return path


def cnn(tmp_path: Path) -> Path:
    return export(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3)), tmp_path / "network.onnx")


def swin(tmp_path: Path) -> Path:
    model = load_timm().create_model("swin_tiny_patch4_window7_224", pretrained=False, img_size=56, depths=(2,), num_heads=(2,), embed_dim=32)  # fmt: skip # noqa: E501
    return export(model, tmp_path / "network.onnx", (56, 56))


def clip(tmp_path: Path) -> Path:
    return small(tmp_path, pre_norm=True)


def newer(tmp_path: Path) -> Path:
    return changed(small(tmp_path), lambda model: setattr(model.opset_import[0], "version", 99))


def integers(tmp_path: Path) -> Path:
    quantization = pytest.importorskip("onnxruntime.quantization")
    quantization.quantize_dynamic(str(small(tmp_path)), str(tmp_path / "integers.onnx"))
    return tmp_path / "integers.onnx"


def external(location: str, length: str = "") -> Callable[[Path], Path]:
    def make(tmp_path: Path) -> Path:
        def change(model: Any) -> None:
            tensor = next(each for each in model.graph.initializer if len(each.dims) == 2)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=location)
            if length:
                tensor.external_data.add(key="length", value=length)

        (tmp_path / "secret").write_bytes(bytes(1 << 16))
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "link").symlink_to(tmp_path / "secret")
        (tmp_path / "folder" / "short").write_bytes(b"1234")
        path = changed(small(tmp_path), change)
        return path.rename(tmp_path / "folder" / "network.onnx")

    return make


def not_a_number(tmp_path: Path) -> Path:
    def change(model: Any) -> None:
        tensor = next(each for each in model.graph.initializer if len(each.dims) == 2)
        tensor.raw_data = b"\x01\x00\x80\x7f" + tensor.raw_data[4:]

    return changed(small(tmp_path), change)


def huge(tmp_path: Path) -> Path:
    def change(model: Any) -> None:
        tensor = next(each for each in model.graph.initializer if len(each.dims) == 2)
        tensor.dims[0] = 1 << 40

    return changed(small(tmp_path), change)


def huge_value(computed: bool) -> Callable[[Path], Path]:
    """A constant of 4 TB made inside the graph, of a size that stands there or is computed."""

    def make(tmp_path: Path) -> Path:
        def change(model: Any) -> None:
            sides = onnx.numpy_helper.from_array(np.array([1 << 10 if computed else 1 << 20] * 2), "sides")
            model.graph.initializer.append(sides)
            make_node = onnx.helper.make_node
            added = [make_node("Mul", ["sides", "sides"], ["squared"])] if computed else []
            added.append(make_node("ConstantOfShape", ["squared" if computed else "sides"], ["zeros"]))
            added.append(make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0))
            added.append(make_node("Add", ["picture", "zero"], ["moved"]))
            next(node for node in model.graph.node if node.op_type == "Conv").input[0] = "moved"
            for node in reversed(added):
                model.graph.node.insert(0, node)

        return changed(small(tmp_path), change)

    return make


def rename(kind: str, name: str) -> Callable[[Path], Path]:
    """The first node of a kind gives a value under another name."""

    def change(model: Any) -> None:
        next(node for node in model.graph.node if node.op_type == kind).output[0] = name

    return lambda tmp_path: changed(small(tmp_path), change)


def short_tensor(tmp_path: Path) -> Path:
    def change(model: Any) -> None:
        tensor = next(each for each in model.graph.initializer if len(each.dims) == 2)
        tensor.raw_data = tensor.raw_data[:-4]

    return changed(small(tmp_path), change)


def masked(tmp_path: Path) -> Path:
    """A constant added to the scores, as relative positions are."""

    def change(model: Any) -> None:
        softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
        bias = np.random.default_rng(0).standard_normal((1, 2, 5, 5)).astype(np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(bias, "bias"))
        place = list(model.graph.node).index(softmax)
        model.graph.node.insert(place, onnx.helper.make_node("Add", [softmax.input[0], "bias"], ["biased"]))
        softmax.input[0] = "biased"

    return changed(small(tmp_path), change)


def two_inputs(tmp_path: Path) -> Path:
    def change(model: Any) -> None:
        model.graph.input.append(onnx.helper.make_tensor_value_info("text", onnx.TensorProto.INT64, [1, 77]))

    return changed(small(tmp_path), change)


REFUSED: dict[str, tuple[Callable[[Path], Path], tuple[str, ...]]] = {
    "a cut file": (cut, ("not a readable ONNX file", "it is cut or altered")),
    "a CNN": (cnn, ("node '/1/Relu' (Relu) does not fit a plain pre-norm vision transformer",)),
    "Swin": (swin, ("(LayerNormalization)", "normalises the tokens before the first block, as CLIP and Swin do")),
    "CLIP": (clip, ("node '/norm_pre/LayerNormalization'", "before the first block")),
    "an operator set too new": (newer, ("operator set 99; this package reads 11 … 23",)),
    "integers": (integers, ("was quantised to integers; give the float model",)),
    "data above the folder": (external("../secret"), ("'../secret', outside the folder of the file",)),
    "data at an absolute path": (external("/etc/hostname"), ("'/etc/hostname', outside the folder",)),
    "data behind a link": (external("link"), ("'link', outside the folder",)),
    "data under a name too long": (external("x" * 300), ("outside the folder",)),
    "data under a name with a zero byte": (external("a\0b"), ("'a\\x00b', outside the folder",)),
    "data that is cut": (external("short"), ("bytes of 'short', which is cut or missing",)),
    "data that is missing": (external("absent"), ("bytes of 'absent', which is cut or missing",)),
    "data of another length": (external("short", "4"), ("has 4 bytes in 'short'; its shape needs",)),
    "data of no length": (external("short", "-1"), ("has offset and length '0', '-1'",)),
    "a signalling NaN": (not_a_number, ("holds NaN",)),
    "a tensor of absurd size": (huge, ("values; at most 268,435,456 are read",)),
    "a value of absurd size": (huge_value(False), ("value 'zeros' has 1,099,511,627,776 elements",)),
    "a value whose absurd size is computed": (huge_value(True), ("onnxruntime cannot run this graph",)),
    "a value that nobody gives": (rename("Conv", "elsewhere"), ("which nothing before it gives",)),
    "a value that is given twice": (rename("Conv", "picture"), ("'picture', which is no name or given before",)),
    "a tensor with too few bytes": (short_tensor, ("bytes; its shape needs",)),
    "scores with a bias": (masked, ("(Softmax)", "without a mask or relative positions")),
    "two inputs": (two_inputs, ("2 inputs ('picture', 'text'); expected one, the picture",)),
    "layers from the middle": (
        lambda folder: export(MiddleLayers(timm_model("vit_tiny_patch16_224")), folder / "network.onnx"),
        ("from inside the trunk",),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_is_one_sentence_and_nothing_is_written(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, said = REFUSED[what]
    path = make(tmp_path)
    assert main(["import", str(path), "--out", str(tmp_path / "out"), "--pixels", "half"]) == 1
    error = capsys.readouterr().err.strip()
    assert all(part in error for part in said), error
    assert "\n" not in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--size", "64x64"], "has height 32; --size says 64"),
        (["--heads", "2"], "a graph says its heads and its activation itself"),
        (["--task", "depth"], "task 'depth' is unknown"),
    ],
)
def test_options_that_contradict_the_graph(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small(tmp_path)
    assert main(["import", str(path), "--out", str(tmp_path / "out"), "--pixels", "half", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_without_the_extra_the_sentence_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert main(["import", str(path), "--out", str(tmp_path / "out"), "--pixels", "half"]) == 1
    assert "reading ONNX files needs onnxruntime; install the 'onnx' extra" in capsys.readouterr().err


def test_the_command_says_what_runs_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = export(Saliency(timm_model("vit_tiny_patch16_224"), 64, (2, 2)), tmp_path / "network.onnx")
    assert main(["import", str(path), "--out", str(tmp_path / "out"), "--pixels", "half"]) == 0
    said = capsys.readouterr().out
    assert "nodes after the trunk run on the host" in said
    assert "proved: onnxruntime and our float model differ by" in said


@pytest.mark.parametrize("ours", [1.0, np.inf, np.nan])
@pytest.mark.parametrize("theirs", [np.inf, np.nan])
@pytest.mark.filterwarnings("error")
def test_a_graph_whose_values_are_not_finite_is_refused(ours: float, theirs: float) -> None:
    with pytest.raises(CheckpointError, match="value 'x' of the graph is not finite"):
        _difference("x", np.full((2, 3), ours, np.float32), np.full((2, 3), theirs, np.float32))
