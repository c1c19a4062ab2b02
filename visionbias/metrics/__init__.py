# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers from records: pure functions of arrays, with intervals. Nothing here knows a model or a device."""

from visionbias.metrics.accuracy import AccuracyResult, accuracy
from visionbias.metrics.spectral_bias import SpectralBiasResult, spectral_bias

__all__ = ["AccuracyResult", "SpectralBiasResult", "accuracy", "spectral_bias"]
