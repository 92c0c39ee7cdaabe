# SPDX-License-Identifier: Apache-2.0
"""Candidates: which there are, and how one is fitted and measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops.local.containers.autopilot import metrics, modes
from mlops.local.containers.autopilot.algorithms import ALGORITHMS
from mlops.local.containers.autopilot.data import SEED, Data
from mlops.local.containers.autopilot.features import Matrix, transformer
from mlops.local.containers.autopilot.metrics import Numbers
from mlops.local.containers.autopilot.model import Ensemble, Learned, Model
from mlops.local.containers.autopilot.objectives import better

ENSEMBLE = "ensemble"
ALL = -1  # instead of the number of a split

Metrics = dict[str, dict[str, float]]  # set -> name -> value


@dataclass(frozen=True)
class Candidate:
    """One candidate; an ensemble takes what it consists of from those before it."""

    name: str
    algorithm: str
    hyperparameters: Mapping[str, Any]


@dataclass(frozen=True)
class Evaluated:
    """A candidate that is fitted, and what it was measured to be worth."""

    candidate: Candidate
    hyperparameters: Mapping[str, Any]
    model: Learned
    metrics: Metrics
    predictions: list[tuple[Numbers, Numbers]]  # of each split: on the rows learnt from, and on those measured on


def definitions(mode: str, algorithms: Sequence[str], count: int, job: str) -> list[Candidate]:
    """The candidates of a job, in the order in which they are tried: the algorithms take turns.

    With ensembling, the last one combines the best of each algorithm, if there are enough for all to have their turn.
    """
    names = [name for name in modes.ALGORITHMS[mode] if not algorithms or name in algorithms]
    combine = mode == modes.ENSEMBLING and len(names) > 1 and count > len(names)
    found = []
    for number in range(count - combine):
        name = names[number % len(names)]
        values = ALGORITHMS[name].hyperparameters(number // len(names), SEED)
        found.append(Candidate(f"{job}-{name}-{number + 1:03}", name, values))
    if combine:
        found.append(Candidate(f"{job}-{ENSEMBLE}-{count:03}", ENSEMBLE, {}))
    return found


class Features:
    """The features of the rows of each split: the same for all candidates, and so made once."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._made: dict[int, tuple[Any, Matrix]] = {}
        self._measured: dict[int, Matrix] = {}

    def learnt(self, number: int) -> tuple[Any, Matrix]:
        """What makes features, fitted to the rows that a split learns from, and their features; ALL: of all rows."""
        if number not in self._made:
            rows = self._data.rows if number == ALL else self._data.rows[self._data.splits[number][0]]
            made = transformer(self._data.columns, self._data.seed)
            self._made[number] = made, made.fit_transform(rows)
        return self._made[number]

    def measured(self, number: int) -> Matrix:
        """The features of the rows that a split measures on."""
        if number not in self._measured:
            rows = self._data.rows[self._data.splits[number][1]]
            self._measured[number] = self.learnt(number)[0].transform(rows)
        return self._measured[number]


def evaluate(
    candidate: Candidate, data: Data, features: Features, done: Sequence[Evaluated], objective: str
) -> Evaluated:
    """Fit a candidate and measure it on the splits of the data."""
    if candidate.algorithm == ENSEMBLE:
        return _combined(candidate, data, list(_best(done, objective)))
    predictions = []
    for number, (learn, _) in enumerate(data.splits):
        made, matrix = features.learnt(number)
        model = _fitted(candidate, data, made, matrix, learn)
        predictions.append((model.predict_from(matrix), model.predict_from(features.measured(number))))
    if data.folded:
        model = _fitted(candidate, data, *features.learnt(ALL), np.arange(len(data.rows)))
    return Evaluated(candidate, candidate.hyperparameters, model, _measured(predictions, data), predictions)


def _fitted(candidate: Candidate, data: Data, made: Any, matrix: Matrix, rows: np.ndarray[Any, Any]) -> Model:
    weights = None if data.weights is None else data.weights[rows]
    model = Model(data.problem, made, candidate.algorithm, candidate.hyperparameters, data.seed)
    return model.fit(matrix, data.target[rows], weights)


def _best(done: Iterable[Evaluated], objective: str) -> Iterable[Evaluated]:
    """Of each algorithm the best."""
    best: dict[str, Evaluated] = {}
    for one in done:
        value, known = one.metrics["Validation"][objective], best.get(one.candidate.algorithm)
        if known is None or better(objective, value, known.metrics["Validation"][objective]):
            best[one.candidate.algorithm] = one
    return best.values()


def _combined(candidate: Candidate, data: Data, members: Sequence[Evaluated]) -> Evaluated:
    if not members:
        raise ValueError("there is no candidate to combine")
    pairs = zip(*(member.predictions for member in members), strict=True)
    predictions = [
        (np.mean([learnt for learnt, _ in pair], axis=0), np.mean([measured for _, measured in pair], axis=0))
        for pair in pairs
    ]
    model = Ensemble([member.model for member in members if isinstance(member.model, Model)])
    members_names = {"members": [member.candidate.name for member in members]}
    return Evaluated(candidate, members_names, model, _measured(predictions, data), predictions)


def _measured(predictions: list[tuple[Numbers, Numbers]], data: Data) -> Metrics:
    """The metrics on both sets, averaged over the splits."""
    found: dict[str, list[dict[str, float]]] = {"Train": [], "Validation": []}
    for split, pair in zip(data.splits, predictions, strict=True):
        for place, rows, predicted in zip(found, split, pair, strict=True):
            weights = None if data.weights is None else data.weights[rows]
            truth = data.target[rows]
            measure = metrics.of_classes if data.problem.is_classification else metrics.of_values
            found[place].append(measure(predicted, truth, weights))
    return {place: _averaged(values) for place, values in found.items()}


def _averaged(values: list[dict[str, float]]) -> dict[str, float]:
    """Of a metric that not every split has (AUC, where a class is missing), the average of the others."""
    names = dict.fromkeys(name for one in values for name in one)
    return {name: float(np.mean([one[name] for one in values if name in one])) for name in names}
