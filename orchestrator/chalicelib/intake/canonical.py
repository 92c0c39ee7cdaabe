# SPDX-License-Identifier: Apache-2.0
"""A body as written -> the one form that everything after it sees.

`"20"` and `20`, `"True"` and `true`, `""` and absent, JSON in a string and JSON, a predecessor's misspelling and the
correct key are equal requests; so they are inside objects and lists whose schema says what is in them. A value that has
no canonical form stays as it is, and explain.py reports it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.errors import BadRequest, Code, Problem
from chalicelib.intake import ranges
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
    result = Canonical({})
    known = _names(schema)
    own = {}
    for key, value in body.items():
        if key in known_elsewhere and key not in known:
            problem = f"not used by {body['pipeline_type']}; ignored"
            result.warnings.append(Problem(pointer(key), Code.UNUSED_KEY, problem))
        else:
            own[key] = value
    result.body = _object(own, schema, "", result.problems)
    return result


def _names(schema: Schema) -> dict[str, str]:
    """Every spelling of an object's keys -> the key."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    return {alias: name for name, one in properties.items() for alias in (name, *one.get("x-aliases", ()))}


def _object(given: Body, schema: Schema, path: str, problems: list[Problem]) -> Body:
    """An object with its keys under their own names and its values in canonical form, and with its defaults."""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    others = schema.get("additionalProperties")
    names = _names(schema)
    found: Body = {}
    spelt: dict[str, str] = {}  # a field found -> the key it has in the request
    for key, value in given.items():
        here = path + pointer(key)
        name = names.get(key)
        if name is None:
            found[key] = _value(value, others, here, problems) if isinstance(others, Mapping) else value
            continue
        if value == "":
            continue
        value = _value(value, properties[name], here, problems)
        if value in ("", properties[name].get("default", "")) and value in _EMPTY:
            continue
        if name in found and found[name] != value:
            problem = f"has another value than {path}{pointer(spelt[name])}, which is the same field"
            problems.append(Problem(here, Code.CONFLICT, problem, "remove one of them"))
            continue
        found[name] = value
        spelt.setdefault(name, key)
    for name, one in properties.items():
        if one.get("default", "") not in _EMPTY:
            found.setdefault(name, one["default"])
    return found


def _value(value: Any, schema: Schema, path: str, problems: list[Problem]) -> Any:
    """One value in its schema's type, if it can be read as that; else unchanged.

    A string that begins as JSON and is not is a problem.
    """
    match schema.get("type"):
        case "object":
            value = _from_text(value, dict, path, problems)
            if not isinstance(value, dict):
                return value
            if schema.get("x-tuning"):
                return ranges.canonical(value, text)
            if schema.get("x-values"):
                # Nothing is no text: null stays what it is, and is refused where it stands.
                return {key: item if item is None else text(item) for key, item in value.items()}
            return _object(value, schema, path, problems)
        case "array":
            value = _from_text(value, list, path, problems)
            items = schema.get("items")
            if not isinstance(value, list) or not isinstance(items, Mapping):
                return value
            return [_value(item, items, f"{path}/{index}", problems) for index, item in enumerate(value)]
        case "integer":
            return _integer(value)
        case "number":
            return _number(value)
        case "boolean":
            lowered = value.strip().lower() if isinstance(value, str) else value
            return True if lowered in _TRUE else False if lowered in _FALSE else value
        case "string":
            return _string(value, schema.get("x-canonical", ()))
    return value


def text(value: Any) -> str:
    """A JSON value as SageMaker takes a hyperparameter: a string as it is, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return value.text
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _from_text(value: Any, wanted: type, path: str, problems: list[Problem]) -> Any:
    """JSON in a string -> JSON, if it is the wanted kind."""
    if not isinstance(value, str):
        return value
    opening = "{" if wanted is dict else "["
    if not value.lstrip().startswith(opening):
        return value
    try:
        return parse_value(value)
    except BadRequest as unreadable:
        problems += [
            Problem(path, one.code, f"{one.path} {one.problem}".strip(), one.hint) for one in unreadable.problems
        ]
        return value


def _integer(value: Any) -> Any:
    if isinstance(value, str) and (digits := value.strip().removeprefix("-")).isdecimal() and digits.isascii():
        return int(value) if len(digits) <= 20 else value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    return value


def _number(value: Any) -> Any:
    """A number, or the text of one, as JSON writes it; a whole number is an int, so that 1 and 1.0 are one value."""
    if isinstance(value, str) and value.strip()[:2].lstrip("-")[:1].isdecimal():
        try:
            value = parse_value(value)
        except BadRequest:
            return value
    return _integer(value)


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
