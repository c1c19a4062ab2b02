# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers from records: pure functions of arrays, with intervals. Nothing here knows a model or a device."""

from visionbias.metrics.accuracy import AccuracyResult, accuracy
from visionbias.metrics.channel import ChannelFit, channel_fit
from visionbias.metrics.corruptions import corruption_accuracy, mean_corruption_error
from visionbias.metrics.decisions import CATEGORIES16, decide16
from visionbias.metrics.error_consistency import error_consistency
from visionbias.metrics.feature_reliance import FeatureRelianceResult, feature_reliance
from visionbias.metrics.human_responses import read_responses
from visionbias.metrics.psychometric import PsychometricFit, psychometric_fit
from visionbias.metrics.shape_bias import CategoryShapeBias, ShapeBiasResult, shape_bias
from visionbias.metrics.spectral_bias import SpectralBiasResult, spectral_bias

__all__ = [
    "CATEGORIES16",
    "AccuracyResult",
    "CategoryShapeBias",
    "ChannelFit",
    "FeatureRelianceResult",
    "PsychometricFit",
    "ShapeBiasResult",
    "SpectralBiasResult",
    "accuracy",
    "channel_fit",
    "corruption_accuracy",
    "decide16",
    "error_consistency",
    "feature_reliance",
    "mean_corruption_error",
    "psychometric_fit",
    "read_responses",
    "shape_bias",
    "spectral_bias",
]
