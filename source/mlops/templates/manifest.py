# SPDX-License-Identifier: Apache-2.0
"""Holds a blueprint.yaml against manifest.schema.json, and against the request schema beside it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from chalicelib.intake import rules
from chalicelib.intake.explain import explain
from chalicelib.intake.lookups import FIELD, LOOKUPS

from mlops.templates.folder import BlueprintError, Folder
from mlops.templates.parameters import SOURCES

SCHEMA = Path(__file__).with_name("manifest.schema.json")
_ANYWHERE = {"description", "list", "per_stage"}  # keys that any parameter may have


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
    pointers = {manifest["identity"], *manifest.get("belongs_to", [])}
    for rule in manifest.get("rules", []):
        pointers |= rules.fields(rule)
    lost = [
        f"{pointer} is not described by the request schema" for pointer in sorted(pointers) if pointer[1:] not in fields
    ]
    immutable = set(manifest.get("immutable", [])) - set(manifest.get("parameters", {}))
    lost += [f"/immutable names {name}, which is not a parameter" for name in sorted(immutable)]
    for type_name, one in manifest["pipeline_types"].items():
        identity = manifest["identity"][1:]
        if identity not in one.get("required", []):
            lost.append(f"/pipeline_types/{type_name}/required lacks {identity}, which names a pipeline")
    for name, source in manifest.get("parameters", {}).items():
        lost += [f"/parameters/{name} {problem}" for problem in _arguments(source, fields)]
    return lost


def _arguments(source: dict[str, Any], fields: Collection[str]) -> list[str]:
    """What is wrong with the keys beside a parameter's source: those of a lookup are its arguments."""
    lookup = source.get("lookup")
    if lookup is not None and lookup not in LOOKUPS:
        return []  # parameters.py tells
    takes = LOOKUPS[lookup].arguments if lookup else {}
    found = [f"needs {name!r}, an argument of the lookup {lookup}" for name in takes if name not in source]
    for name in sorted(set(source) - _ANYWHERE - set(SOURCES)):
        if name not in takes:
            has = f"the lookup {lookup} has no such argument" if lookup else "only a lookup has arguments"
            found.append(f"has {name!r}, and {has}")
        elif takes[name] == FIELD and str(source[name])[1:] not in fields:
            found.append(f"has {name!r} {source[name]!r}, which is not described by the request schema")
        elif takes[name] != FIELD and not re.fullmatch(r"[a-z][a-z0-9-]{0,20}", str(source[name])):
            found.append(f"has {name!r} {source[name]!r}: write a short word in lower case")
    return found


@functools.cache
def _schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return found
