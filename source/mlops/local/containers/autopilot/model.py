# SPDX-License-Identifier: Apache-2.0
"""What a candidate learns: features of the raw rows, and a learner on them; and several of them together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from mlops.local.containers.autopilot.algorithms import ALGORITHMS, Values
from mlops.local.containers.autopilot.features import Matrix
from mlops.local.containers.autopilot.metrics import Numbers
from mlops.local.containers.autopilot.problem import Problem
from mlops.local.containers.autopilot.table import Rows

_OF_TRAINING = ("_optimizer", "_random_state")  # what a network needs to go on learning, and not to predict


class Model:
    """Predicts from rows of text, as the training data have them."""

    def __init__(self, problem: Problem, features: Any, algorithm: str, values: Values, seed: int) -> None:
        self._classes = len(problem.labels)
        self._features = features  # a transformer that is fitted to the rows to learn from
        self._learner = ALGORITHMS[algorithm].make(self._classes, seed, values)
        self._mean, self._spread = 0.0, 1.0  # of values: learners learn them standardised

    def fit(self, features: Matrix, target: Numbers, weights: Numbers | None) -> Model:
        """Learn from rows' features, the target in numbers, and what each row counts, if not all the same."""
        if self._classes:
            target = target.astype(int)
        else:
            self._mean, self._spread = float(target.mean()), float(target.std()) or 1.0
            target = (target - self._mean) / self._spread
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of epochs is a hyperparameter
            self._learner.fit(features, target, sample_weight=weights)
        for name in _OF_TRAINING:
            self._learner.__dict__.pop(name, None)
        return self

    def predict(self, rows: Rows) -> Numbers:
        """The probability of each class, rows x classes; or the value of each row."""
        return self.predict_from(self._features.transform(rows))

    def predict_from(self, features: Matrix) -> Numbers:
        """As `predict`, from the rows' features."""
        if self._classes:
            found = np.asarray(self._learner.predict_proba(features), dtype=np.float64)
            shares: Numbers = found / found.sum(axis=1, keepdims=True)
            return shares
        return np.asarray(self._learner.predict(features), dtype=np.float64) * self._spread + self._mean


class Ensemble:
    """The average of several models' predictions."""

    def __init__(self, members: Sequence[Model]) -> None:
        self._members = list(members)

    def predict(self, rows: Rows) -> Numbers:
        """As Model does."""
        found: Numbers = np.mean([member.predict(rows) for member in self._members], axis=0)
        return found


Learned = Model | Ensemble
