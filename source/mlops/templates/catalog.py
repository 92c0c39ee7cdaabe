# SPDX-License-Identifier: Apache-2.0
"""Writes the catalog: what the orchestrator reads of the blueprints.

catalog/index.json                    pipeline type -> blueprint, keys known anywhere, delivery templates
catalog/<blueprint>.json              manifest, fields, and of each type's schemas what is not a field
catalog/<blueprint>.yaml              plain CloudFormation
catalog/validators/<blueprint>.py     checks requests, the good case fast
catalog/delivery/<single|staged>.yaml
"""

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import jsonschema

from mlops.templates import cfn_yaml, schema, validators
from mlops.templates.assemble import assemble, resolved
from mlops.templates.folder import BlueprintError, Folder, Parts, read_delivery, read_folders, read_parts

CATALOG_VERSION = 1


def compile_catalog(blueprints: Path, out: Path) -> list[Path]:
    """Compile every blueprint folder below `blueprints` into `out`; returns the files written.

    Raises BlueprintError naming the folder and what does not hold together in it.
    """
    parts = read_parts(blueprints)
    folders = read_folders(blueprints)
    delivery = read_delivery(blueprints)
    if not folders:
        raise BlueprintError(f"{blueprints} contains no blueprint folder")
    files: dict[str, str] = {
        f"delivery/{name}.yaml": cfn_yaml.dump(resolved(f"delivery/{name}.yaml", template))
        for name, template in delivery.items()
    }
    types: dict[str, str] = {}
    suffixes: dict[str, str] = {}
    keys: set[str] = {"pipeline_type", "rerun", *parts.keys_elsewhere}
    for folder, template in (assemble(one, parts) for one in folders):
        entry, code = _blueprint(folder, parts)
        for type_name in entry["pipeline_types"]:
            if type_name in types:
                raise BlueprintError(f"{folder.name}: {type_name} is a type of {types[type_name]} already")
            types[type_name] = folder.name
            suffix = entry["pipeline_types"][type_name]["stack_suffix"].lower()
            if suffix in suffixes:
                raise BlueprintError(
                    f"{folder.name}: {type_name} has the stack_suffix of {suffixes[suffix]}: their stacks would be one"
                )
            suffixes[suffix] = type_name
        keys.update(entry["keys"])
        files[f"{folder.name}.json"] = _json(entry)
        files[f"{folder.name}.yaml"] = cfn_yaml.dump(template)
        files[f"validators/{folder.name}.py"] = code
    files["index.json"] = _json(
        {
            "version": CATALOG_VERSION,
            "pipeline_types": types,
            "keys": sorted(keys),
            "delivery": sorted(delivery),
        }
    )
    written = []
    for name, text in sorted(files.items()):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        written.append(path)
    return written


def _blueprint(folder: Folder, parts: Parts) -> tuple[dict[str, Any], str]:
    """A blueprint's entry in the catalog, and the module that checks its requests."""
    where = f"{folder.name}/request.schema.json"
    properties = schema.properties_of(folder, parts)
    declared = folder.manifest
    types: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    documents: dict[str, schema.Schema] = {}
    for type_name, one in declared["pipeline_types"].items():
        variants = schema.variants(folder, type_name, parts)
        summary = one.get("summary", declared["summary"])
        schemas: dict[str, Any] = {}
        for variant, document in variants.items():
            _check(where, document)
            documents[f"{type_name}__{variant}"] = document
            own = {name: field for name, field in document["properties"].items() if name != "pipeline_type"}
            fields |= own
            schemas[variant] = {**document, "properties": list(own)}
        types[type_name] = {"summary": summary, "stack_suffix": one["stack_suffix"], "schemas": schemas}
    try:
        code = validators.write(documents, fields)
    except fastjsonschema.JsonSchemaException as error:
        raise BlueprintError(f"{where}: {error}") from error
    aliases = {alias for value in properties.values() for alias in value.get("x-aliases", [])}
    entry = {
        "name": folder.name,
        "summary": declared["summary"],
        "identity": declared["identity"],
        "delivery": declared["delivery"],
        "run": declared.get("run", False),
        "immutable": declared.get("immutable", []),
        "belongs_to": declared.get("belongs_to", []),
        "rules": declared.get("rules", []),
        "parameters": declared["parameters"],
        "pipeline_types": types,
        "fields": fields,
        "keys": sorted({*properties, *aliases}),
    }
    return entry, code


def _check(where: str, document: schema.Schema) -> None:
    """Raise BlueprintError unless a schema is JSON Schema, of the keywords that both validators know."""
    try:
        jsonschema.Draft202012Validator.check_schema(document)
    except jsonschema.SchemaError as error:
        raise BlueprintError(f"{where}: {error.json_path} {error.message}") from error
    if unknown := sorted(_keywords(document) - validators.KEYWORDS - _ANNOTATIONS):
        known = ", ".join(sorted(validators.KEYWORDS))
        raise BlueprintError(f"{where}: uses {', '.join(unknown)}; there are {known}")


_ANNOTATIONS = {"default", "description", "examples", "title"}
_LISTS = {"allOf", "anyOf", "oneOf"}
_ONE = {"additionalProperties", "else", "if", "items", "not", "propertyNames", "then"}


def _keywords(document: Any) -> set[str]:
    """The keywords of a schema and of those in it, without annotations of ours."""
    if not isinstance(document, dict):
        return set()
    inner = list(document.get("properties", {}).values())
    inner += [one for key in _LISTS & document.keys() for one in document[key]]
    inner += [document[key] for key in _ONE & document.keys()]
    own = {key for key in document if not key.startswith("x-")}
    return own.union(*map(_keywords, inner))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) + "\n"
