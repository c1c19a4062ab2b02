# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""One file a probe: it names its stimuli and reads its numbers from records. These imports fill the registry."""

from visionbias.probes.accuracy import Accuracy
from visionbias.probes.critical_band import CriticalBand
from visionbias.probes.feature_suppression import FeatureSuppression
from visionbias.probes.generalization import Generalization
from visionbias.probes.pgd import PGD
from visionbias.probes.registry import Probe, known_probes, make_probe
from visionbias.probes.shape_bias import ShapeBias
from visionbias.probes.spectral_bias import SpectralBias

__all__ = [
    "PGD",
    "Accuracy",
    "CriticalBand",
    "FeatureSuppression",
    "Generalization",
    "Probe",
    "ShapeBias",
    "SpectralBias",
    "known_probes",
    "make_probe",
]
