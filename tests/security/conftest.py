# SPDX-License-Identifier: Apache-2.0
"""Every template that is installed or deployed, as built."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlops.deploy.template import load

from tests.support import builds


@pytest.fixture(scope="session")
def template_files(blueprints: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    built = builds.once(tmp_path_factory, "built-with-others", lambda out: builds.build(out, blueprints))
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
