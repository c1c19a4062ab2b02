# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache of crops: what it holds, when it is reused and when it is built again."""

import hashlib
import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from visionbias.decode.cache import Foreseen, foresee_crops, open_crops
from visionbias.decode.pillow import PillowDecoder, decode_pillow
from visionbias.decode.redecode import Redecoded
from visionbias.decode.room import Shortage
from visionbias.decode.scratch import scratch_folder
from visionbias.errors import BackendError, DataError
from visionbias.types import BadSample, Preprocessing

SMALL = Preprocessing(36, 32)


@pytest.fixture
def samples(draw, encode, write_samples):
    files = {f"{row % 3}/{row:03}.jpg": encode(draw(48, 40 + row, seed=row), "JPEG") for row in range(70)}
    files["2/broken.jpg"] = b"\xff\xd8\xff"
    return write_samples(dict(sorted(files.items())))


def _listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_rows_ids_and_hash(samples, tmp_path) -> None:
    crops = open_crops(samples, SMALL, decode="pillow", folder=tmp_path / "cache")
    assert isinstance(crops.images, np.memmap)
    assert crops.images.shape == (71, 32, 32, 3)
    assert crops.decoder == PillowDecoder.name()
    with pytest.raises(ValueError, match="read-only"):
        crops.images[0] = 0
    assert crops.bad == (BadSample("2/broken.jpg", "not an image that Pillow can read"),)
    digest = hashlib.sha256()
    for row, sample in enumerate(samples):
        content = sample.path.read_bytes()
        name = sample.id.encode()
        digest.update(len(name).to_bytes(8, "big") + name + hashlib.sha256(content).digest())
        expected = 0 if sample.id == "2/broken.jpg" else decode_pillow(content, SMALL)
        assert np.array_equal(crops.images[row], np.broadcast_to(expected, (32, 32, 3))), sample.id
    assert crops.sha256 == digest.hexdigest()
    assert crops.path.parent == tmp_path / "cache"
    assert _listing(crops.path) == ["crops.u8", "manifest.json"]
    assert _listing(tmp_path / "cache") == [crops.path.name]


