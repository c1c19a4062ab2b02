# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Image bytes to u8 crops by NVIDIA DALI, within one level of Pillow for bilinear resizing.

DALI gets the files that it decodes as Pillow does (`header.plain_size`), each with the resized size and crop offset
that Pillow's arithmetic gives; all others go to Pillow. DALI's own `resize_shorter` rounds the long side differently.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from visionbias.decode.header import plain_size
from visionbias.decode.pillow import BadReason, Geometry, PillowDecoder, geometry
from visionbias.errors import BackendError, DataError
from visionbias.types import Preprocessing

DISTRIBUTIONS = ("nvidia-dali-cuda130", "nvidia-dali-cuda120")
# DALI holds all decoded images of a batch at once: 64 Mpx are 192 MiB.
_BATCH_PIXELS = 64 * 2**20
Device = Literal["cpu", "mixed"]


def installed_version() -> str | None:
    """Version of the DALI distribution that is installed, whether it works or not; None if there is none."""
    for name in DISTRIBUTIONS:
        with suppress(PackageNotFoundError):
            return version(name)
    return None


def dali_version() -> str:
    """The installed DALI's version; reads package metadata where it can, for importing DALI takes over a second.

    Raises:
        BackendError: DALI is not installed.
    """
    return installed_version() or str(_import_dali().__version__)


def reason_of(error: BaseException) -> str:
    """What an error of DALI says, in one line, without where in a pipeline it arose."""
    text = " ".join(str(error).rpartition("encountered:")[2].split())
    return text[:300] or type(error).__name__


def check_dali_serves(preprocessing: Preprocessing) -> None:
    """Pass if DALI's result is within one level of Pillow's for this preprocessing.

    Raises:
        BackendError: it is not. Bicubic differs by up to 11 levels; without a resize there is nothing to interpolate.
    """
    if preprocessing.resize is not None and preprocessing.interpolation != "bilinear":
        raise BackendError(
            "decode: wanted bilinear resizing, got bicubic, where DALI differs from Pillow by up to 11 levels; "
            "use decode='auto' or 'pillow'"
        )


@dataclass(frozen=True, slots=True)
class _Place:
    pixels: int  # of the whole image
    geometry: Geometry


class DaliDecoder:
    """One DALI pipeline, fed batch by batch, and built anew where it refused one.

    `device="cpu"` decodes and resizes on the CPU. `device="mixed"` does both on a GPU, whose inverse transform and
    resize are not Pillow's: the one-level bound does not hold there. `gpu` is its index.

    Raises:
        BackendError: DALI is absent, cannot build its pipeline, or does not serve this preprocessing.
    """

    def __init__(
        self, preprocessing: Preprocessing, batch_size: int, num_threads: int, device: Device = "cpu", gpu: int = 0
    ) -> None:
        check_dali_serves(preprocessing)
        self._preprocessing = preprocessing
        self._batch_size = batch_size
        self._new_pipeline = partial(_built, preprocessing, batch_size, num_threads, device, gpu)
        self._pipeline = self._new_pipeline()
        self._batches_run, self._refusals = 0, 0
        self._last_refusal = ""
        self._pillow = PillowDecoder(preprocessing, num_threads)

    @staticmethod
    def name(device: Device = "cpu") -> str:
        """Decoder, version and device, as it stands in manifests. Raises BackendError if DALI is not installed."""
        return f"dali-{dali_version()}-{device}"

    def decode(self, items: Sequence[bytes]) -> list[NDArray[np.uint8] | BadReason]:
        """Decode image files; result i, u8 [crop, crop, 3] or the reason why not, belongs to item i.

        Raises:
            BackendError: DALI refused a batch and cannot build its pipeline again.
        """
        places = [self._place(item) for item in items]
        # Pillow's part is started first, so that it runs beside DALI's.
        waiting = {row: self._pillow.submit(items[row]) for row, place in enumerate(places) if place is None}
        done: dict[int, NDArray[np.uint8]] = {}
        for batch in self._batches(places):
            crops = self._run([items[row] for row in batch], list(batch.values()))
            if crops is None:
                waiting.update((row, self._pillow.submit(items[row])) for row in batch)
            else:
                done.update(zip(batch, crops, strict=True))
        return [done[row] if row in done else waiting[row].result() for row in range(len(items))]

    def close(self) -> None:
        """Free the pipeline and end the threads; warns if DALI refused most batches."""
        self._pillow.close()
        self._pipeline = None
        if 2 * self._refusals > self._batches_run:
            warnings.warn(
                f"DALI refused {self._refusals} of {self._batches_run} batches, which Pillow decoded; "
                f"the last one for: {self._last_refusal}",
                stacklevel=2,
            )

    def _place(self, item: bytes) -> _Place | None:
        size = plain_size(item)
        if size is None:
            return None
        try:
            return _Place(size[0] * size[1], geometry(*size, self._preprocessing))
        except DataError:
            return None  # Pillow comes to the same end, and words it

    def _batches(self, places: Sequence[_Place | None]) -> Iterator[dict[int, _Place]]:
        batch: dict[int, _Place] = {}
        pixels = 0
        for row, place in enumerate(places):
            if place is None:
                continue
            if batch and (len(batch) == self._batch_size or pixels + place.pixels > _BATCH_PIXELS):
                yield batch
                batch, pixels = {}, 0
            batch[row] = place
            pixels += place.pixels
        if batch:
            yield batch

    def _run(self, items: Sequence[bytes], places: Sequence[_Place]) -> NDArray[np.uint8] | None:
        """Crops u8 [len(items), crop, crop, 3], or None if DALI refuses one: then it returns none of them."""
        side = self._preprocessing.crop
        feed = {"encoded": [np.frombuffer(item, np.uint8) for item in items]}
        if self._preprocessing.resize is not None:
            where = [place.geometry for place in places]
            feed["size"] = [np.array([g.resize_height, g.resize_width], np.float32) for g in where]
            # DALI places a crop at round(position * (size - crop)).
            feed["top"] = [np.array(g.top / max(1, g.resize_height - side), np.float32) for g in where]
            feed["left"] = [np.array(g.left / max(1, g.resize_width - side), np.float32) for g in where]
        self._batches_run += 1
        try:
            for name, values in feed.items():
                self._pipeline.feed_input(name, values)
            (output,) = self._pipeline.run()
        except Exception as error:
            self._refusals += 1
            self._last_refusal = reason_of(error)
            # Of a batch that it was fed in part, the old one would give the rest to the next.
            self._pipeline = self._new_pipeline()
            return None
        # A copy: the next run overwrites DALI's memory.
        return np.array(output.as_cpu().as_array())


