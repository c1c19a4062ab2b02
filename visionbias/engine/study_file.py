# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Study files: a `Study` written as TOML, with the same keys."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from visionbias.datasets.base import Dataset
from visionbias.datasets.benchmarks import Benchmark
from visionbias.datasets.csv_manifest import CsvManifest
from visionbias.datasets.cue_conflict import CueConflictFolder
from visionbias.datasets.cue_pairs import CueConflict
from visionbias.datasets.folder import ImageFolder
from visionbias.decode.choice import Decode
from visionbias.engine.arguments import path_of
from visionbias.engine.study import Study
from visionbias.errors import RunError, VisionBiasError
from visionbias.models.checkpoint import Checkpoint
from visionbias.probes import Probe, make_probe
from visionbias.probes.registry import image_options
from visionbias.types import Normalization, Preprocessing


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _CheckpointTable(_Table):
    path: str
    arch: str
    name: str | None = None
    num_classes: int | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    unsafe_sha256: str | None = None
    head: str | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> "_CheckpointTable":
        if (self.mean is None) != (self.std is None):
            raise ValueError("wanted mean and std together, or neither")
        return self

    def build(self, folder: Path) -> Checkpoint:
        normalization = None
        if self.mean is not None and self.std is not None:
            normalization = Normalization(tuple(self.mean), tuple(self.std))
        return Checkpoint(
            folder / self.path,
            arch=self.arch,
            name=self.name,
            num_classes=self.num_classes,
            normalization=normalization,
            unsafe_sha256=self.unsafe_sha256,
            head=None if self.head is None else folder / self.head,
        )


class _DataTable(_Table):
    folder: str | None = None
    csv: str | None = None
    cue_conflict: str | None = None
    shapes: str | None = None  # with textures: cue conflict made on the fly
    textures: str | None = None
    method: Literal["phase", "silhouette"] | None = None
    benchmark: str | None = None  # with folder: a published set in its official layout
    official: bool | None = None  # of cue_conflict: the published set
    allow_partial: bool | None = None
    root: str | None = None  # of a CSV's paths
    name: str | None = None
    precropped: bool | None = None
    label_map: dict[str, int | list[int]] | None = None
    classes: list[str] | None = None  # of a folder or CSV: those without images too

    @model_validator(mode="after")
    def _one_kind(self) -> "_DataTable":
        if sum(value is not None for value in (self.folder, self.csv, self.cue_conflict, self.shapes)) != 1:
            raise ValueError("wanted exactly one of folder, csv, cue_conflict, shapes")
        if (self.shapes is None) != (self.textures is None):
            raise ValueError("shapes and textures go together")
        if self.method is not None and self.shapes is None:
            raise ValueError("method goes with shapes and textures only")
        if self.precropped is not None and self.shapes is not None:
            raise ValueError("precropped does not go with shapes and textures")
        if self.benchmark is not None and self.folder is None:
            raise ValueError("benchmark goes with folder")
        if self.benchmark is not None and (self.precropped, self.label_map, self.classes) != (None, None, None):
            raise ValueError("a benchmark has a precropped, label_map and classes of its own")
        if self.official is not None and self.cue_conflict is None:
            raise ValueError("official goes with cue_conflict only")
        if self.allow_partial is not None and self.benchmark is None and not self.official:
            raise ValueError("allow_partial goes with benchmark, or official = true, only")
        if self.classes is not None and self.folder is None and self.csv is None:
            raise ValueError("classes goes with folder or csv only")
        if self.root is not None and self.csv is None:
            raise ValueError("root goes with csv only")
        return self

    def build(self, folder: Path) -> Dataset:
        partial = bool(self.allow_partial)
        if self.benchmark is not None and self.folder is not None:
            return Benchmark(self.benchmark, folder / self.folder, allow_partial=partial, name=self.name)
        options: dict[str, Any] = {"label_map": self.label_map, "name": self.name}
        if self.shapes is not None and self.textures is not None:
            return CueConflict(folder / self.shapes, folder / self.textures, method=self.method or "phase", **options)
        if self.precropped is not None:
            options["precropped"] = self.precropped
        if self.folder is not None:
            return ImageFolder(folder / self.folder, classes=self.classes, **options)
        if self.csv is not None:
            root = None if self.root is None else folder / self.root
            return CsvManifest(folder / self.csv, root=root, classes=self.classes, **options)
        options |= {"official": bool(self.official), "allow_partial": partial}
        return CueConflictFolder(folder / str(self.cue_conflict), **options)


class _PreprocessingTable(_Table):
    resize: int | None = 256
    crop: int = 224
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"


