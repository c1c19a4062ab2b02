# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Random numbers that are a function of (seed, stream, sample id, position) and of nothing else."""

from visionbias.ops.philox.normals import unit_normals
from visionbias.ops.philox.streams import checked_seed, sample_keys, stream
from visionbias.ops.philox.words import random_words, unit_uniforms

__all__ = ["checked_seed", "random_words", "sample_keys", "stream", "unit_normals", "unit_uniforms"]
