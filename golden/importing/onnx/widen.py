"""Graphs of float16 or bfloat16 → the same graph in float32, which holds every one of their weights exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgemoe.spec.onnx_file import require_onnx

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto


def widen(model: ModelProto) -> bool:
    """Rewrite `model` in place; returns whether there was anything to rewrite."""
    onnx, _ = require_onnx("reading ONNX files")
    kinds = onnx.TensorProto
    narrow = (kinds.FLOAT16, kinds.BFLOAT16)
    found = False

    def tensor(value: TensorProto) -> None:
        nonlocal found
        if value.data_type in narrow:
            found = True
            wide = onnx.numpy_helper.to_array(value).astype(np.float32)
            value.CopyFrom(onnx.numpy_helper.from_array(wide, value.name))

    for value in model.graph.initializer:
        tensor(value)
    for entry in (*model.graph.input, *model.graph.output):
        if entry.type.tensor_type.elem_type in narrow:
            found = True
            entry.type.tensor_type.elem_type = kinds.FLOAT
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                tensor(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i in narrow:
                attribute.i = kinds.FLOAT
    return found
