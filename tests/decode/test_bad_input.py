# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of image file that a data set can hold and no decoder likes: listed by id, and no neighbor suffers."""

import os
import struct
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from visionbias.decode.cache import open_crops
from visionbias.decode.pillow import decode_pillow
from visionbias.errors import DataError
from visionbias.types import Preprocessing, Sample

SMALL = Preprocessing(36, 32)


def _jpeg_header(width: int, height: int) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
    return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


@pytest.fixture
def refused(draw, encode, make_png) -> dict[str, tuple[bytes, str]]:
    """Name -> content, and what the reason must say."""
    jpeg, png = encode(draw(160, 150), "JPEG"), encode(draw(160, 150), "PNG")
    pixels = png.index(b"IDAT")
    corrupt_png = bytearray(png)
    corrupt_png[pixels + 4 : pixels + 40] = b"\xff" * 36
    nothing = zlib.compress(b"")
    return {
        "corrupt.jpg": (b"\xff\xd8\xff\xe0" + b"\xaa" * 500, "truncated|not an image"),
        "corrupt.png": (bytes(corrupt_png), "unrecognized data stream|broken data stream"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "truncated-late.jpg": (jpeg[:-60], "truncated"),
        "truncated.png": (png[: len(png) // 2], "truncated"),
        "truncated.gif": (encode(draw(160, 150, "P"), "GIF")[:5000], "truncated|not an image"),
        "empty.jpg": (b"", "empty file"),
        "page.jpg": (b"\n<!DOCTYPE html><html><body>404</body></html>", "an HTML page"),
        "zero-pixels.png": (make_png(0, 40, 8, 2, nothing, None), "."),
        "zero-pixels.jpg": (_jpeg_header(0, 0), "."),
        "bomb.png": (make_png(60000, 60000, 8, 2, nothing, None), "3600000000 pixels|60000 x 60000 pixels"),
        "bomb.jpg": (_jpeg_header(60000, 60000), "3600000000 pixels|60000 x 60000 pixels"),
        "just-too-large.png": (make_png(9460, 9460, 8, 2, nothing, None), "9460 x 9460 pixels, limit 89478485 pixels"),
        "elongated.png": (encode(draw(1, 90000), "PNG"), "too elongated"),
        "notes.txt": (b"just text", "not an image"),
    }


@pytest.mark.parametrize("decode", ["pillow", "dali"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_each_is_listed_and_its_neighbors_are_whole(draw, encode, refused, write_samples, tmp_path, decode) -> None:
    if decode == "dali":
        pytest.importorskip("nvidia.dali")
    files: dict[str, bytes] = {}
    for row, (name, (content, _)) in enumerate(refused.items()):
        files[f"{row:02}-good.jpg"] = encode(draw(50, 44, seed=row), "JPEG")
        files[name] = content
    files["last.jpg"] = encode(draw(50, 44, seed=99), "JPEG")
    samples = write_samples(files)
    crops = open_crops(samples, SMALL, decode=decode, folder=tmp_path / "cache")
    assert [sample.id for sample in crops.bad] == list(refused)
    reasons = {sample.id: sample.reason for sample in crops.bad}
    for name, (_, reason) in refused.items():
        with pytest.raises(DataError, match=f"(?i){reason}"):
            decode_pillow(files[name], SMALL)
        assert "\n" not in reasons[name]
        assert 0 < len(reasons[name]) <= 160
        assert "object at" not in reasons[name]
    for row, sample in enumerate(samples):
        if sample.id in refused:
            assert not crops.images[row].any()
        else:
            expected = decode_pillow(files[sample.id], SMALL).astype(np.int16)
            assert np.abs(crops.images[row] - expected).max() <= (1 if decode == "dali" else 0)
    again = open_crops(samples, SMALL, decode=decode, folder=tmp_path / "cache")
    assert again.bad == crops.bad


def test_bomb_is_refused_from_its_header(make_png) -> None:
    for data in (make_png(60000, 60000, 8, 2, b"", None), _jpeg_header(60000, 60000)):
        with pytest.raises(DataError, match="pixels"):
            decode_pillow(data, SMALL)


def test_files_that_cannot_be_read(draw, encode, write_samples, tmp_path) -> None:
    good = write_samples({"good.png": encode(draw(40, 40), "PNG")})[0]
    root = good.path.parent
    (root / "folder.png").mkdir()
    (root / "loop.png").symlink_to(root / "loop.png")
    (root / "broken-link.png").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe.png")
    reasons = {
        "folder.png": "not a regular file",
        "loop.png": "cannot be read: Too many levels of symbolic links",
        "broken-link.png": "cannot be read: No such file or directory",
        "vanished.png": "cannot be read: No such file or directory",
        "pipe.png": "not a regular file",
        "null\0byte.png": "cannot be read: embedded null byte",
    }
    samples = [good]
    for name in reasons:
        samples += [Sample(name, root / name, 0), Sample(f"after {name}", good.path, 0)]
    crops = open_crops(samples, SMALL, decode="pillow", folder=tmp_path / "cache")
    assert {sample.id: sample.reason for sample in crops.bad} == reasons
    expected = decode_pillow(good.path.read_bytes(), SMALL)
    for row, sample in enumerate(samples):
        assert np.array_equal(crops.images[row], np.zeros_like(expected) if sample.id in reasons else expected)


PERMISSION = """
import mmap, os, sys
from pathlib import Path
from PIL import Image
from visionbias.decode.cache import open_crops
from visionbias.types import Preprocessing, Sample
folder = Path(sys.argv[1])
samples = [Sample(name, folder / name, 0) for name in ("a.png", "b.png")]
(folder / "b.png").chmod(0)
Image.init()  # like mmap, loaded now: the interpreter's own files may be out of the unprivileged user's reach
if os.geteuid() == 0:
    os.seteuid(65534)
def look():
    crops = open_crops(samples, Preprocessing(36, 32), decode="pillow", folder=folder / "cache")
    print(crops.bad, crops.images[1].any(), crops.path.name)
look()
look()
os.seteuid(os.getuid())
if os.geteuid():  # root reads it as it is
    (folder / "b.png").chmod(0o644)
look()
"""


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_unreadable_file_is_listed_until_it_can_be_read(draw, encode, run_child) -> None:
    # Not tmp_path: its parents are closed to the unprivileged user that the child becomes when run as root.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        for row, file in enumerate(("a.png", "b.png")):
            (folder / file).write_bytes(encode(draw(40, 40, seed=row), "PNG"))
        lines = run_child(PERMISSION, name).splitlines()
    listed = "(BadSample(id='b.png', reason='cannot be read: Permission denied'),) False "
    assert lines[0].startswith(listed)
    assert lines[1] == lines[0]
    assert lines[2].startswith("() True ")
    if os.geteuid() == 0:  # the file has not changed, and neither has the name of its entry
        assert lines[2].split()[-1] == lines[0].split()[-1]
