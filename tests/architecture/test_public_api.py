# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What users rely on: names, light import, one error family."""

import subprocess
import sys

import visionbias as vb

PUBLIC = [
    "Accuracy",
    "BackendError",
    "Band",
    "Benchmark",
    "Checkpoint",
    "CheckpointError",
    "CriticalBand",
    "CsvManifest",
    "CueConflict",
    "CueConflictFolder",
    "DataError",
    "FeatureSuppression",
    "FilterBank",
    "Generalization",
    "ImageFolder",
    "LabelMap",
    "Normalization",
    "PGD",
    "Plan",
    "Preprocessing",
    "Run",
    "RunError",
    "ShapeBias",
    "ShapeError",
    "Shapes16",
    "SpectralBias",
    "StimulusBatch",
    "Study",
    "TableRun",
    "VisionBiasError",
    "analysis",
    "backends",
    "band_noise",
    "bandpass",
    "correlate",
    "critical_band",
    "cue_conflict",
    "desaturate",
    "filter_bank",
    "highpass",
    "lowpass",
    "mean_amplitude",
    "metrics",
    "normalize",
    "octave",
    "open_run",
    "open_table",
    "patch_shuffle",
    "pgd",
    "phase_noise",
    "power_equalize",
    "random_phase",
    "silhouette",
    "stimuli",
]


def test_public_names_are_frozen() -> None:
    assert sorted(vb.__all__) == sorted(PUBLIC)
    for name in PUBLIC:
        assert getattr(vb, name).__doc__, f"{name} has no docstring"


def test_completion_offers_public_names_only() -> None:
    assert dir(vb) == sorted([*PUBLIC, "__version__"])


def test_import_is_light() -> None:
    """Importing the package loads none of the big libraries; opening a finished run loads no torch."""
    script = """
import sys
import visionbias
heavy = {"torch", "numpy", "pandas", "pyarrow", "scipy", "timm", "cupy", "nvidia.dali"} & set(sys.modules)
assert not heavy, heavy
visionbias.open_run
visionbias.metrics
visionbias.analysis
import visionbias.models.study, visionbias.report.html  # of categories and reports
heavy = {"torch", "timm", "cupy", "nvidia.dali"} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_every_error_is_of_the_family() -> None:
    for name in ("ShapeError", "DataError", "CheckpointError", "BackendError", "RunError"):
        assert issubclass(getattr(vb, name), vb.VisionBiasError)
