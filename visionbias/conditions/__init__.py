# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a probe shows: named conditions, synthesized on the device from u8 crops."""
