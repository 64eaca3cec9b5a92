"""Reading pictures: every mode becomes upright RGB, and every bad file gets one clear sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from edgemoe.media.errors import MediaError
from edgemoe.media.pictures import MAX_PIXELS, read_picture

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (12, 20), dtype=np.uint8)


def save(path: Path, picture: Image.Image, **options: object) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm", "a.webp"])
def test_lossless_formats_give_the_very_pixels(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    read = read_picture(save(tmp_path / name, Image.fromarray(RGB), **options))
    assert read.dtype == np.uint8
    assert np.array_equal(read, RGB)


def test_jpeg_is_close(tmp_path: Path) -> None:
    smooth = np.full((16, 24, 3), (200, 90, 30), dtype=np.uint8)
    read = read_picture(save(tmp_path / "a.jpg", Image.fromarray(smooth), quality=95)).astype(int)
    assert np.abs(read - smooth).max() <= 3


def test_a_suffix_that_lies_does_not_matter(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(RGB), format="PNG")
    assert np.array_equal(read_picture(path), RGB)
    assert np.array_equal(read_picture(str(path)), RGB)


def test_grey_becomes_three_equal_channels(tmp_path: Path) -> None:
    read = read_picture(save(tmp_path / "a.png", Image.fromarray(GREY)))
    assert np.array_equal(read, np.repeat(GREY[:, :, None], 3, axis=2))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bit_grey_keeps_its_upper_8_bits(tmp_path: Path, name: str) -> None:
    deep = np.array([[0, 255, 256, 32767, 32768, 65535]], dtype=np.uint16)
    if name == "a.pgm":
        (tmp_path / name).write_bytes(b"P5 6 1 65535\n" + deep.astype(">u2").tobytes())
    else:
        save(tmp_path / name, Image.fromarray(deep))
    read = read_picture(tmp_path / name)
    assert read[0, :, 0].tolist() == [0, 0, 1, 127, 128, 255]


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_fewer_bits_at_the_lower_end_of_16_are_not_black(tmp_path: Path, bits: int) -> None:
    """As cameras and scanners store them."""
    deep = np.linspace(0, (1 << bits) - 1, 64).astype(np.uint16)[None]
    read = read_picture(save(tmp_path / "a.png", Image.fromarray(deep)))
    assert read[0, 0, 0] == 0
    assert read[0, -1, 0] == 255
    assert np.array_equal(read[0, :, 0], deep[0] >> (bits - 8))


@pytest.mark.skipif(not features.check("avif"), reason="Pillow was built without AVIF")
def test_avif_is_read(tmp_path: Path) -> None:
    read = read_picture(save(tmp_path / "a.avif", Image.new("RGB", (16, 12), (200, 90, 30))))
    assert read.shape == (12, 16, 3)
    assert np.abs(read.astype(int) - (200, 90, 30)).max() < 12


def test_a_jpeg_above_the_limit_comes_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Telephones take 108 megapixels."""
    smooth = np.repeat(np.linspace(0, 255, 320).astype(np.uint8)[None, :, None], 240, axis=0).repeat(3, axis=2)
    path = save(tmp_path / "a.jpg", Image.fromarray(smooth), quality=95)
    monkeypatch.setattr("edgemoe.media.pictures.MAX_PIXELS", 240 * 320 // 3)
    read = read_picture(path)
    assert read.shape == (120, 160, 3)
    assert np.abs(read.astype(int) - smooth[::2, ::2].astype(int)).max() < 8
    monkeypatch.setattr("edgemoe.media.pictures._MAX_REDUCED", 240 * 320 - 1)
    with pytest.raises(MediaError, match="more than the limit"):
        read_picture(path)


@pytest.mark.parametrize("name", ["a.heic", "b.HEIF", "c.dng", "d.jxl"])
def test_what_cannot_be_read_says_what_to_save_it_as(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(MediaError, match="save it as JPEG"):
        read_picture(tmp_path / name)


def test_black_and_white(tmp_path: Path) -> None:
    read = read_picture(save(tmp_path / "a.png", Image.fromarray(GREY > 127)))
    assert np.array_equal(read[:, :, 1], np.where(GREY > 127, 255, 0))


def test_palette_is_expanded(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1])
    assert read_picture(save(tmp_path / "a.png", picture)).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_palette_with_a_transparent_entry_lies_over_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.putdata([0, 1])
    read = read_picture(save(tmp_path / "a.png", picture, transparency=0))
    assert read.tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_transparent_parts_lie_over_white(tmp_path: Path) -> None:
    pixels = np.array([[[100, 0, 0, 255], [100, 0, 0, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    read = read_picture(save(tmp_path / "a.png", Image.fromarray(pixels)))
    assert read.tolist() == [[[100, 0, 0], [255, 255, 255], [204, 204, 204]]]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    read = read_picture(save(tmp_path / "a.tif", Image.new("CMYK", (4, 3), (0, 255, 255, 0))))
    assert read[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, lambda stored: stored),
        (2, lambda stored: stored[:, ::-1]),
        (3, lambda stored: stored[::-1, ::-1]),
        (4, lambda stored: stored[::-1]),
        (5, lambda stored: stored.transpose(1, 0, 2)),
        (6, lambda stored: np.rot90(stored, -1)),
        (7, lambda stored: stored.transpose(1, 0, 2)[::-1, ::-1]),
        (8, lambda stored: np.rot90(stored, 1)),
    ],
)
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, upright: object) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "a.png", Image.fromarray(RGB), exif=exif)
    assert np.array_equal(read_picture(path), upright(RGB))  # type: ignore[operator]


def test_the_first_picture_of_an_animation_counts(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 3), "red"), Image.new("RGB", (4, 3), "blue")
    path = save(tmp_path / "a.gif", first, save_all=True, append_images=[second])
    assert read_picture(path)[0, 0].tolist() == [255, 0, 0]


