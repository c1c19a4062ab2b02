# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The 48 ResNet-50 of Gavrikov & Keuper, "Can Biases in ImageNet Models Explain Generalization?" (CVPR 2024).

Names and categories are those of the study's tables, links and normalization those of the loader published with it.
"""

import difflib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

from visionbias.errors import CheckpointError
from visionbias.models.checkpoint import WEIGHT_SUFFIXES, Checkpoint
from visionbias.models.hub import State, cached_file, compare_with_first, fetch_file, file_state
from visionbias.runtime.cache_folder import cache_folder
from visionbias.types import Normalization

Category = Literal[
    "baseline", "training_recipes", "augmentation", "stylized", "freezing", "adversarial_training", "contrastive"
]

Layout = Literal[
    "zoo",  # whatever timm or torchvision publishes
    "wrapped",  # ResNet-50's own keys, perhaps below "state_dict" or another usual key, perhaps after "module."
    "robustness",  # below "model", after "module.model.", beside a normalizer and a second copy for attacks
    "auxiliary_bn",  # wrapped, with a second batch norm, "aux_bn", inside every batch norm
    "backbone_and_head",  # a wrapped backbone without classifier, and its linear classifier in a file of its own
    "simclrv2",  # below "resnet", with the numbered layers of the model that TensorFlow's weights were copied into
]

_ARCH = "timm:resnet50.tv_in1k"  # its data configuration is the study's: 256, central 224, bilinear
_RAW = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))  # pixels in [0, 1] as they are


@dataclass(frozen=True, slots=True)
class StudyModel:
    """A checkpoint of the study: where it comes from and how its file is laid out."""

    name: str
    category: Category
    source: str | None  # a name of timm or torchvision, or a link; None where none is known
    layout: Layout = "wrapped"
    head: str | None = None  # link to the file of its classifier, where that is another one
    normalization: Normalization | None = None  # None: ImageNet's
    remark: str = ""

    @property
    def path(self) -> Path:
        """Where its weight file is kept."""
        return self._kept("", self.source)

    @property
    def files(self) -> list[tuple[str | None, Path]]:
        """Link and place of each of its files; none for a model of timm or torchvision."""
        if self.layout == "zoo":
            return []
        head = [] if self.head is None else [(self.head, self._kept(".head", self.head))]
        return [(self.source, self.path), *head]

    def _kept(self, part: str, link: str | None) -> Path:
        suffix = Path(urlparse(link or "").path).suffix
        return cache_folder() / "study" / f"{self.name}{part}{suffix if suffix in WEIGHT_SUFFIXES else '.pth'}"


def study_model(name: str) -> StudyModel:
    """A checkpoint by its name in the study.

    Raises:
        CheckpointError: the study has none of that name; names close to it are given.
    """
    if name in MODELS:
        return MODELS[name]
    close = difflib.get_close_matches(name, MODELS, n=5) or ["tv_resnet50", "..."]
    raise CheckpointError(
        f"study:{name}: the study has no such model; did you mean {', '.join(close)}? "
        "`visionbias models 'study:*'` lists all"
    )


def matching(pattern: str) -> list[str]:
    """The names that match a shell pattern, in the order of the categories."""
    return [name for name in MODELS if fnmatchcase(name, pattern)]


def state_of(model: StudyModel) -> State:
    """Whether its weight files are on this machine. Opens no socket. Not for models of timm or torchvision."""
    states = [file_state(link, path) for link, path in model.files]
    order: tuple[State, ...] = ("unknown source", "dead link", "needs download", "cached")
    return min(states, key=order.index)


def architecture(name: str) -> str:
    """The name in timm or torchvision of what a model is built as.

    Raises:
        CheckpointError: unknown name.
    """
    model = study_model(name)
    return model.source if model.layout == "zoo" and model.source is not None else _ARCH


def normalization(name: str) -> Normalization | None:
    """What the images of a model are normalized with; `None` for what timm or torchvision says.

    Raises:
        CheckpointError: unknown name.
    """
    model = study_model(name)
    return None if model.layout == "zoo" else model.normalization or Normalization()


def fetch(name: str, *, offline: bool) -> str | Checkpoint:
    """The entry of a study that loads this model: a name of timm or torchvision, or a checkpoint whose files are here.

    Raises:
        CheckpointError: unknown name, or a file that is not here and cannot be had, or not what it was; all files are
            named.
    """
    model = study_model(name)
    if model.layout == "zoo" and model.source is not None:
        return model.source
    problems = []
    for link, path in model.files:
        try:
            if not cached_file(path):
                fetch_file(link, path, offline=offline)
        except CheckpointError as error:
            problems.append(str(error))
    if problems:
        remark = f" ({model.remark})" if model.remark else ""
        raise CheckpointError(f"study:{name}: {'; '.join(problems)}{remark}")
    return Checkpoint(
        model.path,
        arch=_ARCH,
        name=f"study:{name}",
        normalization=normalization(name),
        head=model.files[1][1] if model.head else None,
    )


def require_first_weights(name: str, weights_sha256: str) -> None:
    """Check that a model of timm or torchvision has the weights that it had when it was first used; the first time,
    record them. Those of all other models are known by their files: see `fetch`.

    Args:
        name: of the model in the study.
        weights_sha256: of the loaded weights, so it does not matter in which file format they are published, but it
            does what the module calls them.

    Raises:
        CheckpointError: they are others, or the record cannot be written or read.
    """
    model = study_model(name)
    if model.layout != "zoo":
        return
    record = cache_folder() / "study" / f"{name}.sha256"
    otherwise = (
        f"the weights of {model.source} have changed since, or what timm or torchvision calls them: delete their file, "
        "and it is fetched again, install the version of then"
    )
    try:
        compare_with_first(record, weights_sha256, f"weights of {model.source}", otherwise)
    except CheckpointError as error:
        raise CheckpointError(f"study:{name}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{record}: cannot keep the sha256 of weights: {error.strerror or error}") from error


def _timm(*tags: str) -> list[StudyModel]:
    return [StudyModel(f"resnet50.{t}", "training_recipes", f"timm:resnet50.{t}", "zoo") for t in tags]


def _drive(
    name: str,
    category: Category,
    file_id: str,
    layout: Layout = "wrapped",
    normalization: Normalization | None = None,
) -> StudyModel:
    link = f"https://drive.usercontent.google.com/download?id={file_id}&export=download&confirm=t"
    return StudyModel(name, category, link, layout, normalization=normalization)


def _robust(*threats: str) -> list[StudyModel]:
    folder = "https://huggingface.co/madrylab/robust-imagenet-models/resolve/main"
    return [
        StudyModel(f"robust_resnet50_{t}", "adversarial_training", f"{folder}/resnet50_{t}.ckpt", "robustness")
        for t in threats
    ]


_GEIRHOS = "https://bitbucket.org/robert_geirhos/texture-vs-shape-pretrained-models/raw"
_FACEBOOK = "https://dl.fbaipublicfiles.com"

MODELS: dict[str, StudyModel] = {
    model.name: model
    for model in (
        StudyModel("tv_resnet50", "baseline", "timm:resnet50.tv_in1k", "zoo"),
        StudyModel("tv2_resnet50", "training_recipes", "torchvision:resnet50.IMAGENET1K_V2", "zoo"),
        *_timm("a1_in1k", "a1h_in1k", "a2_in1k", "a3_in1k", "b1k_in1k", "b2k_in1k", "c1_in1k", "c2_in1k", "d_in1k"),
        _drive("resnet50_augmix_180ep", "augmentation", "1z-1V3rdFiwqSECz7Wkmn4VJVefJGJGiF"),
        _drive("resnet50_deepaugment", "augmentation", "1DPRElQnBG66nd7GUphVm1t-5NroL7t7k"),
        _drive("resnet50_deepaugment_augmix", "augmentation", "1QKmc_p6-qDkh51WvsaS9HKFv8bX5jLnP"),
        StudyModel(
            "resnet50_diffusionnoise_fixed_nonoise",
            "augmentation",
            None,
            normalization=_RAW,
            remark="the published loader has only resnet50_diffusionnoise_nonoise, which it takes from "
            "https://huggingface.co/paulgavrikov/resnet50.in1k_diffusionnoise_90ep/resolve/main/"
            "resnet50_diffusionnoise_nonorm_last.pth",
        ),
        _drive("resnet50_noisymix", "augmentation", "1Na79fzPZ0Azg01h6kGn1Xu5NoWOElSuG"),
        _drive("resnet50_opticsaugment", "augmentation", "1y0MSlVfzZBKZQEiZF2FCOmsk-91miIHR"),
        _drive("resnet50_pixmix_90ep", "augmentation", "1_i45yvC88hos50QjkoD97OgbDGreKdp9"),
        _drive("resnet50_pixmix_180ep", "augmentation", "1cgKYXDym3wgquf-4hwr_Ra3qje6GNHPH"),
        StudyModel(
            "resnet50_prime",
            "augmentation",
            "https://zenodo.org/record/5801872/files/ResNet50_ImageNet_PRIME_noJSD.ckpt?download=1",
        ),
        _drive("resnet50_tsbias_debiased", "augmentation", "1r-OSfTtrlFhB9GPiQXUE1h6cqosaBePw", "auxiliary_bn"),
        _drive("resnet50_tsbias_sbias", "augmentation", "1p0fZ9rU-J1v943tA7PlNMLuDXk_1Iy3K", "auxiliary_bn"),
        _drive("resnet50_tsbias_tbias", "augmentation", "1tFy2Q28rAqqreaS-27jifpyPzlohKDPH", "auxiliary_bn"),
        StudyModel(
            "resnet50_trained_on_SIN",
            "stylized",
            f"{_GEIRHOS}/6f41d2e86fc60566f78de64ecff35cc61eb6436f/resnet50_train_60_epochs-c8e5653e.pth.tar",
        ),
        StudyModel(
            "resnet50_trained_on_SIN_and_IN",
            "stylized",
            f"{_GEIRHOS}/60b770e128fffcbd8562a3ab3546c1a735432d03/"
            "resnet50_train_45_epochs_combined_IN_SF-2a0d100e.pth.tar",
        ),
        StudyModel(
            "resnet50_trained_on_SIN_and_IN_then_finetuned_on_IN",
            "stylized",
            f"{_GEIRHOS}/60b770e128fffcbd8562a3ab3546c1a735432d03/resnet50_finetune_60_epochs_lr_decay_after_30_start_"
            "resnet50_train_45_epochs_combined_IN_SF-ca06340c.pth.tar",
        ),
        _drive("resnet50_frozen_random", "freezing", "1IT65JJauql-Jdw-0AjAhEGGApGMVx-VE"),
        *_robust("l2_eps0", "l2_eps0.01", "l2_eps0.03", "l2_eps0.05", "l2_eps0.1", "l2_eps0.25", "l2_eps0.5"),
        *_robust("l2_eps1", "l2_eps3", "l2_eps5"),
        *_robust("linf_eps0.5", "linf_eps1.0", "linf_eps2.0", "linf_eps4.0", "linf_eps8.0"),
        StudyModel(
            "resnet50_dino",
            "contrastive",
            f"{_FACEBOOK}/dino/dino_resnet50_pretrain/dino_resnet50_pretrain.pth",
            "backbone_and_head",
            head=f"{_FACEBOOK}/dino/dino_resnet50_pretrain/dino_resnet50_linearweights.pth",
        ),
        StudyModel(
            "resnet50_swav",
            "contrastive",
            f"{_FACEBOOK}/deepcluster/swav_800ep_pretrain.pth.tar",
            "backbone_and_head",
            head=f"{_FACEBOOK}/deepcluster/swav_800ep_eval_linear.pth.tar",
        ),
        StudyModel("resnet50_moco_v3_100ep", "contrastive", f"{_FACEBOOK}/moco-v3/r-50-100ep/linear-100ep.pth.tar"),
        StudyModel("resnet50_moco_v3_300ep", "contrastive", f"{_FACEBOOK}/moco-v3/r-50-300ep/linear-300ep.pth.tar"),
        StudyModel("resnet50_moco_v3_1000ep", "contrastive", f"{_FACEBOOK}/moco-v3/r-50-1000ep/linear-1000ep.pth.tar"),
        _drive("resnet50_simclrv2", "contrastive", "1fDaMhujPnxo4SYOe4asPqCKQ3XB_sZvj", "simclrv2", _RAW),
    )
}
