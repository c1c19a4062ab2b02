# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""PGD through the engine: its records and numbers, what does not change them, and models that cannot be attacked."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from run_folders import records_of
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import visionbias as vb
from visionbias.probes import make_probe
from visionbias.records.gallery import read_gallery, thumbnail

Make = Callable[..., vb.Study]

BAND = vb.bandpass(0.1, 0.6)
PROBE = vb.PGD(eps=4 / 255, steps=3, bands=BAND)
NAMES = ["pgd-3-eps4-step1", "pgd-3-eps4-step1-bandpass-0.1-0.6-disk"]


@pytest.fixture(scope="module")
def reference(make_study: Make, tmp_path_factory: pytest.TempPathFactory) -> vb.Run:
    """The run that the variants are compared with."""
    study = make_study(probes=[vb.Accuracy(), PROBE])
    return study.run(tmp_path_factory.mktemp("reference") / "run", progress=False)


def shown(image_folder: Path) -> vb.StimulusBatch:
    """All images as the engine crops them, in [0, 1]."""
    (batch,) = vb.stimuli(
        image_folder,
        [vb.Accuracy()],
        batch_size=64,
        preprocessing=vb.Preprocessing(resize=36, crop=32),
        normalization=vb.Normalization((0.0,) * 3, (1.0,) * 3),
        decode="pillow",
        device="cpu",
    )
    return batch


def normalized(images: Tensor) -> Tensor:
    usual = vb.Normalization()
    return (images - torch.tensor(usual.mean).view(3, 1, 1)) / torch.tensor(usual.std).view(3, 1, 1)