def test_default_folder(samples, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VISIONBIAS_CACHE", str(tmp_path / "mine"))
    assert open_crops(samples[:2], SMALL, decode="pillow").path.parent == tmp_path / "mine" / "crops"


def test_what_is_cached_is_known_without_decoding(samples, tmp_path) -> None:
    wanted = {"decode": "pillow", "folder": tmp_path / "cache"}
    assert not foresee_crops(samples, SMALL, **wanted).found
    assert not (tmp_path / "cache").exists()
    open_crops(samples, SMALL, **wanted)
    assert foresee_crops(samples, SMALL, **wanted) == Foreseen(71 * 32 * 32 * 3, kept=True, found=True)
    assert foresee_crops(samples, SMALL, cache_bytes=0, **wanted).kept
    assert foresee_crops(samples, SMALL, decode="auto", folder=tmp_path / "cache").found
    assert foresee_crops(samples[1:], SMALL, **wanted) == Foreseen(70 * 32 * 32 * 3, kept=True, found=False)
    assert foresee_crops(samples[1:], SMALL, cache_bytes=0, **wanted) == Foreseen(70 * 32 * 32 * 3, False, False)
    open_crops(samples[1:], SMALL, cache_bytes=0, **wanted)
    assert foresee_crops(samples[1:], SMALL, cache_bytes=0, **wanted) == Foreseen(70 * 32 * 32 * 3, False, True)


def test_reused_until_something_that_counts_changes(samples, tmp_path) -> None:
    def open_again(**changes):
        wanted = {"samples": samples, "preprocessing": SMALL, "decode": "pillow"} | changes
        return open_crops(
            wanted["samples"], wanted["preprocessing"], decode=wanted["decode"], folder=tmp_path / "cache"
        )

    first = open_again()
    inode = (first.path / "crops.u8").stat().st_ino
    relabeled = [replace(sample, label=7) for sample in samples]
    for again in (open_again(), open_again(samples=relabeled)):
        assert (again.path / "crops.u8").stat().st_ino == inode
        assert (again.path, again.sha256, again.bad, again.decoder) == (
            first.path,
            first.sha256,
            first.bad,
            first.decoder,
        )
    seen = {first.path}
    seen.add(open_again(preprocessing=Preprocessing(36, 32, "bicubic")).path)
    seen.add(open_again(samples=samples[::-1]).path)
    seen.add(open_again(samples=[replace(samples[0], id="renamed"), *samples[1:]]).path)
    time = samples[4].path.stat().st_mtime_ns
    os.utime(samples[4].path, ns=(time, time))
    time = samples[3].path.stat().st_mtime_ns
    os.utime(samples[3].path, ns=(time, time + 1))
    seen.add(open_again().path)
    content = samples[4].path.read_bytes()
    samples[4].path.write_bytes(content[::-1])
    os.utime(samples[4].path, ns=(time, time))  # as an archive does that is unpacked over the images
    seen.add(open_again().path)
    assert len(seen) == 6


@pytest.mark.parametrize(
    "damage",
    [
        "short pixels",
        "long pixels",
        "no pixels",
        "garbage manifest",
        "manifest of another",
        "bad row",
        "list",
        "a file",
    ],
)
def test_damaged_entry_is_built_again(samples, tmp_path, damage) -> None:
    first = open_crops(samples, SMALL, decode="pillow", folder=tmp_path / "cache")
    expected = np.array(first.images)
    pixels, manifest = first.path / "crops.u8", first.path / "manifest.json"
    content = json.loads(manifest.read_text())
    if damage == "short pixels":
        os.truncate(pixels, pixels.stat().st_size - 1)
    elif damage == "long pixels":
        pixels.write_bytes(pixels.read_bytes() + b"\0")
    elif damage == "no pixels":
        pixels.unlink()
    elif damage == "garbage manifest":
        manifest.write_bytes(b"\xff\0{")
    elif damage == "manifest of another":
        manifest.write_text(json.dumps(content | {"key": "0" * 64}))
    elif damage == "bad row":
        manifest.write_text(json.dumps(content | {"bad": [[999, "reason", False]]}))
    elif damage == "list":
        manifest.write_text("[]")
    else:
        pixels.unlink()
        manifest.unlink()
        first.path.rmdir()
        first.path.write_bytes(b"in the way")
    again = open_crops(samples, SMALL, decode="pillow", folder=tmp_path / "cache")
    assert np.array_equal(again.images, expected)
    assert (again.sha256, again.bad) == (first.sha256, first.bad)
    assert _listing(tmp_path / "cache") == [first.path.name]


def test_scratch_of_the_dead_is_removed_and_of_the_living_kept(samples, tmp_path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    for name, files in {
        ".a.crops.u8.building": ["crops.u8", "manifest.json"],
        ".b.crops.u8.building": [],
        ".c.crops.u8.building": ["x"],
    }.items():
        (folder / name).mkdir()
        for file in files:
            (folder / name / file).write_bytes(b"old")
    with scratch_folder(folder, "crops.u8") as (living, _):
        crops = open_crops(samples, SMALL, decode="pillow", folder=folder)
        assert _listing(folder) == sorted([living.name, crops.path.name])
    assert _listing(folder) == [crops.path.name]


def test_auto_takes_dali_where_it_is_within_one_level(samples, tmp_path, monkeypatch) -> None:
    pytest.importorskip("nvidia.dali")

    def decoder(name: str, preprocessing: Preprocessing, decode="auto") -> str:
        crops = open_crops(samples, preprocessing, decode=decode, folder=tmp_path / name)
        assert [sample.id for sample in crops.bad] == ["2/broken.jpg"]
        return crops.decoder

    assert decoder("bilinear", SMALL).startswith("dali-")
    assert decoder("bilinear", SMALL).endswith("-cpu")
    assert decoder("bicubic", Preprocessing(36, 32, "bicubic")).startswith("pillow-")
    with pytest.raises(BackendError, match="bicubic"):
        decoder("bicubic", Preprocessing(36, 32, "bicubic"), decode="dali")
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)
    with pytest.raises(BackendError, match="cannot be imported"):
        decoder("absent", SMALL, decode="dali")
    with pytest.warns(UserWarning, match="DALI is installed but cannot be used"):
        assert decoder("absent", SMALL).startswith("pillow-")


def test_dali_rows_match_pillow_rows(samples, tmp_path) -> None:
    pytest.importorskip("nvidia.dali")
    ours = open_crops(samples, SMALL, decode="dali", folder=tmp_path / "cache")
    pillows = open_crops(samples, SMALL, decode="pillow", folder=tmp_path / "cache")
    assert ours.path != pillows.path
    assert (ours.sha256, ours.bad) == (pillows.sha256, pillows.bad)
    assert np.abs(ours.images.astype(np.int16) - pillows.images).max() <= 1


def test_progress_bar_only_when_asked_for(samples, tmp_path, capsys) -> None:
    for progress, shown in ((None, False), (False, False), (True, True)):
        open_crops(samples, SMALL, decode="pillow", folder=tmp_path / str(progress), progress=progress)
        error = capsys.readouterr().err
        assert ("71/71" in error) is shown


def test_wrong_arguments(samples, tmp_path) -> None:
    with pytest.raises(DataError, match="wanted at least one sample"):
        open_crops([], SMALL, folder=tmp_path)
    with pytest.raises(DataError, match="wanted one of 'auto', 'dali', 'dali-mixed', 'pillow', got 'turbo'"):
        open_crops(samples, SMALL, decode="turbo", folder=tmp_path)  # type: ignore[arg-type]


def test_a_disk_without_room_for_anything_is_refused_before_any_work(samples, tmp_path, monkeypatch) -> None:
    used = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: used._replace(free=31))
    with pytest.raises(DataError, match=r"wanted to write 32 bytes to .*, got: 31 bytes free; make room"):
        open_crops(samples[:1], SMALL, decode="pillow", folder=tmp_path / "cache")
    assert _listing(tmp_path / "cache") == []


