# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Measurements: `python -m benchmarks.run [--device cpu] [names...]` from the root of the repository."""
