# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The shape cue: one silhouette a category, as polygons that add ink or cut it out, drawn antialiased in a random pose.

Coordinates: x to the right, y down, the object inside [-1, 1] x [-1, 1].
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

Points = Sequence[tuple[float, float]]
Part = tuple[int, Points]  # (ink 255 or hole 0, corners), painted in order
Mask = npt.NDArray[np.uint8]

_OVERSAMPLING = 4  # drawn this much larger, then averaged: Pillow's polygons have hard edges


def _polygon(*corners: tuple[float, float], ink: int = 255) -> list[Part]:
    return [(ink, corners)]


def _box(x0: float, y0: float, x1: float, y1: float, ink: int = 255) -> list[Part]:
    return _polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1), ink=ink)


def _ellipse(x: float, y: float, rx: float, ry: float, tilt: float = 0.0, ink: int = 255) -> list[Part]:
    cos, sin = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    turn = [2 * math.pi * k / 28 for k in range(28)]
    rim = [(rx * math.cos(t), ry * math.sin(t)) for t in turn]
    return [(ink, [(x + cos * u - sin * v, y + sin * u + cos * v) for u, v in rim])]


def _stroke(width: float, *path: tuple[float, float], ink: int = 255) -> list[Part]:
    """A line through the points of `path` with round joints and ends."""
    parts: list[Part] = []
    for (x0, y0), (x1, y1) in pairwise(path):
        length = math.hypot(x1 - x0, y1 - y0)
        nx, ny = (y0 - y1) / length * width / 2, (x1 - x0) / length * width / 2
        parts += _polygon((x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny), ink=ink)
    for x, y in path:
        parts += _ellipse(x, y, width / 2, width / 2, ink=ink)
    return parts


def _ring(x: float, y: float, radius: float, width: float) -> list[Part]:
    return _ellipse(x, y, radius, radius) + _ellipse(x, y, radius - width, radius - width, ink=0)


