# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The drawn set as a folder of PNG files that is either whole or absent."""

import io
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from PIL import Image

from visionbias.datasets.shapes16.corruptions import CORRUPTIONS, Corruption
from visionbias.datasets.shapes16.drawing import VERSION, Pixels, Split, draw_image, draw_sketch, image_rng
from visionbias.datasets.shapes16.silhouettes import CATEGORIES
from visionbias.datasets.shapes16.textures import HELD_OUT_TEXTURES
from visionbias.errors import DataError
from visionbias.runtime.cache_folder import cache_folder
from visionbias.runtime.durable import sync_folder
from visionbias.runtime.progress import progress_bar

Texture = Literal["own", "other", "held-out", "flat", "grey", "sketch"]
_ABANDONED_S = 3600.0  # a temporary folder this old belongs to no living process


def write_images(
    size: int,
    per_class: int,
    seed: int,
    split: Split,
    texture: Texture,
    corruption: Corruption | None = None,
    folder: str | Path | None = None,
    progress: bool | None = None,
) -> Path:
    """Draw the set, unless it is there already, and return the folder that holds its class folders.

    The files are written to a temporary folder, flushed, and the folder renamed; of two processes that do so the slower
    takes what the faster made. A folder that has lost files is made again.

    Raises:
        DataError: an argument is out of range, or the disk is full or not writable; no part is left behind then.
    """
    _check(size, per_class, seed, split, texture, corruption)
    home = cache_folder() / "shapes16" if folder is None else Path(folder)
    kind = "-".join(filter(None, (split, texture, corruption)))
    key = f"v{VERSION}-{kind}-{size}px-{per_class}-seed{seed}"
    target, wanted = home / key, len(CATEGORIES) * per_class
    if _count(target) == wanted:
        return target
    temporary = home / f".{key}.{uuid.uuid4().hex}.tmp"
    written = 0
    try:
        temporary.mkdir(parents=True)
        _remove_abandoned(home)
        with progress_bar(wanted, progress, f"shapes16 {kind}") as bar:
            for name, pixels in _draw(size, per_class, seed, split, texture, corruption):
                written += _write_png(temporary / name, pixels)
                bar.update()
        for made in (*temporary.iterdir(), temporary):
            sync_folder(made)
        _publish(temporary, target, wanted)
    except OSError as error:
        needed = f", {written * wanted // max(1, len(list(temporary.glob('*/*'))))} bytes in all" if written else ""
        raise DataError(
            f"Shapes16: could not write {wanted} images to {home}{needed}: {error.strerror or error}; "
            "make room there, or choose another place with folder= or $VISIONBIAS_CACHE"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _check(size: int, per_class: int, seed: int, split: Split, texture: Texture, corruption: Corruption | None) -> None:
    for name, value, least in (("size", size, 16), ("per_class", per_class, 1), ("seed", seed, 0)):
        if not isinstance(value, int) or value < least:
            raise DataError(f"Shapes16: {name} must be a whole number of at least {least}, got {value!r}")
    chosen = (
        ("split", split, get_args(Split)),
        ("texture", texture, get_args(Texture)),
        ("corruption", corruption or "noise", get_args(Corruption)),
    )
    for name, choice, allowed in chosen:
        if choice not in allowed:
            raise DataError(f"Shapes16: {name} must be one of {', '.join(allowed)}; got {choice!r}")


def _draw(
    size: int, per_class: int, seed: int, split: Split, texture: Texture, corruption: Corruption | None
) -> Iterator[tuple[str, Pixels]]:
    """File names below the set's folder, and their images."""
    for label, category in enumerate(CATEGORIES):
        for number in range(per_class):
            rng = image_rng(seed, split, number, label)
            name, fill = f"{category}/{category}{number}", category
            if texture == "other":
                fill = CATEGORIES[(label + int(rng.integers(1, len(CATEGORIES)))) % len(CATEGORIES)]
                name = f"{name}-{fill}{number}"
            elif texture == "held-out":
                fill = sorted(HELD_OUT_TEXTURES)[int(rng.integers(len(HELD_OUT_TEXTURES)))]
            if texture == "sketch":
                image = draw_sketch(category, rng, size)
            else:
                image = draw_image(category, None if texture == "grey" else fill, rng, size, flat=texture == "flat")
            yield f"{name}.png", image if corruption is None else CORRUPTIONS[corruption](image, rng)


def _write_png(path: Path, pixels: Pixels) -> int:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())
    return len(content.getbuffer())


def _publish(temporary: Path, target: Path, wanted: int) -> None:
    """Give the whole folder its name."""
    for attempt in (1, 2):
        try:
            temporary.rename(target)
        except OSError:
            if _count(target) == wanted:
                return  # another process was faster
            if attempt == 2 or not target.exists():
                raise
            shutil.rmtree(target)
        else:
            sync_folder(target.parent)
            return


def _count(folder: Path) -> int:
    return sum(path.stat().st_size > 0 for path in folder.glob("*/*.png"))


def _remove_abandoned(home: Path) -> None:
    """Remove what killed processes left behind."""
    for path in home.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(path, ignore_errors=True)
