# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The 48 checkpoints of the CVPR 2024 study: their list, their links, and files of the shape of each original."""

import csv
import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, get_args

import huggingface_hub.constants
import pytest
import timm
import torch
from torch import Tensor, nn

from visionbias.errors import CheckpointError
from visionbias.models import study
from visionbias.models.catalog import list_models
from visionbias.models.checkpoint import Checkpoint
from visionbias.models.resolve import expanded, model_id, resolve_model
from visionbias.models.state_dict import load_state_dict
from visionbias.models.timm import require_known
from visionbias.models.torchvision import weights as torchvision_weights
from visionbias.types import Normalization, Preprocessing

CPU = torch.device("cpu")
RAW = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place of the study's files, empty."""
    monkeypatch.setenv("VISIONBIAS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "study"


# the list


def test_names_and_categories_are_those_of_the_study() -> None:
    counts = {"baseline": 1, "training_recipes": 10, "augmentation": 12, "stylized": 3, "freezing": 1}
    counts |= {"adversarial_training": 15, "contrastive": 6}
    assert Counter(model.category for model in study.MODELS.values()) == counts
    table = Path(os.environ.get("VISIONBIAS_SHARED", "../shared")) / "golden" / "study_table.csv"
    if table.is_file():
        with table.open() as file:
            published = {row["model"]: row["category"] for row in csv.DictReader(file)}
        assert {model.name: model.category for model in study.MODELS.values()} == published


def test_every_source_is_one_of_its_kind() -> None:
    links = [link for model in study.MODELS.values() for link, _ in model.files if link is not None]
    assert len(set(links)) == len(links) == 38  # 36 files of one model each, two of them with a head beside
    assert all(link.startswith("https://") for link in links)
    paths = [path for model in study.MODELS.values() for _, path in model.files]
    assert len({path.name.casefold() for path in paths}) == len(paths)
    for model in study.MODELS.values():
        if model.layout == "zoo":
            family, _, name = str(model.source).partition(":")
            require_known(name) if family == "timm" else torchvision_weights(name)
    assert [model.name for model in study.MODELS.values() if model.source is None] == [
        "resnet50_diffusionnoise_fixed_nonoise"
    ]


def test_patterns_stand_for_all_that_match() -> None:
    assert len(expanded(["study:*"])) == 48
    mine = ("mine", nn.Identity())
    robust = expanded(["timm:resnet50.*", "study:robust_resnet50_linf*", mine])
    assert [model_id(entry) for entry in robust][:2] == ["timm:resnet50.*", "study:robust_resnet50_linf_eps0.5"]
    assert (len(robust), robust[-1]) == (7, mine)
    with pytest.raises(CheckpointError, match=r"no model of the study matches 'study:rubust\*'"):
        expanded(["study:rubust*"])


def test_unknown_name() -> None:
    with pytest.raises(CheckpointError, match="has no such model; did you mean resnet50_dino"):
        resolve_model("study:resnet50_dyno", device=CPU)


# what the files hold


def constant_state() -> State:
    """A state dict of ResNet-50 with a value of its own for every tensor, which saves as a few bytes each."""
    with torch.device("meta"):
        module = timm.create_model("resnet50", pretrained=False)
    generator = torch.Generator().manual_seed(0)
    return {
        key: (torch.tensor(7) if "num_batches" in key else torch.rand((), generator=generator)).expand(meta.shape)
        for key, meta in module.state_dict().items()
    }


def prefixed(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


def robustness(state: State) -> Any:
    copy = {key: value + 1 for key, value in state.items()}
    normalizer = {"new_mean": torch.zeros(3, 1, 1), "new_std": torch.ones(3, 1, 1)}
    held = prefixed(state, "module.model.") | prefixed(copy, "module.attacker.model.")
    held |= prefixed(normalizer, "module.normalizer.") | prefixed(normalizer, "module.attacker.normalize.")
    return {"model": held, "epoch": 89, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}, "schedule": None}


def auxiliary_bn(state: State) -> Any:
    norms = [key.removesuffix(".running_var") for key in state if key.endswith(".running_var")]
    second = {
        f"{norm}.aux_bn.{key.removeprefix(norm + '.')}": value + 1
        for norm in norms
        for key, value in state.items()
        if key.startswith(f"{norm}.")
    }
    return {"state_dict": prefixed(state | second, "module."), "epoch": 100, "best_acc": 76.9}


def simclrv2(state: State) -> Any:
    """Stem, stages and blocks in nested sequences: convolutions at even places, norm and activation at odd ones."""
    places = {
        "conv1": "net.0",
        "bn1": "net.1.0",
        "conv2": "net.2",
        "bn2": "net.3.0",
        "conv3": "net.4",
        "bn3": "net.5.0",
    }
    places |= {"downsample.0": "projection.shortcut", "downsample.1": "projection.bn.0"}
    renamed = {}
    for key, value in state.items():
        layer, _, leaf = key.rpartition(".")
        if layer.startswith("layer"):
            stage, block, part = layer.split(".", 2)
            layer = f"net.{stage[-1]}.blocks.{block}.{places[part]}"
        elif layer != "fc":
            layer = {"conv1": "net.0.0", "bn1": "net.0.1.0"}[layer]
        renamed[f"{layer}.{leaf}"] = value
    return {"resnet": renamed, "head": {"layers.0.weight": torch.zeros(2, 2)}}


def without_classifier(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("fc.")}


def swav(state: State) -> Any:
    heads = {"projection_head.0.weight": torch.zeros(4, 4), "prototypes.weight": torch.zeros(4, 4)}
    return prefixed(without_classifier(state) | heads, "module.")


def linear(state: State) -> Any:
    found = {"module.linear.weight": state["fc.weight"], "module.linear.bias": state["fc.bias"]}
    return {
        "epoch": 100,
        "state_dict": found,
        "optimizer": {"lr": 0.1},
        "scheduler": {"last_epoch": 100},
        "best_acc": 75,
    }


# (model of the study, what its file holds, what the file of its head holds)
ORIGINALS: list[tuple[str, Callable[[State], Any], Callable[[State], Any] | None]] = [
    ("robust_resnet50_l2_eps3", robustness, None),
    ("resnet50_tsbias_debiased", auxiliary_bn, None),
    ("resnet50_simclrv2", simclrv2, None),
    ("resnet50_swav", swav, linear),
    ("resnet50_dino", without_classifier, linear),
    ("resnet50_prime", lambda s: prefixed(s, "module."), None),
    ("resnet50_moco_v3_100ep", lambda s: {"epoch": 90, "arch": "resnet50", "state_dict": prefixed(s, "module.")}, None),
    ("resnet50_opticsaugment", lambda s: {"model_state_dict": s, "epoch": 90}, None),
    ("resnet50_frozen_random", lambda s: {"online_backbone": prefixed(s, "module."), "args": {"lr": 0.1}}, None),
    ("resnet50_diffusionnoise_fixed_nonoise", lambda s: {"model": prefixed(s, "module."), "epoch": 90}, None),
]


def put(name: str, body: Callable[[State], Any], head: Callable[[State], Any] | None, state: State) -> None:
    for (_, path), content in zip(study.MODELS[name].files, filter(None, (body, head)), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content(state), path)


def test_every_layout_is_tried() -> None:
    tried = {study.MODELS[name].layout for name, _, _ in ORIGINALS}
    assert tried == set(get_args(study.Layout)) - {"zoo"} == {m.layout for m in study.MODELS.values()} - {"zoo"}


@pytest.mark.parametrize(("name", "body", "head"), ORIGINALS, ids=[name for name, _, _ in ORIGINALS])
def test_files_of_the_shape_of_the_originals(
    lookups: list[object],
    name: str,
    body: Callable[[State], Any],
    head: Callable[[State], Any] | None,
) -> None:
    state = constant_state()
    put(name, body, head, state)
    model = resolve_model(f"study:{name}", device=CPU, offline=True)
    assert isinstance(model.call, nn.Module)
    loaded = model.call.state_dict()
    assert loaded.keys() == state.keys()
    assert [key for key, value in loaded.items() if not torch.equal(value, state[key])] == []
    assert (model.id, model.source, model.num_classes) == (f"study:{name}", f"study:{name}", 1000)
    assert model.preprocessing == Preprocessing(256, 224, "bilinear")
    raw = name in ("resnet50_simclrv2", "resnet50_diffusionnoise_fixed_nonoise")
    assert model.normalization == (RAW if raw else Normalization())
    assert lookups == []


@pytest.mark.parametrize("content", ["a classifier of two layers", "no bias"])
def test_a_head_that_is_no_linear_layer(content: str) -> None:
    def wrong(state: State) -> Any:
        return {"fc1.weight": state["fc.weight"], "fc2.weight": state["fc.weight"]} | (
            {"fc2.bias": state["fc.bias"]} if content != "no bias" else {}
        )

    put("resnet50_dino", without_classifier, wrong, constant_state())
    with pytest.raises(CheckpointError, match=r"wanted a classifier of one weight and one bias, got fc1.weight, fc2"):
        resolve_model("study:resnet50_dino", device=CPU)


def test_a_backbone_with_a_missing_layer_is_refused() -> None:
    def torn(state: State) -> Any:
        return {key: value for key, value in swav(state).items() if "layer4.2.conv3" not in key}

    put("resnet50_swav", torn, linear, constant_state())
    with pytest.raises(CheckpointError, match=r"1 missing: layer4\.2\.conv3\.weight"):
        resolve_model("study:resnet50_swav", device=CPU)


def test_selective_kernels_are_another_architecture() -> None:
    def selective(state: State) -> Any:
        held = simclrv2(state)
        moved = held["resnet"].pop("net.1.blocks.0.net.2.weight")
        held["resnet"]["net.1.blocks.0.net.2.main_conv.0.weight"] = moved
        return held

    put("resnet50_simclrv2", selective, None, constant_state())
    with pytest.raises(CheckpointError, match=r"missing: layer1\.0\.conv2\.weight; 1 unexpected: \S+main_conv"):
        resolve_model("study:resnet50_simclrv2", device=CPU)


def test_own_backbones_and_group_norm(tmp_path: Path) -> None:
    module = timm.create_model("test_vit", pretrained=False, num_classes=5)
    state = module.state_dict()
    classifier = {key: value for key, value in state.items() if key.startswith("head.")}
    body = {key: value for key, value in state.items() if key not in classifier} | {"mask_token": torch.zeros(1)}
    torch.save(prefixed(body, "module."), tmp_path / "body.pth")
    torch.save(classifier, tmp_path / "head.pth")
    model = resolve_model(
        Checkpoint(tmp_path / "body.pth", arch="test_vit", head=tmp_path / "head.pth"), device=CPU, offline=True
    )
    assert isinstance(model.call, nn.Module)
    assert model.num_classes == 5
    assert torch.equal(model.call.state_dict()["head.weight"], classifier["head.weight"])

    grouped = timm.create_model("resnet50_gn", pretrained=False, num_classes=5).state_dict()
    assert not any("running" in key for key in grouped)
    torch.save({"state_dict": prefixed(grouped, "module.")}, tmp_path / "gn.pth")
    assert resolve_model(Checkpoint(tmp_path / "gn.pth", arch="resnet50_gn"), device=CPU).num_classes == 5


# weights that timm or torchvision keeps


def put_published(cache: Path, name: str, state: State) -> None:
    """The weight file of a name in the caches of the Hugging Face hub or of PyTorch's hub."""
    family, _, arch = name.partition(":")
    if family == "torchvision":
        path = cache / "torch" / "checkpoints" / torchvision_weights(arch).url.rpartition("/")[2]
    else:
        repository = cache / "hf" / f"models--timm--{arch}"
        path = repository / "snapshots" / ("0" * 40) / "pytorch_model.bin"
        (repository / "refs").mkdir(parents=True, exist_ok=True)
        (repository / "refs" / "main").write_text("0" * 40)
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(state, path)


@pytest.mark.parametrize("name", ["resnet50.a1_in1k", "tv2_resnet50"])
def test_weights_of_the_zoos_are_recorded_and_refused_when_they_change(
    lookups: list[object], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    source, state, record = str(study.MODELS[name].source), constant_state(), folder / f"{name}.sha256"
    put_published(tmp_path, source, state)
    model = resolve_model(f"study:{name}", device=CPU, offline=True)
    assert record.read_text() == f"{model.weights_sha256}  weights of {source}\n"
    assert resolve_model(f"study:{name}", device=CPU, offline=True).weights_sha256 == model.weights_sha256
    put_published(tmp_path, source, state | {"fc.bias": state["fc.bias"] + 1})
    with pytest.raises(
        CheckpointError, match=rf"study:{name}: .*{name}\.sha256 wants another sha256 than .*weights of {source} have"
    ):
        resolve_model(f"study:{name}", device=CPU, offline=True)
    resolve_model(source, device=CPU, offline=True)  # by its own name it is whatever is published
    record.unlink()
    changed = resolve_model(f"study:{name}", device=CPU, offline=True)
    assert record.read_text().startswith(str(changed.weights_sha256))
    assert lookups == []


def test_a_record_that_cannot_be_kept_is_an_error(folder: Path) -> None:
    folder.parent.write_text("no folder")
    with pytest.raises(CheckpointError, match=r"tv_resnet50\.sha256: cannot keep the sha256 of weights: "):
        study.require_first_weights("tv_resnet50", "0" * 64)


# links


class Server:
    """A web server on this machine; `answers` holds status and content by path."""

    def __init__(self, answers: dict[str, tuple[int, bytes]]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content = answers[self.path]
                self.send_response(status)
                self.send_header("Content-Length", str(len(content) + (100 if "cut" in self.path else 0)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.answers = answers


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server({})
    thread = Thread(target=server.server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.server.shutdown()
    server.server.server_close()
    thread.join()


@pytest.fixture
def serve(server: Server, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Puts an answer behind the link of resnet50_prime and gives the name."""

    def put_answer(content: bytes, status: int = 200, file: str = "m.pth") -> str:
        server.answers[f"/{file}"] = (status, content)
        entry = replace(study.MODELS["resnet50_prime"], source=f"{server.url}/{file}")
        monkeypatch.setitem(study.MODELS, "resnet50_prime", entry)
        return "resnet50_prime"

    return put_answer


def test_a_download_is_recorded_and_made_once(serve: Callable[..., str], server: Server, folder: Path) -> None:
    name = serve(b"weights")
    entry = study.fetch(name, offline=False)
    assert isinstance(entry, Checkpoint)
    assert Path(entry.path).read_bytes() == b"weights"
    assert sorted(path.name for path in folder.iterdir()) == ["resnet50_prime.pth", "resnet50_prime.pth.sha256"]
    digest = hashlib.sha256(b"weights").hexdigest()
    assert (folder / "resnet50_prime.pth.sha256").read_text() == f"{digest}  resnet50_prime.pth\n"
    server.answers.clear()
    assert study.fetch(name, offline=True) == entry
    assert list_models("study:*prime") == [("study:resnet50_prime", "augmentation", "cached")]


def test_a_file_that_changed_is_refused(serve: Callable[..., str], folder: Path) -> None:
    name = serve(b"weights")
    study.fetch(name, offline=False)
    (folder / "resnet50_prime.pth").write_bytes(b"other")
    with pytest.raises(CheckpointError, match=r"resnet50_prime\.pth has changed since: delete it"):
        study.fetch(name, offline=True)
    (folder / "resnet50_prime.pth").unlink()
    serve(b"a new version")
    with pytest.raises(CheckpointError, match=r"is another one than was there before: put the file at .*or delete the"):
        study.fetch(name, offline=False)
    assert not (folder / "resnet50_prime.pth").exists()
    serve(b"weights")
    study.fetch(name, offline=False)


def test_a_dead_link_is_named_and_listed(serve: Callable[..., str], folder: Path) -> None:
    name = serve(b"gone", status=404)
    assert study.state_of(study.MODELS[name]) == "needs download"
    with pytest.raises(CheckpointError, match=r"study:resnet50_prime: the link http.* is dead \(404 .*put the file at"):
        study.fetch(name, offline=False)
    assert study.state_of(study.MODELS[name]) == "dead link"
    serve(b"weights")
    study.fetch(name, offline=False)
    assert study.state_of(study.MODELS[name]) == "cached"
    assert not list(folder.glob("*.dead"))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"content": b"<!DOCTYPE html><p>quota"}, "leads to a web page"),
        ({"content": b""}, "leads to a web page"),
        ({"content": b"busy", "status": 503}, r"the server refuses .* \(503"),
        ({"content": b"half", "file": "cut.pth"}, r"the download of .* failed \(IncompleteRead"),
        ({"content": b"x", "file": "resnet-0123abcd.pth"}, r"has not the sha256 0123abcd\.\.\. of its name"),
    ],
)
def test_what_is_no_weight_file(serve: Callable[..., str], folder: Path, answer: dict[str, Any], message: str) -> None:
    name = serve(**answer)
    with pytest.raises(CheckpointError, match=message):
        study.fetch(name, offline=False)
    assert study.state_of(study.MODELS[name]) == "needs download"
    assert list(folder.iterdir()) == []


def test_a_hash_in_the_link_is_checked(serve: Callable[..., str]) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    study.fetch(serve(b"weights", file=f"resnet-{digest[:8]}.pth"), offline=False)


def test_all_missing_files_are_named_without_a_socket(lookups: list[object]) -> None:
    with pytest.raises(CheckpointError, match=r"study:resnet50_swav: .*swav\.tar; .*swav\.head\.tar"):
        resolve_model("study:resnet50_swav", device=CPU, offline=True)
    with pytest.raises(CheckpointError, match=r"offline=True forbids the download"):
        resolve_model("study:tv2_resnet50", device=CPU, offline=True)
    with pytest.raises(CheckpointError, match=r"no source of them is known; put the file at \S+ \(the publ"):
        resolve_model("study:resnet50_diffusionnoise_fixed_nonoise", device=CPU)
    assert lookups == []


def test_no_network_is_one_clear_error(lookups: list[object]) -> None:
    with pytest.raises(CheckpointError, match=r"study:resnet50_prime: the download of https://zenodo\S+ failed"):
        resolve_model("study:resnet50_prime", device=CPU)
    assert len(lookups) == 1


def test_layouts_without_a_study(tmp_path: Path) -> None:
    torch.save(simclrv2(constant_state()), tmp_path / "r50_1x_sk0.pth")
    assert load_state_dict(tmp_path / "r50_1x_sk0.pth").keys() == constant_state().keys()
