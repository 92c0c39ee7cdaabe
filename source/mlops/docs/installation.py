# SPDX-License-Identifier: Apache-2.0
"""What an installation is asked and what it answers, as tables."""

from __future__ import annotations

from pathlib import Path

from mlops.deploy.template import load
from mlops.docs.pages import table

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
