# SPDX-License-Identifier: Apache-2.0
"""The files of an Autopilot job -> rows to learn from, and the splits that candidates are measured on.

A validation channel, or a validation fraction, is held out; else there are FOLDS folds, and a fifth is held out of data
that are so many that folds would take too long.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from mlops.local.containers.autopilot import columns as kinds
from mlops.local.containers.autopilot import table
from mlops.local.containers.autopilot.columns import Column
from mlops.local.containers.autopilot.errors import DataError
from mlops.local.containers.autopilot.metrics import Numbers
from mlops.local.containers.autopilot.problem import Problem, understand
from mlops.local.containers.autopilot.table import Rows, Table

FOLDS = 5
SEED = 42
MOST_FOLDED = 50_000  # rows: https://docs.aws.amazon.com/sagemaker/latest/dg/autopilot-metrics-validation.html
_HELD_OUT = 0.2
# "A minimum of 500 rows is required for the training dataset":
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateAutoMLJob.html
FEWEST = 500

Split = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Data:
    """Everything that candidates learn from."""

    problem: Problem
    columns: list[Column]  # of the rows to predict from, in order; some of them are not used
    rows: Rows
    target: Numbers
    weights: Numbers | None
    splits: list[Split]  # numbers of the rows to learn from, and to measure on
    folded: bool  # whether every row is measured on once, by models that did not see it
    notes: list[str]
    target_name: str = ""
    seed: int = SEED


def prepare(folder: Path, target: str, weights: str, problem_type: str, fraction: float) -> Data:
    """Read the channels `training` and, if it is there, `validation`. Raises DataError."""
    training = table.read(folder / "training")
    _check(training, target, weights, "the training data")
    if len(training.rows) < FEWEST:
        raise DataError(f"the training data have {len(training.rows)} rows; Autopilot requires at least {FEWEST}")
    validation = table.read(folder / "validation") if (folder / "validation").exists() else None
    if validation is not None and validation.columns != training.columns:
        raise DataError("the validation data have other columns than the training data")
    weighted = training.where(_weighted(training, weights))  # a class whose rows do not count is none
    problem, notes = understand(weighted.column(target), target, problem_type, FOLDS)
    parts = [training] if validation is None else [training, validation]
    kept = [_usable(part, problem, target, weights) for part in parts]
    for part, mask, name in zip(parts, kept, ("training", "validation"), strict=False):
        if left_out := int(len(part.rows) - mask.sum()):
            notes.append(f"{left_out} rows of the {name} data are left out: no usable target or weight")
        if not mask.any():
            raise DataError(f"the {name} data have no row with a usable value in the column '{target}'")
    used = [part.where(mask) for part, mask in zip(parts, kept, strict=True)]
    features = [part.without([target, weights]) for part in used]
    described = kinds.describe(features[0])
    if all(column.kind == kinds.UNUSED for column in described):
        raise DataError("no column can be learnt from: " + "; ".join(f"'{one.name}': {one.note}" for one in described))
    encoded = np.concatenate([problem.encoded(part.column(target)) for part in used])
    sizes = [len(part.rows) for part in used]
    return Data(
        problem,
        described,
        np.concatenate([part.rows for part in features]),
        encoded,
        _weights(used, weights),
        _splits(problem, encoded, sizes, fraction),
        validation is None and not fraction and sizes[0] <= MOST_FOLDED,
        notes,
        target,
    )


def _check(data: Table, target: str, weights: str, where: str) -> None:
    for name, what in ((target, "target attribute"), (weights, "sample weight attribute")):
        if name and name not in data.columns:
            held = ", ".join(f"'{column}'" for column in data.columns[:20])
            raise DataError(f"the {what} '{name}' is not a column of {where}; the columns are {held}")
    if weights and weights == target:
        raise DataError(f"the column '{target}' is both the target and the sample weight")


def _usable(data: Table, problem: Problem, target: str, weights: str) -> np.ndarray[Any, Any]:
    usable: np.ndarray[Any, Any] = ~np.isnan(problem.encoded(data.column(target))) & _weighted(data, weights)
    return usable


def _weighted(data: Table, weights: str) -> np.ndarray[Any, Any]:
    """Which rows have a weight: a number that is not negative."""
    if not weights:
        return np.ones(len(data.rows), dtype=bool)
    return np.array([kinds.number(cell) >= 0 for cell in data.column(weights)], dtype=bool)


def _weights(used: list[Table], weights: str) -> Numbers | None:
    if not weights:
        return None
    found = np.array([kinds.number(cell) for part in used for cell in part.column(weights)], dtype=np.float64)
    if not found.any():
        raise DataError(f"all sample weights in the column '{weights}' are 0")
    return found


def _splits(problem: Problem, target: Numbers, sizes: list[int], fraction: float) -> list[Split]:
    everything = np.arange(len(target))
    if len(sizes) == 2:
        return [(everything[: sizes[0]], everything[sizes[0] :])]
    strata = target if problem.is_classification else None
    if fraction or sizes[0] > MOST_FOLDED:
        try:
            held = train_test_split(
                everything, test_size=fraction or _HELD_OUT, random_state=SEED, shuffle=True, stratify=strata
            )
        except ValueError as error:
            raise DataError(f"the data cannot be split with the validation fraction {fraction}: {error}") from error
        return [(np.sort(held[0]), np.sort(held[1]))]
    kind = StratifiedKFold if problem.is_classification else KFold
    folds = kind(FOLDS, shuffle=True, random_state=SEED)
    return list(folds.split(everything, strata))
