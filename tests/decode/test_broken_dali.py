# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""A DALI that is installed and does not work: "auto" takes Pillow and says why, but nothing where nothing is wrong."""

import sys
import warnings
import zlib
from importlib.machinery import ModuleSpec

import numpy as np
import pytest

from visionbias.decode import choice, dali
from visionbias.decode.cache import open_crops
from visionbias.decode.dali import DaliDecoder
from visionbias.decode.pillow import PillowDecoder
from visionbias.errors import BackendError
from visionbias.types import Preprocessing

pytest.importorskip("nvidia.dali")

SMALL = Preprocessing(36, 32)


class Lost:
    """Among the finders of modules: raises what no import should where a part of DALI is looked for."""

    def find_spec(self, name, path, target=None) -> ModuleSpec | None:
        if name == "nvidia.dali.types":
            raise AttributeError("a symbol is lost")
        return None


@pytest.fixture
def samples(draw, encode, write_samples):
    return write_samples({f"{row}.jpg": encode(draw(48, 40 + row, seed=row), "JPEG") for row in range(6)})


@pytest.fixture
def unsummed(draw, make_png) -> bytes:
    """A PNG without its Adler sum, which DALI refuses and Pillow does not."""
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in np.asarray(draw(64, 64))))
    return make_png(64, 64, 8, 2, packed[:-4], None)


def _halted(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "nvidia.dali", None)


def _lost(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "nvidia.dali.types")
    monkeypatch.setattr(sys, "meta_path", [Lost(), *sys.meta_path])


def _unbuilt(monkeypatch) -> None:
    monkeypatch.setattr(choice, "batch_size", lambda: -1)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [(_halted, "import of nvidia.dali halted.*"), (_lost, "a symbol is lost"), (_unbuilt, ".*batch size.*")],
)
def test_auto_takes_pillow_and_says_why(broken, reason, samples, tmp_path, monkeypatch) -> None:
    broken(monkeypatch)
    wanted = rf"^DALI is installed but cannot be used: {reason}; Pillow decodes$"
    with pytest.warns(UserWarning, match=wanted) as said:
        crops = open_crops(samples, SMALL, folder=tmp_path)
    assert [warning.filename for warning in said] == [__file__]
    assert crops.decoder == PillowDecoder.name()
    with pytest.raises(BackendError, match=reason):
        open_crops(samples, SMALL, decode="dali", folder=tmp_path)


@pytest.mark.parametrize("why", ["bicubic", "not installed"])
def test_nothing_is_said_where_nothing_is_broken(why, samples, tmp_path, monkeypatch) -> None:
    _halted(monkeypatch)
    if why == "not installed":
        monkeypatch.setattr(dali, "DISTRIBUTIONS", ("nvidia-dali-of-no-machine",))
    rule = Preprocessing(36, 32, "bicubic") if why == "bicubic" else SMALL
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_crops(samples, rule, folder=tmp_path).decoder == PillowDecoder.name()


def test_one_refused_batch_of_several_is_not_worth_a_word(draw, encode, unsummed) -> None:
    """DALI decodes those before and after it: its crops are not quite Pillow's."""
    items = [encode(draw(300, 260, seed=seed), "JPEG") for seed in range(6)]
    items[2] = unsummed
    decoder, pillow = DaliDecoder(SMALL, 2, 1), PillowDecoder(SMALL, 1)
    same = [np.array_equal(a, b) for a, b in zip(decoder.decode(items), pillow.decode(items), strict=True)]
    assert same == [False, False, True, True, False, False]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decoder.close()


def test_most_batches_refused_are_a_warning_with_the_reason(draw, encode, unsummed, write_samples, tmp_path) -> None:
    samples = write_samples({"odd.png": unsummed, "plain.jpg": encode(draw(90, 80), "JPEG")})
    with pytest.warns(UserWarning, match=r"^DALI refused 1 of 1 batches, which Pillow decoded; the last one for: .+"):
        open_crops(samples, SMALL, folder=tmp_path)


def test_an_error_that_no_image_is_to_blame_for_is_a_warning(samples) -> None:
    decoder = DaliDecoder(SMALL, 2, 1)
    decoder._batch_size = 6  # more than the pipeline takes
    items = [sample.path.read_bytes() for sample in samples]
    pillows = PillowDecoder(SMALL, 1).decode(items)
    for _ in range(2):
        assert all(map(np.array_equal, decoder.decode(items), pillows))
    with pytest.warns(UserWarning, match=r"^DALI refused 2 of 2 batches, .* for: .*batch size"):
        decoder.close()


def test_what_was_fed_of_a_failed_batch_is_not_taken_for_the_next(draw, encode, monkeypatch) -> None:
    tall, wide = ([encode(draw(*size, seed=seed), "JPEG") for seed in range(2)] for size in ((60, 300), (300, 60)))
    decoder, pillow = DaliDecoder(SMALL, 2, 1), PillowDecoder(SMALL, 1)
    feed = decoder._pipeline.feed_input

    def fail_at_top(name, values) -> None:
        if name == "top":
            raise MemoryError
        feed(name, values)

    with monkeypatch.context() as patch:
        patch.setattr(decoder._pipeline, "feed_input", fail_at_top)
        assert all(map(np.array_equal, decoder.decode(tall), pillow.decode(tall)))
    difference = np.array(decoder.decode(wide), np.int16) - np.array(pillow.decode(wide))
    assert 0 < np.abs(difference).max() <= 1
