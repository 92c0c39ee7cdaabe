# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the compiled catalog, a deployment's settings, and the example requests."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.settings import Settings
from mlops.templates import compile_catalog

from tests.blueprint_folders import EXAMPLES, gathered

# A shell's background job starts with SIGINT ignored, and every process it starts would ignore it, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def blueprints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The blueprints that ship and those of tests/catalogue, in one folder."""
    return gathered(tmp_path_factory.mktemp("blueprints"))


@pytest.fixture(scope="session", autouse=True)
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The accounts of these tests are not told among the user's own, nor the other way round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def catalog_folder(blueprints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("catalog")
    compile_catalog(blueprints, folder)
    return folder


@pytest.fixture(scope="session")
def catalog(catalog_folder: Path) -> Catalog:
    return Catalog(catalog_folder)


@pytest.fixture(scope="session")
def environment(catalog_folder: Path) -> dict[str, str]:
    """The environment that the main template gives the orchestrator."""
    return {
        "AWS_REGION": "us-east-1",
        "PIPELINE_STACK_NAME": "mlops-pipeline",
        "ORCHESTRATOR_STACK": "mlops-orchestrator",
        "ASSETS_BUCKET": "the-assets",
        "ASSETS_BUCKET_KMS_KEY_ARN": "",
        "BUNDLE_BUCKET": "the-bundles",
        # what the examples name
        "DATA_BUCKETS": "my-bucket,my-capture-bucket",
        "IMAGE_ACCOUNTS": "111122223333",
        "KEY_ACCOUNTS": "111122223333",
        "BLUEPRINT_BUCKET": "the-distribution-us-east-1",
        "BLUEPRINT_PREFIX": "mlops-orchestrator/v1",
        "ARTIFACT_BUCKET": "the-artifacts",
        "CFN_ROLE_ARN": "arn:aws:iam::123456789012:role/mlops-orchestrator-CloudFormationRole-1ABC",
        "PIPELINE_ROLE_ARN": "arn:aws:iam::123456789012:role/mlops-orchestrator-PipelineRole-1ABC",
        "PERMISSIONS_BOUNDARY_ARN": "arn:aws:iam::123456789012:policy/boundary",
        "MLOPS_NOTIFICATIONS_SNS_TOPIC": "arn:aws:sns:us-east-1:123456789012:notices",
        "IS_MULTI_ACCOUNT": "False",
        "USE_MODEL_REGISTRY": "No",
        "ALLOW_DETAILED_ERROR_MESSAGE": "Yes",
        "MLOPS_CATALOG": str(catalog_folder),
    }


@pytest.fixture(scope="session")
def settings(environment: dict[str, str]) -> Settings:
    return Settings.from_environment(environment)


@pytest.fixture
def example() -> Callable[[str], dict[str, Any]]:
    """An example request by its file's name, fresh for each use."""

    def read(name: str) -> dict[str, Any]:
        (path,) = [path for path in EXAMPLES if path.stem == name]
        body: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return body

    return read
