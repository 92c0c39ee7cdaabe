# SPDX-License-Identifier: Apache-2.0
"""Writes the catalog: what the orchestrator reads of the blueprints.

catalog/index.json                    pipeline type -> blueprint, keys known anywhere, delivery templates
catalog/<blueprint>.json              manifest and schemas
catalog/<blueprint>.yaml              plain CloudFormation
catalog/delivery/<single|staged>.yaml
catalog/validators/<type>__<variant>.py   the good case, fast
"""

import json
from pathlib import Path
from typing import Any

import fastjsonschema
import jsonschema

from mlops.templates import cfn_yaml, schema
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
        entry, validators = _blueprint(folder, parts)
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
        files.update(validators)
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


def _blueprint(folder: Folder, parts: Parts) -> tuple[dict[str, Any], dict[str, str]]:
    properties = schema.properties_of(folder, parts)
    declared = folder.manifest
    types: dict[str, Any] = {}
    validators: dict[str, str] = {}
    for type_name, one in declared["pipeline_types"].items():
        variants = schema.variants(folder, type_name, parts)
        summary = one.get("summary", declared["summary"])
        types[type_name] = {"summary": summary, "stack_suffix": one["stack_suffix"], "schemas": variants}
        for variant, document in variants.items():
            try:
                jsonschema.Draft202012Validator.check_schema(document)
                validators[f"validators/{type_name}__{variant}.py"] = _validator(document)
            except jsonschema.SchemaError as error:
                raise BlueprintError(f"{folder.name}/request.schema.json: {error.json_path} {error.message}") from error
            except fastjsonschema.JsonSchemaException as error:
                raise BlueprintError(f"{folder.name}/request.schema.json: {error}") from error
    aliases = {alias for value in properties.values() for alias in value.get("x-aliases", [])}
    entry = {
        "name": folder.name,
        "summary": declared["summary"],
        "identity": declared["identity"],
        "delivery": declared["delivery"],
        "run": declared.get("run", False),
        "immutable": declared.get("immutable", []),
        "rules": declared.get("rules", []),
        "parameters": declared["parameters"],
        "pipeline_types": types,
        "keys": sorted({*properties, *aliases}),
    }
    return entry, validators


_HEAD = """import re
from chalicelib.intake.validate import Mismatch as JsonSchemaValueException
JsonSchemaValuesException = JsonSchemaValueException"""


def _validator(document: schema.Schema) -> str:
    """Python that checks one schema: the generated code, freed of what it would import.

    Law 10: the Lambda stays light, so not even fastjsonschema ships.
    """
    code: str = fastjsonschema.compile_to_code(_const_as_enum(document), use_default=False, detailed_exceptions=False)
    head, mark, body = code.replace("(int, float, Decimal)", "(int, float)").partition("REGEX_PATTERNS = ")
    if not mark or "from fastjsonschema import" not in head or "Decimal" in body:
        raise BlueprintError(
            "the code generated by fastjsonschema has changed: update mlops.templates.catalog._validator"
        )
    return f"{_HEAD}\n\n{mark}{body}"


def _const_as_enum(value: Any) -> Any:
    """The same schema without `const`, which fastjsonschema 2.22 cannot write without its long messages."""
    if isinstance(value, list):
        return [_const_as_enum(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _const_as_enum(item) for key, item in value.items() if key != "const" or isinstance(item, dict)}
    return {**plain, "enum": [value["const"]]} if "const" in value and "const" not in plain else plain


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
