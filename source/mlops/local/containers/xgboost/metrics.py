# SPDX-License-Identifier: Apache-2.0
"""Evaluation metrics: those that xgboost computes, and those that SageMaker's image adds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import xgboost

Array: TypeAlias = npt.NDArray[np.floating[Any]]
Counts: TypeAlias = npt.NDArray[np.int64]

XGBOOST_METRICS = frozenset(
    {
        "aft-nloglik",
        "auc",
        "aucpr",
        "cox-nloglik",
        "error",
        "gamma-deviance",
        "gamma-nloglik",
        "interval-regression-accuracy",
        "logloss",
        "mae",
        "map",
        "mape",
        "merror",
        "mlogloss",
        "mphe",
        "ndcg",
        "poisson-nloglik",
        "pre",
        "quantile",
        "rmse",
        "rmsle",
        "tweedie-nloglik",
    }
)
MAXIMIZED = frozenset(
    {
        "auc",
        "aucpr",
        "map",
        "ndcg",
        "pre",
        "accuracy",
        "balanced_accuracy",
        "f1",
        "f1_binary",
        "f1_macro",
        "precision",
        "precision_macro",
        "precision_micro",
        "recall",
        "recall_macro",
        "recall_micro",
        "r2",
    }
)


def _confusion(labels: Array, predictions: Array) -> Counts:
    """Rows are the true classes, columns the predicted ones."""
    classes = np.argmax(predictions, axis=1) if predictions.ndim > 1 else np.rint(predictions)
    truth, guess = labels.astype(np.int64), classes.astype(np.int64)
    size = int(max(truth.max(initial=0), guess.max(initial=0))) + 1
    table: Counts = np.zeros((max(size, 2), max(size, 2)), dtype=np.int64)
    np.add.at(table, (truth, np.clip(guess, 0, None)), 1)
    return table


def _divide(top: Counts, bottom: Counts) -> Array:
    """Zero where the bottom is."""
    return np.divide(top, bottom, out=np.zeros(top.shape), where=bottom != 0)


def _precision(table: Counts) -> Array:
    return _divide(table.diagonal(), table.sum(axis=0))


def _recall(table: Counts) -> Array:
    return _divide(table.diagonal(), table.sum(axis=1))


def _f1(table: Counts) -> Array:
    return _divide(2 * table.diagonal(), table.sum(axis=0) + table.sum(axis=1))


def _accuracy(table: Counts) -> float:
    return float(table.trace() / table.sum())


def _seen(per_class: Callable[[Counts], Array]) -> Callable[[Counts], float]:
    """The mean over the classes that occur."""

    def mean(table: Counts) -> float:
        occurs = (table.sum(axis=0) + table.sum(axis=1)) > 0
        return float(per_class(table)[occurs].mean())

    return mean


def _positive(per_class: Callable[[Counts], Array]) -> Callable[[Counts], float]:
    return lambda table: float(per_class(table)[1])


_OF_CLASSES: dict[str, Callable[[Counts], float]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _seen(_recall),
    "f1": _seen(_f1),
    "f1_binary": _positive(_f1),
    "f1_macro": _seen(_f1),
    "precision": _positive(_precision),
    "precision_macro": _seen(_precision),
    "precision_micro": _accuracy,
    "recall": _positive(_recall),
    "recall_macro": _seen(_recall),
    "recall_micro": _accuracy,
}


def _mse(labels: Array, predictions: Array) -> float:
    return float(np.mean((labels - predictions) ** 2))


def _r2(labels: Array, predictions: Array) -> float:
    spread = float(np.sum((labels - labels.mean()) ** 2))
    return 1.0 - float(np.sum((labels - predictions) ** 2)) / spread if spread else 0.0


def _of_classes(measure: Callable[[Counts], float]) -> Callable[[Array, Array], float]:
    return lambda labels, predictions: measure(_confusion(labels, predictions))


COMPUTED_HERE: dict[str, Callable[[Array, Array], float]] = {
    **{name: _of_classes(measure) for name, measure in _OF_CLASSES.items()},
    "mse": _mse,
    "r2": _r2,
}


def evaluator(names: list[str]) -> Callable[[Array, xgboost.DMatrix], list[tuple[str, float]]] | None:
    """What xgboost calls after each round for the metrics it does not know."""
    if not names:
        return None
    return lambda predictions, matrix: [(name, COMPUTED_HERE[name](matrix.get_label(), predictions)) for name in names]
