# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""From a study's entry to a model: names, modules, callables, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from visionbias.errors import CheckpointError
from visionbias.models.checkpoint import Checkpoint
from visionbias.models.forward import Forward
from visionbias.models.resolve import architecture_of, model_id, model_ids, resolve_model, untrained
from visionbias.types import Normalization, Preprocessing

Weights = Callable[..., dict[str, Tensor]]
CPU = torch.device("cpu")


class Small(nn.Module):
    """Three classes, with the parts that a careless caller would change: dropout, batch norm, a flag."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


# entries and ids


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("timm:resnet50.a1_in1k", "timm:resnet50.a1_in1k"),
        ("torchvision:resnet50", "torchvision:resnet50"),
        (Checkpoint("x/mine.safetensors", arch="resnet50"), "mine"),
        (("net", Small()), "net"),
        (("fn", lambda x: x), "fn"),
    ],
)
def test_ids_need_no_loading(entry: object, wanted: str) -> None:
    assert model_id(entry) == wanted


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("resnet50", "try 'timm:resnet50'"),
        ("hub:resnet50", "try 'timm:resnet50'"),
        ("weights/best.pt", r"try Checkpoint\('weights/best.pt', arch=\.\.\.\)"),
        ("timm:", "got 'timm:'"),
        (Small(), r"got a Small without an id; try \('mine', module\)"),
        (lambda x: x, "got a function without an id"),
        (("", Small()), "must not be empty"),
        (("net", "resnet50"), "wanted 'timm:<name>'"),
        ((Small(), "net"), "wanted 'timm:<name>'"),
        (None, "got None"),
    ],
)
def test_entries_of_no_known_kind(entry: object, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        model_id(entry)


def test_ids_are_unique() -> None:
    files = [Checkpoint(f"{folder}/model.pt", arch="resnet50") for folder in "ab"]
    assert model_ids([files[0], ("other", Small())]) == ("model", "other")
    with pytest.raises(CheckpointError, match="got 'model'; name them"):
        model_ids(files)
    with pytest.raises(CheckpointError, match="got 'A', 'a'; name them"):
        model_ids([("a", Small()), ("A", Small())])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm:resnet5O", "did you mean .*resnet50"),
        ("timm:resnet50.nonsense", "resnet50 has no tag 'nonsense'; did you mean .*resnet50.a1_in1k"),
        ("torchvision:resnet5", "no such classifier; did you mean .*resnet50"),
        ("torchvision:resnet50.V7", "has no weights 'V7'; it has IMAGENET1K_V1, IMAGENET1K_V2"),
        ("torchvision:fasterrcnn_resnet50_fpn", "no such classifier"),
    ],
)
def test_unknown_names_come_with_close_ones(lookups: list[object], name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        resolve_model(name, device=CPU)
    assert lookups == []


def test_unknown_architecture_of_a_file(weights: Weights, tmp_path: Path) -> None:
    save_file(weights(), tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"did you mean .*test_resnet"):
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="test_resnets"), device=CPU)
    with pytest.raises(CheckpointError, match="arch='hub:resnet50' names no known family"):
        resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="hub:resnet50"), device=CPU)


# published weights

NAMES = ["timm:test_resnet.r160_in1k", "timm:gcvit_xxtiny.in1k", "torchvision:squeezenet1_1"]


@pytest.fixture
def empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of the Hugging Face hub and of PyTorch's hub with nothing in them."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_offline_opens_no_socket(lookups: list[object], empty_caches: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"offline=True forbids the download; use a file you have: Checkpoint\("):
        resolve_model(name, device=CPU, offline=True)
    assert lookups == []


@pytest.mark.parametrize("name", NAMES)
def test_failed_download_is_one_clear_error(lookups: list[object], empty_caches: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match=r"the download failed \(.*\); use a file you have: Checkpoint\("):
        resolve_model(name, device=CPU)
    assert 0 < len(lookups) <= 2  # no long series of retries


def test_cached_timm_weights_need_no_network(lookups: list[object], empty_caches: Path, weights: Weights) -> None:
    repository = empty_caches / "hf" / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
    state = weights(num_classes=1000)
    save_file(state, repository / "snapshots" / ("0" * 40) / "model.safetensors")
    save_file(state, empty_caches / "own.safetensors")
    own = resolve_model(Checkpoint(empty_caches / "own.safetensors", arch="test_resnet"), device=CPU)
    for offline in (True, False):
        model = resolve_model("timm:test_resnet.r160_in1k", device=CPU, offline=offline)
        assert model.weights_sha256 == own.weights_sha256
    assert lookups == []


def test_cached_torchvision_weights_need_no_network(lookups: list[object], empty_caches: Path) -> None:
    from torchvision.models import SqueezeNet1_1_Weights, squeezenet1_1

    folder = empty_caches / "torch" / "checkpoints"
    folder.mkdir(parents=True)
    state = squeezenet1_1().state_dict()
    torch.save(state, folder / SqueezeNet1_1_Weights.DEFAULT.url.rpartition("/")[2])
    model = resolve_model("torchvision:squeezenet1_1", device=CPU, offline=True)
    assert model.num_classes == 1000
    assert model.preprocessing == Preprocessing(256, 224, "bilinear")
    assert isinstance(model.call, nn.Module)
    assert torch.equal(model.call.state_dict()["classifier.1.bias"], state["classifier.1.bias"])
    assert lookups == []


def test_timm_architecture_without_published_weights(lookups: list[object]) -> None:
    published = {name.partition(".")[0] for name in timm.list_pretrained("resne*")}
    name = next(name for name in timm.list_models("resne*") if name not in published)
    with pytest.raises(CheckpointError, match=r"timm publishes no weights for it; use your own: Checkpoint\("):
        resolve_model(f"timm:{name}", device=CPU)
    assert lookups == []


# data configurations


def checkpoint(weights: Weights, folder: Path, arch: str, **options: Any) -> Checkpoint:
    path = folder / "m.safetensors"
    save_file(weights(arch=arch), path)
    return Checkpoint(path, arch=arch, **options)


def test_timm_data_config(weights: Weights, tmp_path: Path) -> None:
    model = resolve_model(checkpoint(weights, tmp_path, "test_vit"), device=CPU)
    assert model.preprocessing == Preprocessing(resize=168, crop=160, interpolation="bicubic")  # floor(160 / 0.95)
    assert model.normalization == Normalization((0.5,) * 3, (0.5,) * 3)


def test_given_normalization_wins(weights: Weights, tmp_path: Path) -> None:
    wanted = Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    model = resolve_model(checkpoint(weights, tmp_path, "test_resnet", normalization=wanted), device=CPU)
    assert model.normalization == wanted
    assert model.preprocessing.crop == 160


def test_what_no_preprocessing_can_express_is_said_when_asked_for() -> None:
    module = timm.create_model("test_resnet", pretrained=False).eval()
    module.pretrained_cfg["crop_mode"] = "squash"
    model = resolve_model(("squashed", module), device=CPU)
    assert model.normalization == Normalization((0.5,) * 3, (0.5,) * 3)
    with pytest.raises(CheckpointError, match=r"crop_mode 'squash'.*pass preprocessing='study'"):
        _ = model.preprocessing


def test_published_weights_choose_the_torchvision_transform(tmp_path: Path) -> None:
    from torchvision.models import resnet18

    save_file(resnet18(num_classes=3).state_dict(), tmp_path / "m.safetensors")
    model = resolve_model(Checkpoint(tmp_path / "m.safetensors", arch="torchvision:resnet18"), device=CPU)
    assert (model.num_classes, model.preprocessing, model.normalization) == (3, Preprocessing(), Normalization())
    from visionbias.models import torchvision

    assert torchvision.data_config("resnet50").rule == Preprocessing(232, 224)
    assert torchvision.data_config("resnet50.IMAGENET1K_V1").rule == Preprocessing(256, 224)


# modules and callables


def test_a_module_of_yours_is_not_changed() -> None:
    module = Small().half()
    module.body[1].eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    model = resolve_model(("mine", module), device=CPU)
    x = torch.rand(4, 3, 16, 16)
    forward = Forward(model, device=CPU, batch=4, dtype=torch.bfloat16)
    assert torch.equal(forward(x), forward(x))
    assert [layer.training for layer in module.modules()] == [True, True, True, False, True, True]
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    assert module.head.weight.dtype == torch.float16


def test_a_module_that_is_ready_is_not_copied() -> None:
    module = Small().eval()
    model = resolve_model(("mine", module), device=CPU)
    assert model.call is module
    assert (model.num_classes, model.normalization, model.preprocessing) == (3, Normalization(), Preprocessing())
    assert model.weights_sha256 is not None


def test_a_module_that_cannot_be_copied() -> None:
    module = Small()
    module.lock = (i for i in ())  # type: ignore[assignment]
    with pytest.raises(CheckpointError, match=r"cannot be copied .*call \.eval\(\)"):
        resolve_model(("mine", module), device=CPU)
    assert resolve_model(("mine", module.eval()), device=CPU).call is module


def test_a_module_with_nan() -> None:
    module = Small().eval()
    with torch.no_grad():
        module.head.bias[1] = float("nan")
    with pytest.raises(CheckpointError, match=r"'mine': 1 of the 3 values of 'head.bias'"):
        resolve_model(("mine", module), device=CPU)


@pytest.mark.parametrize("layer", [nn.Linear(3, 2, device="meta"), nn.LazyLinear(2)])
def test_a_module_without_values(layer: nn.Module) -> None:
    module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), layer)
    with pytest.raises(CheckpointError, match=r"model 'mine': 2 of its tensors hold no values, such as 2\.weight"):
        resolve_model(("mine", module), device=CPU)


def test_infinite_masks_are_no_fault() -> None:
    module = Small().eval()
    module.register_buffer("mask", torch.tensor([0.0, -float("inf")]))
    assert resolve_model(("mine", module), device=CPU).num_classes == 3


def test_a_callable() -> None:
    model = resolve_model(("mine", lambda x: x.mean((2, 3))), device=CPU)
    assert (model.num_classes, model.weights_sha256) == (3, None)


def test_a_callable_with_its_own_size_and_batch() -> None:
    def fixed(x: Tensor) -> Tensor:
        return x.reshape(8, -1)[:, : 3 * 64 * 64][:, :5] if x.shape == (8, 3, 64, 64) else x[0]

    with pytest.raises(CheckpointError, match="wanted floating-point logits"):
        resolve_model(("mine", fixed), device=CPU)
    assert resolve_model(("mine", fixed), device=CPU, crop=64, batch=8).num_classes == 5


def test_a_failing_callable_gives_its_reason() -> None:
    def broken(x: Tensor) -> Tensor:
        raise KeyError("layer4")

    with pytest.raises(CheckpointError, match=r"'mine' fails on a .* KeyError: 'layer4'") as caught:
        resolve_model(("mine", broken), device=CPU)
    assert isinstance(caught.value.__cause__, KeyError)


def test_loading_leaves_the_random_numbers_alone(weights: Weights, tmp_path: Path) -> None:
    entry = checkpoint(weights, tmp_path, "test_resnet")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    resolve_model(entry, device=CPU)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("entry", "architecture"),
    [
        ("timm:resnet50.a1_in1k", "timm:resnet50.a1_in1k"),
        ("torchvision:resnet18.IMAGENET1K_V1", "torchvision:resnet18.IMAGENET1K_V1"),
        ("study:resnet50.a1_in1k", "timm:resnet50.a1_in1k"),
        ("study:resnet50_simclrv2", "timm:resnet50.tv_in1k"),
        (Checkpoint("m.pt", arch="test_vit"), "timm:test_vit"),
        (Checkpoint("m.pt", arch="torchvision:vit_b_16"), "torchvision:vit_b_16"),
        (("mine", nn.Identity()), None),
    ],
)
def test_architecture_of_an_entry(entry: Any, architecture: str | None) -> None:
    assert architecture_of(entry) == architecture


def test_untrained_models_are_built_without_their_weights(lookups: list[object]) -> None:
    model = untrained(Checkpoint("absent.pt", arch="test_resnet", num_classes=7), device=CPU)
    assert (model.architecture, model.num_classes, model.channels_last) == ("timm:test_resnet", 7, True)
    assert untrained("timm:test_vit.r160_in1k", device=CPU).num_classes == 1000
    assert lookups == []


@pytest.mark.parametrize(
    ("entry", "crop", "mean"),
    [
        ("timm:resnet50.a1_in1k", 224, 0.485),
        ("timm:resnet50.a3_in1k", 160, 0.485),
        ("torchvision:resnet50.IMAGENET1K_V2", 224, 0.485),
        ("study:resnet50_simclrv2", 224, 0.0),
        (Checkpoint("absent.pt", arch="test_resnet", normalization=Normalization((0.1,) * 3)), 160, 0.1),
    ],
)
def test_untrained_models_see_what_the_trained_ones_do(
    lookups: list[object], entry: Any, crop: int, mean: float
) -> None:
    model = untrained(entry, device=CPU)
    assert (model.preprocessing.crop, model.normalization.mean[0]) == (crop, mean)
    assert lookups == []


class Normalized(nn.Module):
    """A network with one normalization layer."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.features(x).relu().mean(dim=(2, 3))