def bad_png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


FLOATS = io.BytesIO()
Image.fromarray(np.ones((3, 4), np.float32)).save(FLOATS, format="TIFF")
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["'bad.png'", "is an empty file", "accepted are JPEG, PNG"]),
        (b"hello, this is no picture", ["'bad.png'", "is not a picture", "accepted are JPEG, PNG"]),
        (bad_png(12, 10), ["'bad.png'", "damaged or truncated"]),
        (bad_png(9_000, 9_000), ["9000×9000 pixels", "limit of 80 million", "smaller"]),
        (bad_png(20_000, 20_000), ["'bad.png'", "limit of 80 million", "smaller"]),
        (FLOATS.getvalue(), ["floating-point", "8 or 16 bits"]),
        (EPS, ["is not a picture"]),
    ],
    ids=["empty", "text", "no pixels", "above our limit", "above Pillow's limit", "float", "PostScript"],
)
def test_bad_files_get_one_clear_sentence(tmp_path: Path, content: bytes, words: list[str]) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(MediaError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_the_limit_is_checked_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(bad_png(MAX_PIXELS // 8_000 + 1, 8_000))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(MediaError, match="limit"):
        read_picture(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"'.*none.png' does not exist"):
        read_picture(tmp_path / "none.png")
    with pytest.raises(MediaError, match="is not a file"):
        read_picture(tmp_path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, format=kind)
    path = tmp_path / "cut"
    path.write_bytes(buffer.getvalue()[: int(len(buffer.getvalue()) * share)])
    with pytest.raises(MediaError, match="'cut' is"):
        read_picture(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "GIF"])
def test_altered_bytes_never_raise_anything_else(tmp_path: Path, kind: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, format=kind)
    path = tmp_path / "altered"
    for seed in range(60):
        rng = np.random.default_rng(seed)
        content = np.frombuffer(buffer.getvalue(), np.uint8).copy()
        content[rng.integers(0, len(content), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(content.tobytes())
        try:
            read = read_picture(path)
        except MediaError:
            continue
        assert read.ndim == 3, f"{kind}, seed {seed}"
