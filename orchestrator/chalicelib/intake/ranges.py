# SPDX-License-Identifier: Apache-2.0
"""The ranges of hyperparameters that a tuning job searches: `{"eta": ["continuous", ["0.1", "0.5"], "Logarithmic"]}`.

A range has a kind, its two ends or its values, and perhaps how it is scaled. SageMaker takes ends and values as text,
so the canonical form has text. What a range must be:
https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html, and for the numbers of values
https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import Code, Problem
from chalicelib.intake.request import describe
from chalicelib.nearest import nearest
from chalicelib.quoting import pointer, shown

INTEGER, CONTINUOUS, CATEGORICAL = KINDS = ("integer", "continuous", "categorical")
AUTO, LINEAR, LOGARITHMIC, REVERSE_LOGARITHMIC = SCALINGS = ("Auto", "Linear", "Logarithmic", "ReverseLogarithmic")
MOST_VALUES = 30  # of a categorical range
LONGEST = 256  # characters of an end or a value
_NUMBER = {INTEGER: r"[+-]?\d+", CONTINUOUS: r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"}
_WANTED = {INTEGER: "a whole number", CONTINUOUS: "a number"}


@dataclass(frozen=True)
class Range:
    """One range whose form is right. `values` are the two ends, or a category's values."""

    kind: str
    values: tuple[str, ...]
    scaling: str = AUTO

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of a range of numbers."""
        low, high = self.values
        return float(low), float(high)

    @property
    def combinations(self) -> int | None:
        """How many values it has; None if there are infinitely many."""
        if self.kind == CATEGORICAL:
            return len(self.values)
        low, high = self.ends
        return None if self.kind == CONTINUOUS and low < high else int(high - low) + 1


def combinations(space: Mapping[str, Range]) -> int | None:
    """How many combinations of values ranges have; None if there are infinitely many."""
    sizes = [one.combinations for one in space.values()]
    return None if None in sizes else math.prod(size for size in sizes if size is not None)


def canonical(value: Any, text: Any) -> Any:
    """Ranges in their one form, as far as they have one; `text` makes text of a JSON value.

    The scaling may also stand behind the ends, as in the constructor of the SDK's parameters.
    """
    if not isinstance(value, dict):
        return value
    return {name: _canonical_range(one, text) if one and isinstance(one, list) else one for name, one in value.items()}


def _canonical_range(given: list[Any], text: Any) -> list[Any]:
    kind, *others = given
    kind = kind.strip().lower() if isinstance(kind, str) else kind
    if others and isinstance(others[0], list):
        values, *scaling = others
        if kind in (INTEGER, CONTINUOUS) and len(values) == 3 and not scaling and isinstance(values[2], str):
            values, scaling = values[:2], [values[2]]
        others = [[one if isinstance(one, dict | list) or one is None else text(one) for one in values], *scaling]
    if len(others) == 2 and isinstance(others[1], str):
        named = {one.lower(): one for one in SCALINGS}.get(others[1].strip().lower(), others[1])
        others = others[:1] if named == AUTO and kind != CATEGORICAL else [others[0], named]
    return [kind, *others]


def read(name: str, given: Any, path: str) -> tuple[Range | None, list[Problem]]:
    """The range of a hyperparameter in canonical form, or what is wrong with it; `path` leads to all ranges."""
    here = path + pointer(name)
    kind, values, *scaling = given
    if kind not in KINDS:
        near = nearest(str(kind), list(KINDS)) if isinstance(kind, str) else None
        problem = f"{shown(kind)} is not a kind of range"
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(KINDS)}"
        return None, [Problem(f"{here}/0", Code.NOT_ALLOWED_VALUE, problem, hint)]
    if not isinstance(values, list):
        wanted = "a list of values" if kind == CATEGORICAL else "a list of the lowest and the highest value"
        return None, [Problem(f"{here}/1", Code.WRONG_TYPE, f"is {describe(values)}, not a list", wanted)]
    problems = _wrong_values(kind, values, f"{here}/1") or _wrong_scaling(kind, values, scaling, f"{here}/2")
    return (None, problems) if problems else (Range(kind, tuple(values), *scaling), [])


def _wrong_values(kind: str, values: list[Any], here: str) -> list[Problem]:
    if kind == CATEGORICAL:
        return _wrong_categories(values, here)
    if len(values) != 2:
        problem = f"has {len(values)} entries" if values else "is empty"
        code = Code.TOO_FEW if len(values) < 2 else Code.TOO_MANY
        return [Problem(here, code, problem, "the lowest and the highest value")]
    found = [
        Problem(f"{here}/{index}", Code.WRONG_TYPE, f"{shown(value)} is not {_WANTED[kind]}", f"write {_WANTED[kind]}")
        for index, value in enumerate(values)
        if not _is_number(kind, value)
    ]
    if not found and float(values[0]) > float(values[1]):
        problem = f"the lowest value {values[0]} is greater than the highest value {values[1]}"
        found.append(Problem(here, Code.CONFLICT, problem, "the lowest value first"))
    return found


def _is_number(kind: str, value: Any) -> bool:
    written = isinstance(value, str) and len(value) <= LONGEST and re.fullmatch(_NUMBER[kind], value.strip(), re.ASCII)
    return bool(written) and math.isfinite(float(value))


def _wrong_categories(values: list[Any], here: str) -> list[Problem]:
    if not 1 <= len(values) <= MOST_VALUES:
        problem = f"has {len(values)} entries" if values else "is empty"
        code, hint = (Code.TOO_MANY, f"at most {MOST_VALUES}") if values else (Code.TOO_FEW, "at least 1")
        return [Problem(here, code, problem, hint)]
    found = []
    for index, value in enumerate(values):
        where = f"{here}/{index}"
        if not isinstance(value, str):
            problem = f"is {describe(value)}, not a string, number or boolean"
            found.append(Problem(where, Code.WRONG_TYPE, problem, "write one value"))
        elif len(value) > LONGEST:
            found.append(Problem(where, Code.TOO_LONG, f"has {len(value)} characters", f"at most {LONGEST}"))
        elif "\n" in value or "\r" in value:
            found.append(Problem(where, Code.WRONG_FORMAT, f"{shown(value)} is not one line", "remove the line breaks"))
        elif value in values[:index]:
            found.append(Problem(where, Code.CONFLICT, f"{shown(value)} is in the list twice", "remove one of them"))
    return found


def _wrong_scaling(kind: str, values: list[str], scaling: list[Any], here: str) -> list[Problem]:
    """What is wrong with a scaling type.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContinuousParameterRange.html
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_IntegerParameterRange.html
    """
    if not scaling:
        return []
    (named,) = scaling
    if kind == CATEGORICAL:
        return [Problem(here, Code.CONFLICT, "a categorical range has no scaling type", "remove it")]
    if named not in SCALINGS:
        near = nearest(str(named), list(SCALINGS))
        hint = f"did you mean {near!r}?" if near else f"one of {', '.join(SCALINGS)}"
        return [Problem(here, Code.NOT_ALLOWED_VALUE, f"{shown(named)} is not a scaling type", hint)]
    low, high = map(float, values)
    if named == LOGARITHMIC and low <= 0:
        problem = f"Logarithmic cannot be used with the lowest value {values[0]}"
        return [Problem(here, Code.CONFLICT, problem, "Logarithmic requires values greater than 0; use Linear or Auto")]
    if named == REVERSE_LOGARITHMIC and kind == INTEGER:
        hint = "use Linear, Logarithmic or Auto, or a continuous range"
        return [Problem(here, Code.CONFLICT, "ReverseLogarithmic cannot be used with an integer range", hint)]
    if named == REVERSE_LOGARITHMIC and not 0 <= low <= high < 1:
        problem = f"ReverseLogarithmic cannot be used with the range {values[0]} to {values[1]}"
        return [Problem(here, Code.CONFLICT, problem, "ReverseLogarithmic requires values of at least 0 and below 1")]
    return []