def test_records_and_columns_are_those_of_a_plain_loop(
    reference: vb.Run, image_folder: Path, tiny_net: type[nn.Module]
) -> None:
    batch, net = shown(image_folder), tiny_net(2).eval()
    frame = records_of(reference).set_index(["model", "condition", "sample_id"])
    row = reference.summary().set_index("model").loc["second"]

    def model(images: Tensor) -> Tensor:
        return net(normalized(images)).double()

    for name, column, band in zip(NAMES, ("pgd", f"pgd[{BAND.name}]"), (None, BAND), strict=True):
        attacked = vb.pgd(
            model, batch.images, batch.labels, eps=4 / 255, steps=3, sample_ids=batch.sample_ids, band=band
        )
        with torch.no_grad():
            probability = model(attacked).softmax(dim=1)
        rows = frame.loc[[("second", name, id_) for id_ in batch.sample_ids]]
        own = probability[torch.arange(37), batch.labels].numpy()
        # Another batch size has other last bits, and a slope next to zero another sign.
        assert np.abs(rows["p_label"].to_numpy() - own).max() < 0.01
        assert (rows["pred"].to_numpy() == probability.argmax(dim=1).numpy()).mean() > 0.95
        clean = frame.loc[[("second", "clean", id_) for id_ in batch.sample_ids]]
        assert rows["p_label"].mean() < clean["p_label"].mean()
        correct = (rows["pred"] == rows["label"]).to_numpy()
        assert row[column] == correct.mean()
        assert row[f"{column}_low"] < row[column] < row[f"{column}_high"]
    assert row["pgd_n"] == 37
    assert row["pgd"] <= row["top1"]


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_batch_size_changes_nothing(reference: vb.Run, make_study: Make, tmp_path: Path, batch_size: int) -> None:
    run = make_study(probes=[vb.Accuracy(), PROBE], batch_size=batch_size).run(tmp_path / "run", progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    assert run.summary().to_csv() == reference.summary().to_csv()


def test_shards_and_what_is_made_again_are_the_whole(reference: vb.Run, make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[vb.Accuracy(), PROBE])
    for shard in ((2, 3), (0, 3), (1, 3)):
        run = study.run(tmp_path / "run", shard=shard, progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    lost = sorted((tmp_path / "run" / "records").glob("model=first/condition=pgd-3-eps4-step1/*"))
    assert lost
    lost[0].unlink()
    assert study.plan(tmp_path / "run").units_done < 2 * 3 * 37
    run = study.run(tmp_path / "run", progress=False)
    pd.testing.assert_frame_equal(records_of(run), records_of(reference), check_exact=True)
    assert run.summary().to_csv() == reference.summary().to_csv()


def test_the_seed_changes_attacked_images_only(reference: vb.Run, make_study: Make, tmp_path: Path) -> None:
    run = make_study(probes=[vb.Accuracy(), PROBE], seed=1).run(tmp_path / "run", progress=False)
    frame = records_of(run)
    same = (frame["margin"] == records_of(reference)["margin"]).groupby(frame["condition"]).mean()
    assert same["clean"] == 1
    assert (same[NAMES] < 0.5).all()


def test_of_many_classes_for_one_the_mean_probabilities_are_attacked(
    make_study: Make, image_folder: Path, tmp_path: Path
) -> None:
    """A model of seven classes, six of which are those of the data in pairs."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 7, 5, stride=3), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
        net[0].weight.data *= 3

    groups = {"class_0": [4, 0], "class_1": [1, 6], "class_2": [2, 3]}
    data = vb.ImageFolder(image_folder, label_map=groups)
    study = make_study(models=[("pairs", net)], data=data, probes=[vb.PGD(eps=8 / 255, steps=4)], forward_batch=37)
    frame = records_of(study.run(tmp_path / "run", progress=False)).set_index("sample_id")
    batch = shown(image_folder)

    def of_pairs(images: Tensor) -> Tensor:
        p = net(normalized(images)).double().softmax(dim=1)
        return torch.stack([p[:, members].mean(dim=1) for members in groups.values()], dim=1).log()

    attacked = vb.pgd(of_pairs, batch.images, batch.labels, eps=8 / 255, steps=4, sample_ids=batch.sample_ids)
    with torch.no_grad():
        log_p = of_pairs(attacked)
        lost = cross_entropy(log_p, batch.labels) - cross_entropy(of_pairs(batch.images), batch.labels)
    own = log_p.exp()[torch.arange(37), batch.labels].numpy()
    assert lost > 0.001
    assert np.abs(frame.loc[list(batch.sample_ids), "p_label"].to_numpy() - own).max() < 1e-4


def test_what_a_plan_and_a_manifest_say(reference: vb.Run, make_study: Make) -> None:
    study = make_study(probes=[vb.Accuracy(), PROBE])
    plan = study.plan(reference.folder)
    assert (plan.units, plan.units_done, plan.gradients) == (2 * 3 * 37, 2 * 3 * 37, 2 * 2 * 37 * 3)
    assert "attacks   444 passes forward and back besides" in str(plan)
    assert "attacks" not in str(make_study().plan())
    assert reference.probes == (vb.Accuracy(), PROBE)
    assert [name for name in study.conditions if name != "clean"] == NAMES


class Masked(nn.Module):
    """A network whose answer is made by a function that has no gradient, or a bad one."""

    def __init__(self, net: nn.Module, make: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.make = net, make

    def forward(self, x: Tensor) -> Tensor:
        return self.make(self.net(x))


def no_grad(net: nn.Module) -> Callable[[Tensor], Tensor]:
    def call(x: Tensor) -> Tensor:
        with torch.no_grad():
            return net(x)

    return call


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_grad, "got logits without one"),
        (lambda net: Masked(net, Tensor.detach), "got logits without one"),
        (lambda net: Masked(net, lambda y: y.detach() + 0 * net.head.bias), "got logits without one"),
        (lambda net: Masked(net, lambda y: torch.from_numpy(y.numpy())), "Can't call numpy"),
        (lambda net: Masked(net, lambda y: y + (y - y).sqrt()), "NaN or infinity for 8 of 8 images"),
        (lambda net: Masked(net, torch.round), "its gradient is zero everywhere"),
    ],
    ids=["no_grad", "detach", "weights-only", "numpy", "nan", "round"],
)
def test_a_model_that_cannot_be_attacked_is_refused_before_anything_is_read(
    make_study: Make,
    image_folder: Path,
    tiny_net: type[nn.Module],
    tmp_path: Path,
    make: Callable[[nn.Module], object],
    message: str,
) -> None:
    (tmp_path / "images" / "class_0").mkdir(parents=True)
    (tmp_path / "images" / "class_0" / "broken.png").write_text("no image")
    models = [("first", tiny_net(1)), ("odd", make(tiny_net(2).eval()))]
    data = vb.ImageFolder(tmp_path / "images", label_map={"class_0": 0, "class_1": 1})
    with pytest.raises(vb.CheckpointError, match=message) as caught:
        make_study(models=models, data=data, probes=[PROBE]).run(tmp_path / "run", progress=False)
    assert "model 'odd'" in str(caught.value)
    if "zero" not in message:  # which a plan does not ask
        with pytest.raises(vb.CheckpointError, match=rf"model 'odd' .*{message}"):
            make_study(models=models, probes=[PROBE]).plan()
    assert not (tmp_path / "run").exists()


def test_a_model_whose_gradient_needs_more_memory_than_there_is(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    class Hungry(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, y: Tensor) -> Tensor:
            return y.clone()

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
            return torch.empty(2**45)

    study = make_study(models=[("hungry", Masked(tiny_net(2), Hungry.apply))], probes=[PROBE])
    with pytest.raises(vb.RunError, match=r"model 'hungry': pgd: no memory on cpu .* use a smaller forward_batch"):
        study.run(tmp_path / "run", progress=False)


def test_a_model_that_fails_under_attack_stops_no_other(
    reference: vb.Run, make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    """Its gradient is NaN at some images: its forward passes succeed."""

    class Spoiled(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, y: Tensor) -> Tensor:
            return y.clone()

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
            return torch.where(grad[:, :1] < 0, grad, torch.nan) if len(grad.unique()) > 12 else grad

    models = [("first", tiny_net(1)), ("spoiled", Masked(tiny_net(2), Spoiled.apply))]
    with pytest.raises(vb.RunError, match=r"spoiled: under condition 'pgd-3-eps4-step1': pgd: .* finite gradient"):
        make_study(models=models, probes=[vb.Accuracy(), PROBE]).run(tmp_path / "run", progress=False)
    summary = vb.open_run(tmp_path / "run").summary().set_index("model")
    assert summary["status"].to_dict() == {"first": "complete", "spoiled": "failed"}
    wanted = reference.summary().set_index("model").loc["first", "pgd"]
    assert summary.loc["first", "pgd"] == wanted


def test_the_gallery_has_images_that_attack_the_first_model(
    reference: vb.Run, image_folder: Path, tiny_net: type[nn.Module]
) -> None:
    pictures = read_gallery(reference.folder, image_folder.name)
    assert [(one.condition, one.model) for one in pictures[::3]] == [("clean", None), *((n, "first") for n in NAMES)]
    batch = shown(image_folder)
    ids = [one.sample_id for one in pictures[:3]]
    rows = [batch.sample_ids.index(id_) for id_ in ids]

    def attacked(seed: int, band: vb.Band | None) -> np.ndarray:
        net = tiny_net(seed).eval()
        images = vb.pgd(
            lambda x: net(normalized(x)).double(),
            batch.images[rows],
            batch.labels[rows],
            eps=4 / 255,
            steps=3,
            sample_ids=ids,
            band=band,
        )
        pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        return np.stack([_pixels(thumbnail(image, 224)) for image in pixels])

    for i, band in ((3, None), (6, BAND)):
        assert [one.sample_id for one in pictures[i : i + 3]] == ids
        kept = np.stack([_pixels(one.jpeg) for one in pictures[i : i + 3]])
        assert np.abs(kept - attacked(1, band)).mean() < 0.2 < np.abs(kept - attacked(2, band)).mean()


def _pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(jpeg)), dtype=float)


def test_a_gallery_is_the_same_whatever_a_batch_holds(make_study: Make, tmp_path: Path) -> None:
    study = make_study(probes=[PROBE], forward_batch=2)
    pictures = read_gallery(study.run(tmp_path / "run", progress=False).folder, study.data.name)
    assert Counter(one.condition for one in pictures) == dict.fromkeys(NAMES, 3)


def test_a_first_model_that_fails_under_attack_has_no_pictures(
    make_study: Make, tiny_net: type[nn.Module], tmp_path: Path
) -> None:
    class Broken(torch.autograd.Function):
        calls = 0

        @staticmethod
        def forward(ctx: object, y: Tensor) -> Tensor:
            return y.clone()

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
            Broken.calls += 1
            if Broken.calls > 1:  # the first is that of the trial
                raise ValueError("broken")
            return grad

    study = make_study(
        models=[("broken", Masked(tiny_net(1), Broken.apply)), ("whole", tiny_net(2))], probes=[vb.Accuracy(), PROBE]
    )
    with pytest.raises(vb.RunError, match=r"1 of 2 models failed.*\n  broken: under condition 'pgd-3"):
        study.run(tmp_path / "run", progress=False)
    assert {one.condition for one in read_gallery(tmp_path / "run", study.data.name)} == {"clean"}


def test_study_files_name_bands(image_folder: Path, tmp_path: Path) -> None:
    from visionbias.engine.study_file import read_study

    path = tmp_path / "study.toml"
    head = f'models = ["timm:resnet18.a1_in1k"]\ndata = "{image_folder}"\n'
    path.write_text(f'{head}probes = ["pgd"]')
    assert read_study(path).conditions == ("pgd-40-eps0.5-step0.125",)
    path.write_text(
        f'{head}probes = [{{ probe = "pgd", eps = 0.01, steps = 5, step_size = 0.004, random_start = false, '
        'bands = [{ kind = "octave", cutoffs = [3] }, { kind = "lowpass", cutoffs = [0.2], window = "gaussian" }] }]'
    )
    (probe,) = read_study(path).probes
    assert probe == vb.PGD(0.01, 5, 0.004, False, (vb.octave(3), vb.lowpass(0.2, "gaussian")))
    assert read_study(path).conditions[1:] == (
        "pgd-5-eps2.55-step1.02-still-octave-3",
        "pgd-5-eps2.55-step1.02-still-lowpass-0.2-gaussian",
    )
    path.write_text(f'{head}probes = [{{ probe = "pgd", bands = [{{ kind = "low" }}] }}]')
    with pytest.raises(vb.RunError, match=r"table with kind \(lowpass, highpass, bandpass, octave\), cutoffs"):
        read_study(path)


def test_settings_of_the_study_and_what_a_manifest_keeps() -> None:
    probe = vb.PGD.study(bands=[vb.highpass(0.3), vb.bandpass(0.1, 0.2, "butterworth", 3), vb.octave(2)])
    assert (probe.eps, probe.steps, probe.step_size, probe.random_start) == (0.5 / 255, 40, 2 / 255, True)
    assert probe.attacks[0].condition == "pgd-40-eps0.5-step2"
    assert make_probe(probe.config()) == probe
    assert replace(vb.PGD(), step_size=0.125 / 255).attacks == vb.PGD().attacks


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"eps": 0}, vb.RunError, r"eps must be in \(0, 1\]"),
        ({"eps": 1.5}, vb.RunError, "eps must be in"),
        ({"eps": float("nan")}, vb.RunError, "eps must be in"),
        ({"eps": "big"}, vb.RunError, "eps must be a number"),
        ({"step_size": -1}, vb.RunError, "step_size must be in"),
        ({"step_size": float("inf")}, vb.RunError, "step_size must be in"),
        ({"steps": 0}, vb.RunError, "steps must be a whole number of at least 1, got 0"),
        ({"steps": 1.5}, vb.RunError, "steps must be a whole number"),
        ({"steps": True}, vb.RunError, "steps must be a whole number"),
        ({"random_start": 1}, vb.RunError, "random_start must be True or False"),
        ({"bands": "lowpass"}, vb.RunError, "bands must be one or more Band"),
        ({"bands": (3,)}, vb.RunError, "wanted a Band or a table"),
        ({"bands": (vb.octave(1), vb.octave(1))}, vb.RunError, "bands of different names"),
        ({"bands": (vb.highpass(0.1, offset=0.5),)}, vb.RunError, "no offset"),
        ({"bands": ({"kind": "lowpass", "cutoffs": [0.1, 0.2, "x"]},)}, vb.RunError, "cutoffs must be a number"),
        ({"bands": ({"kind": "octave", "cutoffs": [1, 2]},)}, vb.RunError, "octave"),
        ({"bands": ({"kind": ["lowpass"], "cutoffs": [0.2]},)}, vb.RunError, "wanted a Band or a table"),
        ({"bands": ({"kind": "lowpass", "cutoffs": [2]},)}, vb.DataError, "cutoff must be a fraction"),
        ({"bands": ({"kind": "lowpass", "cutoff": 0.2},)}, vb.RunError, "kind .*, cutoffs, window and order"),
    ],
)
def test_what_the_probe_refuses(options: dict[str, object], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        vb.PGD(**options)  # type: ignore[arg-type]


def test_there_are_no_stimuli_without_a_model(image_folder: Path) -> None:
    with pytest.raises(vb.RunError, match=r"attacks are made for a model, .* vb.pgd"):
        next(vb.stimuli(image_folder, [PROBE]))
