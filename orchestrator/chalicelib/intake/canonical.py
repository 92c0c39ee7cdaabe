# SPDX-License-Identifier: Apache-2.0
"""A body as written -> the one form that everything after it sees.

`"20"` and `20`, `"True"` and `true`, `""` and absent, JSON in a string and JSON, a predecessor's misspelling and the
correct key are equal requests. A value that has no canonical form stays as it is, and explain.py reports it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake.request import Body, Decimal, parse_value
from chalicelib.quoting import pointer

_EMPTY: tuple[Any, ...] = ("", [], {})  # as a default: the same as absent
_TRUE, _FALSE = ("true", "yes"), ("false", "no")


@dataclass
class Canonical:
    """The canonical body, with its warnings and its problems."""

    body: Body
    warnings: list[Problem] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def canonical(body: Body, schema: Schema, known_elsewhere: frozenset[str]) -> Canonical:
    """Bring a body into canonical form for a type's schema.

    Keys of other pipeline types are dropped with a warning; unknown keys are kept: explain.py reports them.
    """
    properties: Mapping[str, Schema] = schema["properties"]
    names = {alias: name for name, one in properties.items() for alias in (name, *one.get("x-aliases", ()))}
    result = Canonical({})
    for key, value in body.items():
        name = names.get(key)
        if name is None:
            if key in known_elsewhere:
                problem = f"not used by {body['pipeline_type']}; ignored"
                result.warnings.append(Problem(pointer(key), Code.UNUSED_KEY, problem))
            else:
                result.body[key] = value
            continue
        if value == "":
            continue
        try:
            value = canonical_value(value, properties[name])
        except BadRequest as unreadable:
            result.problems += [
                Problem(f"/{key}", one.code, f"{one.path} {one.problem}".strip(), one.hint)
                for one in unreadable.problems
            ]
        if value in ("", properties[name].get("default", "")) and value in _EMPTY:
            continue
        if name in result.body and result.body[name] != value:
            problem = f"has another value than /{name}, which is the same field"
            result.problems.append(Problem(f"/{key}", Code.CONFLICT, problem, "remove one of them"))
            continue
        result.body[name] = value
    for name, one in properties.items():
        if one.get("default", "") not in _EMPTY:
            result.body.setdefault(name, one["default"])
    return result


def canonical_value(value: Any, schema: Schema) -> Any:
    """One value in its schema's type, if it can be read as that; else unchanged.

    Raises BadRequest if it is a string that begins as JSON and is not.
    """
    kind = schema.get("type")
    if kind == "object" and schema.get("x-values"):
        value = _from_text(value, dict)
        if not isinstance(value, dict):
            return value
        # Nothing is no text: null stays what it is, and is refused where it stands.
        return {key: item if item is None else text(item) for key, item in value.items()}
    if kind in ("object", "array"):
        return _from_text(value, dict if kind == "object" else list)
    if kind == "integer":
        return _integer(value)
    if kind == "boolean":
        lowered = value.strip().lower() if isinstance(value, str) else value
        return True if lowered in _TRUE else False if lowered in _FALSE else value
    if kind == "string":
        return _string(value, schema.get("x-canonical", ()))
    return value


def text(value: Any) -> str:
    """A JSON value as SageMaker takes a hyperparameter: a string as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return value.text
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _from_text(value: Any, wanted: type) -> Any:
    """JSON in a string -> JSON, if it is the wanted kind."""
    if not isinstance(value, str):
        return value
    opening = "{" if wanted is dict else "["
    if not value.lstrip().startswith(opening):
        return value
    return parse_value(value)


def _integer(value: Any) -> Any:
    if isinstance(value, str) and (digits := value.strip().removeprefix("-")).isdecimal() and digits.isascii():
        return int(value) if len(digits) <= 20 else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _string(value: Any, steps: tuple[str, ...]) -> Any:
    if "number" in steps and isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = text(value)
    if isinstance(value, str):
        if "strip" in steps:
            value = value.strip()
        if "lower" in steps:
            value = value.lower()
        if "none_is_empty" in steps and value == "None":
            value = ""
        if "strip_trailing_slash" in steps:
            value = value.removesuffix("/")
    return value
