# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Accuracy in groups, from a manifest with a `group` column to the summary."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import visionbias as vb
from visionbias.report.text import summary_table


def by_brightness(x: torch.Tensor) -> torch.Tensor:
    """Two classes: dark and bright."""
    mean = x.mean(dim=(1, 2, 3))
    return torch.stack([-mean, mean], dim=1)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Flat images; "bright" ones of the attic are dark, so a group of four has two errors, one of three has none."""
    attic = [("bright", "attic", 10), ("bright", "attic", 10), ("dark", "attic", 10), ("dark", "attic", 20)]
    garden = [("bright", "garden", 250), ("bright", "garden", 240), ("dark", "garden", 5)]
    rows = ["path,label,group"]
    for i, (label, group, level) in enumerate([*attic, *garden, ("dark", "", 250)]):
        Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{label},{group}")
    path = tmp_path / "photos.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def study(manifest: Path) -> vb.Study:
    return vb.Study(
        models=[("m", by_brightness)],
        data=vb.CsvManifest(manifest, label_map={"bright": 1, "dark": 0}),
        probes=[vb.Accuracy()],
        preprocessing=vb.Preprocessing(resize=8, crop=8),
        decode="pillow",
        device="cpu",
        cache=manifest.parent / "cache",
    )


def test_each_group_and_the_worst(manifest: Path, tmp_path: Path) -> None:
    summary = study(manifest).run(tmp_path / "run", progress=False).summary()
    row = summary.iloc[0]
    assert row["top1"] == 5 / 8
    assert "top5" not in summary  # of two classes, any answer is among the five
    assert (row["top1[attic]"], row["n[attic]"]) == (2 / 4, 4)
    assert (row["top1[garden]"], row["n[garden]"]) == (3 / 3, 3)
    assert row["worst_group_top1"] == 2 / 4
    assert row["worst_group_top1_low"] < 2 / 4 < row["worst_group_top1_high"]
    assert "worst_group_top1" in summary_table(summary)
    assert vb.open_run(tmp_path / "run").summary().to_csv() == summary.to_csv()


def test_other_groups_are_another_study(manifest: Path, tmp_path: Path) -> None:
    study(manifest).run(tmp_path / "run", progress=False)
    manifest.write_text(manifest.read_text().replace("garden", "cellar", 1))
    with pytest.raises(vb.RunError, match=r"data\.photos\.labels_sha256"):
        study(manifest).run(tmp_path / "run", progress=False)


def test_no_groups_no_columns(manifest: Path, tmp_path: Path) -> None:
    manifest.write_text("\n".join(line.rpartition(",")[0] for line in manifest.read_text().splitlines()))
    summary = study(manifest).run(tmp_path / "run", progress=False).summary()
    assert not [name for name in summary.columns if "group" in name or "[" in name]
    assert np.isclose(summary.loc[0, "top1"], 5 / 8)
