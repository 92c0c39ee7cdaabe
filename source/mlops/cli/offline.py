# SPDX-License-Identifier: Apache-2.0
"""The API's own checks without the API: the same modules, on blueprints compiled from this source tree.

What only a deployment knows is assumed: its names have their defaults, and nothing of it is contacted.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, fields
from pathlib import Path

from chalicelib import door
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest
from chalicelib.settings import Settings

from mlops.cli.failures import Document
from mlops.templates import compile_catalog

BLUEPRINTS = Path(__file__).parents[3] / "blueprints"


@dataclass(frozen=True)
class Verdict:
    """What the API would answer to a request's form."""

    message: str
    problems: list[Document]
    warnings: list[Document]
    pipeline_type: str = ""
    name: str = ""
    parameters: dict[str, str] | None = None


def check(raw: bytes, region: str, *, registry: bool = False, blueprints: Path = BLUEPRINTS) -> Verdict:
    """Check a request; `registry` says whether the deployment takes models from the model registry."""
    with tempfile.TemporaryDirectory() as folder:
        compile_catalog(blueprints, Path(folder))
        catalog = Catalog(Path(folder))
        try:
            checked = door.check(raw, catalog, settings(region, registry), deployed=False)
        except BadRequest as refused:
            return Verdict(refused.message, [problem.document() for problem in refused.problems], [])
    return Verdict(
        f"{checked.name} can be provisioned",
        [],
        [warning.document() for warning in checked.warnings],
        checked.pipeline_type,
        checked.name,
        dict(checked.parameters),
    )


def settings(region: str, registry: bool) -> Settings:
    """A deployment with the default names; what can't be known is named after what it is."""
    known = {
        "AWS_REGION": region,
        "PIPELINE_STACK_NAME": "mlops-pipeline",
        "ASSETS_BUCKET_KMS_KEY_ARN": "",
        "CFN_ROLE_ARN": "arn:aws:iam::000000000000:role/cloudformation",
        "IS_MULTI_ACCOUNT": "False",
        "USE_MODEL_REGISTRY": "Yes" if registry else "No",
    }
    names = [field.name.upper() for field in fields(Settings) if field.name != "catalog"]
    return Settings.from_environment({name: known.get(name, name.lower()) for name in names})
