"""One picture file → uint8 H×W×3 RGB. Files are untrusted: sizes are checked before anything is decoded."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edgemoe.media.errors import MediaError, reason
from edgemoe.spec.names import complaint

MAX_PIXELS = 80_000_000
"""Largest picture that is decoded (10,000×8,000); it needs 240 MB as RGB."""

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".gif", ".avif")
UNREADABLE_SUFFIXES = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "is HEIC, which is not read here; save it as JPEG"),
    **dict.fromkeys((".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf"), "is a raw photograph; save it as JPEG"),
    **dict.fromkeys((".jxl", ".jp2"), "is of a kind that is not read here; save it as JPEG or PNG"),
}
"""Pictures that cannot be read, by the end of their names, and what to do."""
ACCEPTED = "accepted are JPEG, PNG, BMP, WebP, AVIF, TIFF, PPM and GIF"

# Formats that run another program or are drawn rather than decoded (EPS, WMF, …) stay out.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "AVIF", "TIFF", "PPM", "GIF")
_REDUCED = 8  # a JPEG is decoded at a half, a quarter or an eighth of its sides without being held whole
_MAX_REDUCED = 3 * MAX_PIXELS  # but a progressive one holds its coefficients, however small it comes out
_MAX_PIPED = 512 << 20
_WIDE_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")
_WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def check_pixels(name: str, width: int, height: int) -> None:
    """Raise MediaError when a picture or video frame is empty or larger than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise MediaError(f"'{name}' is empty ({width}×{height} pixels)")
    if width * height > MAX_PIXELS:
        raise MediaError(f"'{name}' has {width}×{height} pixels, {_TOO_LARGE}")


_TOO_LARGE = f"more than the limit of {MAX_PIXELS // 1_000_000} million; make it smaller first"


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """Decode a picture file to uint8 H×W×3 RGB, upright.

    EXIF orientation is applied; palettes are expanded; transparent parts are laid over white; 16-bit grey
    becomes 8 bits as `eight_bits` says; of an animation or a multi-page file the first picture is taken; a JPEG above
    MAX_PIXELS comes at the largest half, quarter or eighth of its sides that is below.
    Raises MediaError: missing, empty, truncated, not a picture, floating-point, or above MAX_PIXELS.
    """
    file = Path(path)
    _check_file(file)
    return decode_picture(file, file.name)


def read_piped_picture() -> NDArray[np.uint8]:
    """Decode the picture that is piped into standard input; as `read_picture`."""
    if sys.stdin.isatty():
        raise MediaError(
            "standard input ('-') is a terminal; pipe a picture into it, as in: edgemoe run - < street.jpg"
        )
    content = sys.stdin.buffer.read(_MAX_PIPED + 1)
    if not content:
        raise MediaError(f"standard input ('-') is empty; {ACCEPTED}")
    if len(content) > _MAX_PIPED:
        raise MediaError(f"standard input ('-') holds more than {_MAX_PIPED >> 20} MiB; name the file instead")
    return decode_picture(io.BytesIO(content), "standard input")


def decode_picture(file: Path | BinaryIO, name: str) -> NDArray[np.uint8]:
    """As `read_picture`, from a file that is there or is open; `name` is what errors call it."""
    try:
        return _decode(file, name)
    except MediaError:
        raise
    except UnidentifiedImageError as error:
        why = UNREADABLE_SUFFIXES.get(Path(name).suffix.lower())
        raise MediaError(f"'{name}' {why or f'is not a picture that can be read; {ACCEPTED}'}") from error
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


def eight_bits(grey: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """uint16 grey → uint8: the upper 8 of the bits in use.

    In use are 8, 10, 12, 14 or 16, whichever is the least that holds the largest value: cameras and scanners store
    their 10, 12 or 14 bits at the lower end of 16, which would come out black.
    """
    largest = int(grey.max(initial=0))
    bits = next(count for count in (8, 10, 12, 14, 16) if largest < 1 << count)
    return (grey >> (bits - 8)).astype(np.uint8)


def to_rgb(picture: Image.Image, name: str) -> NDArray[np.uint8]:
    """Turn a decoded picture of any mode into uint8 H×W×3 RGB; raises MediaError for floating point."""
    if picture.mode == "F":
        raise MediaError(f"'{name}' holds floating-point values of unknown range; save it with 8 or 16 bits")
    if picture.mode in _WIDE_GREY:
        grey = eight_bits(np.clip(np.asarray(picture), 0, 65535).astype(np.uint16))
        return np.repeat(grey[:, :, None], 3, axis=2)
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


def _decode(file: Path | BinaryIO, name: str) -> NDArray[np.uint8]:
    with warnings.catch_warnings():
        # Pillow warns of odd metadata and of large pictures; the latter are refused by check_pixels.
        warnings.simplefilter("ignore")
        Image.init()
        # Pillow may have been built without WebP or AVIF.
        built = [kind for kind in _FORMATS if kind in Image.OPEN]
        with Image.open(file, formats=built) as picture:
            _reduce(picture)
            check_pixels(name, *picture.size)
            picture.load()
            return to_rgb(ImageOps.exif_transpose(picture), name)


def _reduce(picture: Image.Image) -> None:
    """Let a JPEG that is too large come smaller, as far as its decoder does that by itself."""
    width, height = picture.size
    if picture.format != "JPEG" or not MAX_PIXELS < width * height <= _MAX_REDUCED:
        return
    factor = 2
    while (width // factor) * (height // factor) > MAX_PIXELS and factor < _REDUCED:
        factor *= 2
    picture.draft(None, (width // factor, height // factor))
