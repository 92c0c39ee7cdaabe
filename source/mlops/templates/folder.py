# SPDX-License-Identifier: Apache-2.0
"""Reads one blueprint folder, and the parts that blueprints share."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.templates import cfn_yaml, includes
from mlops.templates.errors import BlueprintError

__all__ = ["BlueprintError", "Folder", "Parts", "check_sections", "read_delivery", "read_folders", "read_parts"]

PARTS = "_parts"
CONDITIONS = "conditions"  # in _parts: those that templates share
PARAMETERS = "parameters"
DELIVERY = "delivery"
SECTIONS = ("Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Resources", "Outputs")


@dataclass(frozen=True)
class Parts:
    """What blueprints share: definitions for schemas, and for templates parameters, conditions and pieces by name."""

    definitions: dict[str, Any]
    parameters: dict[str, dict[str, Any]]
    conditions: dict[str, Any]
    pieces: dict[str, Any]
    keys_elsewhere: list[str]


@dataclass(frozen=True)
class Folder:
    """A blueprint folder as it stands on disk: parsed, and with the parts that manifest and schema include."""

    name: str
    manifest: dict[str, Any]
    schema: dict[str, Any]
    template: cfn_yaml.Template
    examples: dict[str, bytes]  # by the file's name


def read_parts(blueprints: Path) -> Parts:
    """The shared pieces in `_parts`; an absent folder shares nothing."""
    found = {path.stem: _yaml(path) for path in sorted((blueprints / PARTS).glob("*.yaml"))}

    def named(name: str) -> dict[str, Any]:
        return _object(found.pop(name, {}), blueprints / PARTS / f"{name}.yaml")

    return Parts(
        definitions=named("definitions"),
        parameters=named(PARAMETERS),
        conditions=named(CONDITIONS),
        keys_elsewhere=found.pop("predecessor_keys", []),
        pieces=found,
    )


def read_folders(blueprints: Path) -> list[Folder]:
    """Every blueprint folder below `blueprints`: each folder that has a blueprint.yaml."""
    pieces = read_parts(blueprints).pieces
    return [_read(manifest.parent, pieces) for manifest in sorted(blueprints.glob("*/blueprint.yaml"))]


def read_delivery(blueprints: Path) -> dict[str, cfn_yaml.Template]:
    """The delivery templates by name: single, staged."""
    return {path.stem: _template(path) for path in sorted((blueprints / DELIVERY).glob("*.yaml"))}


def _read(folder: Path, pieces: Mapping[str, Any]) -> Folder:
    for name in ("request.schema.json", "template.yaml"):
        if not (folder / name).exists():
            raise BlueprintError(f"{folder.name}: {name} is missing")

    def whole(found: Any, name: str) -> dict[str, Any]:
        return _object(includes.resolve(found, pieces, f"{folder.name}/{name}"), folder / name)

    return Folder(
        folder.name,
        whole(_mapping(folder / "blueprint.yaml"), "blueprint.yaml"),
        whole(_json(folder / "request.schema.json"), "request.schema.json"),
        _template(folder / "template.yaml"),
        {path.name: path.read_bytes() for path in sorted((folder / "examples").glob("*.json"))},
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BlueprintError(f"{path.parent.name}/{path.name}: {error}") from error
    return _object(found, path)


def _template(path: Path) -> cfn_yaml.Template:
    found = _mapping(path)
    check_sections(found, f"{path.parent.name}/{path.name}")
    return found


def check_sections(found: cfn_yaml.Template, where: str) -> None:
    """Raise BlueprintError unless a template's sections are mappings, and its resources have a type."""
    for section, content in found.items():
        if section in SECTIONS and not isinstance(content, dict):
            raise BlueprintError(f"{where}: {section} is no mapping")
    for section in ("Resources", "Outputs"):
        for name, part in found.get(section, {}).items():
            if not isinstance(part, dict):
                raise BlueprintError(f"{where}: {section}/{name} is no mapping")
    for name, resource in found.get("Resources", {}).items():
        if not isinstance(resource.get("Type"), str):
            raise BlueprintError(f"{where}: Resources/{name} has no Type")
        if not isinstance(resource.get("Properties", {}), dict):
            raise BlueprintError(f"{where}: Resources/{name}/Properties is not a mapping")


def _mapping(path: Path) -> dict[str, Any]:
    return _object(_yaml(path), path)


def _object(found: Any, path: Path) -> dict[str, Any]:
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise BlueprintError(f"{path.parent.name}/{path.name}: is not a mapping of names")
    return found


def _yaml(path: Path) -> Any:
    try:
        return cfn_yaml.load(path.read_text("utf-8"))
    except (cfn_yaml.YAMLError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise BlueprintError(f"{path.parent.name}/{path.name}: {told}") from error
