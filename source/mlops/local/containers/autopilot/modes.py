# SPDX-License-Identifier: Apache-2.0
"""Autopilot's training modes, and the algorithms that each tries here, in turn.

https://docs.aws.amazon.com/sagemaker/latest/dg/autopilot-model-support-validation.html
"""

from __future__ import annotations

from collections.abc import Mapping

ENSEMBLING, TUNING = "ENSEMBLING", "HYPERPARAMETER_TUNING"
ALGORITHMS: Mapping[str, tuple[str, ...]] = {
    ENSEMBLING: ("xgboost", "linear-learner", "randomforest", "extra-trees"),
    TUNING: ("xgboost", "linear-learner", "mlp"),
}
STATUSES: Mapping[str, tuple[str, ...]] = {  # that a job shows while it works on candidates
    ENSEMBLING: ("PreTraining", "TrainingModels"),
    TUNING: ("FeatureEngineering", "ModelTuning"),
}
