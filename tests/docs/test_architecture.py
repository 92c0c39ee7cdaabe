# SPDX-License-Identifier: Apache-2.0
"""docs/architecture.md tells of the code as it is."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest
from chalicelib.decide import Create, Step, Upload, decide
from chalicelib.errors import Conflict
from chalicelib.provision import carry_out
from mlops.deploy.template import load
from mlops.docs import decisions
from mlops.docs.decisions import Situation

from tests.faults.memory import MemoryCloud, World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CHALICELIB = ROOT / "orchestrator" / "chalicelib"
PACKAGES = sorted(path.parent for path in CHALICELIB.glob("*/__init__.py"))
MODULES = sorted(path for path in CHALICELIB.glob("*.py") if path.stem != "__init__")


def test_all_that_fits_a_row_is_decided_as_the_row_says() -> None:
    told: dict[str, set[tuple[type, str]]] = defaultdict(set)
    for at in decisions.situations(decisions.one_status_a_phase()):
        step = decide(at.plan, at.found)
        told[decisions.row_of(at).words].add((type(step), decisions.answer(step)))
    assert {words: taken for words, taken in told.items() if len(taken) > 1} == {}
    assert set(told) == {row.words for row in decisions.ROWS}
    assert {step for taken in told.values() for step, _ in taken} == set(Step.__args__)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def examples() -> dict[str, Situation]:
    return decisions.examples()


@pytest.mark.parametrize("words", [row.words for row in decisions.ROWS])
def test_a_step_is_answered_as_its_row_says(words: str, examples: dict[str, Situation]) -> None:
    at = examples[words]
    step = decide(at.plan, at.found)
    world = World(stacks={stack.name: stack for stack in (at.found.delivery, at.found.deployed) if stack})
    if at.found.bundle:
        world.bundles[at.plan.bundle_key] = at.found.bundle
    cloud = MemoryCloud(world)
    try:
        carry_out(at.plan, step, at.found, cloud)
        answer = "200"
    except Conflict as conflict:
        answer = f"409, Retry-After: {conflict.retry_after}" if conflict.retry_after else "409"
    assert answer == decisions.answer(step)
    assert bool(world.writes) == (decisions.done(step) != "nothing")
    assert ("put_bundle" in world.writes) == ("the bundle" in decisions.done(step))
    assert ("put_bundle" in world.writes) == (
        isinstance(step, Upload) or (isinstance(step, Create) and not step.uploaded)
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_every_module_stands_in_the_picture(path: Path) -> None:
    assert path.name in PAGE


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_every_package_stands_in_the_picture_and_tells_of_its_modules(folder: Path) -> None:
    assert f" {folder.name}/ " in PAGE
    told = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8"))) or ""
    for path in folder.glob("*.py"):
        assert path.stem == "__init__" or path.name in told, path.name


def test_every_module_in_the_picture_exists() -> None:
    picture = PAGE.split("```\n", 2)[1]
    folders = (ROOT / "orchestrator", ROOT / "orchestrator" / "chalicelib")
    for name in re.findall(r"\b\w+\.py\b", picture):
        assert any((folder / name).exists() for folder in folders), name


def test_every_module_of_the_laptop_account_is_told_of() -> None:
    folder = ROOT / "source" / "mlops" / "local"
    untold = {"__init__.py", "__main__.py", "errors.py"}
    for path in folder.iterdir():
        if path.suffix == ".py" and path.name not in untold:
            assert f"`{path.name}`" in PAGE, path.name


def test_only_aws_knows_boto3_and_few_modules_know_of_either() -> None:
    imported = {path.name: imports(path) for path in MODULES}
    assert not [name for name, names in imported.items() if {"boto3", "botocore"} & names]
    assert [name for name, names in imported.items() if "chalicelib.aws" in names] == ["api.py"]
    asking = {name for name, names in imported.items() if "chalicelib.cloud" in names}
    assert asking == {"provision.py", "finding.py", "history.py", "outcome.py", "resolve.py", "status.py"}


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
