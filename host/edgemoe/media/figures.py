"""The pictures of a panel as arrays: input, segmentation, regression and expert map, each at the size it is shown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from edgemoe.media.canvas import RGBPicture
from edgemoe.media.colours import apply_depth_colours
from edgemoe.media.decode import class_map
from edgemoe.media.interpolate import upsample
from edgemoe.media.palette import ColourTable
from edgemoe.media.typeface import font

_SUPERSAMPLING = 2
BORDER = 60  # grey level


def input_picture(frame: RGBPicture, height: int, width: int) -> RGBPicture:
    """The frame itself, bicubic at height×width."""
    shown = Image.fromarray(np.ascontiguousarray(frame)).resize((width, height), Image.Resampling.BICUBIC)
    return np.array(shown, dtype=np.uint8)


def segmentation_picture(
    frame: RGBPicture,
    logits: NDArray[np.float32],
    table: ColourTable,
    height: int,
    width: int,
    inner: tuple[int, int, int, int] | None = None,
) -> RGBPicture:
    """Classes in colour over the grey input, with smooth edges and a fine light outline between classes.

    inner: (left, top, right, bottom), the part of the frame that is picture; the border around it keeps its grey.
    """
    scale = _SUPERSAMPLING
    labels = class_map(logits, height * scale, width * scale)
    colours = table[labels].astype(np.float32)
    edge = np.zeros(labels.shape, dtype=bool)
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, :-1] |= edge[:, 1:]
    edge[:-1] |= edge[1:]
    tinted = _average(colours, scale)
    outline = _average(edge[:, :, None].astype(np.float32), scale) * 0.55
    grey = _grey(input_picture(frame, height, width))
    # The grey input modulates the colour around its own value, so that texture shows and the hue stays true.
    mixed = tinted * (0.62 + 0.5 * grey) + 22 * grey
    shown = _to_bytes(mixed * (1 - outline) + 250 * outline)
    return shown if inner is None else inside(shown, frame.shape[:2], inner)


def inside(picture: RGBPicture, size: tuple[int, ...], inner: tuple[int, int, int, int]) -> RGBPicture:
    """The picture of a frame of `size` (height, width), with the border around its part `inner` in dark grey."""
    scale = (picture.shape[1] / size[1], picture.shape[0] / size[0]) * 2
    left, top, right, bottom = (round(edge * each) for edge, each in zip(inner, scale, strict=True))
    shown = np.full_like(picture, BORDER)
    shown[top:bottom, left:right] = picture[top:bottom, left:right]
    return shown


def regression_picture(
    values: NDArray[np.float32],
    span: tuple[float, float],
    height: int,
    width: int,
    frame: tuple[tuple[int, ...], tuple[int, int, int, int]] | None = None,
) -> RGBPicture:
    """One channel h×w by the depth colours; three channels 3×h×w, read as −1 … 1 (normals), as red, green, blue.

    frame: size (height, width) of the frame and its part (left, top, right, bottom) that is picture; the border around
    it is dark grey.
    """
    shown = upsample(values, height, width)
    if shown.ndim == 3:
        coloured = _to_bytes(np.nan_to_num((shown.transpose(1, 2, 0) + 1) * 127.5))
    else:
        coloured = apply_depth_colours(shown, *span)
    return coloured if frame is None else inside(coloured, *frame)


def features_picture(features: NDArray[np.float32], grid: tuple[int, int], height: int, width: int) -> RGBPicture:
    """The three strongest directions of the patches' features as red, green and blue: like patches, like colours.

    features: patches×D. grid: (rows, columns). Directions are principal components, each signed so that its largest
    weight is positive, and each colour runs over the middle 98 % of its values.
    """
    centred = features.astype(np.float64) - features.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    axes = directions[:, ::-1][:, :3]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    values = centred @ axes
    low, high = np.quantile(values, (0.01, 0.99), axis=0)
    shares = np.clip((values - low) / np.maximum(high - low, 1e-9), 0, 1)
    planes = shares.T.reshape(-1, *grid).astype(np.float32)
    planes = np.concatenate([planes, np.zeros((3 - len(planes), *grid), dtype=np.float32)])
    return _to_bytes(upsample(planes, height, width).transpose(1, 2, 0) * 255)


def expert_picture(
    frame: RGBPicture, experts: NDArray[np.uint16], table: ColourTable, grid: tuple[int, int], cell: int
) -> RGBPicture:
    """The expert of every patch: a tile in the colour of the first choice, its number, a corner for the second.

    experts: patches×k, without prefix tokens, first choice first. grid: (rows, columns). cell: pixels per patch.
    """
    rows, columns = grid
    height, width = rows * cell, columns * cell
    gap = 1 if cell >= 12 else 0
    first = table[experts[:, 0]].reshape(rows, columns, 3)
    colours = first.repeat(cell, axis=0).repeat(cell, axis=1).astype(np.float32)
    if experts.shape[1] > 1 and cell >= 16:
        second = table[experts[:, 1]].reshape(rows, columns, 3).repeat(cell, axis=0).repeat(cell, axis=1)
        corner = np.tile(_corner(cell), (rows, columns))[:, :, None]
        colours = colours * (1 - corner) + second * corner
    grey = _grey(input_picture(frame, height, width))
    picture = colours * (0.70 + 0.34 * grey)
    if gap:
        seam = np.arange(cell) < gap
        lines = np.tile(seam, rows)[:, None] | np.tile(seam, columns)[None, :]
        picture[lines] *= 0.45
    shown = _to_bytes(picture)
    return _number(shown, experts[:, 0], table, grid, cell) if cell >= 22 else shown


def _number(
    picture: RGBPicture, experts: NDArray[np.uint16], table: ColourTable, grid: tuple[int, int], cell: int
) -> RGBPicture:
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    size = max(10, round(cell * 0.34))
    light = _grey(table[None])[0, :, 0] > 0.5
    for index, expert in enumerate(experts):
        row, column = divmod(index, grid[1])
        middle = (column * cell + cell / 2, row * cell + cell / 2)
        ink = (12, 14, 18) if light[expert] else (245, 246, 250)
        draw.text(middle, str(int(expert)), font=font(size), fill=ink, anchor="mm")
    return np.array(image, dtype=np.uint8)


def _corner(cell: int) -> NDArray[np.float32]:
    """Coverage of the bottom right triangle of a tile, antialiased, with a third of its side."""
    position = np.arange(cell) + 0.5
    distance = position[:, None] + position[None, :] - (2 * cell - cell * 0.36)
    return np.asarray(np.clip(distance / 1.4 + 0.5, 0, 1), dtype=np.float32)


def _grey(picture: RGBPicture) -> NDArray[np.float32]:
    """Luma 0 … 1 as h×w×1 (Rec. 709 weights)."""
    weights = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32) / 255
    return np.asarray(picture.astype(np.float32) @ weights, dtype=np.float32)[:, :, None]


def _average(values: NDArray[np.float32], scale: int) -> NDArray[np.float32]:
    height, width, channels = values.shape
    blocks = values.reshape(height // scale, scale, width // scale, scale, channels)
    mean: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    return mean


def _to_bytes(values: NDArray[np.floating]) -> RGBPicture:
    return np.asarray(np.rint(np.clip(values, 0, 255)), dtype=np.uint8)
