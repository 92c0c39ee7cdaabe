# SPDX-License-Identifier: Apache-2.0
"""The rules of a manifest over two fields -> the problems of a body that breaks them.

when:      the fields the rule depends on: a pointer (set, and not false), or pointers with the value of each, of which
           null is any
not_less:  [greater, less], two fields with whole numbers
product:   [field, field], two fields with whole numbers, whose product is `at_most` a number
equal:     [field, other], two fields that must have the same value, with `because`
needs:     {field: the value it must have, or a list of such values, of which null is none}, with `because`
requires:  [field, ...], fields that must be there, with `because`
warn:      {field: a number}, with `because`: a whole number beyond it is accepted, with a warning
matches:   {field: the regular expression that its text must match}, with `because`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.errors import Code, Problem
from chalicelib.intake.request import Body
from chalicelib.quoting import shown

Rule = Mapping[str, Any]


def problems(body: Body, rules: tuple[Rule, ...], wrong: set[str]) -> list[Problem]:
    """The problems of every broken rule. A rule about a field in `wrong` (JSON pointers) is not checked."""
    return [problem for rule in rules if wrong.isdisjoint(fields(rule)) for problem in _broken(rule, body)]


def warnings(body: Body, rules: tuple[Rule, ...], wrong: set[str]) -> list[Problem]:
    """The warnings of the rules that give some. A rule about a field in `wrong` (JSON pointers) is not checked."""
    return [warning for rule in rules if wrong.isdisjoint(fields(rule)) for warning in _beyond(rule, body)]


def fields(rule: Rule) -> set[str]:
    """The JSON pointers of the fields that a rule reads."""
    pairs = (rule.get(kind, ()) for kind in ("not_less", "product", "equal"))
    return {
        *(field for pair in pairs for field in pair),
        *rule.get("needs", ()),
        *rule.get("matches", ()),
        *rule.get("requires", ()),
        *rule.get("warn", ()),
        *_when(rule),
    }


def _when(rule: Rule) -> Mapping[str, Any]:
    """The fields a rule depends on, each with the value it must have; None: any but false."""
    condition = rule.get("when", {})
    return {condition: None} if isinstance(condition, str) else condition


def _applies(when: Mapping[str, Any], body: Body) -> bool:
    values = {path: body.get(path.removeprefix("/")) for path in when}
    return all(values[path] if wanted is None else values[path] == wanted for path, wanted in when.items())


def _beyond(rule: Rule, body: Body) -> Iterator[Problem]:
    """The warnings of one rule."""
    for path, limit in rule.get("warn", {}).items() if _applies(_when(rule), body) else ():
        value = body.get(path.removeprefix("/"))
        if isinstance(value, int) and value > limit:
            yield Problem(path, Code.BEYOND_LIMIT, f"{shown(value)} is more than {limit}: {rule['because']}")


def _broken(rule: Rule, body: Body) -> Iterator[Problem]:
    """The problems of one rule; its fields are in the body, by default or by request."""

    def value(path: str) -> Any:
        return body.get(path.removeprefix("/"))

    when = _when(rule)
    if not _applies(when, body):
        return
    if "not_less" in rule:
        path, other = rule["not_less"]
        greater, less = value(path), value(other)
        if isinstance(greater, int) and isinstance(less, int) and greater < less:
            yield Problem(path, Code.CONFLICT, f"{shown(greater)} is less than {other} ({less})", f"at least {less}")
    if "product" in rule:
        path, other = rule["product"]
        one, two, limit = value(path), value(other), rule["at_most"]
        if isinstance(one, int) and isinstance(two, int) and one * two > limit:
            problem = f"{shown(one)} multiplied by {other} ({two}) is {one * two}"
            yield Problem(path, Code.CONFLICT, problem, f"at most {limit}")
    if "equal" in rule:
        path, other = rule["equal"]
        if value(path) != value(other):
            values = f"{shown(value(path))} differs from {other} ({shown(value(other))})"
            problem = f"{values}, and {_given(when)} requires equal values"
            yield Problem(path, Code.CONFLICT, problem, f"{shown(value(other))}: {rule['because']}")
    for path, needed in rule.get("needs", {}).items():
        allowed = needed if isinstance(needed, list) else [needed]
        if value(path) not in allowed:
            problem = f"{shown(value(path))} cannot be used with {_given(when)}"
            if value(path) is None:
                problem = f"is missing, and {_given(when)} requires it"
            listed = " or ".join("remove it" if one is None else shown(one) for one in allowed)
            yield Problem(path, Code.CONFLICT, problem, f"{listed}: {rule['because']}")
    for path in rule.get("requires", ()):
        if value(path) is None:
            yield Problem(path, Code.MISSING, f"is missing, and {_given(when)} requires it", rule["because"])
    for path, pattern in rule.get("matches", {}).items():
        if not re.search(pattern, str(value(path))):
            others = {field: wanted for field, wanted in when.items() if field != path}
            problem = f"{shown(value(path))} cannot be used with {_given(others)}"
            yield Problem(path, Code.CONFLICT, problem, rule["because"])


def _given(when: Mapping[str, Any]) -> str:
    """The fields that a rule depends on, as its problems name them."""
    return " and ".join(one if wanted is None else f"{one} {shown(wanted)}" for one, wanted in when.items())
