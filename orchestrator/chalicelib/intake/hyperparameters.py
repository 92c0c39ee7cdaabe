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


def check(body: Body, schema: Schema, wrong: set[str]) -> Findings:
    """Every hyperparameter that its algorithm would not take; fields in `wrong` (JSON pointers) are left out."""
    found = Findings()
    for name, about in schema["properties"].items():
        names: Mapping[str, str] | None = about.get("x-hyperparameters")
        given = body.get(name)
        if not names or not isinstance(given, dict) or f"/{name}" in wrong:
            continue
        algorithm, version = (str(body.get(names[key].removeprefix("/"))) for key in ("algorithm", "version"))
        entry = _table()["algorithms"].get(algorithm)
        if entry and SCRIPT_MODE.isdisjoint(given):
            checked = _Checked(pointer(name), algorithm, version, entry, given, found)
            checked.values(wrong)
            checked.missing()
    return found


@dataclass(frozen=True)
class _Checked:
    """The hyperparameters of one field, against their algorithm's entry in the table."""

    path: str
    algorithm: str
    version: str
    entry: Schema
    given: Mapping[str, Any]
    found: Findings

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
            refusal = _refusal(path, self.algorithm, name, value, takes[name], self.entry.get("auto", False))
            if refusal:
                (self.found.problems if self._sure(takes[name]) else self.found.warnings).append(refusal)

    def _sure(self, rule: Rule) -> bool:
        """Whether a list of values is complete. An unknown version is refused anyway, so nothing is held back."""
        listed = self.entry.get("listed")
        if rule[0] not in ("one", "some") or listed is None or self.version in listed:
            return True
        return self.version not in uris.table()["frameworks"][self.algorithm]["training"]

    def missing(self) -> None:
        takes: Mapping[str, Rule] = self.entry["takes"]
        needed = [(name, "") for name in self.entry["required"]]
        for name, values, other in self.entry.get("needs", []):
            if name in self.given and (not values or self.given[name] in values):
                needed.append((other, f" if {name} is {shown(self.given[name])}"))
        for name, where in needed:
            if name not in self.given:
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
