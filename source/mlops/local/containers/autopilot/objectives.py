# SPDX-License-Identifier: Apache-2.0
"""Objectives: which metrics a type of problem can have, and which of two values is better.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AutoMLJobObjective.html
"""

from __future__ import annotations

from collections.abc import Mapping

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"

OF_PROBLEM: Mapping[str, frozenset[str]] = {
    REGRESSION: frozenset({"MAE", "MSE", "R2", "RMSE"}),
    BINARY: frozenset({"Accuracy", "AUC", "BalancedAccuracy", "F1", "Precision", "Recall"}),
    MULTICLASS: frozenset({"Accuracy", "BalancedAccuracy", "F1macro", "PrecisionMacro", "RecallMacro"}),
}
DEFAULT: Mapping[str, str] = {REGRESSION: "MSE", BINARY: "F1", MULTICLASS: "Accuracy"}
MINIMIZED = frozenset({"MAE", "MSE", "RMSE"})


def better(objective: str, one: float, two: float) -> bool:
    """Whether the first value of an objective is better than the second."""
    return one < two if objective in MINIMIZED else one > two
