# SPDX-License-Identifier: Apache-2.0
"""Every template that is installed or deployed, as built."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlops.deploy.build import Distribution, Sources, build
from mlops.deploy.template import load


@pytest.fixture(scope="session")
def built(blueprints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    build(Distribution("a-distribution-bucket", "mlops-orchestrator", "v0"), out, Sources(blueprints=blueprints))
    return out


@pytest.fixture(scope="session")
def template_files(built: Path) -> list[Path]:
    found = [*(built / "global-s3-assets").glob("*.template"), *(built / "regional-s3-assets").rglob("*.yaml")]
    return sorted(found)


@pytest.fixture(scope="session")
def templates(template_files: list[Path]) -> dict[str, Any]:
    """Each template by its name: main, or the blueprint's."""
    return {
        "main" if path.suffix == ".template" else path.stem: json.loads(path.read_text())
        if path.suffix == ".template"
        else load(path)
        for path in template_files
    }
