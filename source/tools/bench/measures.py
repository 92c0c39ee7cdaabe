# SPDX-License-Identifier: Apache-2.0
"""What a measurement is: samples of ours and of a reference from the same run, and a goal."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Samples:
    """One thing, measured several times: told by its median, with the middle half of the values."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: float | Iterable[float]) -> Samples:
        return cls((values,) if isinstance(values, int | float) else tuple(values))

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        if len(self.values) < 2:
            return self.median, self.median
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True)
class Goal:
    """At most so much; `where` is what the reference took on the machine the goal was set on.

    Such a goal is judged by its ratio to the reference, so that a slow or a busy machine can judge it too.
    """

    at_most: float
    where: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.at_most / self.where if self.where else None


@dataclass(frozen=True)
class Measure:
    """One row of the report."""

    group: str
    what: str
    unit: str  # s, B or a noun
    ours: Samples
    reference: Samples | None = None
    against: str = ""  # what the reference is
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours.median / self.reference.median if self.reference else None

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        if self.goal.ratio is not None and self.ratio is not None:
            return self.ratio <= self.goal.ratio
        return self.ours.median <= self.goal.at_most

    def document(self) -> dict[str, Any]:
        """As docs/performance.json has it."""
        goal = self.goal and {"at_most": self.goal.at_most, "ratio": self.goal.ratio}
        return {
            "group": self.group,
            "what": self.what,
            "unit": self.unit,
            "ours": _samples(self.ours),
            "reference": self.reference and {"what": self.against, **_samples(self.reference)},
            "ratio": self.ratio,
            "goal": goal,
            "met": self.met,
        }


def _samples(samples: Samples) -> dict[str, Any]:
    return {"median": samples.median, "spread": samples.spread, "samples": len(samples.values)}
