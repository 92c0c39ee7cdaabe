# SPDX-License-Identifier: Apache-2.0
"""A JSON value x a JSON Schema (2020-12) -> every place where the value does not fit.

Of the schema's vocabulary, what request schemas use: KEYWORDS, which the blueprint compiler holds them to. A test
compares this with the reference implementation, jsonschema, which does not ship: with its dependencies it would be a
third of the zip, and importing it takes longer than answering a request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.catalog import Schema

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Violation:
    """One keyword of a schema that a value does not satisfy."""

    path: Path  # of the value
    keyword: str
    value: Any
    limit: Any  # what the keyword says
    schema: Schema  # the schema that has the keyword
    of_key: bool = False  # the value is a key of the object at `path`


def find(value: Any, schema: Schema | bool) -> Iterator[Violation]:
    """Every violation, the first one soon: nothing is gathered."""
    root: Schema = schema if isinstance(schema, Mapping) else {}
    return _find(value, schema, (), root)


def _find(value: Any, schema: Any, path: Path, root: Schema) -> Iterator[Violation]:
    if isinstance(schema, bool):
        if not schema:
            yield Violation(path, "not", value, {}, {})
        return
    for keyword, limit in schema.items():
        if keyword in _LIMITS:
            holds, applies_to = _LIMITS[keyword]
            if isinstance(value, applies_to) and not isinstance(value, bool) and not holds(value, limit):
                yield Violation(path, keyword, value, limit, schema)
        elif keyword in _WITHIN:
            yield from _WITHIN[keyword](value, limit, schema, path, root)


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number"):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and (kind == "number" or value == int(value))
    return isinstance(value, _KINDS[kind])


_KINDS = {"string": str, "boolean": bool, "array": list, "object": dict, "null": type(None)}


def _same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal; Python's True is 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


# Keywords that look at the value alone: whether it holds, and the kind of value that it applies to.
_NUMBER = (int, float)
_ANY = (object,)
_LIMITS: Mapping[str, tuple[Callable[[Any, Any], bool], tuple[type, ...]]] = {
    "pattern": (lambda value, limit: re.search(limit, value) is not None, (str,)),
    "minLength": (lambda value, limit: len(value) >= limit, (str,)),
    "maxLength": (lambda value, limit: len(value) <= limit, (str,)),
    "minimum": (lambda value, limit: value >= limit, _NUMBER),
    "maximum": (lambda value, limit: value <= limit, _NUMBER),
    "exclusiveMinimum": (lambda value, limit: value > limit, _NUMBER),
    "exclusiveMaximum": (lambda value, limit: value < limit, _NUMBER),
    "minItems": (lambda value, limit: len(value) >= limit, (list,)),
    "maxItems": (lambda value, limit: len(value) <= limit, (list,)),
    "uniqueItems": (
        lambda value, limit: not limit or not any(_same(*pair) for pair in _pairs(value)),
        (list,),
    ),
    "minProperties": (lambda value, limit: len(value) >= limit, (dict,)),
    "maxProperties": (lambda value, limit: len(value) <= limit, (dict,)),
    "required": (lambda value, limit: all(key in value for key in limit), (dict,)),
}


def _pairs(values: list[Any]) -> Iterator[tuple[Any, Any]]:
    return ((one, other) for index, one in enumerate(values) for other in values[:index])


# Keywords that look at every value, and those whose schemas are about what is in the value, or about the value again.


def _type(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    kinds = limit if isinstance(limit, list) else [limit]
    if not any(_is(value, kind) for kind in kinds):
        yield Violation(path, "type", value, limit, schema)


def _enum(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    if not any(_same(value, one) for one in limit):
        yield Violation(path, "enum", value, limit, schema)


def _const(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    if not _same(value, limit):
        yield Violation(path, "const", value, limit, schema)


def _properties(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    if isinstance(value, dict):
        for key, one in limit.items():
            if key in value:
                yield from _find(value[key], one, (*path, key), root)


def _additional(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    if not isinstance(value, dict):
        return
    others = [key for key in value if key not in schema.get("properties", {})]
    if limit is False and others:
        yield Violation(path, "additionalProperties", value, limit, schema)
    elif limit is not False:
        for key in others:
            yield from _find(value[key], limit, (*path, key), root)


def _keys(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    for key in value if isinstance(value, dict) else ():
        for one in _find(key, limit, path, root):
            yield Violation(path, one.keyword, key, one.limit, one.schema, of_key=True)


def _items(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from _find(item, limit, (*path, index), root)


def _dependent(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    for key, needed in limit.items() if isinstance(value, dict) else ():
        if key in value:
            yield from _find(value, {"required": needed}, path, root)


def _all(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    for one in limit:
        yield from _find(value, one, path, root)


def _any(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    """Where no alternative fits, what each of them is missing."""
    found = [list(_find(value, one, path, root)) for one in limit]
    if all(found):
        yield from (violation for one in found for violation in one)


def _one(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    found = [list(_find(value, one, path, root)) for one in limit]
    if all(found):
        yield from (violation for one in found for violation in one)
    elif found.count([]) > 1:
        yield Violation(path, "oneOf", value, limit, schema)


def _not(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    if _fits(value, limit, root):
        yield Violation(path, "not", value, limit, schema)


def _if(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    then = schema.get("then" if _fits(value, limit, root) else "else", True)
    yield from _find(value, then, path, root)


def _reference(value: Any, limit: Any, schema: Schema, path: Path, root: Schema) -> Iterator[Violation]:
    yield from _find(value, root["$defs"][limit.removeprefix("#/$defs/")], path, root)


def _fits(value: Any, schema: Any, root: Schema) -> bool:
    return next(_find(value, schema, (), root), None) is None


_WITHIN: Mapping[str, Callable[[Any, Any, Schema, Path, Schema], Iterator[Violation]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _keys,
    "items": _items,
    "dependentRequired": _dependent,
    "allOf": _all,
    "anyOf": _any,
    "oneOf": _one,
    "not": _not,
    "if": _if,
    "$ref": _reference,
}
KEYWORDS = frozenset({*_LIMITS, *_WITHIN, "then", "else", "$defs"})
