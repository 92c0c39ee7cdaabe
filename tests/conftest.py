# SPDX-License-Identifier: Apache-2.0
"""What all tests share: the compiled catalog, a deployment's settings, the example requests, a build, and accounts.

What is built is built once for a run. Accounts are one a worker: a test that uses `account`, `api` or `up` takes names
of its own there. One that kills an account, keeps its state or counts what is in it starts its own.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chalicelib.catalog import Catalog
from chalicelib.settings import Settings
from mlops.templates import compile_catalog

from tests.support import builds, commands, environments, laptop, ordering
from tests.support.blueprint_folders import EXAMPLES, gathered
from tests.support.commands import Up
from tests.support.installed import Installed, installed
from tests.support.laptop import Account, Start

environments.forget_how_we_were_started()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ordering.longest_files_first(items)


@pytest.fixture(scope="session")
def blueprints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The blueprints that ship and those of tests/catalogue, in one folder."""
    return builds.once(tmp_path_factory, "blueprints", gathered)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The build that AWS gets, from this source tree."""
    return builds.once(tmp_path_factory, "built", builds.build)


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """An account on this laptop."""
    with laptop.running_account() as running:
        yield running


@pytest.fixture(scope="session")
def api(built: Path) -> Iterator[Installed]:
    """The orchestrator, installed in an account of its own."""
    with laptop.running_account() as running:
        yield installed(running, built)


@pytest.fixture(scope="session")
def up(built: Path) -> Iterator[Up]:
    """`mlops local up`, for other terminals."""
    running = commands.ready(commands.local_up("--assets", str(built)))
    yield running
    running.end()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts accounts of a test's own; what still runs at the end is killed."""
    with laptop.starting() as start_one:
        yield start_one


@pytest.fixture(scope="session", autouse=True)
def runtime_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The accounts of these tests are not told among the user's own, nor the other way round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def catalog_folder(blueprints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return builds.once(tmp_path_factory, "catalog", lambda folder: compile_catalog(blueprints, folder))


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