SILHOUETTES: dict[str, list[Part]] = {
    "airplane": _ellipse(0, 0, 0.98, 0.13)
    + _polygon((0.3, 0), (-0.2, -0.95), (-0.45, -0.95), (-0.2, 0), (-0.45, 0.95), (-0.2, 0.95))
    + _polygon((-0.62, 0), (-0.85, -0.42), (-1, -0.42), (-0.9, 0), (-1, 0.42), (-0.85, 0.42)),
    "bear": _ellipse(0, 0.35, 0.5, 0.52)
    + _ellipse(0, -0.42, 0.42, 0.38)
    + _ellipse(-0.36, -0.76, 0.19, 0.19)
    + _ellipse(0.36, -0.76, 0.19, 0.19)
    + _stroke(0.32, (-0.4, 0.1), (-0.75, 0.32))
    + _stroke(0.32, (0.4, 0.1), (0.75, 0.32))
    + _ellipse(-0.48, 0.78, 0.3, 0.21)
    + _ellipse(0.48, 0.78, 0.3, 0.21),
    "bicycle": _ring(-0.54, 0.3, 0.46, 0.17)
    + _ring(0.54, 0.3, 0.46, 0.17)
    + _stroke(0.15, (-0.55, 0.3), (-0.22, -0.3), (0.4, -0.3), (0.0, 0.3), (-0.55, 0.3))
    + _stroke(0.15, (0.0, 0.3), (-0.27, -0.45))
    + _stroke(0.15, (0.55, 0.3), (0.34, -0.55), (0.6, -0.62))
    + _stroke(0.14, (-0.42, -0.48), (-0.12, -0.48)),
    "bird": _ellipse(-0.02, 0.05, 0.55, 0.32, tilt=-22)
    + _ellipse(0.5, -0.38, 0.23, 0.22)
    + _polygon((0.66, -0.5), (1.0, -0.33), (0.66, -0.26))
    + _polygon((-0.3, 0.05), (-1.0, 0.22), (-0.95, 0.5), (-0.3, 0.36))
    + _polygon((0.15, -0.05), (-0.5, -0.8), (-0.62, -0.45), (-0.35, 0.1))
    + _stroke(0.07, (0.05, 0.35), (0.05, 0.85), (0.25, 0.85))
    + _stroke(0.07, (-0.15, 0.35), (-0.15, 0.85), (0.05, 0.85)),
    "boat": _polygon((-0.95, 0.4), (0.95, 0.4), (0.62, 0.85), (-0.65, 0.85))
    + _stroke(0.08, (0.0, 0.45), (0.0, -0.95))
    + _polygon((0.09, -0.9), (0.85, 0.28), (0.09, 0.28))
    + _polygon((-0.09, -0.7), (-0.68, 0.28), (-0.09, 0.28)),
    "bottle": _box(-0.34, -0.1, 0.34, 0.9)
    + _ellipse(0, 0.9, 0.34, 0.09)
    + _ellipse(0, -0.1, 0.34, 0.3)
    + _box(-0.14, -0.9, 0.14, -0.2)
    + _box(-0.19, -1.0, 0.19, -0.84),
    "car": _stroke(0.42, (-0.74, 0.2), (0.74, 0.2))
    + _polygon((-0.68, 0.1), (-0.42, -0.48), (0.3, -0.48), (0.62, 0.1))
    + _polygon((-0.48, -0.02), (-0.33, -0.35), (-0.07, -0.35), (-0.07, -0.02), ink=0)
    + _polygon((0.07, -0.02), (0.07, -0.35), (0.24, -0.35), (0.42, -0.02), ink=0)
    + _ellipse(-0.52, 0.38, 0.25, 0.25)
    + _ellipse(0.52, 0.38, 0.25, 0.25),
    "cat": _ellipse(-0.02, 0.42, 0.44, 0.55)
    + _ellipse(0.05, -0.4, 0.36, 0.32)
    + _polygon((-0.3, -0.38), (-0.32, -0.98), (0.05, -0.66))
    + _polygon((0.4, -0.38), (0.42, -0.98), (0.05, -0.66))
    + _stroke(0.15, (-0.2, 0.88), (-0.68, 0.85), (-0.85, 0.55), (-0.75, 0.25), (-0.88, 0.0))
    + _stroke(0.22, (0.2, 0.4), (0.26, 0.88)),
    "chair": _box(-0.58, -0.95, -0.28, 0.1)
    + _box(-0.58, 0.0, 0.62, 0.3)
    + _box(-0.58, 0.1, -0.38, 0.95)
    + _box(0.42, 0.1, 0.62, 0.95)
    + _stroke(0.1, (-0.48, 0.62), (0.5, 0.62)),
    "clock": _ellipse(0, 0.05, 0.74, 0.74)
    + _ellipse(-0.52, -0.7, 0.26, 0.17, tilt=-40)
    + _ellipse(0.52, -0.7, 0.26, 0.17, tilt=40)
    + _stroke(0.15, (-0.4, 0.6), (-0.6, 0.92))
    + _stroke(0.15, (0.4, 0.6), (0.6, 0.92))
    + _stroke(0.11, (0, -0.45), (0, 0.05), (0.36, 0.25), ink=0),
    "dog": _stroke(0.42, (-0.5, 0.05), (0.28, 0.0))
    + _stroke(0.3, (0.3, 0.0), (0.5, -0.45))
    + _ellipse(0.55, -0.52, 0.26, 0.23)
    + _stroke(0.22, (0.6, -0.46), (0.9, -0.4))
    + _ellipse(0.36, -0.48, 0.11, 0.26, tilt=12)
    + _stroke(0.12, (-0.62, 0.0), (-0.85, -0.35), (-0.82, -0.55))
    + _stroke(0.17, (-0.6, 0.1), (-0.62, 0.85))
    + _stroke(0.17, (-0.34, 0.1), (-0.36, 0.85))
    + _stroke(0.17, (0.16, 0.1), (0.18, 0.85))
    + _stroke(0.17, (0.4, 0.0), (0.42, 0.85)),
    "elephant": _ellipse(-0.22, -0.05, 0.66, 0.52)
    + _ellipse(0.45, -0.22, 0.36, 0.38)
    + _stroke(0.2, (0.66, -0.2), (0.86, 0.2), (0.84, 0.55), (0.96, 0.72))
    + _box(-0.78, 0.1, -0.5, 0.85)
    + _box(-0.4, 0.2, -0.16, 0.85)
    + _box(0.06, 0.1, 0.34, 0.85)
    + _stroke(0.06, (0.2, -0.42), (0.02, -0.1), (0.22, 0.16), (0.4, 0.0), ink=0)
    + _stroke(0.07, (-0.84, -0.1), (-0.97, 0.3)),
    "keyboard": _box(-1, -0.44, 1, 0.44)
    + [
        key
        for row, left in enumerate((-0.84, -0.7))
        for column in range(5 - row)
        for key in _box(left + 0.35 * column, -0.3 + 0.24 * row, left + 0.35 * column + 0.2, -0.17 + 0.24 * row, ink=0)
    ]
    + _box(-0.5, 0.2, 0.5, 0.32, ink=0),
    "knife": _polygon((-0.15, -0.22), (0.66, -0.22), (0.9, -0.06), (0.98, 0.22), (-0.15, 0.22))
    + _stroke(0.28, (-0.84, 0.0), (-0.3, 0.0))
    + _box(-0.26, -0.32, -0.12, 0.32),
    "oven": _box(-0.78, -0.9, 0.78, 0.86)
    + _box(-0.7, 0.84, -0.5, 0.98)
    + _box(0.5, 0.84, 0.7, 0.98)
    + _box(-0.55, -0.18, 0.55, 0.58, ink=0)
    + _stroke(0.1, (-0.5, -0.36), (0.5, -0.36), ink=0)
    + [part for x in (-0.48, -0.16, 0.16, 0.48) for part in _ellipse(x, -0.65, 0.1, 0.1, ink=0)],
    "truck": _box(-0.98, -0.62, 0.32, 0.38)
    + _polygon((0.4, 0.38), (0.4, -0.3), (0.72, -0.3), (0.96, 0.02), (0.96, 0.38))
    + _box(-0.9, 0.3, 0.9, 0.42)
    + _polygon((0.52, 0.02), (0.52, -0.19), (0.68, -0.19), (0.82, 0.02), ink=0)
    + _ellipse(-0.66, 0.46, 0.22, 0.22)
    + _ellipse(-0.18, 0.46, 0.22, 0.22)
    + _ellipse(0.66, 0.46, 0.22, 0.22),
}
CATEGORIES = tuple(SILHOUETTES)  # alphabetical, the 16 of the cue-conflict literature


