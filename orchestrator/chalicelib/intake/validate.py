# SPDX-License-Identifier: Apache-2.0
"""Canonical body x schema and rules -> every problem in it.

A validator generated at build time says whether a body fits its schema; only when it does not, explain.py finds
everything that is wrong. Both come from the same schema, and a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import Code, Problem
from chalicelib.intake import rules
from chalicelib.intake.places import described
from chalicelib.intake.request import Body


class Mismatch(Exception):
    """A generated validator found something that does not fit; explain.py says what and where."""


def problems(
    body: Body, schema: Schema, check: Callable[[Any], Any], rules_of_type: tuple[Mapping[str, Any], ...] = ()
) -> list[Problem]:
    """Everything wrong with a canonical body; empty when it is right."""
    found: list[Problem] = []
    try:
        check(body)
    except Mismatch:
        from chalicelib.intake.explain import explain  # with jsonschema, 80 ms

        found = explain(body, schema) or [Problem("", Code.NOT_ALLOWED_VALUE, "does not fit its schema")]
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
