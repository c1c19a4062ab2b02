# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""The kernels: one folder an op, whose listing is its support matrix."""
