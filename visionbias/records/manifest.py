# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""run.json: what a run measured, how it was made, and what failed."""

import json
import math
from collections.abc import Iterator, Mapping
from itertools import islice, product, zip_longest
from pathlib import Path
from typing import Any

from visionbias.errors import RunError
from visionbias.records.schema import SCHEMA_VERSION
from visionbias.runtime.durable import sync_folder, write_file

MANIFEST = "run.json"
Json = dict[str, Any]

_LISTED = 8  # faults that are named


class _Mark:
    """A value that no JSON holds."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


UNREAD = _Mark("not read yet")  # in a study's description; it agrees with anything
_NOTHING = _Mark("nothing")  # where there is no entry

# What the readers of a run rely on. A form is a type (numbers are finite, whole ones counts), a set of the values that
# may be, a dict of the forms of a table's keys ("key?" may be absent, "*" is every key, "+" every key of one or more),
# a list of the form of its items, however many, or a tuple of the form of each.
_FORM = {
    "study": {
        "models": {"+": {"precision": {"float32", "float16", "bfloat16"}, "compiled": bool}},
        "probes": [{"probe": str}],
        "forward_batch": int,
        "versions?": {"*": str},
        "data": {"+": {"content_sha256?": [str], "models": {"+": {"preprocessing": {"crop": int}}}}},
    },
    "data_sets": {"+": {"n": int, "classes": [str], "conditions": [str], "bad_samples": [{"id": str, "reason": str}]}},
    "sessions": [
        {
            "failures": {"*": str},
            "images_per_s": float,
            "shard?": (int, int),
            "prepare_s?": float,
            "run_s?": float,
            "forwards?": int,
            "versions?": {"*": str},
            "backends?": {"*": [str]},
        }
    ],
}
_JSON_NAMES: dict[type, str] = {
    **{dict: "table", list: "list", tuple: "list", str: "text", bool: "truth value"},
    **{int: "whole number of 0 or more", float: "finite number"},
}


def read_manifest(folder: Path) -> Json | None:
    """The manifest of a run folder; `None` where the folder is absent or empty.

    Raises:
        RunError: the folder holds something else, or a manifest that cannot be read, or cannot be looked into.
    """
    path = folder / MANIFEST
    try:
        if not path.exists():
            if folder.exists() and (not folder.is_dir() or any(_visible(folder))):
                raise RunError(
                    f"{folder} is not a run folder (it has no {MANIFEST}) and is not empty; name a new folder"
                )
            return None
    except OSError as error:
        raise RunError(
            f"cannot look into {folder}: {error.strerror or error}; mend its permissions or name another folder"
        ) from error
    try:
        manifest: Json = json.loads(path.read_text(encoding="utf-8"))
        version = manifest["schema_version"]
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror or error}; mend what the system refuses") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"{path} is not the manifest of a run: {error}; restore it or name a new folder") from error
    if version != SCHEMA_VERSION:
        raise RunError(f"{path} has schema version {_short(version)}, this visionbias reads {SCHEMA_VERSION}")
    faults = list(islice(_faults(manifest, _FORM), _LISTED)) or list(islice(_unseen(manifest), _LISTED))
    if faults:
        raise RunError(f"{path} is not the manifest of a run: {'; '.join(faults)}; restore it or name a new folder")
    return manifest


def _faults(value: Any, form: Any, path: str = "") -> Iterator[str]:
    """Where `value` is not of a form."""
    if isinstance(form, set):
        if value not in tuple(form):
            yield f"{path} must be one of {', '.join(sorted(form))}, got {_short(value)}"
    elif not _fits(value, form):
        name = _JSON_NAMES[form if isinstance(form, type) else type(form)]
        yield f"{path} must be a {name}{f' of {len(form)}' if isinstance(form, tuple) else ''}, got {_short(value)}"
    elif isinstance(form, dict):
        if "+" in form and not value:
            yield f"{path} must not be empty"
        every = form.get("*", form.get("+"))
        for key, inner in (form if every is None else dict.fromkeys(value, every)).items():
            name = key if every is not None else key.removesuffix("?")
            if name in value:
                yield from _faults(value[name], inner, f"{path}.{name}".lstrip("."))
            elif name == key:
                yield f"{path}.{name} is missing".lstrip(".")
    elif isinstance(form, (list, tuple)):
        for i, (item, inner) in enumerate(
            zip(value, form * len(value) if isinstance(form, list) else form, strict=True)
        ):
            yield from _faults(item, inner, f"{path}.{i}")


def _fits(value: Any, form: Any) -> bool:
    """Whether a value, not what is in it, is of a form other than a set."""
    if isinstance(form, tuple):
        return isinstance(value, list) and len(value) == len(form)
    kind = form if isinstance(form, type) else type(form)
    fits: bool = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    return fits and (kind is not int or value >= 0) and (kind is not float or math.isfinite(value))


def _unseen(manifest: Json) -> Iterator[str]:
    """Models of which no view of a data set is told."""
    for name, model in product(manifest["data_sets"], manifest["study"]["models"]):
        if model not in manifest["study"]["data"].get(name, {"models": {}})["models"]:
            yield f"study.data.{name}.models.{model} is missing"


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest of a run folder in one step.

    Raises:
        RunError: the folder cannot be written.
    """
    content = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / MANIFEST, content)
        sync_folder(folder)
    except OSError as error:
        raise RunError(
            f"cannot write {folder / MANIFEST}: {error.strerror or error}; free space or mend its permissions, "
            "and start the same run again"
        ) from error


def differences(wanted: Any, found: Any) -> list[str]:
    """Where two manifests differ, one sentence a fact, e.g. `seed: this study has 1, the folder has 0`.

    What is the same sentence of the same key in many places, as the decoder of many models, is one sentence.
    """
    places: dict[tuple[str, str], list[str]] = {}
    for path, sentence in _differing(wanted, found, ()):
        places.setdefault((path[-1] if path else "", sentence), []).append(".".join(path))
    return [
        f"{paths[0]}{f' and {len(paths) - 1} more' if len(paths) > 1 else ''}: {sentence}"
        for (_, sentence), paths in places.items()
    ]


def _differing(wanted: Any, found: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and sentence of every leaf that differs."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            yield from _differing(wanted.get(key, _NOTHING), found.get(key, _NOTHING), (*path, key))
    elif isinstance(wanted, list) and isinstance(found, list):
        for i, (w, f) in enumerate(zip_longest(wanted, found, fillvalue=_NOTHING)):
            yield from _differing(w, f, (*path, str(i)))
    elif wanted is not UNREAD and wanted != found:
        yield path, f"this study has {_short(wanted)}, the folder has {_short(found)}"


def _short(value: Any) -> str:
    text = str(value) if isinstance(value, _Mark) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))
