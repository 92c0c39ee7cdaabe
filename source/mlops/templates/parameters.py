# SPDX-License-Identifier: Apache-2.0
"""Makes a template's Parameters out of the manifest and the schema, so that each fact stands once."""

import re
from typing import Any

from chalicelib.intake.lookups import LOOKUPS
from chalicelib.intake.parameters import PARAMETER_BYTES, parameter_text
from chalicelib.settings import for_blueprints

from mlops.templates.folder import BlueprintError
from mlops.templates.schema import Schema

ALLOWED_VALUES = 200  # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
SOURCES = ("from", "setting", "constant", "lookup", "plan")
# What only the plan of a pipeline knows, for templates with `delivery: own`.
PLAN = {
    "bundle_key": "S3 key of the template bundle",
    "bundle_digest": "Digest of the template bundle, which changes with the request and the template",
}


def declare(
    blueprint: str, sources: dict[str, dict[str, Any]], properties: dict[str, Schema], required: set[str]
) -> dict[str, Any]:
    """The Parameters section of a blueprint's template: one entry a manifest parameter.

    `required` are the fields that every type of the blueprint requires; the others may be empty.
    """
    return {
        name: _declaration(f"{blueprint}: {name}", source, properties, required) for name, source in sources.items()
    }


def _declaration(
    where: str, source: dict[str, Any], properties: dict[str, Schema], required: set[str]
) -> dict[str, Any]:
    kinds = [kind for kind in SOURCES if kind in source]
    if len(kinds) != 1:
        raise BlueprintError(f"{where} needs exactly one of {', '.join(SOURCES)}")
    kind = kinds[0]
    if kind == "from":
        field, needed = _place(source["from"], properties, required)
        if field is None:
            raise BlueprintError(f"{where} comes from {source['from']}, which the schema does not describe")
        return _from_list(where, field, needed) if source.get("list") else _from_field(field, needed)
    if kind == "constant":
        return {
            "Type": "String",
            "Default": str(source["constant"]),
            "Description": source.get("description", "A constant"),
        }
    known = {
        "setting": for_blueprints(),
        "lookup": {name: one.description for name, one in LOOKUPS.items()},
        "plan": PLAN,
    }[kind]
    if source[kind] not in known:
        raise BlueprintError(f"{where}: no {kind} {source[kind]!r}; there are {', '.join(sorted(known))}")
    return {"Type": "String", "Description": known[source[kind]]}


def _place(path: str, properties: dict[str, Schema], required: set[str]) -> tuple[Schema | None, bool]:
    """What the schema says of a place, None where it says nothing, and whether every request has one."""
    field: Schema = {"properties": properties, "required": required}
    needed = True
    for key in path.removeprefix("/").split("/"):
        needed = needed and key in field.get("required", ())
        if key not in field.get("properties", {}):
            return None, needed
        field = field["properties"][key]
    return field, needed


def _from_list(where: str, field: Schema, required: bool) -> dict[str, Any]:
    """A CommaDelimitedList. AllowedPattern holds for each item, so for the one empty item of an empty list, too."""
    items = field.get("items", {})
    pattern = items.get("pattern", "")
    samples = [item for sample in field.get("examples", []) for item in sample]
    if items.get("type") != "string" or not samples or any(re.search(pattern, f"{item},{item}") for item in samples):
        raise BlueprintError(f"{where} is a list of text in which the items' pattern must admit no comma")
    declaration = {"Type": "CommaDelimitedList", "AllowedPattern": pattern if required else f"{pattern}|^$"}
    return {**declaration, **({} if required else {"Default": ""}), "Description": field["description"]}


def _from_field(field: Schema, required: bool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"Type": "Number" if field["type"] in ("integer", "number") else "String"}
    match field["type"]:
        case "integer" | "number":
            bounds = (("MinValue", "minimum"), ("MaxValue", "maximum"))
            declaration |= {name: field[key] for name, key in bounds if key in field}
        case "boolean":
            declaration["AllowedValues"] = ["True", "False"]
        case "string" if len(field.get("enum", [])) in range(1, ALLOWED_VALUES + 1):
            declaration["AllowedValues"] = field["enum"]
        case "string" if "pattern" in field:
            declaration["AllowedPattern"] = field["pattern"] if required else f"{field['pattern']}|^$"
        case "object" | "array":
            declaration["MaxLength"] = PARAMETER_BYTES
    if not required:
        declaration["Default"] = parameter_text(field.get("default", ""))
    return {**declaration, "Description": field["description"]}
