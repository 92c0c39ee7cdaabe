# SPDX-License-Identifier: Apache-2.0
"""What an installation is asked and what it answers, as tables."""

from __future__ import annotations

from pathlib import Path

from mlops.deploy import regions
from mlops.deploy.template import load
from mlops.docs.pages import table
from mlops.templates import cfn_yaml

TEMPLATES = Path("deployment") / "templates"


def parameters_table(root: Path) -> str:
    parameters = load(root / TEMPLATES / "parameters.yaml")["Parameters"]
    return table(
        ["parameter", "what it is", "default"],
        (
            [f"`{name}`", one["Description"], f'`"{one["Default"]}"`' if "Default" in one else "none: must be given"]
            for name, one in parameters.items()
        ),
    )


def outputs_table(root: Path) -> str:
    outputs = load(root / TEMPLATES / "outputs.yaml")["Outputs"]
    return table(["output", "what it is"], ([f"`{name}`", one["Description"]] for name, one in outputs.items()))


def supported_regions(root: Path) -> str:
    return ", ".join(f"`{region}`" for region in regions.supported(_types(root))) + "."


def refused_regions(root: Path) -> str:
    """The other regions, those with one reason together."""
    refused: dict[str, list[str]] = {}
    for region, reason in regions.reasons(_types(root)).items():
        if reason:
            refused.setdefault(reason, []).append(f"`{region}`")
    return table(["region", "why not"], ([", ".join(names), reason] for reason, names in refused.items()))


def _types(root: Path) -> set[str]:
    files = [*(root / TEMPLATES).glob("*.yaml"), *root.glob("blueprints/*/*.yaml")]
    contents = [cfn_yaml.load(path.read_text("utf-8")) for path in files]
    return regions.types(one for one in contents if isinstance(one, dict))