def draw_silhouette(category: str, rng: np.random.Generator, size: int) -> Mask:
    """The coverage [size, size] u8 of `category`'s silhouette in a pose drawn from `rng`.

    The pose is a mirror image or not, a stretch of up to 12 % along each axis, a turn of up to 20 degrees, a scale of
    62 to 88 % of the frame, and a shift that may take the tips out of the frame by at most a few percent.
    """
    flip, stretch_x, stretch_y, turn, scale, shift_x, shift_y = rng.random(7).tolist()
    angle = math.radians(40 * turn - 20)
    scale = 0.62 + 0.26 * scale
    matrix = (
        scale
        * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        @ np.diag([(1 if flip < 0.5 else -1) * (0.88 + 0.24 * stretch_x), 0.88 + 0.24 * stretch_y])
    )
    room = 1.04 - scale
    shift = room * (2 * np.array([shift_x, shift_y]) - 1)
    canvas = Image.new("L", (size * _OVERSAMPLING, size * _OVERSAMPLING))
    pen = ImageDraw.Draw(canvas)
    for ink, corners in SILHOUETTES[category]:
        placed = (np.asarray(corners) @ matrix.T + shift + 1) * (size * _OVERSAMPLING / 2)
        pen.polygon(placed.ravel().tolist(), fill=ink)
    return np.asarray(canvas.reduce(_OVERSAMPLING))
