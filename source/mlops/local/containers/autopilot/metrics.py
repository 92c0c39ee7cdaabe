# SPDX-License-Identifier: Apache-2.0
"""Autopilot's metrics: what they are called, which fit a type of problem, and their values for predictions.

https://docs.aws.amazon.com/sagemaker/latest/dg/autopilot-metrics-validation.html
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from sklearn import metrics

Numbers = np.ndarray[Any, np.dtype[np.float64]]


def of_classes(probabilities: Numbers, truth: np.ndarray[Any, Any], weights: Numbers | None) -> dict[str, float]:
    """The metrics of a classification, by name. Of two classes, the second is the positive one.

    probabilities: rows x classes; truth: the number of each row's class; weights: of the rows, if they have some.
    """
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    binary = len(classes) == 2
    average = {"average": "binary"} if binary else {"average": "macro", "labels": classes}
    ending = "" if binary else "Macro"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class that no row has, or nobody predicts, counts as 0
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            truth, predicted, sample_weight=weights, zero_division=0, **average
        )
        found = {
            "Accuracy": metrics.accuracy_score(truth, predicted, sample_weight=weights),
            "BalancedAccuracy": metrics.balanced_accuracy_score(truth, predicted, sample_weight=weights),
            "F1" if binary else "F1macro": f1,
            f"Precision{ending}": precision,
            f"Recall{ending}": recall,
            "LogLoss": metrics.log_loss(truth, probabilities, sample_weight=weights, labels=classes),
        }
        if binary and len(np.unique(truth)) == 2:
            found["AUC"] = metrics.roc_auc_score(truth, probabilities[:, 1], sample_weight=weights)
    return {name: float(value) for name, value in found.items()}


def of_values(values: Numbers, truth: Numbers, weights: Numbers | None) -> dict[str, float]:
    """The metrics of a regression, by name."""
    squared = float(metrics.mean_squared_error(truth, values, sample_weight=weights))
    return {
        "MSE": squared,
        "RMSE": math.sqrt(squared),
        "MAE": float(metrics.mean_absolute_error(truth, values, sample_weight=weights)),
        "R2": float(metrics.r2_score(truth, values, sample_weight=weights)),
    }
