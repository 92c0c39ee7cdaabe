# SPDX-License-Identifier: Apache-2.0
"""Reads one blueprint folder, and the parts that blueprints share."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlops.templates import cfn_yaml

PARTS = "_parts"
DELIVERY = "delivery"


class BlueprintError(Exception):
    """A blueprint folder says something that does not hold together; the message names the file."""


@dataclass(frozen=True)
class Parts:
    """What blueprints share: schema definitions, template pieces by name, and keys known elsewhere."""

    definitions: dict[str, Any]
    pieces: dict[str, cfn_yaml.Template]
    keys_elsewhere: list[str]


@dataclass(frozen=True)
class Folder:
    """A blueprint folder as it stands on disk, parsed and not yet interpreted."""

    name: str
    manifest: dict[str, Any]
    schema: dict[str, Any]
    template: cfn_yaml.Template


def read_parts(blueprints: Path) -> Parts:
    """The shared pieces in `_parts`; an absent folder shares nothing."""
    folder = blueprints / PARTS
    definitions = folder / "definitions.yaml"
    elsewhere = folder / "predecessor_keys.yaml"
    special = {definitions.name, elsewhere.name}
    return Parts(
        definitions=_yaml(definitions) if definitions.exists() else {},
        pieces={path.stem: _yaml(path) for path in sorted(folder.glob("*.yaml")) if path.name not in special},
        keys_elsewhere=_yaml(elsewhere) if elsewhere.exists() else [],
    )


def read_folders(blueprints: Path) -> list[Folder]:
    """Every blueprint folder below `blueprints`: each folder that has a blueprint.yaml."""
    return [_read(manifest.parent) for manifest in sorted(blueprints.glob("*/blueprint.yaml"))]


def read_delivery(blueprints: Path) -> dict[str, cfn_yaml.Template]:
    """The delivery templates by name: single, staged."""
    return {path.stem: _yaml(path) for path in sorted((blueprints / DELIVERY).glob("*.yaml"))}


def _read(folder: Path) -> Folder:
    for name in ("request.schema.json", "template.yaml"):
        if not (folder / name).exists():
            raise BlueprintError(f"{folder.name}: {name} is missing")
    try:
        schema = json.loads((folder / "request.schema.json").read_text("utf-8"))
    except ValueError as error:
        raise BlueprintError(f"{folder.name}/request.schema.json: {error}") from error
    return Folder(folder.name, _yaml(folder / "blueprint.yaml"), schema, _yaml(folder / "template.yaml"))


def _yaml(path: Path) -> Any:
    try:
        return cfn_yaml.load(path.read_text("utf-8"))
    except cfn_yaml.YAMLError as error:
        raise BlueprintError(f"{path.parent.name}/{path.name}: {error}") from error
