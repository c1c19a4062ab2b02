# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The texture cue: one pattern a category, plus held-out patterns that belong to none; and grounds to stand on.

A pattern is a function (x, y, rng) -> field in [0, 1]; x and y [size, size] are in units of 1/64 of the frame, with a
random phase. Its two colors are drawn around a hue of the category's own, so color tells the category in part.
"""

import colorsys
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Pattern = Callable[[Field, Field, np.random.Generator], Field]
_TAU = 2 * math.pi
_HUE_JITTER = 0.085  # standard deviation in turns; the categories' hues lie 1/16 of a turn apart
_STRAY_HUE = 0.2  # share of images whose hue tells nothing


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return low + (high - low) * float(rng.random())


def _clip(field: npt.NDArray[Any]) -> Field:
    return np.asarray(np.clip(field, 0, 1), np.float32)


def _turned(x: Field, y: Field, degrees: float) -> tuple[Field, Field]:
    cos, sin = np.float32(math.cos(math.radians(degrees))), np.float32(math.sin(math.radians(degrees)))
    return cos * x + sin * y, cos * y - sin * x


def _wave(x: Field, period: float, sharpness: float = 1.0) -> Field:
    """A grating across x: a sine for sharpness 1, nearly a square wave for 4 and over."""
    return _clip(0.5 + 0.5 * sharpness * np.sin(_TAU / period * x))


def _noise(
    shape: tuple[int, ...], rng: np.random.Generator, along_x: float, along_y: float, slope: float = 0.0
) -> Field:
    """Noise of unit variance: Gaussian smoothing of so many pixels along each axis, times 1/frequency^slope."""
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    gain = np.exp(-2 * np.pi**2 * ((along_x * fx) ** 2 + (along_y * fy) ** 2))
    if slope:
        gain = gain / np.maximum(np.hypot(fx, fy), 1 / max(shape)) ** slope
    gain[0, 0] = 0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * gain, s=shape)
    return np.asarray(field / field.std(), np.float32)


def _cells(x: Field, y: Field, rng: np.random.Generator, spacing: float) -> tuple[Field, Field]:
    """Distances to the nearest and the second nearest of points scattered one to each cell of a square grid."""
    cells = math.ceil(64 / spacing) + 2
    grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1).reshape(-1, 2) - 0.5
    points = ((grid + 0.8 * (rng.random(grid.shape) - 0.5)) * spacing).astype(np.float32)
    x, y = x - x.min(), y - y.min()
    first = np.full(x.shape, np.inf, np.float32)
    second = first.copy()
    for px, py in points:
        distance = (x - px) ** 2 + (y - py) ** 2
        second = np.minimum(second, np.maximum(first, distance))
        first = np.minimum(first, distance)
    return np.sqrt(first), np.sqrt(second)


def _rows(x: Field, y: Field, width: float, height: float) -> tuple[Field, Field]:
    """Coordinates inside the bricks of a running bond, each in [0, 1)."""
    row = np.floor(y / height)
    return (x / width + 0.5 * (row % 2)) % 1, (y / height) % 1


def _airplane(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return _wave(_turned(x, y, _between(rng, 75, 105))[0], _between(rng, 3.0, 3.6))


def _bear(x: Field, _: Field, rng: np.random.Generator) -> Field:
    scale = len(x) / 64
    return _clip(0.5 + 0.35 * _noise(x.shape, rng, 0.5 * scale, 3.2 * scale))


def _bicycle(x: Field, y: Field, rng: np.random.Generator) -> Field:
    u, v = _turned(x, y, _between(rng, 40, 50))
    period = _between(rng, 4.4, 5.2)
    return _clip(np.maximum(_wave(u, period, 3), _wave(v, period, 3)))


def _bird(x: Field, y: Field, rng: np.random.Generator) -> Field:
    width = _between(rng, 7, 8.5)
    u, v = _rows(x, y, width, 0.55 * width)
    return _clip((np.hypot(u - 0.5, (v - 0.1) * 0.55) - 0.2) * 4)


def _boat(x: Field, y: Field, rng: np.random.Generator) -> Field:
    bend = 2.2 * np.sin(_TAU / _between(rng, 14, 18) * x)
    return _wave(y + bend, _between(rng, 6.5, 8), 2)


def _bottle(x: Field, y: Field, rng: np.random.Generator) -> Field:
    nearest, _ = _cells(x, y, rng, _between(rng, 8, 9))
    return _clip(np.exp(-((nearest - 2.6) ** 2) / 0.8))


def _car(x: Field, y: Field, rng: np.random.Generator) -> Field:
    period = _between(rng, 8.5, 10)
    u, v = _turned(x, y, _between(rng, -8, 8))
    return _clip(0.5 + 3 * np.sin(_TAU / period * u) * np.sin(_TAU / period * v))


def _cat(x: Field, y: Field, rng: np.random.Generator) -> Field:
    warp = 2.6 * _noise(x.shape, rng, 5 * len(x) / 64, 5 * len(x) / 64)
    return _wave(_turned(x, y, _between(rng, -20, 20))[0] + warp, _between(rng, 8, 9.5), 1.6)


def _chair(x: Field, y: Field, rng: np.random.Generator) -> Field:
    side = _between(rng, 8.5, 10)
    odd = (np.floor(x / side) + np.floor(y / side)) % 2 > 0.5
    return np.where(odd, _wave(x, side / 3, 1.5), _wave(y, side / 3, 1.5))


def _clock(x: Field, y: Field, rng: np.random.Generator) -> Field:
    cx, cy = x.mean() + _between(rng, -14, 14), y.mean() + _between(rng, -14, 14)
    return _wave(np.hypot(x - cx, y - cy), _between(rng, 3.8, 4.6), 1.5)


def _dog(x: Field, _: Field, rng: np.random.Generator) -> Field:
    scale = len(x) / 64
    return _clip((_noise(x.shape, rng, 2.2 * scale, 2.2 * scale) - 0.6) * 4)


def _elephant(x: Field, y: Field, rng: np.random.Generator) -> Field:
    nearest, second = _cells(x, y, rng, _between(rng, 8.5, 10))
    return _clip((second - nearest) * 0.75)


def _keyboard(x: Field, y: Field, rng: np.random.Generator) -> Field:
    pitch = _between(rng, 4.2, 5)
    return _clip(np.minimum(_wave(x, pitch, 4), _wave(y, pitch, 4)))


def _knife(x: Field, _: Field, rng: np.random.Generator) -> Field:
    scale = len(x) / 64
    return _clip(0.5 + 0.35 * _noise(x.shape, rng, 9 * scale, 0.35 * scale))


def _oven(x: Field, y: Field, rng: np.random.Generator) -> Field:
    width = _between(rng, 11, 13)
    u, v = _rows(x, y, width, 0.5 * width)
    return _clip(np.minimum(np.minimum(u, 1 - u) * 2, np.minimum(v, 1 - v)) * 9 - 0.6)


def _truck(x: Field, y: Field, rng: np.random.Generator) -> Field:
    return _wave(_turned(x, y, _between(rng, -52, -38))[0], _between(rng, 10, 12.5), 5)


def _zigzag(x: Field, y: Field, rng: np.random.Generator) -> Field:
    period = _between(rng, 9, 12)
    return _wave(y + period * np.abs((x / period) % 1 - 0.5), _between(rng, 5, 7), 3)


def _marble(x: Field, _: Field, rng: np.random.Generator) -> Field:
    return _clip(1 - np.abs(np.tanh(1.4 * _noise(x.shape, rng, 0.4, 0.4, slope=1.7))))


def _dashes(x: Field, y: Field, rng: np.random.Generator) -> Field:
    u, v = _rows(*_turned(x, y, _between(rng, 10, 35)), 9, 5)
    return ((u > 0.3) & (v > 0.55)).astype(np.float32)


def _dots(x: Field, y: Field, rng: np.random.Generator) -> Field:
    pitch = _between(rng, 6, 8)
    u, v = _rows(x, y, pitch, 0.87 * pitch)
    return _clip((0.36 - np.hypot(u - 0.5, v - 0.5)) * 6)


TEXTURES: dict[str, Pattern] = {
    "airplane": _airplane,
    "bear": _bear,
    "bicycle": _bicycle,
    "bird": _bird,
    "boat": _boat,
    "bottle": _bottle,
    "car": _car,
    "cat": _cat,
    "chair": _chair,
    "clock": _clock,
    "dog": _dog,
    "elephant": _elephant,
    "keyboard": _keyboard,
    "knife": _knife,
    "oven": _oven,
    "truck": _truck,
}
HELD_OUT_TEXTURES: dict[str, Pattern] = {"dashes": _dashes, "dots": _dots, "marble": _marble, "zigzag": _zigzag}

# Neighbors in hue are far apart in the list, and so in shape.
_HUES = {name: (7 * k % 16) / 16 for k, name in enumerate(TEXTURES)}


def _rgb(hue: float, saturation: float, value: float) -> Field:
    return np.array(colorsys.hsv_to_rgb(hue % 1, saturation, value), np.float32)


def draw_texture(name: str, rng: np.random.Generator, size: int, *, flat: bool = False) -> Field:
    """A full frame [size, size, 3] in [0, 1] of texture `name`; `flat` keeps only its mean color."""
    grey = rng.random() < _STRAY_HUE or name not in _HUES
    hue = _between(rng, 0, 1) if grey else _HUES[name] + _HUE_JITTER * float(rng.standard_normal())
    dark = _rgb(hue + _between(rng, -0.05, 0.05), _between(rng, 0.35, 0.85), _between(rng, 0.25, 0.47))
    light = _rgb(hue + _between(rng, -0.05, 0.05), _between(rng, 0.2, 0.7), _between(rng, 0.65, 0.92))
    unit = np.arange(size, dtype=np.float32) * np.float32(64 / size)
    x, y = np.meshgrid(unit + np.float32(_between(rng, 0, 64)), unit + np.float32(_between(rng, 0, 64)))
    field = (TEXTURES.get(name) or HELD_OUT_TEXTURES[name])(x, y, rng)
    if rng.random() < 0.5:
        field = 1 - field
    if flat:
        field = np.full_like(field, field.mean())
    return (dark + field[..., None] * (light - dark)).astype(np.float32)


def draw_ground(rng: np.random.Generator, size: int) -> Field:
    """A frame [size, size, 3] in [0, 1] to stand on, dark or light: a smooth gradient, cloudy in half of the images."""
    level = _between(rng, 0.08, 0.3) if rng.random() < 0.5 else _between(rng, 0.75, 0.95)
    near, far = (
        _rgb(_between(rng, 0, 1), _between(rng, 0, 0.35), level + _between(rng, -0.08, 0.08)) for _ in range(2)
    )
    unit = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    ramp = 0.5 + _turned(*np.meshgrid(unit, unit), _between(rng, 0, 360))[0]
    ground = near + ramp[..., None] * (far - near)
    if rng.random() < 0.5:
        ground = (
            ground
            + _between(rng, 0.03, 0.09) * _noise((size, size), rng, 0.3, 0.3, slope=_between(rng, 0.4, 1.4))[..., None]
        )
    return _clip(ground)
