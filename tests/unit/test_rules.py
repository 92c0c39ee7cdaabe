# SPDX-License-Identifier: Apache-2.0
"""Rules over two fields: what breaks one is a problem at a field, with what to write instead."""

from __future__ import annotations

from typing import Any

import pytest
from chalicelib.intake import rules

LINES = {"when": {"/join": "Input"}, "needs": {"/split": ["Line", "RecordIO"]}, "because": "it is joined"}
EQUAL = {"when": {"/join": "Input"}, "equal": ["/accept", "/content"], "because": "it is joined"}
PRODUCT = {"product": ["/size", "/count"], "at_most": 100}
COLUMNS = {"when": {"/path": None, "/content": "csv"}, "matches": {"/path": r"^\$\["}, "because": "it has no names"}
LEAST = {"when": "/spot", "not_less": ["/wait", "/run"]}


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        (LINES, {"join": "Input", "split": "RecordIO"}),
        (LINES, {"join": "None", "split": "None"}),
        (EQUAL, {"join": "Input", "accept": "csv", "content": "csv"}),
        (PRODUCT, {"size": 10, "count": 10}),
        (PRODUCT, {"size": 1000, "count": "many"}),
        (COLUMNS, {"path": "$[1:]", "content": "csv"}),
        (COLUMNS, {"path": "$.a", "content": "json"}),
        (COLUMNS, {"content": "csv"}),
        (LEAST, {"spot": False, "wait": 1, "run": 2}),
    ],
)
def test_a_kept_rule_is_no_problem(rule: dict[str, Any], body: dict[str, Any]) -> None:
    assert rules.problems(body, (rule,), set()) == []


@pytest.mark.parametrize(
    ("rule", "body", "path", "problem", "hint"),
    [
        (
            LINES,
            {"join": "Input", "split": "None"},
            "/split",
            "'None' cannot be used with /join 'Input'",
            "'Line' or 'RecordIO': it is joined",
        ),
        (
            EQUAL,
            {"join": "Input", "accept": "csv", "content": "json"},
            "/accept",
            "'csv' differs from /content ('json'), and /join 'Input' requires equal values",
            "'json': it is joined",
        ),
        (PRODUCT, {"size": 21, "count": 5}, "/size", "21 multiplied by /count (5) is 105", "at most 100"),
        (
            COLUMNS,
            {"path": "$.a", "content": "csv"},
            "/path",
            "'$.a' cannot be used with /content 'csv'",
            "it has no names",
        ),
        (LEAST, {"spot": True, "wait": 1, "run": 2}, "/wait", "1 is less than /run (2)", "at least 2"),
    ],
)
def test_a_broken_rule_is_a_problem(
    rule: dict[str, Any], body: dict[str, Any], path: str, problem: str, hint: str
) -> None:
    (found,) = rules.problems(body, (rule,), set())
    assert (found.path, found.problem, found.hint) == (path, problem, hint)
    assert rules.problems(body, (rule,), {path}) == []


def test_a_field_that_another_requires_must_be_there() -> None:
    rule = {"when": {"/status": "Approved"}, "requires": ["/group"], "because": "it is that of a version"}
    assert rules.fields(rule) == {"/status", "/group"}
    assert rules.problems({"status": "Pending"}, (rule,), set()) == []
    assert rules.problems({"status": "Approved", "group": "churn"}, (rule,), set()) == []
    (problem,) = rules.problems({"status": "Approved"}, (rule,), set())
    assert (problem.path, problem.code.name) == ("/group", "MISSING")
    assert problem.problem == "is missing, and /status 'Approved' requires it"
