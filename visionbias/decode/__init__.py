# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Image files to u8 crops: Pillow (the definition), DALI (fast), and the memory-mapped cache of crops."""
