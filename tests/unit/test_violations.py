# SPDX-License-Identifier: Apache-2.0
"""The orchestrator's own check of JSON Schema against jsonschema's: the same values fit, the same places do not."""

from __future__ import annotations

import copy
from typing import Any
from zlib import crc32

import jsonschema
import pytest
from chalicelib.intake.violations import KEYWORDS, Violation, find
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as some

NAMES = ["a", "b", "c"]
values = some.recursive(
    some.none()
    | some.booleans()
    | some.integers(-3, 3)
    | some.sampled_from([0.5, 1.0, -2.5, 1e300])
    | some.sampled_from(["", "a", "ab", "a\n", "1", "é"]),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.sampled_from(NAMES), inner, max_size=3),
    max_leaves=6,
)
limits = some.integers(0, 3)
leaves: dict[str, some.SearchStrategy[Any]] = {
    "type": some.sampled_from(
        ["string", "integer", "number", "boolean", "array", "object", "null", ["string", "null"]]
    ),
    "enum": some.lists(values, min_size=1, max_size=3),
    "const": values,
    "pattern": some.sampled_from(["a", "^a$", "^[ab]*\\Z", "^(?!a)"]),
    "minimum": limits,
    "maximum": limits,
    "exclusiveMinimum": limits,
    "exclusiveMaximum": limits,
    **{f"{end}{kind}": limits for end in ("min", "max") for kind in ("Length", "Items", "Properties")},
    "uniqueItems": some.booleans(),
    "required": some.lists(some.sampled_from(NAMES), max_size=2),
    "dependentRequired": some.dictionaries(
        some.sampled_from(NAMES), some.lists(some.sampled_from(NAMES), max_size=2), max_size=2
    ),
}


def around(inner: some.SearchStrategy[Any]) -> some.SearchStrategy[Any]:
    named = some.dictionaries(some.sampled_from(NAMES), inner, max_size=2)
    lists = some.lists(inner, min_size=1, max_size=3)
    applied = {
        "additionalProperties": inner | some.booleans(),
        **dict.fromkeys(("items", "propertyNames", "not", "if", "then", "else"), inner),
        **dict.fromkeys(("allOf", "anyOf", "oneOf"), lists),
        "properties": named,
    }
    return some.fixed_dictionaries({}, optional={**leaves, **applied}).map(small)


def small(schema: dict[str, Any]) -> dict[str, Any]:
    """Some of the keywords: with all of them, hardly any value fits."""
    return {key: schema[key] for key in sorted(schema, key=lambda key: crc32(f"{key}{len(schema)}".encode()))[:4]}


schemas = some.recursive(some.fixed_dictionaries({}, optional=leaves).map(small), around, max_leaves=4)


def places(schema: Any, value: Any) -> set[tuple[tuple[Any, ...], str]]:
    """Where jsonschema finds errors, and against which keywords."""
    found, errors = set(), list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    for error in errors:
        errors.extend(error.context)
        if not error.context:
            # A schema of `false` has no keyword, and one of dependentRequired tells as `required` here.
            name = {None: "not", "dependentRequired": "required"}.get(error.validator, error.validator)
            found.add((tuple(error.absolute_path), str(name)))
    return found


@given(schema=schemas, value=values)
@trying(max_examples=300, deadline=None)
def test_values_fit_schemas_as_jsonschema_says(schema: Any, value: Any) -> None:
    given_schema, given_value = copy.deepcopy(schema), copy.deepcopy(value)
    found = list(find(value, schema))
    assert {(one.path, one.keyword) for one in found} == places(schema, value)
    assert (schema, value) == (given_schema, given_value)


@pytest.mark.slow
@given(schema=schemas, value=values)
@trying(max_examples=60_000, deadline=None)
def test_very_many_values_fit_schemas_as_jsonschema_says(schema: Any, value: Any) -> None:
    assert {(one.path, one.keyword) for one in find(value, schema)} == places(schema, value)


def test_every_keyword_is_tried() -> None:
    tried = {*leaves, "items", "additionalProperties", "propertyNames", "properties"}
    tried |= {"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
    assert tried | {"$ref", "$defs"} == KEYWORDS


def test_a_violation_says_where_and_against_what() -> None:
    schema = {"properties": {"a": {"items": {"$ref": "#/$defs/short"}}}, "$defs": {"short": {"maxLength": 1}}}
    assert list(find({"a": ["x", "xy"]}, schema)) == [
        Violation(("a", 1), "maxLength", "xy", 1, {"maxLength": 1}),
    ]


def test_a_violation_by_a_key_says_so() -> None:
    schema = {"propertyNames": {"pattern": "^a"}}
    (found,) = find({"ab": 1, "b": 2}, schema)
    assert (found.path, found.value, found.of_key) == ((), "b", True)
