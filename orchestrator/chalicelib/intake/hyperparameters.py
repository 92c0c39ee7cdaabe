# SPDX-License-Identifier: Apache-2.0
"""Hyperparameters of the built-in algorithms x hyperparameters.json -> what their container would reject.

Pure: a canonical body and its schema in, problems (where the table is sure) and warnings (where AWS may know more)
out. A field says with `x-hyperparameters` which fields name its algorithm and its version. Your own code (script mode)
and algorithms that are not in the table take what they like.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import Code, Problem
from chalicelib.images import uris
from chalicelib.intake.request import Body
from chalicelib.nearest import nearest
from chalicelib.quoting import pointer, shown

TABLE = Path(__file__).with_name("hyperparameters.json")  # made by `make hyperparameters`
SCRIPT_MODE = {"sagemaker_program", "sagemaker_submit_directory"}
RESERVED = ("sagemaker_", "_")  # what SageMaker itself adds, for any algorithm
TRUTHS = ("true", "false", "auto")

Rule = list[Any]


@dataclass
class Findings:
    """What is wrong for sure, and what may be."""

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def takes(algorithm: str) -> Mapping[str, Rule]:
    """What a built-in algorithm takes: a rule for each name."""
    rules: Mapping[str, Rule] = _table()["algorithms"][algorithm]["takes"]
    return rules


def is_checked(algorithm: str, given: Mapping[str, Any]) -> bool:
    """Whether the table says what this algorithm takes: it is built in, and runs no script of the user."""
    return algorithm in _table()["algorithms"] and SCRIPT_MODE.isdisjoint(given)


def tunable(algorithm: str) -> tuple[str, ...]:
    """The hyperparameters of a built-in algorithm that AWS documents as tunable; none where the table has no list."""
    return tuple(_table()["algorithms"][algorithm].get("tunable", ()))


def metrics(algorithm: str) -> Mapping[str, str]:
    """The metrics that a built-in algorithm can be tuned by: Maximize or Minimize, by name; none if not listed."""
    listed: Mapping[str, list[str]] = _table()["algorithms"][algorithm].get("metrics", {})
    return {name: direction for direction, names in listed.items() for name in names}


def check(body: Body, schema: Schema, wrong: set[str]) -> Findings:
    """Every hyperparameter that its algorithm would not take; fields in `wrong` (JSON pointers) are left out."""
    found = Findings()
    for name, about in schema["properties"].items():
        names: Mapping[str, str] | None = about.get("x-hyperparameters")
        given = body.get(name)
        if not names or not isinstance(given, dict) or f"/{name}" in wrong:
            continue
        algorithm, version = (str(body.get(names[key].removeprefix("/"))) for key in ("algorithm", "version"))
        if is_checked(algorithm, given):
            tuned = _tuned(f"/{name}", body, schema)
            entry = _table()["algorithms"][algorithm]
            checked = _Checked(pointer(name), algorithm, version, entry, given, found, tuned)
            checked.values(wrong)
            checked.missing()
    return found


def _tuned(static: str, body: Body, schema: Schema) -> frozenset[str]:
    """The hyperparameters for which a tuning job finds the values, beside the static ones of a field."""
    fields = [name for name, one in schema["properties"].items() if one.get("x-tuning", {}).get("static") == static]
    return frozenset(name for field in fields if isinstance(body.get(field), dict) for name in body[field])


def refusal(path: str, algorithm: str, version: str, name: str, value: str) -> tuple[Problem, bool] | None:
    """What is wrong with one value of a built-in algorithm's hyperparameter, and whether that is sure."""
    entry = _table()["algorithms"][algorithm]
    rule = entry["takes"][name]
    refused = _refusal(path, algorithm, name, value, rule, entry.get("auto", False))
    return (refused, _is_sure(entry, algorithm, version, rule)) if refused else None


def _is_sure(entry: Schema, algorithm: str, version: str, rule: Rule) -> bool:
    """Whether a list of values is complete. An unknown version is refused anyway, so nothing is held back."""
    listed = entry.get("listed")
    if rule[0] not in ("one", "some") or listed is None or version in listed:
        return True
    return version not in uris.table()["frameworks"][algorithm]["training"]