def in_training_mode() -> Callable[[Tensor], Tensor]:
    module = Normalized(nn.BatchNorm2d(8)).train()
    return lambda x: module(x)


@pytest.mark.parametrize("batch", [1, 4])  # one image is tried beside another
@pytest.mark.parametrize(
    "call",
    [
        in_training_mode(),
        Normalized(nn.BatchNorm2d(8, track_running_stats=False)),
        lambda x: nn.functional.dropout(x.mean(dim=3).flatten(1), training=True),
        lambda x: x.mean(dim=(2, 3)) - x.mean(),
        lambda x: x.mean(dim=(2, 3)).cumsum(0),
        lambda x: x.mean(dim=(2, 3)) - x.mean(dim=(2, 3))[:1],
        lambda x: x.mean(dim=(2, 3)) + torch.arange(len(x))[:, None] / 50,
    ],
    ids=["training mode", "no statistics", "dropout", "mean of the batch", "images before", "first image", "place"],
)
def test_an_answer_must_not_depend_on_the_batch(call: Callable[[Tensor], Tensor], batch: int) -> None:
    with pytest.raises(CheckpointError, match=r"model 'mine': wanted logits of an image that depend on nothing else"):
        resolve_model(("mine", call), device=CPU, crop=32, batch=batch)


def test_a_module_that_torch_has_compiled() -> None:
    module = torch.compile(timm.create_model("test_resnet", num_classes=3).eval(), backend="eager")
    model = resolve_model(("mine", module), device=CPU, crop=32, batch=2)
    assert model.num_classes == 3
    x = torch.rand(2, 3, 32, 32)
    copied = Forward(model, device=CPU, batch=2, dtype=torch.bfloat16)
    torch.testing.assert_close(copied(x), Forward(model, device=CPU, batch=2)(x), rtol=0.05, atol=0.05)