def _import_dali() -> Any:
    try:
        import nvidia.dali
        import nvidia.dali.fn
        import nvidia.dali.types
    except Exception as error:  # a broken one raises all kinds
        raise BackendError(
            f"decode='dali': nvidia.dali cannot be imported ({reason_of(error)}); install nvidia-dali-cuda130 or "
            "nvidia-dali-cuda120, or use decode='pillow'"
        ) from error
    return nvidia.dali


def _built(preprocessing: Preprocessing, batch_size: int, num_threads: int, device: Device, gpu: int) -> Any:
    dali = _import_dali()
    try:
        pipeline = _pipeline(dali, preprocessing, batch_size, num_threads, device, gpu)
        pipeline.build()
    except Exception as error:  # DALI raises all kinds, as do faults of its libraries
        got = reason_of(error)
        raise BackendError(
            f"decode='dali': DALI cannot build its pipeline ({got}); use decode='pillow'"
            if device == "cpu"
            else f"decode='dali-mixed': wanted a GPU of index {gpu} for DALI, got: {got}; "
            "use decode='dali' or 'pillow', which need none"
        ) from error
    return pipeline


def _pipeline(
    dali: Any, preprocessing: Preprocessing, batch_size: int, num_threads: int, device: Device, gpu: int
) -> Any:
    fn, types = dali.fn, dali.types
    # Depth 1: run() must answer for exactly the batch that was fed before it.
    options = {"batch_size": batch_size, "num_threads": num_threads, "prefetch_queue_depth": 1}
    pipeline = dali.Pipeline(device_id=None if device == "cpu" else gpu, **options)
    with pipeline:
        encoded = fn.external_source(name="encoded", dtype=types.UINT8, ndim=1)
        image = fn.decoders.image(
            encoded,
            device=device,
            output_type=types.RGB,
            adjust_orientation=False,
            # On a GPU alone: chroma upsampled as on a CPU, and all that the hardware decoder can take goes there, for
            # an image's pixels are not to depend on its place in a batch.
            **({} if device == "cpu" else {"jpeg_fancy_upsampling": True, "hw_decoder_load": 1.0}),
        )
        if preprocessing.resize is not None:
            image = fn.resize_crop_mirror(
                image,
                size=fn.external_source(name="size", dtype=types.FLOAT, ndim=1),
                crop=(preprocessing.crop, preprocessing.crop),
                crop_pos_y=fn.external_source(name="top", dtype=types.FLOAT, ndim=0),
                crop_pos_x=fn.external_source(name="left", dtype=types.FLOAT, ndim=0),
                interp_type=types.INTERP_LINEAR,
                antialias=True,
            )
        pipeline.set_outputs(image)
    return pipeline
