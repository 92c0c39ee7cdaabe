# SPDX-License-Identifier: Apache-2.0
"""The metrics in a training log: those its image reports, and those that MetricDefinitions find.

    lines of a log -> values by the metric's name

A definition's regular expression captures the value in its first group:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_MetricDefinition.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def problem(definitions: Sequence[Mapping[str, Any]]) -> str:
    """What is wrong with definitions that a request brings; empty where nothing is."""
    for definition in definitions:
        try:
            groups = re.compile(definition["Regex"]).groups
        except re.error as error:
            return f"MetricDefinition {definition['Name']}: {definition['Regex']} is not a regular expression: {error}"
        if not groups:
            return f"MetricDefinition {definition['Name']}: {definition['Regex']} has no group that captures a value"
    return ""


class Wanted:
    """What is looked for in one job's log."""

    def __init__(
        self, of_the_image: Callable[[str], Mapping[str, float]], definitions: Sequence[Mapping[str, Any]]
    ) -> None:
        self._of_the_image = of_the_image
        self._defined = [(definition["Name"], re.compile(definition["Regex"])) for definition in definitions]

    def all(self, lines: Iterable[str]) -> dict[str, list[float]]:
        """All values, in the order of the lines."""
        values: dict[str, list[float]] = {}
        for line in lines:
            found = [*self._of_the_image(line).items()]
            for name, regex in self._defined:
                found += [(name, value) for match in regex.finditer(line) if (value := _number(match[1])) is not None]
            for name, value in found:
                if math.isfinite(value):
                    values.setdefault(name, []).append(value)
        return values

    def last(self, log: str) -> dict[str, float]:
        """The last value of each, as FinalMetricDataList has it."""
        return {name: values[-1] for name, values in self.all(log.splitlines()).items()}


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
