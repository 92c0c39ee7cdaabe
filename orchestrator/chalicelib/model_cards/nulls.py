# SPDX-License-Identifier: Apache-2.0
"""Nulls in the objects of an update: each stands for a key that is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.catalog import Schema


def without(value: Any) -> Any:
    """A value without the entries of objects that are null."""
    if isinstance(value, Mapping):
        return {key: without(one) for key, one in value.items() if one is not None}
    return value


def paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where the nulls in objects are."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if one is None:
                yield (*path, key)
            else:
                yield from paths(one, (*path, key))


def is_removable(path: tuple[str, ...], schema: Schema) -> bool:
    """Whether a schema of an object knows the key at a path."""
    *parents, last = path
    for key in parents:
        schema = schema.get("properties", {}).get(key, {})
        schema = schema.get("else", schema)  # of a list or an object, it is in an object
    return last in schema.get("properties", {}) or isinstance(schema.get("additionalProperties"), Mapping)
