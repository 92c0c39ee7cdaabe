# SPDX-License-Identifier: Apache-2.0
"""Holds a blueprint.yaml against manifest.schema.json, and against the request schema beside it."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from chalicelib.validate import explain

from mlops.templates.folder import BlueprintError, Folder

SCHEMA = Path(__file__).with_name("manifest.schema.json")


def check(folder: Folder, fields: Collection[str]) -> None:
    """Raise BlueprintError with everything in a manifest that nothing would read, or that leads nowhere.

    `fields` are those that the request schema describes.
    """
    found = [
        f"{one.path or 'it'} {one.problem}" + (f" ({one.hint})" if one.hint else "")
        for one in explain(folder.manifest, _schema())
    ]
    if not found:
        found = _lost(folder.manifest, fields)
    if found:
        raise BlueprintError(f"{folder.name}/blueprint.yaml: {'; '.join(found)}")


def _lost(manifest: dict[str, Any], fields: Collection[str]) -> list[str]:
    """What a manifest names and nothing has."""
    pointers = {manifest["identity"]}
    for rule in manifest.get("rules", []):
        when = rule.get("when", [])
        pointers |= {*rule.get("not_less", []), *rule.get("needs", []), *([when] if isinstance(when, str) else when)}
    lost = [
        f"{pointer} is not described by the request schema" for pointer in sorted(pointers) if pointer[1:] not in fields
    ]
    immutable = set(manifest.get("immutable", [])) - set(manifest["parameters"])
    return lost + [f"/immutable names {name}, which is no parameter" for name in sorted(immutable)]


@functools.cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return found
