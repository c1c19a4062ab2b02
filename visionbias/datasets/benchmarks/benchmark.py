# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`Benchmark`: a published set in its official layout."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from os import PathLike
from pathlib import Path

from visionbias.datasets.base import Dataset
from visionbias.datasets.benchmarks.descriptions import BENCHMARKS, SEVERITIES, Description
from visionbias.datasets.benchmarks.real_labels import SCORED, accepted_classes
from visionbias.datasets.listing import absolute_path, find_images
from visionbias.datasets.partial import mark_partial
from visionbias.errors import DataError
from visionbias.types import BadSample, Sample

_LISTED = 8
_V2 = "imagenet_v2_"

Place = tuple[str, str]  # corruption and severity, such as "fog/3", or ""; and class


class Benchmark(Dataset):
    """One of the published sets, in a folder laid out as its authors publish it.

    A model of ImageNet's 1000 classes decides among all of them; on ImageNet-A and -R among the 200 that are published
    with each, and on the 16-class Stylized set among the 16 categories, whichever of them have images. In sets of
    corruptions, a sample's group is its corruption and severity, such as `fog/3`.

    Args:
        benchmark: which one, a key of `BENCHMARKS`.
        root: the folder of the class folders; of ImageNet-C and C-bar that of the corruptions.
        real: of ImageNet's validation set, the path of ReaL's `real.json`: the classes that count as correct there.
        allow_partial: take a folder whose corruptions, severities, classes or counts differ from the official ones.
            `partial` says how, and the name ends in "[partial]".
        name: of the data set; default that of the benchmark.

    Raises:
        DataError: no such benchmark or folder, something that does not belong in it, or a set that is not whole.
    """

    partial: tuple[str, ...]  # how it differs from what is published
    cells: tuple[str, ...]  # the corruptions and severities that it has, such as "fog/3"

    def __init__(
        self,
        benchmark: str,
        root: str | Path,
        *,
        real: str | Path | None = None,
        allow_partial: bool = False,
        name: str | None = None,
    ) -> None:
        if benchmark not in tuple(BENCHMARKS):  # which may be asked for a list too
            raise DataError(f"benchmark must be one of {', '.join(BENCHMARKS)}; got {benchmark!r}")
        if real is not None and benchmark != "imagenet_val":
            raise DataError(f"Benchmark: real= goes with 'imagenet_val' only, got {benchmark!r}")
        root = absolute_path("Benchmark: root", root)
        real = None if real is None else absolute_path("Benchmark: real", real)
        if not isinstance(allow_partial, bool):
            raise DataError(f"Benchmark: allow_partial must be True or False, got {allow_partial!r:.80}")
        if not isinstance(name, str | None):
            raise DataError(f"Benchmark: name must be a text, got {name!r:.80}")
        about = BENCHMARKS[benchmark]
        images, counts, bad = _list(root, benchmark)
        partial = list(_differences(about, counts))
        labels = {category: label for label, category in enumerate(about.classes)}
        accepted = None if real is None else accepted_classes(real, images)
        if accepted is not None and (scored := sum(map(bool, accepted.values()))) != SCORED:
            partial.append(f"ReaL: {scored:,} of {SCORED:,} images with labels")
        name = mark_partial(name or benchmark, root, f"{about.title} ({about.layout})", partial, allow_partial)
        object.__setattr__(self, "partial", tuple(partial))
        object.__setattr__(self, "cells", tuple(sorted({cell for cell, _ in counts if cell})))
        self._assemble(
            name=name,
            root=root,
            samples=[Sample(id_, path, labels[category]) for id_, (path, (_, category)) in images.items()],
            classes=about.classes,
            bad=bad,
            label_map=None,
            precropped=about.precropped,
            groups={id_: cell for id_, (_, (cell, _)) in images.items() if cell},
            accepted=accepted,
        )


