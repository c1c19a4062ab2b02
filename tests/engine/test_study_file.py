# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Study files: the same study as in Python, and errors that name the key."""

from collections.abc import Callable
from pathlib import Path

import pytest

import visionbias as vb
from visionbias.engine.study_file import read_study

WHOLE = """
models = [
    "timm:test_resnet",
    { path = "weights.safetensors", arch = "resnet18", name = "mine", mean = [0.5, 0.5, 0.5], std = [0.2, 0.2, 0.2] },
]
data = { folder = "images", label_map = { class_0 = 0, class_1 = [1, 2], class_2 = 3 } }
probes = ["accuracy", { probe = "spectral_bias", cutoffs = [0.1, 0.5], offset = 0.5 }]
preprocessing = { resize = 36, crop = 32 }
batch_size = 4
max_bad = 2
model_memory_bytes = 1_000_000
cache_bytes = 2_000_000
seed = 9
decode = "pillow"
"""


@pytest.fixture
def write(tmp_path: Path, image_folder: Path) -> Callable[[str], Path]:
    (tmp_path / "images").symlink_to(image_folder)

    def to_file(text: str) -> Path:
        path = tmp_path / "study.toml"
        path.write_text(text)
        return path

    return to_file


def test_every_key_arrives(write: Callable[[str], Path], tmp_path: Path) -> None:
    study = read_study(write(WHOLE))
    assert list(study.model_ids) == ["timm:test_resnet", "mine"]
    assert study.models[1].path == tmp_path / "weights.safetensors"
    assert study.models[1].normalization == vb.Normalization((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    assert len(study.data.samples) == 37
    assert study.probes == (vb.Accuracy(), vb.SpectralBias(cutoffs=(0.1, 0.5), offset=0.5))
    assert study.preprocessing == vb.Preprocessing(resize=36, crop=32)
    assert (study.batch_size, study.max_bad, study.seed, study.decode) == (4, 2, 9, "pillow")
    assert study.model_memory_bytes == 1_000_000
    assert study.cache_bytes == 2_000_000
    assert "highpass-0.5-offset0.5" in study.conditions


def test_heads_and_models_of_the_study(write: Callable[[str], Path], tmp_path: Path) -> None:
    text = WHOLE.replace('"timm:test_resnet"', '"study:robust_resnet50_linf*"')
    study = read_study(write(text.replace('arch = "resnet18"', 'arch = "resnet18", head = "head.pth"')))
    assert study.models[-1].head == tmp_path / "head.pth"
    assert study.model_ids[0] == "study:robust_resnet50_linf_eps0.5"
    assert len(study.model_ids) == 6


def test_the_published_cue_conflict_set(write: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "cues/cat").mkdir(parents=True)
    for name in ("cat1-dog1.png", "cat2-cat1.png"):
        (tmp_path / "cues/cat" / name).touch()
    text = WHOLE.replace(", label_map = { class_0 = 0, class_1 = [1, 2], class_2 = 3 }", "")
    for keys, name in (("", "cues"), (", official = false", "cues"), (", official = true, allow_partial = true", None)):
        study = read_study(write(text.replace('folder = "images"', f'cue_conflict = "cues"{keys}')))
        assert study.data.name == (name or "cues[partial]")
    with pytest.raises(vb.DataError, match="2 of 1,280 images"):
        read_study(write(text.replace('folder = "images"', 'cue_conflict = "cues", official = true')))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seed = 9", "sead = 9"), r"sead: unknown key; allowed: models, data, probes"),
        (("max_bad = 2", 'max_bad = "two"'), r"max_bad: .* got 'two'"),
        (('decode = "pillow"', 'decode = "opencv"'), r"decode: .*'auto', 'dali', 'dali-mixed' or 'pillow'"),
        (('folder = "images"', 'foldr = "images"'), r"data\.foldr: unknown key; allowed: folder, csv"),
        (('folder = "images"', 'folder = "images", csv = "x.csv"'), r"exactly one of folder, csv, cue_conflict"),
        (('folder = "images"', 'folder = "images", root = "x"'), r"root goes with csv only"),
        (
            ('folder = "images"', 'folder = "images", classes = ["x"]'),
            r"classes must name all .* lacks class_0, class_1",
        ),
        (('folder = "images"', 'cue_conflict = "images", classes = ["x"]'), r"classes goes with folder or csv only"),
        (('folder = "images"', 'folder = "images", official = true'), r"official goes with cue_conflict only"),
        (
            ('folder = "images"', 'cue_conflict = "x", allow_partial = true'),
            r"goes with benchmark, or official",
        ),
        ((", std = [0.2, 0.2, 0.2]", ""), r"models\.1: .*mean and std together"),
        (("cutoffs = [0.1, 0.5]", 'cutoffs = ["low"]'), r"SpectralBias: cutoffs must be .*'low'"),
        (('arch = "resnet18"', 'ark = "resnet18"'), r"models\.1\.ark: unknown key; allowed: path, arch"),
        (('"accuracy"', '"acuracy"'), r"probe must be one of accuracy, critical_band, .*; got 'acuracy'"),
        (("offset = 0.5", "ofset = 0.5"), r"has no option ofset; allowed: cutoffs, offset"),
        (("crop = 32", "crop = 40"), r"crop <= resize"),
        (("probes =", "probes = 3 #"), r"probes: .*list"),
        (("seed = 9", "seed = = 9"), r"no valid TOML"),
    ],
)
def test_wrong_keys_and_values_are_named(write: Callable[[str], Path], change: tuple[str, str], message: str) -> None:
    with pytest.raises(vb.VisionBiasError, match=message):
        read_study(write(WHOLE.replace(*change)))


def test_a_wrong_table_is_not_called_wrong_text(write: Callable[[str], Path]) -> None:
    with pytest.raises(vb.RunError) as caught:
        read_study(write(WHOLE.replace('folder = "images"', 'foldr = "images"') + "_note = 1\n"))
    assert "valid string" not in str(caught.value)
    assert "  _note: unknown key" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_it(write: Callable[[str], Path]) -> None:
    path = write(WHOLE)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_study(path).seed == 9


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(vb.RunError, match="cannot read the study file"):
        read_study(tmp_path / "absent.toml")
