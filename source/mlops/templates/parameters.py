# SPDX-License-Identifier: Apache-2.0
"""Makes a template's Parameters out of the manifest and the schema, so that each fact stands once."""

from typing import Any

from chalicelib.intake.lookups import LOOKUPS
from chalicelib.intake.parameters import PARAMETER_BYTES, parameter_text
from chalicelib.settings import for_blueprints

from mlops.templates.folder import BlueprintError
from mlops.templates.schema import Schema

ALLOWED_VALUES = 200  # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
SOURCES = ("from", "setting", "constant", "lookup")


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
        field = source["from"].removeprefix("/")
        if field not in properties:
            raise BlueprintError(f"{where} comes from /{field}, which the schema does not describe")
        return _from_field(properties[field], field in required)
    if kind == "constant":
        return {
            "Type": "String",
            "Default": str(source["constant"]),
            "Description": source.get("description", "A constant"),
        }
    known = for_blueprints() if kind == "setting" else {name: one.description for name, one in LOOKUPS.items()}
    if source[kind] not in known:
        raise BlueprintError(f"{where}: no {kind} {source[kind]!r}; there are {', '.join(sorted(known))}")
    return {"Type": "String", "Description": known[source[kind]]}


def _from_field(field: Schema, required: bool) -> dict[str, Any]:
    declaration: dict[str, Any] = {"Type": "Number" if field["type"] == "integer" else "String"}
    match field["type"]:
        case "integer":
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
