# SPDX-License-Identifier: Apache-2.0
"""The keys of model-card requests, as docs/model-cards.md lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.model_cards import schemas

from tools.docs.pages import table

Schema = Mapping[str, Any]
_LIMITS = {"maxLength": "at most {:,} characters", "maxItems": "at most {} entries", "minimum": "at least {}"}


def keys() -> str:
    """The keys beside the content: what each is, and which operations have it."""
    found: dict[str, dict[str, list[str]]] = {}
    for operation in schemas.OPERATIONS:
        for key, schema in schemas.request(operation)["properties"].items():
            if key != "pipeline_type" and key not in schemas.sections():
                found.setdefault(key, {}).setdefault(_described(schema), []).append(operation.split("_")[0])
    rows = (
        (f"`{key}`", ", ".join(operations), words)
        for key, described in found.items()
        for words, operations in described.items()
    )
    return table(["key", "operations", "description"], rows)


def content() -> str:
    """The keys of the content, with their paths."""
    properties = schemas.request(schemas.WRITING[0])["properties"]
    rows = [row for section in schemas.sections() for row in _rows(section, properties[section])]
    return table(["key", "value", "description"], rows)


def _rows(path: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    schema = schema.get("else", schema)  # of a list or an object: the object, which the description tells of
    words = schema.get("description", "")
    if schema.get("type") == "array" and "properties" in schema["items"]:
        yield f"`{path}`", _limited("list of objects", schema), words
        yield from _inner(f"{path}[]", schema["items"])
    elif "properties" in schema:
        yield f"`{path}`", "object", words
        yield from _inner(path, schema)
    else:
        yield f"`{path}`", _kind(schema), _described(schema)


def _inner(path: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    for key, one in schema["properties"].items():
        for name, kind, words in _rows(f"{path}.{key}", one):
            required = " Required." if name == f"`{path}.{key}`" and key in schema.get("required", ()) else ""
            yield name, kind, f"{words}{required}"


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{one}`" for one in schema["enum"])
    match schema.get("type"):
        case "array":
            return _limited(f"list of {schema['items'].get('type', 'value')}s", schema)
        case "object":
            return _limited(f"object of {schema['additionalProperties']['type']}s", schema["additionalProperties"])
        case None:
            return "see the description"
        case kind:
            return _limited(kind, schema)


def _limited(kind: str, schema: Schema) -> str:
    return "; ".join([kind, *(words.format(schema[name]) for name, words in _LIMITS.items() if name in schema)])


def _described(schema: Schema) -> str:
    words = str(schema.get("description", ""))
    if why := schema.get("x-unused"):
        return f"{words} Not used: {why}."
    default = schema.get("default")
    return f"{words} Default: `{str(default).lower() if isinstance(default, bool) else default}`." if default else words
