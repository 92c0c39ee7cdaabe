# SPDX-License-Identifier: Apache-2.0
"""Runs the API's checks locally: the same modules, on blueprints compiled from this source tree.

In: a request, and the settings of a deployment. Without a deployment, names have their defaults, and values of a
deployment are placeholders such as <assets-bucket>.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.intake.check import check_request
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
    with tempfile.TemporaryDirectory() as folder:
        compile_catalog(blueprints, Path(folder))
        catalog = Catalog(Path(folder))
        try:
            checked = check_request(raw, catalog, settings or assumed(region, registry), deployed=settings is not None)
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