def v2_variants(given: str | Path | Mapping[str, str | Path]) -> dict[str, Path]:
    """Benchmark -> folder, of a variant of ImageNet-V2, a folder that holds some, or folders by variant.

    Raises:
        DataError: no variant is found by its name, or one that does not exist is named.
    """
    variants = {name.removeprefix(_V2).replace("_", "-"): name for name in BENCHMARKS if name.startswith(_V2)}
    if isinstance(given, Mapping):
        unknown = [str(name) for name in given if name not in variants]
        if unknown or not given:
            raise DataError(f"imagenet_v2: wanted some of {', '.join(variants)}, got {', '.join(unknown) or 'none'}")
        if strange := [path for path in given.values() if not isinstance(path, (str, PathLike))]:
            raise DataError(f"imagenet_v2: wanted paths by variant, got {strange[0]!r:.80}")
        return {variants[name]: Path(path) for name, path in given.items()}
    if not isinstance(given, (str, PathLike)):
        raise DataError(f"imagenet_v2: wanted a path, or paths by variant, got {given!r:.80}")
    root = Path(given)
    try:
        places = [root, *sorted(path for path in root.iterdir() if path.is_dir())] if root.is_dir() else [root]
        real = {path: path.resolve().name for path in places}
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links; ValueError: a null byte
        raise DataError(f"imagenet_v2: {root} cannot be read: {error}; check the path") from error
    found = {name: path for path in places for variant, name in variants.items() if variant in real[path]}
    if not found:
        raise DataError(
            f"{root}: wanted a folder imagenetv2-<variant>-format-val, or one that holds such folders; name the "
            f"variant of another with imagenet_v2={{{next(iter(variants))!r}: {str(root)!r}}}"
        )
    return found


def _list(root: Path, benchmark: str) -> tuple[dict[str, tuple[Path, Place]], Counter[Place], list[BadSample]]:
    """The images that can be used, by id; how many there are in each place; and those that cannot be used."""
    about = BENCHMARKS[benchmark]
    images: dict[str, tuple[Path, Place]] = {}
    counts: Counter[Place] = Counter()
    bad: list[BadSample] = []
    for found in find_images(root):
        place = _place(benchmark, found.id.rpartition("/")[0])
        if place is None and found.fault is None:
            raise DataError(f"{root}: {found.id} does not belong there; {about.title} has images {about.layout}")
        if place is not None:
            counts[place] += 1
        if found.fault is not None:
            bad.append(BadSample(found.id, found.fault))
        elif place is not None:
            images[found.id] = (found.path, place)
    return images, counts, bad


@cache
def _place(benchmark: str, folder: str) -> Place | None:
    """What the images in a folder are, if they belong to the benchmark."""
    about = BENCHMARKS[benchmark]
    depth = 2 if about.corruptions else 0
    names = folder.split("/")
    if len(names) <= depth:
        return None
    cell, category = names[:depth], _class(about, names[depth])
    known = not cell or (cell[0] in about.corruptions and cell[1] in SEVERITIES)
    return ("/".join(cell), category) if known and category is not None else None


def _class(about: Description, folder: str) -> str | None:
    """The class that a folder is named for, if any."""
    if about.folders != "index":
        return folder if folder in about.classes else None
    whole = folder.isascii() and folder.isdecimal() and len(folder) <= _LISTED
    return about.classes[int(folder)] if whole and int(folder) < len(about.classes) else None


def _differences(about: Description, counts: Mapping[Place, int]) -> Iterator[str]:
    """How the folders and images that are there differ from the official ones."""
    images: Counter[str] = Counter()
    classes = defaultdict(set)
    for (cell, category), n in counts.items():
        images[cell] += n
        classes[cell].add(category)
    wanted = [name for name in about.corruptions if name not in about.optional]
    if any(cell.split("/")[0] in about.optional for cell in images):
        wanted = list(about.corruptions)
    for name in wanted:
        missing = [severity for severity in SEVERITIES if f"{name}/{severity}" not in images]
        if len(missing) == len(SEVERITIES):
            yield f"{name} is missing"
        elif missing:
            yield f"{name}: severity {', '.join(missing)} is missing"
    for cell in sorted(images) or [""]:
        where = f"{cell}: " if cell else ""
        if absent := [name for name in about.classes if name not in classes[cell]]:
            without = f"{', '.join(absent[:_LISTED])}{' ...' if len(absent) > _LISTED else ''}"
            yield f"{where}{len(classes[cell]):,} of {len(about.classes):,} classes, without {without}"
        if images[cell] != about.images:
            yield f"{where}{images[cell]:,} of {about.images:,} images"
