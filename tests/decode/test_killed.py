# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache's builder killed, starved of disk, raced and given many images, each in a process of its own."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from visionbias.decode.cache import open_crops
from visionbias.types import Preprocessing, Sample

COUNT = 150
BUILD = """
import sys
from pathlib import Path
from visionbias.decode.cache import open_crops
from visionbias.types import Preprocessing, Sample
image, folder, count = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
samples = [Sample(f"{row:04}", image, 0) for row in range(count)]
"""
OPEN = (
    BUILD
    + """
crops = open_crops(samples, Preprocessing(), decode="pillow", folder=folder)
print(crops.sha256, int(crops.images[::7].sum(dtype="int64")))
"""
)


@pytest.fixture
def image(draw, encode, tmp_path) -> Path:
    path = tmp_path / "image.jpg"
    path.write_bytes(encode(draw(90, 80), "JPEG"))
    return path


def _samples(image: Path, count: int) -> list[Sample]:
    return [Sample(f"{row:04}", image, 0) for row in range(count)]


def test_sigkill_leaves_nothing_that_passes_for_a_cache(image, tmp_path) -> None:
    folder = tmp_path / "cache"
    whole = COUNT * 224 * 224 * 3
    interrupted = 0
    for fraction in (0.0, 0.25, 0.5, 0.75, 1.0):
        child = subprocess.Popen(
            [sys.executable, "-c", OPEN, str(image), str(folder), str(COUNT)], stdout=subprocess.DEVNULL
        )
        while child.poll() is None:
            scratch = [path.stat().st_size for path in folder.glob(".*.building/crops.u8")]
            if scratch and max(scratch) >= fraction * whole:
                break
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        finished = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if finished:  # the last kill may come after the rename, and only then
            assert fraction == 1.0
        interrupted += not finished
    assert interrupted >= 4
    crops = open_crops(_samples(image, COUNT), Preprocessing(), decode="pillow", folder=folder)
    assert not crops.bad
    assert (crops.images == crops.images[0]).all()
    assert crops.images[0].any()
    assert [path.name for path in folder.iterdir()] == [crops.path.name]


def test_two_builders_at_once_agree_on_one_entry(image, tmp_path) -> None:
    folder = tmp_path / "cache"
    command = [sys.executable, "-c", OPEN, str(image), str(folder), "60"]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    results = {child.communicate()[0] for child in children}
    assert [child.returncode for child in children] == [0, 0, 0]
    assert len(results) == 1
    crops = open_crops(_samples(image, 60), Preprocessing(), decode="pillow", folder=folder)
    assert [path.name for path in folder.iterdir()] == [crops.path.name]


def test_full_disk_is_one_error_and_leaves_nothing(image, tmp_path, run_child) -> None:
    script = (
        BUILD
        + """
import resource
from visionbias.errors import DataError
resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
try:
    open_crops(samples, Preprocessing(), decode="pillow", folder=folder)
except DataError as error:
    print(error)
"""
    )
    message = run_child(script, str(image), str(tmp_path / "cache"), "40").strip()
    assert message.startswith(
        f"crop cache: wanted to write {40 * 224 * 224 * 3} bytes to {tmp_path / 'cache'}, got: File"
    )
    assert message.endswith("or give the study a smaller cache_bytes (0 writes no crops)")
    assert list((tmp_path / "cache").iterdir()) == []


def test_memory_does_not_grow_with_the_number_of_images(image, tmp_path, run_child) -> None:
    script = (
        BUILD
        + """
import resource
crops = open_crops(samples[:200], Preprocessing(), decode="pillow", folder=folder)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
crops = open_crops(samples, Preprocessing(), decode="pillow", folder=folder)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    )
    grown_kib = int(run_child(script, str(image), str(tmp_path / "cache"), "600"))
    added_kib = 400 * 224 * 224 * 3 / 1024
    assert grown_kib < added_kib / 4


def test_crops_outlive_a_cleared_cache(image, tmp_path) -> None:
    crops = open_crops(_samples(image, 3), Preprocessing(), decode="pillow", folder=tmp_path / "cache")
    before = np.array(crops.images)
    shutil.rmtree(tmp_path / "cache")
    assert np.array_equal(crops.images, before)
