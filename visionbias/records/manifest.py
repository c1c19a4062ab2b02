# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""run.json: what a run measured, how it was made, and what failed."""

import json
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from visionbias.errors import RunError
from visionbias.records.schema import SCHEMA_VERSION
from visionbias.runtime.durable import sync_folder, write_file

MANIFEST = "run.json"
Json = dict[str, Any]


class _Mark:
    """A value that no JSON holds."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


UNREAD = _Mark("not read yet")  # in a study's description; it agrees with anything
_NOTHING = _Mark("nothing")  # where there is no entry
_ANY = "*"  # every key of a table

# What the readers of a run rely on.
_FORM = {
    "study": {
        "models": {},
        "probes": [{"probe": str}],
        "data": {_ANY: {"models": {_ANY: {"preprocessing": {"crop": int}}}}},
    },
    "data_sets": {_ANY: {"n": int, "classes": [str], "conditions": [str], "bad_samples": [{"id": str, "reason": str}]}},
    "sessions": [{"failures": {}, "images_per_s": float}],
}
_JSON_NAMES: dict[type, str] = {dict: "table", list: "list", str: "text", int: "whole number", float: "number"}


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
        raise RunError(f"{path} has schema version {version}, this visionbias reads {SCHEMA_VERSION}")
    if faults := list(_faults(manifest, _FORM)):
        raise RunError(f"{path} is not the manifest of a run: {'; '.join(faults)}; restore it or name a new folder")
    return manifest


def _faults(value: Any, form: Any, path: str = "") -> Iterator[str]:
    """Where `value` is not of a form: a type, a dict of the forms of its keys, or a list of the form of its items."""
    kind: type = form if isinstance(form, type) else type(form)
    fits: bool = isinstance(value, kind) and not isinstance(value, bool)
    if not fits:
        yield f"{path.rstrip('.')} must be a {_JSON_NAMES[kind]}, got {_short(value)}"
    elif isinstance(form, dict):
        if _ANY in form and not value:
            yield f"{path.rstrip('.')} must not be empty"
        wanted = dict.fromkeys(value, form[_ANY]) if _ANY in form else form
        for key, inner in wanted.items():
            if key in value:
                yield from _faults(value[key], inner, f"{path}{key}.")
            else:
                yield f"{path}{key} is missing"
    elif isinstance(form, list):
        for i, item in enumerate(value):
            yield from _faults(item, form[0], f"{path}{i}.")


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
