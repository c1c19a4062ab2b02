# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Record files: whole or absent, aligned on reading, honest about what is missing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from visionbias.errors import RunError
from visionbias.records import files
from visionbias.records.files import partition
from visionbias.records.manifest import UNREAD, differences, read_manifest, write_manifest
from visionbias.records.reader import IncompleteError, ModelRecords, open_records, read_condition
from visionbias.records.samples import SampleTable, write_samples
from visionbias.records.schema import RECORD_SCHEMA, check_names
from visionbias.records.writer import count_rows, covered, set_aside_damaged, write_records

MODEL = "timm:resnet50/a=1 é"  # every kind of character that a path or a hive key could trip over

MODEL_ENTRY = {"precision": "float32", "compiled": False}
PHOTOS = {
    "n": 3,
    "classes": ["cat"],
    "conditions": ["clean"],
    "bad_samples": [{"id": "a.png", "reason": "empty file"}],
}
WHOLE: dict[str, Any] = {  # a manifest with no more than it must have
    "schema_version": 2,
    "study": {
        "models": {"m": MODEL_ENTRY},
        "probes": [{"probe": "accuracy"}],
        "forward_batch": 4,
        "data": {"photos": {"models": {"m": {"preprocessing": {"crop": 224}}}}},
    },
    "data_sets": {"photos": PHOTOS},
    "sessions": [{"failures": {}, "images_per_s": 2.5}],
}

SESSION = WHOLE["sessions"][0]
STUDY_FAULTS: list[tuple[dict[str, object], str]] = [
    ({"models": {}}, "study.models must not be empty"),
    ({"models": {"m": None}}, "study.models.m must be a table, got null"),
    ({"models": {"m": "x"}}, 'study.models.m must be a table, got "x"'),
    (
        {"models": {"m": MODEL_ENTRY | {"precision": "float99"}}},
        "m.precision must be one of bfloat16, float16, float32",
    ),
    (
        {"models": {"m": MODEL_ENTRY | {"precision": []}}},
        "m.precision must be one of bfloat16, float16, float32, got []",
    ),
    ({"models": {"m": MODEL_ENTRY | {"compiled": 0}}}, "study.models.m.compiled must be a truth value, got 0"),
    ({"models": {"m": MODEL_ENTRY, "n": MODEL_ENTRY}}, "study.data.photos.models.n is missing"),
    ({"versions": [1]}, "study.versions must be a table, got [1]"),
    (
        {"data": {"photos": WHOLE["study"]["data"]["photos"] | {"content_sha256": 3}}},
        "content_sha256 must be a list, got 3",
    ),
]
SESSION_FAULTS: list[tuple[dict[str, object], str]] = [
    ({"images_per_s": float("nan")}, "sessions.0.images_per_s must be a finite number, got NaN"),
    ({"shard": 3}, "sessions.0.shard must be a list of 2, got 3"),
    ({"shard": [0]}, "sessions.0.shard must be a list of 2, got [0]"),
    ({"versions": ["1"]}, 'sessions.0.versions must be a table, got ["1"]'),
    ({"run_s": "long"}, 'sessions.0.run_s must be a finite number, got "long"'),
    ({"forwards": "x"}, "sessions.0.forwards must be a whole number of 0 or more"),
    ({"backends": 3}, "sessions.0.backends must be a table, got 3"),
    ({"failures": {"m": 3}}, "sessions.0.failures.m must be a text, got 3"),
]


def columns(start: int, stop: int, hit: int = 0) -> dict[str, np.ndarray]:
    n = stop - start
    return {
        "sample_id": np.array([f"class/{i:05d}.png" for i in range(start, stop)], dtype=object),
        "label": np.arange(start, stop) % 7,
        "pred": np.full(n, hit),
        "in_top5": np.ones(n, bool),
        "p_label": np.linspace(0, 1, n),
        "margin": np.linspace(-1, 1, n),
    }


def model_records(folder: Path, n: int, *conditions: str, first: int = 0) -> ModelRecords:
    """The reader of model `m`, for conditions that show samples `first` ... `first + n - 1`."""
    ids = columns(first, first + n)["sample_id"]
    write_samples(
        folder,
        "photos",
        {"sample_id": ids, "category": ["cat"] * n} | dict.fromkeys(("texture", "group", "category16"), [None] * n),
    )
    return ModelRecords(folder, "m", dict.fromkeys(conditions, SampleTable(folder, "photos", ["cat"])), {})


