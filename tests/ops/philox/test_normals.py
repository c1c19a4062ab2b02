# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The random stream: known answers, one set of bits from every backend, and a normal distribution."""

import numpy as np
import pytest
import torch
from backends import on_cpu
from scipy import stats

import visionbias as vb
from visionbias.ops.philox import reference, sample_keys, stream, unit_normals
from visionbias.ops.philox import torch as philox_torch
from visionbias.ops.philox.normals import OP

# Of Random123's kat_vectors: counter, key, words.
KNOWN = [
    ((0,) * 4, (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
SEEDS = [0, 1, 2**32 - 1, 2**32, 2**63 + 12345, 2**64 - 1]


def bits(normals):
    return normals.cpu().contiguous().view(torch.int32)


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert reference.philox4x32(np.array(counter, np.uint32), key).tolist() == list(words)
    seed = key[0] + (key[1] << 32)
    got = philox_torch.words_at(seed, counter[1], torch.tensor(counter[2:]), torch.tensor(counter[0]))
    assert got.tolist() == list(words)


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_known_answers_become_normals(backend):
    """The first counter of the first sequence is the known answer of zeros; u and angle worked out from its words."""
    words = np.array(KNOWN[0][2], np.int64)
    u = (2 * (words[0::2] >> 9) + 1) / 2**24
    turn = (words[1::2] >> 7) * 2.0**-25 + 2.0**-26 - 0.125
    wanted = np.stack([np.sqrt(-2 * np.log(u)) * f(2 * np.pi * turn) for f in (np.cos, np.sin)], axis=-1).ravel()
    got = unit_normals(0, 0, np.zeros((1, 2), np.uint32), 4, torch.device("cpu"), backend)
    assert got[0].tolist() == pytest.approx(wanted.tolist(), abs=1e-6)


@pytest.mark.parametrize("backend", on_cpu(OP, without="reference"))
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [1, 4, 63, 64, 65, 10_000])
def test_every_backend_gives_the_bits_of_the_definition(backend, seed, n, device):
    if device != "cpu" and backend == "native":
        pytest.skip("the CPU engine works on the CPU")
    keys = sample_keys("test", ["a", "folder/b.png", "é"], 3)
    wanted = unit_normals(seed, stream("x"), keys, n, torch.device("cpu"), "reference")
    got = unit_normals(seed, stream("x"), keys, n, torch.device(device), backend)
    assert got.shape == (3, n)
    assert got.device.type == device
    assert torch.equal(bits(got), bits(wanted))


@pytest.mark.parametrize("backend", on_cpu(OP))
def test_the_default_device_is_not_asked(backend):
    keys = sample_keys("test", ["a", "b"], 2)
    wanted = unit_normals(1, 2, keys, 10, torch.device("cpu"), backend)
    with torch.device("meta"):
        got = unit_normals(1, 2, keys, 10, torch.device("cpu"), backend)
    assert torch.equal(got, wanted)


def test_sequences_differ_in_seed_stream_and_sample_only():
    cpu = torch.device("cpu")
    keys = sample_keys("test", [str(i) for i in range(20)], 20)
    whole = unit_normals(3, stream("x"), keys, 100, cpu)
    assert torch.equal(unit_normals(3, stream("x"), keys[7:9], 40, cpu), whole[7:9, :40])
    others = [unit_normals(4, stream("x"), keys, 100, cpu), unit_normals(3, stream("y"), keys, 100, cpu)]
    for other in others:
        assert (other != whole).float().mean() > 0.99
    assert len({row.numpy().tobytes() for row in whole}) == 20


def test_the_transform_is_that_of_box_and_muller():
    words = reference.words(7, 1, sample_keys("test", ["a"], 1), 0, 100_000)[0].astype(np.int64)
    u = (2 * (words[0::2] >> 9) + 1) / 2**24
    turn = (words[1::2] >> 30) + (2 * ((words[1::2] >> 7) & 0x7FFFFF) + 1) / 2**24 - 0.5
    radius, angle = np.sqrt(-2 * np.log(u)), turn * np.pi / 2
    wanted = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).ravel()
    assert np.abs(reference.normals(words.astype(np.uint32)) - wanted).max() < 1e-6


def test_the_ends_of_the_words_give_finite_numbers():
    ends = np.array([0, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x3FFFFFFF, 0x40000000], np.uint32)
    pairs = np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1)
    normals = reference.normals(pairs)
    assert np.isfinite(normals).all()
    assert np.abs(normals).max() < 5.9
    assert np.array_equal(philox_torch.normals(torch.from_numpy(pairs.astype(np.int64))).numpy(), normals)


def test_the_logarithm_changes_its_power_of_two_at_one_number():
    """Around sqrt(1/2) / 2^k, where the mantissa of u starts anew."""
    k, step = np.arange(22)[:, None], np.arange(-3, 4)
    bits = np.rint((np.sqrt(0.5) / 2.0**k * 2**24 - 1) / 2).astype(np.int64) + step
    words = np.stack([bits.clip(0) << 9, np.full_like(bits, 12345 << 7)], axis=-1).astype(np.uint32).reshape(-1)
    normals = reference.normals(words)
    u = (2 * bits.clip(0).ravel() + 1) / 2**24
    assert np.hypot(normals[0::2], normals[1::2]) == pytest.approx(np.sqrt(-2 * np.log(u)), rel=1e-6)
    assert np.array_equal(philox_torch.normals(torch.from_numpy(words.astype(np.int64))).numpy(), normals)


def test_the_distribution_is_normal():
    """Of fixed seeds, so that it cannot fail by chance."""
    keys = sample_keys("test", [str(i) for i in range(40)], 40)
    z = unit_normals(0, stream("x"), keys, 50_000, torch.device("cpu")).double().numpy()
    assert stats.kstest(z.ravel()[:1_000_000], "norm").pvalue > 0.01
    assert abs(z.mean()) < 3 / np.sqrt(z.size)
    assert abs(np.corrcoef(z[:, ::2].ravel(), z[:, 1::2].ravel())[0, 1]) < 3 / np.sqrt(z.size / 2)
    assert np.abs(np.corrcoef(z) - np.eye(40)).max() < 5 / np.sqrt(50_000)


def test_ids_are_checked():
    with pytest.raises(vb.ShapeError, match="a sample id for each of 3 images, got 2"):
        sample_keys("critical_band", ["a", "b"], 3)
    for wrong in ("ab", [1, 2]):
        with pytest.raises(vb.ShapeError, match="must be one text an image"):
            sample_keys("critical_band", wrong, 2)
