"""Tileable noise textures, made once per process and the same everywhere."""

from __future__ import annotations

from functools import cache

import numpy as np

from edgemoe_golden.scenes.camera import Floats

SIZE = 512


@cache
def texture(roughness: float, seed: int) -> Floats:
    """Noise [512, 512] in 0 … 1 with even distribution; spectrum 1/frequency^roughness."""
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(rng.standard_normal((SIZE, SIZE)))
    frequency = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.rfftfreq(SIZE)[None, :])
    frequency[0, 0] = 1
    field = np.fft.irfft2(spectrum / frequency**roughness, s=(SIZE, SIZE))
    ranks = np.empty(field.size, dtype=np.float32)
    ranks[field.ravel().argsort(kind="stable")] = np.linspace(0, 1, field.size, dtype=np.float32)
    return ranks.reshape(SIZE, SIZE)


def sample(field: Floats, x: Floats, y: Floats) -> Floats:
    """Nearest texel of a tileable field at coordinates in texels."""
    index = (y.astype(np.int32) & (SIZE - 1)) * SIZE + (x.astype(np.int32) & (SIZE - 1))
    return field.ravel()[index]


def hashed(x: Floats, y: Floats, seed: int) -> Floats:
    """Pseudo-random value 0 … 1 of whole-number coordinates."""
    mixed = (x.astype(np.int64) * 73856093) ^ (y.astype(np.int64) * 19349663) ^ (seed * 83492791)
    mixed = (mixed ^ (mixed >> 13)) * 1274126177 & 0x7FFFFFFF
    return np.asarray(((mixed ^ (mixed >> 16)) & 0xFFFF).astype(np.float32) / np.float32(65535))
