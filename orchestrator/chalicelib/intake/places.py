# SPDX-License-Identifier: Apache-2.0
"""The places in a body that its schema describes, inside objects and lists too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.catalog import Schema
from chalicelib.quoting import pointer


def described(body: Any, schema: Schema, path: str = "") -> Iterator[tuple[str, Any, Schema]]:
    """Every value below `body` that the schema describes: its JSON pointer, itself, and what the schema says of it."""
    if isinstance(body, dict):
        properties: Mapping[str, Schema] = schema.get("properties", {})
        others = schema.get("additionalProperties")
        inner = [(pointer(key), value, properties.get(key, others)) for key, value in body.items()]
    elif isinstance(body, list):
        inner = [(f"/{index}", value, schema.get("items")) for index, value in enumerate(body)]
    else:
        return
    for key, value, about in inner:
        if isinstance(about, Mapping):
            yield path + key, value, about
            yield from described(value, about, path + key)


def at(body: Any, path: str) -> Any:
    """The value that a JSON pointer of a manifest leads to; "" where there is none."""
    for key in path.removeprefix("/").split("/"):
        if not isinstance(body, dict) or key not in body:
            return ""
        body = body[key]
    return body