@dataclass(frozen=True)
class _Checked:
    """The hyperparameters of one field, against their algorithm's entry in the table."""

    path: str
    algorithm: str
    version: str
    entry: Schema
    given: Mapping[str, Any]
    found: Findings
    tuned: frozenset[str]

    def values(self, wrong: set[str]) -> None:
        takes: Mapping[str, Rule] = self.entry["takes"]
        for name, value in self.given.items():
            path = self.path + pointer(name)
            if path in wrong or name.startswith(RESERVED):
                continue
            if name not in takes:
                near = nearest(name, list(takes))
                problem = f"is not a known hyperparameter of {self.algorithm}"
                hint = f"did you mean {near!r}?" if near else ""
                self.found.warnings.append(Problem(path, Code.UNKNOWN_HYPERPARAMETER, problem, hint))
                continue
            if refused := refusal(path, self.algorithm, self.version, name, value):
                (self.found.problems if refused[1] else self.found.warnings).append(refused[0])

    def missing(self) -> None:
        takes: Mapping[str, Rule] = self.entry["takes"]
        needed = [(name, "") for name in self.entry["required"]]
        for name, values, other in self.entry.get("needs", []):
            if name in self.given and (not values or self.given[name] in values):
                needed.append((other, f" if {name} is {shown(self.given[name])}"))
        for name, where in needed:
            if name not in self.given and name not in self.tuned:
                hint = f"{self.algorithm} requires {wanted(takes[name])}{where}"
                if near := nearest(name, [other for other in self.given if other not in takes]):
                    hint += f"; did you mean {name} instead of {shown(near)}?"
                self.found.problems.append(Problem(self.path + pointer(name), Code.MISSING, "is missing", hint))


def _refusal(path: str, algorithm: str, name: str, value: str, rule: Rule, auto: bool) -> Problem | None:
    problem = f"{shown(value)} is not a valid {name} for {algorithm}"
    code = Code.WRONG_HYPERPARAMETER
    match rule:
        case ["integer" | "number", interval]:
            number = _number(value, rule[0])
            if (auto and value == "auto") or (number is not None and within(number, interval)):
                return None
        case ["boolean"]:
            if value.strip().lower() in TRUTHS:
                return None
        case ["one", values]:
            if value in values:
                return None
            near = nearest(value, values)
            return Problem(path, code, problem, f"did you mean {near!r}?" if near else wanted(rule))
        case ["some", values]:
            other = [one for one in _items(value) if one not in values]
            if not other:
                return None
            near = nearest(other[0], values)
            problem = f"{shown(other[0])} is not a valid {name} for {algorithm}"
            return Problem(path, code, problem, f"did you mean {near!r}?" if near else wanted(rule))
        case _:
            return None
    return Problem(path, code, problem, wanted(rule))


def _number(value: str, kind: str) -> float | None:
    """The value as its algorithm reads it; a whole number has no fraction, not even .0."""
    pattern = r"[+-]?\d+" if kind == "integer" else r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
    if not re.fullmatch(pattern, value.strip(), re.ASCII):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def within(number: float, interval: str) -> bool:
    """Whether a number is in an interval such as (0, 1] or [1, )."""
    low, high = bounds(interval)
    above = not low or (number >= float(low) if interval[0] == "[" else number > float(low))
    below = not high or (number <= float(high) if interval[-1] == "]" else number < float(high))
    return above and below


def _items(value: str) -> list[str]:
    """auc,error@0.7 -> auc, error: a list with commas, without what a metric is measured at."""
    return [item.strip(" []'\"").partition("@")[0] for item in value.split(",")]


def wanted(rule: Rule) -> str:
    """What a hyperparameter takes, in words."""
    match rule:
        case ["integer" | "number" as kind, interval]:
            low, high = bounds(interval)
            ends = [f"{'at least' if interval[0] == '[' else 'above'} {low}"] if low else []
            ends += [f"{'at most' if interval[-1] == ']' else 'below'} {high}"] if high else []
            what = "a whole number" if kind == "integer" else "a number"
            return ", ".join([what, " and ".join(ends)] if ends else [what])
        case ["one", values]:
            return f"one of {', '.join(values)}"
        case ["some", values]:
            return f"one or more of {', '.join(values)}, separated by commas"
        case ["boolean"]:
            return "true or false"
        case _:
            return "a string"


def bounds(interval: str) -> tuple[str, str]:
    """The ends of an interval; empty where it has none."""
    low, _, high = interval[1:-1].partition(", ")
    return low, high


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return found
