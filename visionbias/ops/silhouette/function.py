# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The function `silhouette` and its backends."""

from collections.abc import Sequence

import torch
from torch import Tensor

from visionbias.errors import ShapeError
from visionbias.ops.output import Output, finish_reference, prepare_output, writing
from visionbias.ops.silhouette import reference
from visionbias.ops.silhouette.spec import Ground, Kernel
from visionbias.ops.silhouette.torch import torch_kernel
from visionbias.ops.tensors import check_images, check_pixels, float64_pixels, number_between, same_images
from visionbias.runtime.dispatch import Impl, Op


def _reference(output: Output) -> Kernel:
    def run(mask: Tensor, texture: Tensor, ground: Ground, out: Tensor) -> None:
        below = float64_pixels(ground) if isinstance(ground, Tensor) else ground
        filled = reference.silhouette(float64_pixels(mask), float64_pixels(texture), below)
        out.copy_(finish_reference(filled, output))

    return run


OP: Op[Output, Kernel] = Op("silhouette", {"torch": Impl(torch_kernel), "reference": Impl(_reference, on_request=True)})


def silhouette(
    mask: Tensor,  # [N, 1, H, W] coverage, u8 (value / 255) or float in [0, 1]
    texture: Tensor,  # [N, C, H, W] u8 (value / 255) or float in [0, 1]
    *,
    ground: Tensor | float = 0.5,  # [N, C, H, W] of the texture's dtype, or one intensity
    mean: Sequence[float] | Tensor | None = None,  # [C], default 0
    std: Sequence[float] | Tensor | None = None,  # [C], default 1
    dtype: torch.dtype = torch.float32,
    memory_format: torch.memory_format = torch.contiguous_format,
    out: Tensor | None = None,  # [N, C, H, W], any strides
    backend: str = "auto",
) -> Tensor:
    """mask * texture + (1 - mask) * ground, clipped to [0, 1], normalized and cast, [N, C, H, W]. It has no gradient.

    Raises:
        ShapeError: a tensor has the wrong shape, dtype or device, two of them differ in size, `ground` is outside
            [0, 1], or one wants a gradient.
        BackendError: no backend, or not the one asked for, can serve the call.
    """
    check_images("silhouette", texture, "texture")
    check_images("silhouette", mask, "mask")
    n, _, h, w = texture.shape
    if tuple(mask.shape) != (n, 1, h, w) or mask.device != texture.device:
        raise ShapeError(
            f"silhouette: mask must be {(n, 1, h, w)} on {texture.device}, as the texture {tuple(texture.shape)} is, "
            f"got {tuple(mask.shape)} on {mask.device}"
        )
    beside = {"mask": mask}
    if isinstance(ground, Tensor):
        same_images("silhouette", "ground", ground, texture)
        beside["ground"] = ground
    else:
        ground = number_between("silhouette", "ground", ground, 0.0, 1.0)
    output, out = prepare_output(
        "silhouette", texture, (), mean, std, dtype, memory_format, out, name="texture", beside=beside
    )
    for name, images in beside.items():
        check_pixels("silhouette", name, images)
    with writing("silhouette", out):
        OP.pick(output, backend)[1].make(output)(mask, texture, ground, out)
    return out
