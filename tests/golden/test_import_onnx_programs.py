"""ONNX files as torch writes them today, from exported programs, and attention as one node of operator set 23.

They hold what traces do not: a Where that replaces NaN behind the softmax, masks that hide nothing, `Attention`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from library_models import normalised, pictures, randomised
from torch import nn

onnx_models = pytest.importorskip("onnx_models", reason="onnx and onnxruntime are not installed here")

from onnx_models import (  # noqa: E402
    LastHidden,
    answer,
    assert_close,
    changed,
    export_program,
    onnx,
    outcome,
    timm_model,
    transformers_model,
)

from edgemoe.spec.checkpoint import CheckpointError  # noqa: E402
from edgemoe_golden.importing import DenseOptions, import_dense  # noqa: E402

HALF = DenseOptions(mean=(0.5,) * 3, deviation=(0.5,) * 3)


def vit() -> nn.Module:
    return transformers_model("ViTForImageClassification", "ViTConfig", num_labels=5)


def dino() -> nn.Module:
    network = transformers_model("Dinov2Model", "Dinov2Config", image_size=28, patch_size=14, mlp_ratio=2)
    return LastHidden(network)


# kind: how the network is built, operator set, side of its pictures, a kind of node that its graph has
KINDS: dict[str, tuple[Callable[[], nn.Module], int, int, str]] = {
    "timm ViT": (lambda: timm_model("vit_tiny_patch16_224", num_classes=5), 20, 32, "Softmax"),
    "timm ViT, attention as one node": (lambda: timm_model("vit_tiny_patch16_224", num_classes=5), 23, 32, "Attention"),
    "transformers ViT, NaN replaced": (vit, 20, 32, "IsNaN"),
    "transformers ViT, a mask of one node that hides nothing": (vit, 23, 32, "Attention"),
    "transformers DINOv2": (dino, 20, 28, "IsNaN"),
}


def kinds_of(path: Path) -> set[str]:
    return {node.op_type for node in onnx.load(str(path)).graph.node}


def assert_computes(path: Path, folder: Path, side: int) -> None:
    """The import in `folder` gives what the graph gives in onnxruntime."""
    import_dense(path, folder, HALF)
    frames = pictures(side, side, count=1)
    assert_close(outcome(folder, frames), answer(path, normalised(frames).numpy())[0][0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_import_computes_what_an_exported_program_computes(kind: str, tmp_path: Path) -> None:
    build, opset, side, node = KINDS[kind]
    path = export_program(randomised(build()), tmp_path / "network.onnx", (side, side), opset)
    assert node in kinds_of(path)
    assert_computes(path, tmp_path / "out", side)


def attention_of(model: Any) -> Any:
    return next(node for node in model.graph.node if node.op_type == "Attention")


def join_heads(model: Any) -> None:
    """Attention of [1, N, heads·d]: past the reshapes and transposes on both sides, heads counted in attributes."""
    nodes = list(model.graph.node)
    by_output = {node.output[0]: node for node in nodes}
    for attention in [node for node in nodes if node.op_type == "Attention"]:
        for place in range(3):
            transpose = by_output[attention.input[place]]
            attention.input[place] = by_output[transpose.input[0]].input[0]
        after = next(node for node in nodes if attention.output[0] in node.input)
        joined = next(node for node in nodes if after.output[0] in node.input)
        attention.output[0] = joined.output[0]
        model.graph.node.remove(after)
        model.graph.node.remove(joined)
        attention.attribute.extend(onnx.helper.make_attribute(name, 2) for name in ("q_num_heads", "kv_num_heads"))
    del model.graph.value_info[:]


def test_attention_whose_heads_lie_side_by_side(tmp_path: Path) -> None:
    path = changed(export_program(randomised(vit()), tmp_path / "network.onnx", opset=23), join_heads)
    assert "Attention" in kinds_of(path)
    assert_computes(path, tmp_path / "out", 32)


def causal(model: Any) -> None:
    attention = attention_of(model)
    kept = [each for each in attention.attribute if each.name != "is_causal"]
    del attention.attribute[:]
    attention.attribute.extend([*kept, onnx.helper.make_attribute("is_causal", 1)])


def soft_cap(model: Any) -> None:
    attention = attention_of(model)
    kept = [each for each in attention.attribute if each.name != "softcap"]
    del attention.attribute[:]
    attention.attribute.extend([*kept, onnx.helper.make_attribute("softcap", 30.0)])


def hidden_token(model: Any) -> None:
    seen = np.ones((1, 1, 5, 5), np.bool_)
    seen[..., 0, 3] = False
    model.graph.initializer.append(onnx.numpy_helper.from_array(seen, "seen"))
    attention = attention_of(model)
    inputs = list(attention.input[:3])
    del attention.input[:]
    attention.input.extend([*inputs, "seen"])


@pytest.mark.parametrize("change", [causal, soft_cap, hidden_token])
def test_other_attention_of_one_node_is_refused_by_name(change: Callable[[Any], None], tmp_path: Path) -> None:
    path = changed(export_program(vit(), tmp_path / "network.onnx", opset=23), change)
    with pytest.raises(CheckpointError, match=r"\(Attention\) does not fit .* without a mask, a cache or a soft cap"):
        import_dense(path, tmp_path / "out", HALF)
    assert not (tmp_path / "out").exists()


def test_a_where_that_does_more_than_replace_nan_is_refused(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        where = next(node for node in model.graph.node if node.op_type == "Where")
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.5, np.float32), "half"))
        where.input[1] = "half"

    path = changed(export_program(vit(), tmp_path / "network.onnx"), change)
    with pytest.raises(CheckpointError, match="expected the product of softmax and values"):
        import_dense(path, tmp_path / "out", HALF)