class _ProbeTable(_Table):
    model_config = ConfigDict(extra="allow", strict=True)  # a probe checks its own options

    probe: str
    data: str | _DataTable | None = None
    own: list[str | _DataTable] | None = None

    def build(self, folder: Path) -> Probe:
        options = {"probe": self.probe, **(self.model_extra or {})}
        for name in set(options) & set(image_options(self.probe)):
            options[name] = _below(folder, options[name])
        if self.data is not None:
            options["data"] = _images(folder, self.data)
        if self.own is not None:
            options["own"] = tuple(_images(folder, entry) for entry in self.own)
        return make_probe(options)


def _images(folder: Path, entry: str | _DataTable) -> Path | Dataset:
    return folder / entry if isinstance(entry, str) else entry.build(folder)


def _below(folder: Path, place: Any) -> Any:
    """A path, or paths by name, from the file's folder on; the probe refuses everything else."""
    if isinstance(place, dict):
        return {name: _below(folder, path) for name, path in place.items()}
    return folder / place if isinstance(place, str) else place


class _StudyTable(_Table):
    models: list[str | _CheckpointTable] = Field(min_length=1)
    data: str | _DataTable
    probes: list[str | _ProbeTable] = Field(min_length=1)
    preprocessing: Literal["study", "model"] | _PreprocessingTable = "study"
    device: str = "auto"
    precision: Literal["auto", "fp32"] = "auto"
    seed: int = 0
    batch_size: int | Literal["auto"] = "auto"
    forward_batch: int | Literal["auto"] = "auto"
    decode: Decode = "auto"
    max_bad: int = 0
    model_memory_bytes: int | Literal["auto"] = "auto"
    cache: str | None = None
    cache_bytes: int | Literal["auto"] = "auto"
    offline: bool = False


def read_study(path: str | Path) -> Study:
    """Build the `Study` that a TOML file describes. Relative paths start at the file's folder.

    Raises:
        RunError: the file is absent, is no TOML, or has a wrong key or value (each is named with what is allowed).
        DataError, CheckpointError: as `Study`.
    """
    path = path_of("the study file", path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RunError(f"cannot read the study file {path}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path} is no valid TOML: {error}") from error
    except RecursionError as error:
        raise RunError(f"{path} is no study file: it is nested without end") from error
    try:
        table = _StudyTable.model_validate(content)
    except ValidationError as error:
        raise RunError(f"{path}:\n" + "\n".join(f"  {line}" for line in _sentences(error))) from error
    try:
        return _build(table, path.parent)
    except VisionBiasError as error:
        raise type(error)(f"{path}: {error}") from error


def _build(table: _StudyTable, folder: Path) -> Study:
    """The study of a checked file; relative paths start at its folder."""
    options = table.model_dump(exclude={"models", "data", "probes", "preprocessing", "cache"})
    return Study(
        models=[entry if isinstance(entry, str) else entry.build(folder) for entry in table.models],
        data=folder / table.data if isinstance(table.data, str) else table.data.build(folder),
        probes=[make_probe({"probe": e}) if isinstance(e, str) else e.build(folder) for e in table.probes],
        preprocessing=(
            Preprocessing(**table.preprocessing.model_dump())
            if isinstance(table.preprocessing, _PreprocessingTable)
            else table.preprocessing
        ),
        cache=None if table.cache is None else folder / table.cache,
        **options,
    )


def _sentences(error: ValidationError) -> list[str]:
    """One line a problem, naming the key and what is allowed."""
    tables: dict[str, type[_Table]] = {
        "": _StudyTable,
        "data": _DataTable,
        "preprocessing": _PreprocessingTable,
        "models": _CheckpointTable,
        "probes": _DataTable,
    }
    lines = []
    for problem in error.errors(include_url=False):
        if problem["loc"][-1:] == ("str",) and isinstance(problem["input"], dict):
            continue  # a table where text would do as well: what is wrong inside it has a line of its own
        # pydantic names the union members it tried ("str", "_DataTable"); a reader of the file knows only its keys.
        keys = [part for part in problem["loc"] if not (isinstance(part, str) and _is_type_name(part))]
        where = ".".join(str(key) for key in keys)
        if problem["type"] == "extra_forbidden":
            allowed = tables.get(str(keys[0]) if len(keys) > 1 else "", _StudyTable).model_fields
            lines.append(f"{where}: unknown key; allowed: {', '.join(allowed)}")
        elif problem["type"] == "missing":
            lines.append(f"{where}: missing")
        else:
            lines.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}, got {problem['input']!r}")
    return list(dict.fromkeys(lines))


def _is_type_name(part: str) -> bool:
    tables = {table.__name__ for table in _Table.__subclasses__()}
    return part.startswith(("function-", "literal[", "list[", "dict[")) or part in {"str", "int", "float", *tables}
