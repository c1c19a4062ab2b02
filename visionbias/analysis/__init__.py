# SPDX-FileCopyrightText: visionbias contributors
# SPDX-License-Identifier: Apache-2.0
"""Does a bias explain generalization? Questions asked of tables with a row a model, and of finished runs."""

from visionbias.analysis.correlation import correlate, undetermined
from visionbias.analysis.failures import failures, slice_samples
from visionbias.analysis.groups import STUDY_GROUPS, add_group_means
from visionbias.analysis.own_columns import join_columns
from visionbias.analysis.prediction import leave_one_out
from visionbias.analysis.study_table import STUDY_BIASES, StudyTable, load_study_table
from visionbias.analysis.verdict import Verdict, verdict

__all__ = [
    "STUDY_BIASES",
    "STUDY_GROUPS",
    "StudyTable",
    "Verdict",
    "add_group_means",
    "correlate",
    "failures",
    "join_columns",
    "leave_one_out",
    "load_study_table",
    "slice_samples",
    "undetermined",
    "verdict",
]
