# SPDX-License-Identifier: Apache-2.0
"""Makes the closed JSON Schema of each pipeline type out of its blueprint's request.schema.json.

`$ref`s and `x-enum`s are resolved, so that what ships needs no lookup; the keys a type takes come from the
manifest: with `model_source`, each way of naming the model (artifact, registry) has a schema of its own.
"""

import functools
import json
import re
from pathlib import Path
from typing import Any

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import NoShapeFoundError
from chalicelib.catalog import ANY
from chalicelib.intake import preconditions
from chalicelib.intake.explain import explain
from chalicelib.intake.reach import KINDS

from mlops.templates.folder import BlueprintError, Folder, Parts

Schema = dict[str, Any]


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
            if key in own and key != to:
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
    sources = folder.manifest.get("parameters", {}).values()
    return {source["from"].removeprefix("/") for source in sources if source.get("per_stage")}


def properties_of(folder: Folder, parts: Parts) -> dict[str, Schema]:
    """Every field of the blueprint, with references and enums resolved."""
    where = f"{folder.name}/request.schema.json"
    declared = folder.schema.get("properties")
    if not isinstance(declared, dict):
        raise BlueprintError(f"{where}: has no properties")
    properties = {}
    for key, value in declared.items():
        try:
            properties[key] = _closed(_resolve(value, parts))
        except BlueprintError as error:
            raise BlueprintError(f"{where}: {key}: {error}") from error
    found = [problem for key, value in properties.items() for problem in _wrong(key, value, properties)]
    if found:
        raise BlueprintError(f"{where}: {'; '.join(found)}")
    return properties


def _closed(field: Any) -> Any:
    """A field whose objects refuse the keys that they do not describe, unless the field says otherwise."""
    if not isinstance(field, dict):
        return field
    within: Schema = {key: _closed(field[key]) for key in _NESTED if key in field}
    if isinstance(field.get("properties"), dict):
        within["properties"] = {key: _closed(one) for key, one in field["properties"].items()}
        within.setdefault("additionalProperties", False)
    return {**field, **within}


def _wrong(key: str, field: Any, properties: dict[str, Schema]) -> list[str]:
    """What is wrong with a field's own schema, and with those in it."""
    found = _wrong_alone(key, field, ["type", "description"])
    if found:
        return found
    if not {"examples", "enum", "default"} & set(field):
        found.append(f"{key} has no examples")
    for annotation in ("x-hyperparameters", "x-tuning"):
        lost = {pointer[1:] for pointer in field.get(annotation, {}).values()} - set(properties)
        found += [f"{key}/{annotation} names /{name}, which is not described" for name in sorted(lost)]
    return found + _wrong_within(key, field)


def _wrong_within(key: str, field: Schema) -> list[str]:
    """What is wrong with the schemas of what is in a field: a key of it needs a type and a description."""
    inner = [(f"{key}/{name}", one, ["type", "description"]) for name, one in field.get("properties", {}).items()]
    inner += [(f"{key}/{name}", field[name], []) for name in _NESTED if isinstance(field.get(name), dict)]
    found = []
    for name, one, required in inner:
        wrong = _wrong_alone(name, one, required)
        wrong = wrong or [f"{name} has {outer!r}, which only fields of a request have" for outer in _OUTER & set(one)]
        found += wrong or _wrong_within(name, one)
    return found


def _wrong_alone(key: str, field: Any, required: list[str]) -> list[str]:
    """What is wrong with a schema, whatever is in it."""
    if not isinstance(field, dict):
        return [f"{key} is no schema"]
    found = [
        f"{key}{one.path} {one.problem}" + (f" ({one.hint})" if one.hint else "")
        for one in explain(field, {**_field_schema(), "required": required})
    ]
    if found:
        return found
    for pattern in [field.get("pattern", ""), *(one["pattern"] for one in field.get("x-mistakes", []))]:
        try:
            re.compile(pattern)
        except re.error as error:
            found.append(f"{key} has a pattern that is not a regular expression: {error}")
    if field.get("x-names", "bucket") not in KINDS:
        found.append(f"{key}/x-names is {field['x-names']!r}, not one of {', '.join(sorted(KINDS))}")
    precondition = field.get("x-precondition")
    if precondition not in (None, *preconditions.KINDS):
        found.append(f"{key}/x-precondition is {precondition!r}, not one of {', '.join(sorted(preconditions.KINDS))}")
    return found


@functools.cache
def _field_schema() -> Schema:
    found: Schema = json.loads(Path(__file__).with_name("field.schema.json").read_text("utf-8"))
    return found


_NESTED = ("propertyNames", "additionalProperties", "items")
_OUTER = {"x-hyperparameters", "x-tuning", "x-precondition", "x-resolves"}
_COMBINED = {"allOf", "anyOf", "oneOf", "if", "then", "else"}
_RERUN: Schema = {
    "type": "boolean",
    "description": "Rerun the pipeline even if the request has not changed.",
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
        name = str(reference).removeprefix("#/$defs/")
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
    if "properties" in field:
        within["properties"] = {key: _ended(one) for key, one in field["properties"].items()}
    pattern = field.get("pattern")
    ended = isinstance(pattern, str) and pattern.endswith("$")
    return {**field, **within, **({"pattern": f"{pattern[:-1]}\\Z"} if ended and pattern else {})}


def _enum(shape: str) -> list[str]:
    service, _, name = str(shape).partition(":")
    try:
        return list(_service_model(service).shape_for(name).enum)
    except (UnknownServiceError, NoShapeFoundError, AttributeError) as error:
        raise BlueprintError(f"x-enum: {shape!r} is not an enumeration in an AWS service model") from error


@functools.cache
def _service_model(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)
