# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""One file a section of the page: each makes a `Section` of a run's contents, or none where the run lacks its probe."""
