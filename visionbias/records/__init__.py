# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run leaves behind: Parquet rows, one a (model, condition, sample), and the manifest that explains them."""