def test_cache_folder_that_is_a_file(samples, tmp_path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="wanted to write"):
        open_crops(samples[:1], SMALL, decode="pillow", folder=tmp_path / "file")


@pytest.mark.parametrize("kind", ["pillow", "dali"])
def test_crops_that_are_not_kept_are_decoded_again(kind, samples, tmp_path) -> None:
    if kind == "dali":
        pytest.importorskip("nvidia.dali")
    good = samples[:-1]
    options = {"decode": kind, "folder": tmp_path / "cache"}
    other, kept = (open_crops(good, SMALL, cache_bytes=most, **options) for most in (0, "auto"))
    assert (other.shortage, kept.shortage) == (Shortage(70 * 32 * 32 * 3, 0), None)
    assert (other.sha256, other.decoder, other.bad) == (kept.sha256, kept.decoder, kept.bad)
    assert _listing(other.path) == ["digests.u8", "manifest.json"]
    for rows in ([3], [69, 0, 0, 7], np.arange(70)):
        assert np.array_equal(other.images[rows], kept.images[rows])
    assert open_crops(good, SMALL, cache_bytes=0, **options).path == kept.path, "what is there is used"
    good[5].path.write_bytes(good[6].path.read_bytes())
    other.images[[4, 6]]
    with pytest.raises(DataError, match=r"015\.jpg: wanted the image that it was when the run began, got other bytes"):
        other.images[[4, 5]]


def test_bad_images_are_found_although_no_crops_are_kept(samples, tmp_path) -> None:
    crops = open_crops(samples, SMALL, decode="pillow", folder=tmp_path, cache_bytes=0)
    assert [sample.id for sample in crops.bad] == ["2/broken.jpg"]


