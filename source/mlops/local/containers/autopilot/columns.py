# SPDX-License-Identifier: Apache-2.0
"""What the columns of a table hold: numbers, categories, free text, dates, or nothing to learn from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from mlops.local.containers.autopilot.table import Rows, Table

NUMERIC, CATEGORICAL, TEXT, DATETIME, UNUSED = "numeric", "categorical", "text", "datetime", "unused"

_MOST = 0.9  # of the cells that are there: as many must be of a kind for the column to be
_WORDS = 3  # cells with as many words, on average, are text where they seldom repeat
_DISTINCT = 0.5  # of the cells: text and identifiers have more values than that, categories fewer
_US_DATE = "%m/%d/%Y"


@dataclass(frozen=True)
class Column:
    """One column of the training data."""

    name: str
    kind: str
    distinct: int
    missing: float  # the share of cells without a value
    note: str = ""  # why it is not used, or what of it is not
    top: tuple[tuple[str, int], ...] = ()  # the most frequent values, with how often they are there
    low: float | None = None  # of numbers
    mean: float | None = None
    high: float | None = None


def describe(table: Table) -> list[Column]:
    """Each column of a table, in order."""
    return [_describe(name, table.rows[:, number]) for number, name in enumerate(table.columns)]


def number(text: str) -> float:
    """A cell as a finite number; NaN where it is none."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def moment(text: str) -> datetime | None:
    """A cell as a date: ISO 8601, or month/day/year."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            found = datetime.strptime(text, _US_DATE)  # noqa: DTZ007  made aware below
        except ValueError:
            return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _describe(name: str, cells: Rows) -> Column:
    present = [cell for cell in cells if cell]
    counted = Counter(present)
    distinct, missing = len(counted), 1 - len(present) / max(len(cells), 1)
    top = tuple(counted.most_common(5))
    if not present:
        return Column(name, UNUSED, 0, missing, "it has no values")
    if distinct == 1 and not missing:
        return Column(name, UNUSED, 1, missing, "it has the same value in all rows", top)
    numbers = [value for value in map(number, present) if not math.isnan(value)]
    if len(numbers) >= _MOST * len(present):
        other = len(present) - len(numbers)
        note = f"{other} cells are not numbers and count as missing" if other else ""
        mean = math.fsum(numbers) / len(numbers)
        return Column(name, NUMERIC, distinct, missing, note, top, min(numbers), mean, max(numbers))
    if _share(moment(cell) is not None for cell in counted) >= _MOST:
        return Column(name, DATETIME, distinct, missing, "", top)
    if distinct > _DISTINCT * len(present):
        words = sum(len(cell.split()) for cell in present) / len(present)
        if words >= _WORDS:
            return Column(name, TEXT, distinct, missing, "", top)
        return Column(
            name, UNUSED, distinct, missing, "almost every row has a value of its own, as identifiers do", top
        )
    return Column(name, CATEGORICAL, distinct, missing, "", top)


def _share(found: Iterable[bool]) -> float:
    values = list(found)
    return sum(values) / len(values)
