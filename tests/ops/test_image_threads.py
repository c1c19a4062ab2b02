# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Images over threads: every image once, the caller's settings untouched, failures heard."""

import multiprocessing
from threading import Thread, get_ident

import pytest
import torch

import visionbias as vb
from visionbias.ops.image_threads import over_images


@pytest.fixture(params=[1, 2, 3])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_every_image_once(threads, n):
    parts = []
    over_images(lambda start, stop: parts.append((start, stop)), n)
    assert sorted(i for start, stop in parts for i in range(start, stop)) == list(range(n))


def test_operators_run_alone_and_the_caller_keeps_its_threads(threads):
    seen = {}
    over_images(lambda start, stop: seen.setdefault(get_ident(), torch.get_num_threads()), 6)
    assert set(seen.values()) == {1}
    assert torch.get_num_threads() == threads
    later = []
    thread = Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_a_failure_reaches_the_caller(threads):
    def fail(start, stop):
        raise RuntimeError("no luck")

    with pytest.raises(RuntimeError, match="no luck"):
        over_images(fail, 4)


def test_inference_tensors_can_be_written(threads, make_images):
    x = make_images(4, 3, 8, 8)
    bands = (vb.lowpass(0.5), vb.highpass(0.5))
    with torch.inference_mode():
        out = torch.empty(2, 4, 3, 8, 8)
        vb.filter_bank(x, bands, out=out)
    assert torch.equal(out, vb.filter_bank(x, bands))


def _filtered(x):
    return vb.filter_bank(x, vb.lowpass(0.5)).sum().item()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(make_images):
    x = make_images(4, 1, 8, 8)
    wanted = _filtered(x)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(_filtered, (x,)).get(timeout=60) == wanted
