# SPDX-License-Identifier: Apache-2.0
"""What docs/requests.md lists: each pipeline type with its smallest request, a full one, and every key."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
from mlops.cli.catalogue import NO_DEFAULT, Field, PipelineType, types_of
from mlops.templates import compile_catalog
from mlops.templates.assumed import assumed

from tools.docs.pages import table

Body = dict[str, Any]
_LISTED = 14  # allowed values that a table lists
_REGION = "us-east-1"
RERUN = "rerun"  # which the page's own text describes


def requests(root: Path) -> str:
    """The sections of all pipeline types."""
    blueprints = root / "blueprints"
    with tempfile.TemporaryDirectory() as folder:
        compile_catalog(blueprints, Path(folder))
        catalog = Catalog(Path(folder))
        types = types_of(catalog, blueprints)
        index = table(
            ["`pipeline_type`", "what it does"], [[f"[`{name}`](#{name})", one.summary] for name, one in types.items()]
        )
        return "\n\n".join([index, *(_section(one, catalog) for one in types.values())])


def _section(one: PipelineType, catalog: Catalog) -> str:
    parts = [
        f"## {one.name}",
        f"{one.summary} More about it: [{one.blueprint}](../blueprints/{one.blueprint}/README.md).",
    ]
    for variant, example in sorted(one.examples.items()):
        if variant in ("", "registry"):
            registry = variant == "registry"
            with_registry = ", with a model from the registry" if registry else ""
            needed, optional = one.fields_of(registry=registry)
            example = {
                "pipeline_type": one.name,
                **{key: value for key, value in example.items() if key != "pipeline_type"},
            }
            smallest = _accepted(example, {"pipeline_type", *(field.name for field in needed)}, catalog, registry)
            parts += [f"The smallest request{with_registry}:", _block(smallest)]
            if not registry:
                parts += ["A request with as many keys as go together:", _block(_full(example, optional, catalog))]
    rows = [row for field in one.fields if field.name != RERUN for row in _rows(field)]
    return "\n\n".join([*parts, table(["key", "type", "what it is", "required", "default", "example"], rows)])


def _accepted(example: Body, keys: set[str], catalog: Catalog, registry: bool) -> Body:
    """The example without what it can do without."""
    body = dict(example)
    for key in example:
        shorter = {name: value for name, value in body.items() if name != key}
        if key not in keys and _passes(shorter, catalog, registry):
            body = shorter
    return body


def _full(example: Body, optional: list[Field], catalog: Catalog) -> Body:
    """The example with each other key that is accepted beside what is there."""
    body = dict(example)
    for field in optional:
        if field.name == RERUN:
            continue
        longer = {**body, field.name: field.example}
        if field.name not in body and field.example not in NO_DEFAULT and _passes(longer, catalog, registry=False):
            body = longer
    return body


def _passes(body: Body, catalog: Catalog, registry: bool) -> bool:
    """Whether a request is accepted without a warning."""
    try:
        checked = check_request(json.dumps(body).encode(), catalog, assumed(_REGION, registry), deployed=False)
    except BadRequest:
        return False
    return not checked.warnings


def _block(body: Body) -> str:
    return f"```json\n{json.dumps(body, indent=2, ensure_ascii=False)}\n```"


def _rows(field: Field) -> Iterator[list[str]]:
    """A field's row, and those of the keys in it."""
    required = "yes" if field.required else "<br>".join(field.required_when) or "no"
    about = [_about(field.schema), *(f"{rule[0].upper()}{rule[1:]}." for rule in field.rules)]
    yield _row(field.name, field.schema, " ".join(about), required, field.example)
    yield from _inner(field.name, field.schema)


def _inner(path: str, schema: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, one in schema.get("properties", {}).items():
        required = "yes" if name in schema.get("required", ()) else "no"
        yield _row(f"{path}/{name}", one, _about(one), required, next(iter(one.get("examples", [])), None))
        yield from _inner(f"{path}/{name}", one)
    if isinstance(schema.get("items"), dict):
        yield from _inner(f"{path}/*", schema["items"])


def _row(path: str, schema: Mapping[str, Any], about: str, required: str, example: Any) -> list[str]:
    cells = [
        f"`{path}`",
        str(schema.get("type", "any")),
        about,
        required,
        _value(schema.get("default")),
        _value(example),
    ]
    return [cell.replace("|", "\\|") for cell in cells]


def _value(value: Any) -> str:
    return "" if value in NO_DEFAULT else f"`{json.dumps(value, ensure_ascii=False)}`"


def _about(schema: Mapping[str, Any]) -> str:
    """The description, with limits and other spellings."""
    found = [str(schema.get("description", ""))]
    values = [one for one in schema.get("enum", ()) if one != ""]
    if values:
        listed = ", ".join(f"`{one}`" for one in values)
        found.append(
            f"One of {listed}." if len(values) <= _LISTED else f"One of {len(values)} values (`mlops explain`)."
        )
    for low, high, unit in _BOUNDS:
        if low in schema and high in schema:
            found.append(f"{schema[low]} to {schema[high]}{unit}.")
        elif low in schema or high in schema:
            found.append(f"At least {schema[low]}{unit}." if low in schema else f"At most {schema[high]}{unit}.")
    if "x-aliases" in schema:
        found.append("Also spelt " + ", ".join(f"`{one}`" for one in schema["x-aliases"]) + ".")
    return " ".join(found)


_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " keys"),
)
