# SPDX-License-Identifier: Apache-2.0
"""The algorithms that candidates learn with, each with its first hyperparameters and the ranges of the others.

Their names are SageMaker's (AutoMLAlgorithmConfig); what has no counterpart in the packages installed here, such as
catboost, is not offered.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor

Values = Mapping[str, Any]
Draw = Callable[[np.random.Generator], Any]

_THREADS = max(1, (os.cpu_count() or 2) // 2)


class BoostedTrees:
    """XGBoost with scikit-learn's methods; its state is a model file, which is what xgboost itself reads safely."""

    def __init__(self, classes: int, seed: int, num_round: int, **parameters: Any) -> None:
        objective = {0: "reg:squarederror", 2: "binary:logistic"}.get(classes, "multi:softprob")
        self.classes, self.num_round = classes, num_round
        self.parameters = {
            **parameters,
            "objective": objective,
            "seed": seed,
            "nthread": _THREADS,
            "tree_method": "hist",
            **({"num_class": classes} if classes > 2 else {}),
        }
        self.booster: xgboost.Booster | None = None

    def fit(self, rows: Any, target: Any, sample_weight: Any = None) -> BoostedTrees:
        data = xgboost.DMatrix(rows, target, weight=sample_weight)
        self.booster = xgboost.train(self.parameters, data, self.num_round)
        return self

    def predict(self, rows: Any) -> Any:
        assert self.booster is not None
        return self.booster.predict(xgboost.DMatrix(rows))

    def predict_proba(self, rows: Any) -> Any:
        found = self.predict(rows)
        return np.column_stack([1 - found, found]) if self.classes == 2 else found

    def __getstate__(self) -> dict[str, Any]:
        assert self.booster is not None
        return {**self.__dict__, "booster": bytes(self.booster.save_raw("ubj"))}

    def __setstate__(self, state: dict[str, Any]) -> None:
        booster = xgboost.Booster()
        booster.load_model(bytearray(state["booster"]))
        booster.set_param({"nthread": 1})
        self.__dict__.update(state, booster=booster)


@dataclass(frozen=True)
class Algorithm:
    """One algorithm: what makes a learner of hyperparameters, the first ones to try, and how others are drawn."""

    make: Callable[[int, int, Values], Any]  # the number of classes, 0 for values; the seed; the hyperparameters
    first: Values
    ranges: Mapping[str, Draw]
    summary: str

    def hyperparameters(self, number: int, seed: int) -> dict[str, Any]:
        """Those of the algorithm's candidate of a number, counted from 0; always the same."""
        if number == 0:
            return dict(self.first)
        draw = np.random.default_rng([seed, number])
        return {**self.first, **{name: one(draw) for name, one in self.ranges.items()}}


def _log(low: float, high: float) -> Draw:
    return lambda draw: float(f"{np.exp(draw.uniform(np.log(low), np.log(high))):.4g}")


def _linear(low: float, high: float) -> Draw:
    return lambda draw: round(float(draw.uniform(low, high)), 3)


def _whole(low: int, high: int) -> Draw:
    return lambda draw: int(draw.integers(low, high + 1))


def _one_of(*values: Any) -> Draw:
    return lambda draw: values[int(draw.integers(len(values)))]


def _boosted(classes: int, seed: int, values: Values) -> Any:
    return BoostedTrees(classes, seed, **values)


def _linear_model(classes: int, seed: int, values: Values) -> Any:
    strength = values["l2"]
    if classes:
        return LogisticRegression(C=1 / strength, max_iter=1000, random_state=seed)
    return Ridge(alpha=strength, random_state=seed)


def _network(classes: int, seed: int, values: Values) -> Any:
    layers = [values["units"]] * values["layers"]
    made = MLPClassifier if classes else MLPRegressor
    return made(
        hidden_layer_sizes=layers,
        alpha=values["l2"],
        learning_rate_init=values["learning_rate"],
        max_iter=values["epochs"],
        tol=1e-4,
        n_iter_no_change=5,
        random_state=seed,
    )


def _forest(classifier: Any, regressor: Any) -> Callable[[int, int, Values], Any]:
    def make(classes: int, seed: int, values: Values) -> Any:
        return (classifier if classes else regressor)(**values, n_jobs=_THREADS, random_state=seed)

    return make


_TREES: Mapping[str, Draw] = {
    "n_estimators": _one_of(100, 200, 300),
    "min_samples_leaf": _whole(1, 8),
    "max_features": _linear(0.2, 1.0),
}

ALGORITHMS: Mapping[str, Algorithm] = {
    "xgboost": Algorithm(
        _boosted,
        {"num_round": 100, "eta": 0.1, "max_depth": 5, "subsample": 0.9, "colsample_bytree": 0.9, "lambda": 1.0},
        {
            "num_round": _one_of(50, 100, 200, 300),
            "eta": _log(0.02, 0.3),
            "max_depth": _whole(2, 9),
            "subsample": _linear(0.6, 1.0),
            "colsample_bytree": _linear(0.5, 1.0),
            "lambda": _log(0.01, 10),
        },
        "gradient-boosted trees (xgboost)",
    ),
    "linear-learner": Algorithm(
        _linear_model, {"l2": 1.0}, {"l2": _log(0.001, 100)}, "logistic or ridge regression (scikit-learn)"
    ),
    "randomforest": Algorithm(
        _forest(RandomForestClassifier, RandomForestRegressor),
        {"n_estimators": 100, "min_samples_leaf": 1, "max_features": 0.5},
        _TREES,
        "a random forest (scikit-learn)",
    ),
    "extra-trees": Algorithm(
        _forest(ExtraTreesClassifier, ExtraTreesRegressor),
        {"n_estimators": 100, "min_samples_leaf": 2, "max_features": 0.5},
        _TREES,
        "extremely randomized trees (scikit-learn)",
    ),
    "mlp": Algorithm(
        _network,
        {"units": 32, "layers": 1, "l2": 0.001, "learning_rate": 0.005, "epochs": 60},
        {
            "units": _one_of(16, 32, 64, 128),
            "layers": _whole(1, 2),
            "l2": _log(1e-5, 0.1),
            "learning_rate": _log(0.001, 0.02),
        },
        "a multilayer perceptron (scikit-learn)",
    ),
}