def one_at_a_time(x: Tensor) -> Tensor:
    return x.reshape(1, 3, -1).mean(2)


def single(x: Tensor) -> Tensor:
    if len(x) > 1:
        raise torch.OutOfMemoryError
    return x.mean((2, 3))


@pytest.mark.parametrize("call", [one_at_a_time, single], ids=["other shape", "no memory"])
def test_a_callable_may_take_one_image_only(call: Callable[[Tensor], Tensor]) -> None:
    assert resolve_model(("mine", call), device=CPU, crop=32).num_classes == 3


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("norm", [nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.Identity()])
def test_what_depends_on_its_image_alone_is_taken(norm: nn.Module, batch: int) -> None:
    assert resolve_model(("mine", Normalized(norm)), device=CPU, crop=32, batch=batch).num_classes == 8


@pytest.mark.parametrize("arch", ["test_resnet", "test_efficientnet", "mobilenetv3_small_050"])
def test_features_are_no_logits(arch: str) -> None:
    module = timm.create_model(arch, num_classes=0)
    with pytest.raises(CheckpointError, match=r"its \d+ features; give the model with its classifier"):
        resolve_model(("mine", module), device=CPU, crop=32)


def test_a_head_that_was_exchanged_is_taken() -> None:
    module = timm.create_model("test_resnet", num_classes=10)
    module.fc = nn.Linear(module.num_features, 3)
    assert resolve_model(("mine", module), device=CPU, crop=32).num_classes == 3
    module.num_classes = "three"
    assert resolve_model(("mine", module), device=CPU, crop=32).num_classes == 3
