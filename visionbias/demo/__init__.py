# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The miniature study: small networks with known biases, trained and measured in minutes without a download."""

from visionbias.demo.study import run_demo

__all__ = ["run_demo"]
