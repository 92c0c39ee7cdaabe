# SPDX-License-Identifier: Apache-2.0
"""Runs the API's checks locally: the same modules, on blueprints compiled from this source tree.

In: a request, and the settings of a deployment. Without a deployment, names have their defaults, and values of a
deployment are placeholders such as <assets-bucket>.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib import operations
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_body
from chalicelib.intake.request import parse
from chalicelib.settings import Settings

from mlops.cli.failures import Document
from mlops.source_tree import BLUEPRINTS
from mlops.templates import compile_catalog
from mlops.templates.assumed import assumed

OUTPUTS = {"AssetsBucketName": "assets-bucket"}  # the value of ${AssetsBucketName} without a deployment


@dataclass(frozen=True)
class Verdict:
    """The response that the API would return."""

    message: str
    problems: list[Document]
    warnings: list[Document]
    pipeline_type: str = ""
    name: str = ""
    parameters: dict[str, str] | None = None
    preconditions: tuple[Document, ...] = ()


def check(
    raw: bytes,
    region: str,
    deployment: Settings | None = None,
    *,
    registry: bool = False,
    blueprints: Path = BLUEPRINTS,
) -> Verdict:
    """Check a request, with or without a deployment. `registry` is for deployments that use the model registry."""
    settings = replace(deployment, use_model_registry=registry or deployment.use_model_registry) if deployment else None
    checked_for = settings or assumed(region, registry)
    try:
        body = parse(raw)
        if operation := operations.find(body.get("pipeline_type")):
            return _of_operation(operation.name, operation.check(body, checked_for, deployed=bool(settings)))
        with tempfile.TemporaryDirectory() as folder:
            compile_catalog(blueprints, Path(folder))
            checked = check_body(body, Catalog(Path(folder)), checked_for, deployed=bool(settings))
    except BadRequest as error:
        return Verdict(error.message, [problem.document() for problem in error.problems], [])
    return Verdict(
        f"{checked.name} can be provisioned",
        [],
        [warning.document() for warning in checked.warnings],
        checked.pipeline_type,
        checked.name,
        dict(checked.parameters),
        tuple(one.document() for one in checked.preconditions),
    )


def _of_operation(name: str, checked: operations.Checked) -> Verdict:
    warnings = [warning.document() for warning in checked.warnings]
    return Verdict(f"{name} can be sent: {checked.subject}", [], warnings, name)
