# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The one family of errors that visionbias raises for bad input: each says what was wanted, what came, and the fix."""


class VisionBiasError(Exception):
    """Base of every error that visionbias raises on purpose."""


class ShapeError(VisionBiasError, ValueError):
    """An array or tensor has the wrong shape, dtype or device."""


class DataError(VisionBiasError, ValueError):
    """A data set, an image file, a label map or a table of numbers cannot be used."""


class CheckpointError(VisionBiasError, ValueError):
    """A model or its weights cannot be loaded, or its output is not logits."""


class BackendError(VisionBiasError, RuntimeError):
    """No backend, or not the one asked for, can serve this call."""


class RunError(VisionBiasError, RuntimeError):
    """A study, a study file or a run folder cannot be used or finished."""


class NoMemoryError(RunError):
    """A batch does not fit in memory; a smaller one may."""


def first_line(error: BaseException) -> str:
    """Of what any error says; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
