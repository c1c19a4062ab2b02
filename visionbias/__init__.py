# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""visionbias: measure what image classifiers see, how they generalize, and whether the one explains the other.

Public names load on first use, so that importing the package imports no array library.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> module that defines it.
_HOME = {
    "Study": "visionbias.engine.study",
    "Plan": "visionbias.engine.plan",
    "Run": "visionbias.engine.run",
    "open_run": "visionbias.engine.run",
    "TableRun": "visionbias.engine.table_run",
    "open_table": "visionbias.engine.table_run",
    "stimuli": "visionbias.engine.stream",
    "StimulusBatch": "visionbias.engine.stream",
    "Checkpoint": "visionbias.models.checkpoint",
    "ImageFolder": "visionbias.datasets.folder",
    "CsvManifest": "visionbias.datasets.csv_manifest",
    "CueConflictFolder": "visionbias.datasets.cue_conflict",
    "CueConflict": "visionbias.datasets.cue_pairs",
    "Shapes16": "visionbias.datasets.shapes16",
    "Benchmark": "visionbias.datasets.benchmarks",
    "LabelMap": "visionbias.datasets.label_map",
    "Accuracy": "visionbias.probes.accuracy",
    "SpectralBias": "visionbias.probes.spectral_bias",
    "CriticalBand": "visionbias.probes.critical_band",
    "ShapeBias": "visionbias.probes.shape_bias",
    "FeatureSuppression": "visionbias.probes.feature_suppression",
    "PGD": "visionbias.probes.pgd",
    "Generalization": "visionbias.probes.generalization",
    "filter_bank": "visionbias.ops.filter_bank",
    "FilterBank": "visionbias.ops.filter_bank",
    "lowpass": "visionbias.ops.filter_bank.bands",
    "highpass": "visionbias.ops.filter_bank.bands",
    "band_noise": "visionbias.ops.band_noise",
    "critical_band": "visionbias.ops.band_noise",
    "cue_conflict": "visionbias.ops.spectrum_mix",
    "random_phase": "visionbias.ops.spectrum_mix",
    "phase_noise": "visionbias.ops.spectrum_mix",
    "power_equalize": "visionbias.ops.spectrum_mix",
    "mean_amplitude": "visionbias.ops.spectrum_mix",
    "patch_shuffle": "visionbias.ops.patch_shuffle",
    "silhouette": "visionbias.ops.silhouette",
    "desaturate": "visionbias.ops.desaturate",
    "pgd": "visionbias.ops.pgd",
    "bandpass": "visionbias.ops.filter_bank.bands",
    "octave": "visionbias.ops.filter_bank.bands",
    "Band": "visionbias.ops.filter_bank.bands",
    "normalize": "visionbias.ops.normalize",
    "backends": "visionbias.ops.support",
    "correlate": "visionbias.analysis.correlation",
    "Preprocessing": "visionbias.types",
    "Normalization": "visionbias.types",
    "VisionBiasError": "visionbias.errors",
    "ShapeError": "visionbias.errors",
    "DataError": "visionbias.errors",
    "CheckpointError": "visionbias.errors",
    "BackendError": "visionbias.errors",
    "RunError": "visionbias.errors",
}
_MODULES = ("analysis", "metrics")

__all__ = [*sorted(_HOME), *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"visionbias.{name}")
    else:
        raise AttributeError(f"module 'visionbias' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
