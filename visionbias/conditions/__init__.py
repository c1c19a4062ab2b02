# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a probe shows: named conditions of an image, synthesized on the device from u8 crops."""
