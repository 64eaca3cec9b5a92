"""Results as the contents of files: arrays as `.npz`, pictures as PNG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from edgemoe.media.decode import decode
from edgemoe.results import FrameResult
from edgemoe.spec.model import ModelConfig


def frame_arrays(result: FrameResult, model: ModelConfig) -> dict[str, NDArray[np.generic]]:
    """The arrays of one `.npz`, by name.

    `frame` uint8 H×W×3; per task `output.<task>` float32 C×cells, `map.<task>` at the model's size (uint16 classes or
    float32 values; class probabilities; features); per MoE block `experts.<task>.<block>` uint16 and
    `scores.<task>.<block>` float32, tokens×k; `decoded.<name>` float32 of a host decoder.
    """
    arrays: dict[str, NDArray[np.generic]] = {"frame": result.frame}
    for task in model.tasks:
        if task.name in result.outputs:
            output = result.outputs[task.name]
            arrays[f"output.{task.name}"] = output
            arrays[f"map.{task.name}"] = decode(task, output, model.image_height, model.image_width)
    arrays |= {f"decoded.{name}": value for name, value in result.decoded.items()}
    for name, blocks in result.routing.items():
        for block, (experts, scores) in blocks.items():
            arrays[f"experts.{name}.{block}"] = experts
            arrays[f"scores.{name}.{block}"] = scores
    return arrays


def npz_bytes(arrays: dict[str, NDArray[np.generic]]) -> bytes:
    """Encode arrays as a compressed `.npz` that needs no pickle."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def png_bytes(
    picture: NDArray[np.uint8] | NDArray[np.uint16], palette: NDArray[np.uint8] | None = None, about: str = ""
) -> bytes:
    """Encode as PNG: h×w×3 uint8 RGB, or h×w uint8 or uint16 grey. palette: colours of the values of h×w uint8.
    about: a description that is kept in the file.
    """
    image = Image.fromarray(picture)
    if palette is not None:
        # All 256 entries: with fewer, Pillow stores fewer bits and cuts larger values.
        image.putpalette(palette.tobytes().ljust(3 * 256, b"\x3c"))
    text = PngInfo()
    if about:
        text.add_text("Description", about)
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=4, pnginfo=text)
    return buffer.getvalue()
