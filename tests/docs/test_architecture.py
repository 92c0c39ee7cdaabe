# SPDX-License-Identifier: Apache-2.0
"""docs/architecture.md tells of the code as it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from chalicelib.errors import Conflict
from chalicelib.provisioning.decide import decide
from chalicelib.provisioning.provision import execute
from chalicelib.provisioning.steps import Create, Upload
from mlops.deploy.template import load
from tools.docs import decisions
from tools.docs.decisions import Situation

from tests.support.memory import MemoryCloud, World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CHALICELIB = ROOT / "orchestrator" / "chalicelib"
PACKAGES = sorted(path.parent for path in CHALICELIB.glob("*/__init__.py"))
MODULES = sorted(CHALICELIB.rglob("*.py"))


@pytest.fixture(scope="module")
def examples() -> dict[str, Situation]:
    return decisions.examples()


@pytest.mark.parametrize("words", [row.words for row in decisions.ROWS])
def test_a_step_is_answered_as_its_row_says(words: str, examples: dict[str, Situation]) -> None:
    at = examples[words]
    step = decide(at.plan, at.observed)
    world = World(stacks={stack.name: stack for stack in (at.observed.delivery, at.stack) if stack})
    if at.observed.bundle:
        world.bundles[at.plan.bundle_key] = at.observed.bundle
    cloud = MemoryCloud(world)
    try:
        execute(at.plan, step, at.observed, cloud)
        answer = "200"
    except Conflict as conflict:
        answer = f"409, Retry-After: {conflict.retry_after}" if conflict.retry_after else "409"
    assert answer == decisions.answer(step)
    assert bool(world.writes) == (decisions.done(step) != "nothing")
    assert ("put_bundle" in world.writes) == ("the bundle" in decisions.done(step))
    assert ("put_bundle" in world.writes) == (
        isinstance(step, Upload) or (isinstance(step, Create) and not step.uploaded)
    )


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_every_package_stands_in_the_picture_and_lists_its_modules(folder: Path) -> None:
    assert f"{folder.name}/" in PAGE
    listed = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    modules = {path.name for path in folder.glob("*.py")} - {"__init__.py"}
    assert modules == set(re.findall(r"^(\w+\.py)  ", listed, re.MULTILINE))


def test_every_module_beside_the_packages_stands_in_the_picture() -> None:
    for path in CHALICELIB.glob("*.py"):
        assert path.stem == "__init__" or path.name in PAGE, path.name


def test_every_module_in_the_picture_exists() -> None:
    picture = PAGE.split("```\n", 2)[1]
    names = {path.name for path in (ROOT / "orchestrator").rglob("*.py")}
    assert set(re.findall(r"\b\w+\.py\b", picture)) <= names


ACCOUNT = sorted(path.parent for path in (ROOT / "source" / "mlops" / "local").glob("*/__init__.py"))


@pytest.mark.parametrize("folder", ACCOUNT, ids=lambda one: one.name)
def test_every_package_of_the_laptop_account_is_told_of_and_lists_what_it_holds(folder: Path) -> None:
    assert f"`{folder.name}/`" in PAGE
    listed = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    for path in folder.iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            assert (path.name if path.is_file() else f"{path.name}/") in listed, path.name


def test_only_aws_imports_boto3() -> None:
    outside = [path for path in MODULES if path.parent.name != "aws"]
    assert not [path for path in outside if {"boto3", "botocore"} & imports(path)]


def test_only_the_entrypoint_connects_to_aws() -> None:
    """Everything else is given the port, so that tests and other entrypoints can hand over their own."""
    connecting = {path.name for path in MODULES if "chalicelib.aws.client" in imports(path)}
    assert connecting == {"http.py"}


@pytest.mark.parametrize("package", ["intake", "planning", "images"])
def test_what_is_pure_does_not_know_aws(package: str) -> None:
    for path in (CHALICELIB / package).glob("*.py"):
        assert not [name for name in imports(path) if name.startswith("chalicelib.aws")], path.name


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, node.module.split(".")[0]}
    return found


def test_every_variable_of_the_function_is_told_of() -> None:
    template = load(ROOT / "deployment" / "templates" / "orchestrator.sam.yaml")
    for name in template["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]:
        assert f"`{name}`" in PAGE, name
