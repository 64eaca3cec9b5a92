"""One picture file → uint8 H×W×3 RGB. Files are untrusted: sizes are checked before anything is decoded."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edgemoe.media.errors import MediaError, reason
from edgemoe.spec.names import complaint

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded (10,000×8,000); it needs 240 MB as RGB."""

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif")
ACCEPTED = "accepted are JPEG, PNG, BMP, WebP, TIFF, PPM and GIF"

# Formats that run another program or are drawn rather than decoded (EPS, WMF, …) stay out.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "PPM", "GIF")
_WIDE_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def check_pixels(name: str, width: int, height: int) -> None:
    """Raise MediaError when a picture or video frame is empty or larger than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise MediaError(f"'{name}' is empty ({width}×{height} pixels)")
    if width * height > MAX_PIXELS:
        raise MediaError(f"'{name}' has {width}×{height} pixels, {_TOO_LARGE}")


_TOO_LARGE = f"more than the limit of {MAX_PIXELS // 1_000_000} million; make it smaller first"


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Decode a picture file to uint8 H×W×3 RGB, upright.

    EXIF orientation is applied; palettes are expanded; transparent parts are laid over white; 16-bit grey
    keeps its upper 8 bits; of an animation or a multi-page file the first picture is taken.
    Raises MediaError: missing, empty, truncated, not a picture, floating-point, or above MAX_PIXELS.
    """
    _check_file(path)
    name = path.name
    try:
        return _decode(path)
    except MediaError:
        raise
    except UnidentifiedImageError as error:
        raise MediaError(f"'{name}' is not a picture that can be read; {ACCEPTED}") from error
    except Image.DecompressionBombError as error:
        raise MediaError(f"'{name}' has {_TOO_LARGE}") from error
    except MemoryError as error:
        raise MediaError(f"'{name}' does not fit into the memory here; make it smaller first") from error
    except OSError as error:
        if error.errno is not None:
            raise MediaError(f"'{name}' cannot be read: {reason(error)}") from error
        raise MediaError(f"'{name}' is damaged or truncated ({complaint(error)}); copy it again") from error
    except Exception as error:
        # Pillow's decoders raise many kinds (SyntaxError, struct.error, zlib.error, …) on damaged files.
        raise MediaError(f"'{name}' is damaged ({complaint(error)}); {ACCEPTED}") from error


def to_rgb(picture: Image.Image, name: str) -> NDArray[np.uint8]:
    """Turn a decoded picture of any mode into uint8 H×W×3 RGB; raises MediaError for floating point."""
    if picture.mode == "F":
        raise MediaError(f"'{name}' holds floating-point values of unknown range; save it with 8 or 16 bits")
    if picture.mode in _WIDE_GREY:
        grey = np.clip(np.asarray(picture), 0, 65535).astype(np.uint16)
        return np.repeat((grey >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if picture.mode in _WITH_ALPHA or "transparency" in picture.info:
        layers = picture.convert("RGBA")
        background = Image.new("RGBA", layers.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(background, layers)
    return np.array(picture.convert("RGB"), dtype=np.uint8)


def _check_file(path: Path) -> None:
    try:
        if not path.is_file():
            what = "is not a file" if path.exists() else "does not exist"
            raise MediaError(f"'{path}' {what}; {ACCEPTED}")
        size = path.stat().st_size
    except OSError as error:
        raise MediaError(f"'{path}' cannot be read: {reason(error)}") from error
    if size == 0:
        raise MediaError(f"'{path.name}' is an empty file; {ACCEPTED}")


def _decode(path: Path) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of large pictures; the latter are refused by check_pixels.
        warnings.simplefilter("ignore")
        Image.init()
        # Pillow may have been built without WebP.
        built = [kind for kind in _FORMATS if kind in Image.OPEN]
        with Image.open(path, formats=built) as picture:
            check_pixels(path.name, *picture.size)
            picture.load()
            return to_rgb(ImageOps.exif_transpose(picture), path.name)
