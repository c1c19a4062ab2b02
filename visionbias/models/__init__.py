# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Image classifiers: where they come from, how their weights load, and their forward pass."""
