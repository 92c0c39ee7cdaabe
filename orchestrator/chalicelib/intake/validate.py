# SPDX-License-Identifier: Apache-2.0
"""Canonical body x schema and rules -> every problem in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import Code, Problem
from chalicelib.intake import rules, violations
from chalicelib.intake.places import described
from chalicelib.intake.request import Body


def problems(body: Body, schema: Schema, rules_of_type: tuple[Mapping[str, Any], ...] = ()) -> list[Problem]:
    """Everything wrong with a canonical body; empty when it is right."""
    found: list[Problem] = []
    if any(violations.find(body, schema)):
        from chalicelib.intake.explain import explain  # a cold start waits for every import

        found = explain(body, schema)
    found += _too_many_bytes(body, schema, {problem.path for problem in found})
    return found + rules.problems(body, rules_of_type, {problem.path for problem in found})


def _too_many_bytes(body: Body, schema: Schema, wrong: set[str]) -> list[Problem]:
    """Strings longer than AWS takes them, which counts bytes where JSON Schema counts characters."""
    found = []
    for path, value, about in described(body, schema):
        most = about.get("x-max-bytes")
        if most and isinstance(value, str) and path not in wrong and (size := len(value.encode())) > most:
            found.append(Problem(path, Code.TOO_LONG, f"has {size} bytes in UTF-8", f"at most {most}"))
    return found
