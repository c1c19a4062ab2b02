# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""DALI's decoder on a GPU, and what is said where there is none."""

import numpy as np
import pytest
import torch

from visionbias.decode.cache import open_crops
from visionbias.decode.dali import DaliDecoder
from visionbias.decode.pillow import BadReason, decode_pillow
from visionbias.errors import BackendError
from visionbias.types import Preprocessing

pytest.importorskip("nvidia.dali")

GPU = torch.cuda.is_available()
needs_gpu = pytest.mark.skipif(not GPU, reason="no GPU")


@pytest.fixture
def items(draw, encode) -> list[bytes]:
    sizes = [(500, 375), (375, 500), (640, 480), (300, 260), (1200, 900), (257, 256)]
    images = [draw(*size, seed=seed) for seed, size in enumerate(sizes)]
    return [
        *(encode(image, "JPEG", quality=90) for image in images),
        encode(images[0], "JPEG", subsampling=0, progressive=True),
        encode(images[1].convert("L"), "JPEG"),
        encode(images[2], "PNG"),
    ]


@pytest.mark.skipif(GPU, reason="there is a GPU")
def test_without_a_gpu_it_is_refused_by_name_and_auto_never_takes_it(items, write_samples, tmp_path) -> None:
    samples = write_samples({"a.jpg": items[0]})
    with pytest.raises(BackendError, match=r"^decode='dali-mixed': wanted a GPU of index 3 for DALI, got: .* use dec"):
        open_crops(samples, Preprocessing(), decode="dali-mixed", folder=tmp_path, gpu=3)
    assert list(tmp_path.glob("*.building")) == []
    assert open_crops(samples, Preprocessing(), folder=tmp_path).decoder.endswith("-cpu")


@pytest.mark.gpu
@needs_gpu
def test_crops_are_near_pillows_and_the_same_in_any_batch(items) -> None:
    decoder = DaliDecoder(Preprocessing(), 16, 2, "mixed")
    crops = decoder.decode([*items, b"no image"])
    assert isinstance(crops.pop(), BadReason)
    for data, crop in zip(items, crops, strict=True):
        difference = np.abs(crop.astype(np.int16) - decode_pillow(data, Preprocessing()))
        assert difference.mean() < 2
        assert difference.max() < 40
    for data, crop in zip(items[::-1], crops[::-1], strict=True):
        assert np.array_equal(decoder.decode([data])[0], crop)
    decoder.close()


@pytest.mark.gpu
@needs_gpu
def test_entry_holds_the_crops_and_their_drift(items, write_samples, tmp_path) -> None:
    samples = write_samples({f"{row}.jpg": data for row, data in enumerate(items)})
    crops = open_crops(samples, Preprocessing(), decode="dali-mixed", folder=tmp_path, gpu=0)
    difference = [
        np.abs(crop.astype(np.int16) - decode_pillow(data, Preprocessing()))
        for crop, data in zip(crops.images, items, strict=True)
    ]
    assert crops.decoder.endswith("-mixed")
    assert crops.drift is not None
    assert crops.drift.images == len(items)
    assert crops.drift.max_levels == np.max(difference)
    assert crops.drift.mean_levels == pytest.approx(np.mean(difference))
