# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m visionbias` is the command line."""

from visionbias.cli import main

main()
