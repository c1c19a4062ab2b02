# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Labeled image sets and the maps from a model's classes to theirs."""
