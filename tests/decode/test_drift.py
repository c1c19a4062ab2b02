# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""How far crops are from Pillow's: what is compared, what comes out, and where it is kept."""

import json

import numpy as np
import pytest

from visionbias.decode import entry
from visionbias.decode.cache import open_crops
from visionbias.decode.choice import decoder_name, kind_of, new_decoder
from visionbias.decode.dali import DaliDecoder
from visionbias.decode.drift import Drift, DriftMeter, joined
from visionbias.decode.pillow import decode_pillow
from visionbias.errors import BackendError
from visionbias.types import Preprocessing

SMALL = Preprocessing(36, 32)


@pytest.fixture
def samples(draw, encode, write_samples):
    files = {f"{row:03}.jpg": encode(draw(90, 70 + row, seed=row), "JPEG") for row in range(9)}
    return write_samples(files | {"broken.jpg": b"\xff\xd8\xff"})


@pytest.fixture
def on_cpu(monkeypatch) -> None:
    """DALI's CPU decoder takes the place of the one that needs a GPU."""
    pytest.importorskip("nvidia.dali")
    monkeypatch.setattr(entry, "new_decoder", lambda _, rule, gpu: new_decoder("dali", rule, gpu))


def test_drift_of_dali_on_the_cpu_is_within_its_bound(draw, encode) -> None:
    pytest.importorskip("nvidia.dali")
    items = [encode(draw(500, 375, seed=seed), "JPEG", quality=90) for seed in range(3)]
    crops = DaliDecoder(Preprocessing(), 4, 1).decode(items)
    meter = DriftMeter(len(items), Preprocessing())
    for row, (data, crop) in enumerate(zip(items, crops, strict=True)):
        meter.add(row, data, crop)
    pillows = [decode_pillow(data, Preprocessing()) for data in items]
    difference = np.abs(np.array(crops, np.int16) - np.array(pillows))
    assert meter.drift == Drift(3, pytest.approx(difference.mean()), difference.max())
    assert meter.drift.max_levels == 1
    assert 0 < meter.drift.mean_levels < 0.25


@pytest.mark.parametrize(("n", "images"), [(1, 1), (64, 64), (65, 33), (130, 44), (1000, 63)])
def test_at_most_64_images_at_even_distances_are_compared(draw, encode, n, images) -> None:
    data = encode(draw(40, 40), "PNG")
    crop = decode_pillow(data, SMALL)
    meter = DriftMeter(n, SMALL)
    for row in range(n):
        meter.add(row, data, crop)
    assert meter.drift == Drift(images, 0.0, 0)


def test_every_level_counts_and_what_pillow_refuses_does_not(draw, encode) -> None:
    data = encode(draw(40, 40), "PNG")
    crop = decode_pillow(data, SMALL)
    other = np.where(crop < 128, crop + 7, crop).astype(np.uint8)
    meter = DriftMeter(3, SMALL)
    meter.add(0, b"no image", other)
    assert meter.drift is None
    meter.add(1, data, other)
    assert meter.drift == Drift(1, pytest.approx(7 * (crop < 128).mean()), 7)


def test_joined_drift_is_that_over_all_images() -> None:
    assert joined([None, None]) is None
    assert joined([Drift(3, 1.0, 9), None, Drift(1, 3.0, 4)]) == Drift(4, 1.5, 9)
    assert str(Drift(64, 0.618, 23)) == "0.62 levels from Pillow in the mean, 23 at most, on 64 images"


@pytest.mark.usefixtures("on_cpu")
def test_drift_of_an_entry_is_kept_with_it(samples, tmp_path) -> None:
    crops = open_crops(samples, SMALL, decode="dali-mixed", folder=tmp_path)
    assert crops.decoder == decoder_name("dali-mixed")
    good = [decode_pillow(sample.path.read_bytes(), SMALL).astype(np.int16) for sample in samples[:-1]]
    difference = np.abs(crops.images[:-1] - np.array(good))
    assert crops.drift == Drift(9, pytest.approx(difference.mean()), difference.max())
    assert 0 < crops.drift.max_levels <= 1
    assert [sample.id for sample in crops.bad] == ["broken.jpg"]
    assert open_crops(samples, SMALL, decode="dali-mixed", folder=tmp_path).drift == crops.drift
    manifest = crops.path / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"drift": {"levels": 1}}))
    inode = manifest.stat().st_ino
    assert open_crops(samples, SMALL, decode="dali-mixed", folder=tmp_path).drift == crops.drift
    assert manifest.stat().st_ino != inode


def test_decoders_with_a_bound_are_not_compared_and_have_entries_of_their_own(samples, tmp_path) -> None:
    pytest.importorskip("nvidia.dali")
    found = [open_crops(samples, SMALL, decode=kind, folder=tmp_path) for kind in ("auto", "dali", "pillow")]
    assert [crops.drift for crops in found] == [None, None, None]
    assert found[0].decoder == decoder_name("dali") != decoder_name("dali-mixed")


def test_kind_is_told_from_a_name_of_any_version() -> None:
    assert kind_of("dali-2.4.0-mixed") == "dali-mixed"
    assert kind_of("dali-0.0.1-cpu") == "dali"
    assert kind_of("pillow-13.0.0") == "pillow"
    assert kind_of("opencv-4") is None


def test_bicubic_resizing_is_refused_on_a_gpu_too(samples, tmp_path) -> None:
    with pytest.raises(BackendError, match="wanted bilinear resizing, got bicubic"):
        open_crops(samples, Preprocessing(36, 32, "bicubic"), decode="dali-mixed", folder=tmp_path)
