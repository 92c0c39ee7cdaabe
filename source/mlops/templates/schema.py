# SPDX-License-Identifier: Apache-2.0
"""Makes the closed JSON Schema of each pipeline type out of its blueprint's request.schema.json.

`$ref`s and `x-enum`s are resolved, so that what ships needs no look-up; the keys a type takes come from the
manifest: with `model_source`, each way of naming the model (artifact, registry) has a schema of its own.
"""

import functools
from typing import Any

import botocore.session

from mlops.templates.folder import BlueprintError, Folder, Parts

Schema = dict[str, Any]

ANY = "any"  # the variant of a type that has one schema, wherever models come from


def variants(folder: Folder, type_name: str, parts: Parts) -> dict[str, Schema]:
    """The schemas of one pipeline type, by where its model comes from (`artifact`, `registry`, or `any`)."""
    declared = folder.manifest["pipeline_types"][type_name]
    properties = properties_of(folder, parts)
    model_source: dict[str, list[str]] = declared.get("model_source", {ANY: []})
    # Keys that name a model for another type, or another way, of this blueprint.
    special = {
        key
        for other in folder.manifest["pipeline_types"].values()
        for keys in (other.get("model_source") or {}).values()
        for key in keys
    }
    resolving = {key: value["x-resolves"] for key, value in properties.items() if "x-resolves" in value}
    if lost := [f"{key} resolves {to}" for key, to in resolving.items() if to not in properties]:
        raise BlueprintError(f"{folder.name}/request.schema.json: {lost[0]}, which is not described")
    schemas: dict[str, Schema] = {}
    for variant, model_keys in model_source.items():
        required = [*declared.get("required", []), *model_keys]
        unknown = [key for key in required if key not in properties]
        if unknown:
            raise BlueprintError(f"{folder.name}: {type_name} requires {unknown}, which the schema does not describe")
        own = {
            key: _ended(value)
            for key, value in properties.items()
            if (shared := resolving.get(key, key)) not in special or shared in model_keys
        }
        for key in _per_stage(folder) & own.keys():
            own[key]["x-per-stage"] = True
        schemas[variant] = {
            "type": "object",
            "properties": {"pipeline_type": {"const": type_name}, **own, "rerun": _RERUN},
            "required": ["pipeline_type", *required],
            "additionalProperties": False,
        }
        for key in _COMBINED & set(folder.schema):
            schemas[variant][key] = _resolve(folder.schema[key], parts)
        for key, to in resolving.items():
            if key in own:
                _either(schemas[variant], key, to)
    return schemas


def _either(schema: Schema, key: str, to: str) -> None:
    """Of a field and the one it is resolved to, a request has one."""
    needed = to in schema["required"]
    schema["required"] = [name for name in schema["required"] if name != to]
    one: Schema = {"if": {"required": [key]}, "then": {"properties": {to: {"not": {}, "x-instead": key}}}}
    schema["allOf"] = [*schema.get("allOf", []), {**one, "else": {"required": [to]}} if needed else one]


def _per_stage(folder: Folder) -> set[str]:
    """The fields that may have one value a stage."""
    sources = folder.manifest["parameters"].values()
    return {source["from"].removeprefix("/") for source in sources if source.get("per_stage")}


def properties_of(folder: Folder, parts: Parts) -> dict[str, Schema]:
    """Every field of the blueprint, with references and enums resolved."""
    properties = {key: _resolve(value, parts) for key, value in folder.schema["properties"].items()}
    for key, value in properties.items():
        if "description" not in value:
            raise BlueprintError(f"{folder.name}/request.schema.json: {key} has no description")
        if not {"examples", "enum", "default"} & set(value):
            raise BlueprintError(f"{folder.name}/request.schema.json: {key} has no examples")
    return properties


_NESTED = ("propertyNames", "additionalProperties", "items")
_COMBINED = {"allOf", "anyOf", "oneOf", "if", "then", "else"}
_RERUN: Schema = {
    "type": "boolean",
    "description": "Run the pipeline again although the request is the same.",
    "default": False,
}


def _resolve(value: Any, parts: Parts) -> Any:
    if isinstance(value, list):
        return [_resolve(item, parts) for item in value]
    if not isinstance(value, dict):
        return value
    value = dict(value)
    reference = value.pop("$ref", None)
    if reference is not None:
        name = reference.removeprefix("#/$defs/")
        if name not in parts.definitions:
            raise BlueprintError(f"no definition {reference!r} in _parts/definitions.yaml")
        value = {**_resolve(parts.definitions[name], parts), **value}
    shape = value.pop("x-enum", None)
    if shape is not None:
        value["enum"] = _enum(shape)
    return {key: _resolve(item, parts) for key, item in value.items()}


def _ended(field: Schema) -> Schema:
    """A field whose patterns end where the text does: Python's `$` lets a last line break pass."""
    within = {key: _ended(field[key]) for key in _NESTED if isinstance(field.get(key), dict)}
    pattern = field.get("pattern", "")
    return {**field, **within, **({"pattern": f"{pattern[:-1]}\\Z"} if pattern.endswith("$") else {})}


def _enum(shape: str) -> list[str]:
    service, _, name = shape.partition(":")
    return list(_service_model(service).shape_for(name).enum)


@functools.cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