def test_a_budget_counts_what_is_there(samples, tmp_path) -> None:
    options = {"decode": "pillow", "folder": tmp_path / "cache"}
    size = 32 * 32 * 3
    first = open_crops(samples[:4], SMALL, cache_bytes=4 * size, **options)
    assert isinstance(first.images, np.memmap), "just enough"
    (tmp_path / "cache/.dead.crops.u8.building").mkdir()
    (tmp_path / "cache/.dead.crops.u8.building/crops.u8").write_bytes(bytes(9 * size))
    assert foresee_crops(samples[4:6], SMALL, cache_bytes=6 * size, **options).kept
    beyond = open_crops(samples[4:6], SMALL, cache_bytes=6 * size - 1, **options)
    assert beyond.shortage == Shortage(2 * size, 2 * size - 1)
    assert beyond.path.parent == tmp_path / "cache"
    assert sorted(path.parent.name for path in (tmp_path / "cache").rglob("crops.u8")) == [first.path.name]
    assert not foresee_crops(samples[4:6], SMALL, cache_bytes=6 * size, coming=1, **options).kept
    again = open_crops(samples[4:6], SMALL, cache_bytes=6 * size, **options)
    assert again.shortage is None
    assert np.array_equal(again.images, beyond.images[[0, 1]])


def test_auto_takes_95_percent_of_the_free_disk(samples, tmp_path, monkeypatch) -> None:
    options = {"decode": "pillow", "folder": tmp_path / "not/there/yet"}
    size = 32 * 32 * 3
    used = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: used._replace(free=2 * size))
    assert open_crops(samples[:2], SMALL, **options).shortage == Shortage(2 * size, int(0.95 * 2 * size))
    assert not foresee_crops(samples[:2], SMALL, cache_bytes=10**9, **options).kept, "nor does a number take more"
    assert not foresee_crops(samples[:1], SMALL, coming=size, **options).kept
    assert open_crops(samples[:1], SMALL, **options).shortage is None


def test_a_damaged_entry_makes_room_for_itself(samples, tmp_path) -> None:
    options = {"decode": "pillow", "folder": tmp_path / "cache", "cache_bytes": 2 * 32 * 32 * 3}
    first = open_crops(samples[:2], SMALL, **options)
    (first.path / "manifest.json").write_text("{")
    again = open_crops(samples[:2], SMALL, **options)
    assert (again.path, again.shortage) == (first.path, None)
    assert isinstance(again.images, np.memmap)


def test_damaged_digests_are_made_again(samples, tmp_path) -> None:
    options = {"decode": "pillow", "folder": tmp_path / "cache", "cache_bytes": 0}
    first = open_crops(samples[:2], SMALL, **options)
    digests = bytearray((first.path / "digests.u8").read_bytes())
    digests[40] ^= 1
    (first.path / "digests.u8").write_bytes(digests)
    again = open_crops(samples[:2], SMALL, **options)
    assert again.sha256 == first.sha256
    assert again.images[[0, 1]].shape == (2, 32, 32, 3)


def test_what_is_read_twice_at_once_is_decoded_once_by_a_decoder_that_can_be_closed(samples) -> None:
    decoded: list[int] = []
    open_now = 0

    class Noted(PillowDecoder):
        def __init__(self) -> None:
            nonlocal open_now
            super().__init__(SMALL, 1)
            open_now += 1

        def decode(self, items):
            decoded.append(len(items))
            return super().decode(items)

        def close(self) -> None:
            nonlocal open_now
            super().close()
            open_now -= 1

    digests = [np.frombuffer(hashlib.sha256(sample.path.read_bytes()).digest(), np.uint8) for sample in samples[:3]]
    crops = Redecoded(samples[:3], np.stack(digests), Noted)
    shown = crops[[2, 0, 2, 2]]
    assert decoded == [2]
    assert np.array_equal(shown, np.stack([crops[[row]][0] for row in (2, 0, 2, 2)]))
    assert open_now == 1
    crops.close()
    crops.close()
    assert open_now == 0
    assert np.array_equal(crops[[0]], shown[[1]]), "it is opened again"
    crops.close()
    assert open_now == 0


def test_building_one_kind_leaves_live_builders_of_the_other(samples, tmp_path) -> None:
    for payload, most in (("digests.u8", "auto"), ("crops.u8", 0)):
        folder = tmp_path / payload
        folder.mkdir()
        with scratch_folder(folder, payload) as (scratch, _):
            open_crops(samples[:2], SMALL, decode="pillow", folder=folder, cache_bytes=most)
            assert _listing(scratch) == [payload]
