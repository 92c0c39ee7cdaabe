# SPDX-License-Identifier: Apache-2.0
"""What is to be predicted: the type of problem, and the target as numbers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops.local.containers.autopilot.columns import number
from mlops.local.containers.autopilot.errors import DataError
from mlops.local.containers.autopilot.metrics import Numbers
from mlops.local.containers.autopilot.objectives import BINARY, MULTICLASS, REGRESSION
from mlops.local.containers.autopilot.table import Rows

_FEW = 10  # distinct whole numbers: as few are classes, where the type of problem isn't given
_MOST_CLASSES = 2000
_ROWS_PER_CLASS = 5  # of text, where the type isn't given: fewer are no classes


@dataclass(frozen=True)
class Problem:
    """The type of problem and, of a classification, the labels in order: the second of two is the positive one."""

    kind: str
    labels: tuple[str, ...] = ()

    @property
    def is_classification(self) -> bool:
        return self.kind != REGRESSION

    def encoded(self, target: Rows) -> Numbers:
        """The target as numbers: the number of its label, or its value; NaN where it is neither."""
        if self.kind == REGRESSION:
            return np.array([number(cell) for cell in target], dtype=np.float64)
        place = {label: float(index) for index, label in enumerate(self.labels)}
        return np.array([place.get(cell, math.nan) for cell in target], dtype=np.float64)


def understand(target: Rows, name: str, wanted: str, folds: int) -> tuple[Problem, list[str]]:
    """The problem that a target column poses, and what of it is left out. Raises DataError.

    `wanted` is the requested type, or empty: then it is inferred. A class needs a row for each of `folds` folds.
    """
    present = [cell for cell in target if cell]
    counted = Counter(present)
    if not present:
        raise DataError(f"the target column '{name}' has no values")
    if len(counted) == 1:
        raise DataError(f"the target column '{name}' has one value only, '{present[0]}': there is nothing to learn")
    kind = wanted or _inferred(counted, name)
    if kind == REGRESSION:
        other = [cell for cell in counted if math.isnan(number(cell))]
        if other:
            raise DataError(f"the target column '{name}' has values that are not numbers, such as '{other[0]}'")
        return Problem(kind), []
    if len(counted) > _MOST_CLASSES:
        raise DataError(f"the target column '{name}' has {len(counted):,} classes, more than {_MOST_CLASSES:,}")
    labels = _in_order(label for label, rows in counted.items() if rows >= folds)
    notes = [
        f"{rows} rows with the class '{label}' are left out: it needs at least {folds}"
        for label, rows in sorted(counted.items())
        if rows < folds
    ]
    if len(labels) < 2:
        raise DataError(f"the target column '{name}' has fewer than two classes with at least {folds} rows each")
    if kind == BINARY and len(labels) != 2:
        raise DataError(f"the target column '{name}' has {len(labels)} classes, and {BINARY} has two")
    return Problem(kind, labels), notes


def _inferred(counted: Counter[str], name: str) -> str:
    values = [number(label) for label in counted]
    if len(counted) == 2:
        return BINARY
    if any(map(math.isnan, values)):
        if sum(counted.values()) < _ROWS_PER_CLASS * len(counted):
            raise DataError(
                f"the problem type cannot be inferred: the target column '{name}' has {len(counted):,} values that are "
                "not numbers, too many for classes; specify the problem type"
            )
        return MULTICLASS
    whole = all(value == int(value) for value in values)
    return MULTICLASS if whole and len(counted) <= _FEW else REGRESSION


def _in_order(labels: Any) -> tuple[str, ...]:
    """Numbers by size, else by the alphabet."""
    found = list(labels)
    numeric = not any(math.isnan(number(label)) for label in found)
    return tuple(sorted(found, key=(lambda label: (number(label), label)) if numeric else None))
