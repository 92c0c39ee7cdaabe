# SPDX-License-Identifier: Apache-2.0
"""The parameters, outputs and regions of an installation, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlops.deploy import regions
from mlops.deploy.template import load
from mlops.templates import cfn_yaml

from tools.docs.pages import PageError, table

TEMPLATES = Path("deployment") / "templates"


def parameters_table(root: Path) -> str:
    return table(
        ["parameter", "description", "default"],
        (
            [f"`{name}`", one["Description"], f'`"{one["Default"]}"`' if "Default" in one else "none, required"]
            for name, one in _described(root, "parameters.yaml", "Parameters").items()
        ),
    )


def outputs_table(root: Path) -> str:
    outputs = _described(root, "outputs.yaml", "Outputs")
    return table(["output", "description"], ([f"`{name}`", one["Description"]] for name, one in outputs.items()))


def supported_regions(root: Path) -> str:
    return ", ".join(f"`{region}`" for region in regions.supported(_types(root))) + "."


def refused_regions(root: Path) -> str:
    """The other regions, those with one reason together."""
    refused: dict[str, list[str]] = {}
    for region, reason in regions.reasons(_types(root)).items():
        if reason:
            refused.setdefault(reason, []).append(f"`{region}`")
    return table(["region", "reason"], ([", ".join(names), reason] for reason, names in refused.items()))


def _types(root: Path) -> set[str]:
    files = [*(root / TEMPLATES).glob("*.yaml"), *root.glob("blueprints/*/*.yaml")]
    contents = [_content(path) for path in sorted(files)]
    return regions.types(one for one in contents if isinstance(one, dict))


def _content(path: Path) -> Any:
    try:
        return cfn_yaml.load(path.read_text("utf-8"))
    except cfn_yaml.YAMLError as error:
        raise PageError(f"{path.parent.name}/{path.name}: {error}") from error


def _described(root: Path, file: str, section: str) -> dict[str, dict[str, Any]]:
    """A section of a piece of the main template, in which everything is described."""
    where = TEMPLATES / file
    if not (root / where).exists():
        raise PageError(f"{where} is missing")
    found = load(root / where).get(section)
    if not isinstance(found, dict):
        raise PageError(f"{where} has no {section}")
    for name, one in found.items():
        if not isinstance(one, dict) or not isinstance(one.get("Description"), str):
            raise PageError(f"{where}: {section}/{name} has no Description")
    return found
