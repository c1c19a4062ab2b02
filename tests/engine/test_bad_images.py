# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Every kind of image that a set can hold: unusable ones fail the run by name or are counted, odd ones are measured."""

import os
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import visionbias as vb

Make = Callable[..., vb.Study]


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds no pixel."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    )
    packed = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.fixture
def spoiled(image_folder: Path, tmp_path: Path) -> tuple[Path, list[str]]:
    """The image folder with unusable files of every kind in it, and their ids."""
    root = tmp_path / "spoiled"
    shutil.copytree(image_folder, root)
    whole = next((root / "class_2").glob("*.png")).read_bytes()
    contents = {
        "empty.png": b"",
        "page.jpg": b"<html>404</html>",
        "cut.png": whole[: len(whole) // 2],
        "corrupt.jpg": b"\xff\xd8\xff\xe0" + b"\xaa" * 500,
        "no-pixels.png": png_header(0, 40),
        "bomb.png": png_header(60000, 60000),
        "text.webp": b"just text",
    }
    for row, (name, content) in enumerate(contents.items()):
        (root / f"class_{row % 3}" / name).write_bytes(content)
    if sys.platform == "linux":
        (root / "class_0" / "loop.png").symlink_to("loop.png")
        (root / "class_1" / "gone.png").symlink_to("nowhere.png")
        (root / "class_1" / os.fsdecode(b"caf\xe9.png")).write_bytes(whole)
        os.mkfifo(root / "class_2" / "pipe.png")
    good = {path.relative_to(image_folder) for path in image_folder.rglob("*.png")}
    found = (path.relative_to(root) for path in root.rglob("*.*"))
    return root, sorted(str(path).encode("utf-8", "backslashreplace").decode() for path in found if path not in good)


def test_bad_images_fail_the_run_all_named(make_study: Make, spoiled: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, names = spoiled
    n = len(names)
    with pytest.raises(vb.DataError) as caught:
        make_study(data=root, max_bad=n - 1).run(tmp_path / "run", progress=False)
    for name in (*names, f"{n} of {37 + n}", f"max_bad={n}"):
        assert name in str(caught.value)
    assert not (tmp_path / "run" / "run.json").exists()


def test_allowed_bad_images_are_left_out_and_counted(
    make_study: Make, spoiled: tuple[Path, list[str]], tmp_path: Path
) -> None:
    root, names = spoiled
    run = make_study(data=root, max_bad=len(names)).run(tmp_path / "run", progress=False)
    summary = run.summary()
    assert "left 0" in str(make_study(data=root, max_bad=len(names)).plan(tmp_path / "run"))
    assert (summary["n"] == 37).all()
    assert (summary["bad"] == len(names)).all()
    assert [sample.id for sample in run.bad_samples] == names
    assert not set(names) & set(run.records().to_table()["sample_id"].to_pylist())
    clean = make_study().run(tmp_path / "clean", progress=False)
    assert summary.drop(columns="bad").to_csv() == clean.summary().drop(columns="bad").to_csv()


def test_odd_images_are_measured_as_their_rgb(make_study: Make, tmp_path: Path) -> None:
    """CMYK, grey, alpha, palette, 16 bits, several frames: each has the records of the same picture in plain RGB."""
    rng = np.random.default_rng(5)
    plain = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((40, 44))
    grey = plain.convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    odd = {
        "cmyk.tif": (plain.convert("CMYK"), plain.convert("CMYK")),
        "grey.png": (grey, grey),
        "alpha.png": (plain.convert("RGBA"), plain),
        "palette.png": (plain.quantize(32), plain.quantize(32)),
        "wide.png": (wide, grey),
        "animated.gif": (plain.quantize(32), plain.quantize(32)),
    }
    for name, (image, same) in odd.items():
        for folder, picture in (("odd", image), ("plain", same.convert("RGB"))):
            path = tmp_path / folder / f"class_{len(name) % 3}" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            frames = {"save_all": True, "append_images": [grey]} if folder == "odd" and name.endswith("gif") else {}
            picture.save(path if folder == "odd" else path.with_suffix(".png"), **frames)
    tables = []
    for folder in ("odd", "plain"):
        classes = {f"class_{i}": i for i in range(3)}
        present = {path.name: classes[path.name] for path in (tmp_path / folder).iterdir()}
        data = vb.ImageFolder(tmp_path / folder, label_map=present)
        run = make_study(data=data, cache=tmp_path / "cache").run(tmp_path / f"run-{folder}", progress=False)
        assert not run.bad_samples
        frame = run.records().to_table().to_pandas()
        frame["sample_id"] = [id_.rpartition(".")[0] for id_ in frame["sample_id"]]
        tables.append(frame.sort_values(["model", "condition", "sample_id"], ignore_index=True))
    assert len(tables[0]) == 2 * 23 * len(odd)
    assert tables[0].equals(tables[1])