def test_round_trip_over_shards(tmp_path: Path) -> None:
    for start, stop in ((4, 9), (0, 4), (9, 10)):
        write_records(tmp_path, MODEL, "lowpass-0.1", start, columns(start, stop))
    table = read_condition(tmp_path, MODEL, "lowpass-0.1", ["label", "decision16"])
    assert table["sample_id"].to_pylist() == [f"class/{i:05d}.png" for i in range(10)]
    assert table["label"].to_pylist() == [i % 7 for i in range(10)]
    assert table["decision16"].null_count == 10
    dataset = open_records(tmp_path)
    assert set(dataset.schema.names) == {*RECORD_SCHEMA.names, "model", "condition"}
    assert dataset.to_table().column("model").unique().to_pylist() == [MODEL]
    assert dataset.count_rows() == 10


def test_samples_covered_twice_count_once(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    write_records(tmp_path, "m", "clean", 4, columns(4, 10))
    table = read_condition(tmp_path, "m", "clean", ["label"])
    assert table["sample_id"].to_pylist() == [f"class/{i:05d}.png" for i in range(10)]
    assert model_records(tmp_path, 10, "clean").correct(["clean"]).sum() == sum(i % 7 == 0 for i in range(10))


def test_dataset_holds_samples_covered_twice_once(tmp_path: Path) -> None:
    write_records(tmp_path, MODEL, "clean", 0, columns(0, 6))
    write_records(tmp_path, MODEL, "clean", 4, columns(4, 10))
    write_records(tmp_path, MODEL, "a/b", 0, columns(0, 6))
    write_records(tmp_path, MODEL, "a/b", 6, columns(6, 10))
    dataset = open_records(tmp_path)
    assert set(dataset.schema.names) == {*RECORD_SCHEMA.names, "model", "condition"}
    for _ in range(2):  # a dataset may be read as often as one likes
        frame = dataset.to_table().to_pandas()
        assert frame.groupby("condition")["sample_id"].agg(["size", "nunique"]).to_numpy().tolist() == [[10, 10]] * 2
    assert dataset.count_rows(filter=(ds.field("condition") == "clean") & (ds.field("model") == MODEL)) == 10


def test_conditions_are_aligned_by_sample(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "a", 0, columns(0, 8))
    write_records(tmp_path, "m", "b", 4, columns(4, 8, hit=4))
    write_records(tmp_path, "m", "b", 0, columns(0, 4, hit=4))
    correct = model_records(tmp_path, 8, "a", "b").correct(["a", "b"])
    assert correct[:, 0].tolist() == [i % 7 == 0 for i in range(8)]
    assert correct[:, 1].tolist() == [i % 7 == 4 for i in range(8)]


def test_missing_rows_are_named_not_averaged_over(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    with pytest.raises(IncompleteError, match="records of 7 samples, got 6"):
        model_records(tmp_path, 7, "clean").correct(["clean"])
    with pytest.raises(IncompleteError, match="got 0"):
        model_records(tmp_path, 7, "never written").correct(["never written"])


def test_conditions_and_samples_that_are_not_there_are_named(tmp_path: Path) -> None:
    records = model_records(tmp_path, 3, "clean")
    for read in (records.samples, lambda name: records.correct([name])):
        with pytest.raises(RunError, match=r"no data set has the condition 'noise', .*; restore it"):
            read("noise")
    with pytest.raises(RunError, match=r"/samples/gone\.parquet is missing; start the same run again"):
        _ = SampleTable(tmp_path, "gone", ["cat"]).table


def test_records_of_other_samples_are_refused(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    with pytest.raises(RunError, match="of other samples"):
        model_records(tmp_path, 6, "clean", first=1).correct(["clean"])


def test_damaged_file_is_named_and_not_counted_as_done(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    write_records(tmp_path, "m", "clean", 6, columns(6, 9))
    assert covered(tmp_path, "m", "clean") == [range(6), range(6, 9)]
    (damaged,) = tmp_path.rglob("000000006-000000009.parquet")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    assert covered(tmp_path, "m", "clean") == [range(6)]
    for read in (lambda: read_condition(tmp_path, "m", "clean", ["label"]), lambda: open_records(tmp_path)):
        with pytest.raises(RunError, match=r"cannot read .*000000006-000000009.*delete the file"):
            read()
    set_aside_damaged(tmp_path, "m", "clean")
    assert covered(tmp_path, "m", "clean") == [range(6)]
    assert len(read_condition(tmp_path, "m", "clean", ["label"])) == 6


def test_damage_behind_an_intact_footer_is_found(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 600))
    (path,) = tmp_path.rglob("*.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"cannot read .*delete the file"):
        read_condition(tmp_path, "m", "clean", RECORD_SCHEMA.names)
    with pytest.raises(OSError, match="checksum"):
        open_records(tmp_path).to_table()
    set_aside_damaged(tmp_path, "m", "clean")
    assert covered(tmp_path, "m", "clean") == []
    assert path.with_name(f"{path.name}.damaged").exists()


def test_what_the_system_refuses_is_no_damage(tmp_path: Path) -> None:
    """Too many open files, or a folder in a file's place: one error, and nothing is renamed or counted as missing."""
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    (path,) = tmp_path.rglob("*.parquet")
    script = """
import resource, sys
from pathlib import Path
from typing import Any
from visionbias.errors import RunError
from visionbias.records.files import opened
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
try:
    while True:
        held.append(open("/dev/null"))
except OSError:
    pass
try:
    with opened(Path(sys.argv[1])):
        pass
except RunError as error:
    print(type(error).__name__, error)
"""
    answer = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(f"RunError cannot read {path}: Too many open files")
    assert covered(tmp_path, "m", "clean") == [range(6)]
    path.unlink()
    path.mkdir()
    for read in (covered, set_aside_damaged):
        with pytest.raises(RunError, match="Is a directory"):
            read(tmp_path, "m", "clean")
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_arrow_reads_no_file_of_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its threads may outlive the interpreter, where letting go of one aborts the process."""
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    given: list[object] = []

    class Spied(pq.ParquetFile):
        def __init__(self, source: Any, **options: Any) -> None:
            given.append(source)
            super().__init__(source, **options)

    monkeypatch.setattr(pq, "ParquetFile", Spied)
    assert covered(tmp_path, "m", "clean") == [range(6)]
    assert len(read_condition(tmp_path, "m", "clean", RECORD_SCHEMA.names)) == 6
    assert {type(source) for source in given} == {pa.OSFile}


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no text are POSIX")
def test_a_folder_whose_name_is_no_text(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    write_records(folder, "m", "clean", 0, columns(0, 6))
    set_aside_damaged(folder, "m", "clean")
    assert covered(folder, "m", "clean") == [range(6)]
    assert len(read_condition(folder, "m", "clean", RECORD_SCHEMA.names)) == 6
    assert open_records(tmp_path / "none").to_table().schema == open_records(folder).to_table().schema
    assert open_records(folder).to_table()["sample_id"].to_pylist() == list(columns(0, 6)["sample_id"])


def test_setting_aside_what_another_process_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    (path,) = tmp_path.rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    replace = Path.replace

    def taken(own: Path, target: Path) -> Path:
        replace(own, target.with_name("taken"))
        return replace(own, target)

    def forbidden(own: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", forbidden)
    with pytest.raises(RunError, match=r"cannot rename .*Permission denied; mend the permissions"):
        set_aside_damaged(tmp_path, "m", "clean")
    monkeypatch.setattr(Path, "replace", taken)
    set_aside_damaged(tmp_path, "m", "clean")
    assert covered(tmp_path, "m", "clean") == []


def test_looking_changes_nothing(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    (path,) = tmp_path.rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    assert covered(tmp_path, "m", "clean") == []
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_rows_of_overlapping_files_count_once(tmp_path: Path) -> None:
    for start, stop in ((0, 6), (4, 10), (5, 6), (20, 22)):
        write_records(tmp_path, "m", "clean", start, columns(start, stop))
    write_records(tmp_path, "m", "other", 0, columns(0, 3))
    assert count_rows(tmp_path, ["m"], ["clean", "other"]) == 10 + 2 + 3


def test_files_that_follow_one_another_grow_together(tmp_path: Path) -> None:
    """64 saves leave few files and every row once; rows of another part are left alone."""
    write_records(tmp_path, "m", "clean", 0, columns(0, 2))
    for start in range(2, 130, 2):
        write_records(tmp_path, "m", "clean", start, columns(start, start + 2), absorb_from=2)
        assert len(covered(tmp_path, "m", "clean")) <= 8
    assert covered(tmp_path, "m", "clean") == [range(2), range(2, 130)]
    table = read_condition(tmp_path, "m", "clean", RECORD_SCHEMA.names)
    assert table["sample_id"].to_pylist() == columns(0, 130)["sample_id"].tolist()
    assert table["label"].to_pylist() == [i % 7 for i in range(130)]


def test_a_kill_between_two_files_becoming_one(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 4))
    write_records(tmp_path, "m", "clean", 0, columns(0, 8))
    assert len(read_condition(tmp_path, "m", "clean", ["label"])) == 8
    set_aside_damaged(tmp_path, "m", "clean")
    assert covered(tmp_path, "m", "clean") == [range(8)]
    # A longer file that is damaged hides no shorter one.
    write_records(tmp_path, "m", "clean", 0, columns(0, 4))
    longer = next(tmp_path.rglob("*-000000008.parquet"))
    longer.write_bytes(longer.read_bytes()[:-20])
    set_aside_damaged(tmp_path, "m", "clean")
    assert covered(tmp_path, "m", "clean") == [range(4)]


def test_reading_while_files_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for start in (0, 4):
        write_records(tmp_path, "m", "clean", start, columns(start, start + 4))
    listed = files.record_files

    def and_then_merge(*where: object) -> list[files.RecordFile]:
        found = listed(*where)  # type: ignore[arg-type]
        monkeypatch.setattr(files, "record_files", listed)
        write_records(tmp_path, "m", "clean", 8, columns(8, 12), absorb_from=0)
        return found

    monkeypatch.setattr(files, "record_files", and_then_merge)
    assert len(read_condition(tmp_path, "m", "clean", ["label"])) == 12


def test_text_in_a_footer_that_is_no_text(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 600))
    (path,) = tmp_path.rglob("*.parquet")
    content = path.read_bytes()
    at = content.index(b"sample_id")
    path.write_bytes(content[:at] + b"\xff" + content[at + 1 :])
    with pytest.raises(RunError, match="cannot read"):
        open_records(tmp_path)
    assert covered(tmp_path, "m", "clean") == []


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    write_records(tmp_path, "m", "clean", 0, columns(0, 6))
    (path,) = tmp_path.rglob("*.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata({"visionbias.schema": "99"}), path)
    for read in (read_condition, covered):
        with pytest.raises(RunError, match="schema 99"):
            read(tmp_path, "m", "clean", *([["label"]] if read is read_condition else []))
    with pytest.raises(RunError, match="schema 99"):
        open_records(tmp_path)
    assert path.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_full_disk_loses_nothing_written_before(tmp_path: Path) -> None:
    """A write that the system refuses is one clear error; no half file, no temporary, older files whole."""
    script = """
import resource, signal, sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[2])
from test_records import columns
from visionbias.errors import RunError
from visionbias.records.writer import write_records
folder = Path(sys.argv[1])
write_records(folder, "m", "clean", 0, columns(0, 5))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    write_records(folder, "m", "clean", 5, columns(5, 20000))
except RunError as error:
    print(error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "free space" in answer.stdout
    assert "start the same run again" in answer.stdout
    files = [path.name for path in (tmp_path / partition("m", "clean")).iterdir()]
    assert files == ["000000000-000000005.parquet"]
    assert len(read_condition(tmp_path, "m", "clean", ["label"])) == 5


def test_manifest_round_trip_and_refusals(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "absent") is None
    assert read_manifest(tmp_path) is None
    write_manifest(tmp_path, WHOLE)
    assert read_manifest(tmp_path) == WHOLE
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="not the manifest of a run"):
        read_manifest(tmp_path)
    (tmp_path / "run.json").unlink()
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(RunError, match="not a run folder"):
        read_manifest(tmp_path)


def test_differences_name_the_leaf() -> None:
    here = {"seed": 1, "data": {"n": 5, "name": "x"}}
    there = {"seed": 0, "data": {"n": 5, "name": "x", "extra": True}}
    assert differences(here, here) == []
    assert differences(here, there) == [
        "data.extra: this study has nothing, the folder has true",
        "seed: this study has 1, the folder has 0",
    ]


def test_differences_say_a_fact_once_and_only_what_differs() -> None:
    def study(decoder: str, cutoffs: list[float], models: str) -> dict[str, object]:
        views = {model: {"decoder": decoder, "preprocessing": {"crop": 224}} for model in models}
        return {"probes": [{"probe": "accuracy"}, {"cutoffs": cutoffs}], "data": {"photos": {"models": views}}}

    many = [i / 100 for i in range(40)]
    here, there = study("dali-2.4.0-cpu", many, "abc"), study("pillow-13.0.0", [*many, 0.99], "abc")
    assert differences(here, there) == [
        'data.photos.models.a.decoder and 2 more: this study has "dali-2.4.0-cpu", the folder has "pillow-13.0.0"',
        "probes.1.cutoffs.40: this study has nothing, the folder has 0.99",
    ]
    assert differences({"weights": UNREAD, "n": 1}, {"weights": "ab", "n": 1}) == []


def test_manifest_that_was_edited_names_what_is_wrong(tmp_path: Path) -> None:
    """Cut out, of another type, or nested without end: one error of our family, wherever the manifest is read."""
    path = tmp_path / "run.json"
    for changes, message in (
        (
            {"data_sets": {"photos": PHOTOS | {"n": "three"}}},
            'data_sets.photos.n must be a whole number of 0 or more, got "three"',
        ),
        (
            {"data_sets": {"photos": PHOTOS | {"n": -1}}},
            "data_sets.photos.n must be a whole number of 0 or more, got -1",
        ),
        ({"data_sets": {"photos": PHOTOS, "more": PHOTOS}}, "study.data.more.models.m is missing"),
        ({"data_sets": {}}, "data_sets must not be empty"),
        ({"schema_version": "2"}, 'has schema version "2", this visionbias reads 2'),
        ({"study": {"models": {"m": MODEL_ENTRY}}}, "study.probes is missing"),
        ({"study": []}, "study must be a table"),
        ({"study": WHOLE["study"] | {"data": {"photos": {}}}}, "study.data.photos.models is missing"),
        (
            {"data_sets": {"photos": PHOTOS | {"bad_samples": ["a.png"]}}},
            "bad_samples.0 must be a table",
        ),
        ({"sessions": [{"failures": {}}]}, "sessions.0.images_per_s is missing"),
        *(({"study": WHOLE["study"] | change}, message) for change, message in STUDY_FAULTS),
        *(({"sessions": [SESSION | change]}, message) for change, message in SESSION_FAULTS),
    ):
        path.write_text(json.dumps(WHOLE | changes))
        with pytest.raises(RunError, match=re.escape(message)):
            read_manifest(tmp_path)
    for content in ("[" * 100_000, "[1]", '{"schema_version": 2}'):
        path.write_text(content)
        with pytest.raises(RunError, match="not the manifest of a run"):
            read_manifest(tmp_path)


def test_names_that_cannot_be_folders_are_refused() -> None:
    check_names(["timm:resnet50.a1_in1k", MODEL, "x" * 249], "model")
    with pytest.raises(RunError, match="shorter"):
        check_names(["x" * 250], "model")
    with pytest.raises(RunError, match="shorter"):
        check_names(["é" * 42], "model")
    with pytest.raises(RunError, match="UTF-8"):
        check_names(["\ud800"], "model")


def test_rows_of_images_that_every_group_has(tmp_path: Path) -> None:
    ids = ["fog/1/a", "fog/1/b", "fog/1/c", "fog/2/b", "fog/2/c", "snow/1/a", "snow/1/b", "snow/1/c"]
    groups = [id_.rpartition("/")[0] for id_ in ids]
    nothing = dict.fromkeys(("texture", "category16"), [None] * len(ids))
    write_samples(tmp_path, "c", {"sample_id": ids, "category": ["x"] * len(ids), "group": groups, **nothing})
    table = SampleTable(tmp_path, "c", ["x"])
    assert table.rows_by_group(["fog/1", "snow/1"]).tolist() == [[0, 5], [1, 6], [2, 7]]
    assert table.rows_by_group(["snow/1", "fog/2", "fog/1"]).tolist() == [[6, 3, 1], [7, 4, 2]]
    assert table.rows_by_group(["fog/1", "fog/9"]).shape == (0, 2)


def test_second_labels_are_kept_where_there_are_some(tmp_path: Path) -> None:
    columns = {"sample_id": ["a", "b", "c"], "category": ["x"] * 3}
    columns |= dict.fromkeys(("texture", "group", "category16"), [None] * 3)
    write_samples(tmp_path, "none", columns)
    write_samples(tmp_path, "some", columns | {"accepted": [[4, 7], [], [1]]})
    sizes, members = SampleTable(tmp_path, "some", ["x"]).accepted()
    assert (sizes.tolist(), members.tolist()) == ([2, 0, 1], [4, 7, 1])
    sizes, members = SampleTable(tmp_path, "some", ["x"], pa.array(["b", "c"])).accepted()
    assert (sizes.tolist(), members.tolist()) == ([0, 1], [1])
    assert SampleTable(tmp_path, "none", ["x"]).accepted()[0].tolist() == [0, 0, 0]
