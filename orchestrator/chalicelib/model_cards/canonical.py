# SPDX-License-Identifier: Apache-2.0
"""A body of a model-card operation -> its canonical form, to the depth of its schema.

The conversions are those of pipelines (intake/canonical.py): `"3"` and `3` where a number belongs, JSON in a string,
`"True"`. A key with an empty string is absent; within the content, an empty string is a text like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jsonschema

from chalicelib.catalog import Schema
from chalicelib.errors import BadRequest, Problem
from chalicelib.intake.canonical import canonical_value
from chalicelib.quoting import pointer


@dataclass
class Canonical:
    """The canonical form, and the problems of strings that begin as JSON and are not."""

    schema: Schema
    problems: list[Problem] = field(default_factory=list)

    def value(self, value: Any, schema: Schema | None = None, path: str = "") -> Any:
        """A value in canonical form for its schema, which is a part of `self.schema`."""
        if value is None:
            return None
        found = self.applicable(self.schema if schema is None else schema, value)
        try:
            value = canonical_value(value, found)
        except BadRequest as unreadable:
            self.problems += [
                Problem(path, one.code, f"{one.path} {one.problem}".strip(), one.hint) for one in unreadable.problems
            ]
            return value
        if isinstance(value, dict):
            found = self.applicable(found, value)
            return {key: self._entry(key, one, found, path) for key, one in value.items()}
        if isinstance(value, list) and "items" in found:
            return [self.value(one, found["items"], f"{path}/{index}") for index, one in enumerate(value)]
        return value

    def _entry(self, key: str, value: Any, schema: Schema, path: str) -> Any:
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        return self.value(value, inner, path + pointer(key)) if isinstance(inner, Mapping) else value

    def applicable(self, schema: Schema, value: Any) -> Schema:
        """A schema with what its references and conditions add to it for a value."""
        found = dict(schema)
        while "$ref" in found:
            name = found.pop("$ref").removeprefix("#/$defs/")
            found = {**self.schema["$defs"][name], **found}
        for condition in [found, *found.get("allOf", ())]:
            if "if" not in condition:
                continue
            fits = jsonschema.Draft202012Validator(condition["if"]).is_valid(value)
            branch = condition.get("then" if fits else "else", {})
            properties = {**found.get("properties", {}), **branch.get("properties", {})}
            found = {**found, **self.applicable(branch, value), **({"properties": properties} if properties else {})}
        return found


def without_nulls(value: Any) -> Any:
    """A value without the entries of objects that are null."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return value


def nulls(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the nulls in objects are."""
    if isinstance(value, dict):
        for key, one in value.items():
            if one is None:
                yield (*path, key)
            else:
                yield from nulls(one, (*path, key))
