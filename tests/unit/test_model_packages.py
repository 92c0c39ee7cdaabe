# SPDX-License-Identifier: Apache-2.0
"""A request that takes its model from the registry: when it does, which version it stands for, and what stops it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from chalicelib.aws.observed import ModelPackage
from chalicelib.aws.port import NotShared
from chalicelib.catalog import Catalog
from chalicelib.errors import BadRequest, Conflict, OrchestratorError
from chalicelib.intake.check import check_request
from chalicelib.intake.references import MODEL_PACKAGE, Reference
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.provisioning.provision import provision
from chalicelib.provisioning.resolve import resolve
from chalicelib.settings import Settings

from tests.support.memory import MemoryCloud, World

GROUP = "arn:aws:sagemaker:us-east-1:{}:model-package-group/churn"
PACKAGE = "arn:aws:sagemaker:us-east-1:{}:model-package/churn/{}"
HERE, SHARING, ELSEWHERE = "123456789012", "111122223333", "999999999999"
PACKAGE_KEYS = {"model_package_name": PACKAGE.format(HERE, 3)}
ARTIFACT_KEYS = {
    "model_framework": "xgboost",
    "model_framework_version": "1.7-1",
    "model_artifact_location": "churn/model.tar.gz",
}
EMPTY = {"model_framework": "", "model_framework_version": "", "model_artifact_location": " "}

Example = Callable[[str], dict[str, Any]]


@pytest.fixture(params=["byom_realtime_builtin", "byom_batch_builtin"])
def body(example: Example, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A request that says nothing about its model."""
    return {key: value for key, value in example(request.param).items() if key not in ARTIFACT_KEYS}


@pytest.mark.parametrize("switch", [False, True])
@pytest.mark.parametrize("empty", [{}, EMPTY])
def test_a_package_is_served_whatever_the_switch_says(
    body: dict[str, Any], empty: dict[str, str], switch: bool, catalog: Catalog, settings: Settings
) -> None:
    deployment = replace(settings, use_model_registry=switch)
    checked = check_request(json.dumps({**body, **PACKAGE_KEYS, **empty}).encode(), catalog, deployment)
    assert checked.parameters["ModelPackageName"] == PACKAGE.format(HERE, 3)
    assert (checked.parameters["ImageUri"], checked.parameters["ModelArtifactLocation"]) == ("", "")


def test_without_a_package_the_switch_decides(body: dict[str, Any], catalog: Catalog, settings: Settings) -> None:
    raw = json.dumps({**body, **ARTIFACT_KEYS}).encode()
    checked = check_request(raw, catalog, settings)
    assert checked.parameters["ModelArtifactLocation"] == "churn/model.tar.gz"
    assert checked.preconditions == ()
    with pytest.raises(BadRequest) as refused:
        check_request(raw, catalog, replace(settings, use_model_registry=True))
    assert [(one.path, one.problem) for one in refused.value.problems] == [("/model_package_name", "is missing")]


@pytest.mark.parametrize("switch", [False, True])
@pytest.mark.parametrize("key", [*ARTIFACT_KEYS, "model_from"])
def test_a_package_and_a_key_of_an_artifact_contradict_each_other(
    body: dict[str, Any], key: str, switch: bool, catalog: Catalog, settings: Settings
) -> None:
    both = {**body, **PACKAGE_KEYS, key: ARTIFACT_KEYS.get(key, "mlops-pipeline-churn-modeltraining")}
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps(both).encode(), catalog, replace(settings, use_model_registry=switch))
    (problem,) = refused.value.problems
    assert (problem.path, problem.code.name) == (f"/{key}", "CONFLICT")
    assert "/model_package_name" in problem.problem


@pytest.mark.parametrize(
    "wrong",
    ["a b", "churn/", "churn/0", "churn/x", "-churn", "s3://bucket/model", f"{GROUP.format(HERE)}/3", "x" * 64, 7],
)
def test_what_is_neither_a_package_nor_a_group(
    body: dict[str, Any], wrong: Any, catalog: Catalog, settings: Settings
) -> None:
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps({**body, "model_package_name": wrong}).encode(), catalog, settings)
    assert [one.path for one in refused.value.problems] == ["/model_package_name"]


def test_a_package_of_another_region_is_refused_at_the_door(
    body: dict[str, Any], catalog: Catalog, settings: Settings
) -> None:
    arn = PACKAGE.format(HERE, 3).replace("us-east-1", "eu-west-1")
    with pytest.raises(BadRequest) as refused:
        check_request(json.dumps({**body, "model_package_name": arn}).encode(), catalog, settings)
    (problem,) = refused.value.problems
    assert (problem.path, problem.code.name) == ("/model_package_name", "NOT_REACHABLE")
    assert "register the model in us-east-1" in problem.hint


def test_a_group_is_told_to_be_resolved_later(body: dict[str, Any], catalog: Catalog, settings: Settings) -> None:
    checked = check_request(json.dumps({**body, "model_package_name": " churn "}).encode(), catalog, settings)
    assert checked.unresolved == {"model_package_name": Reference(MODEL_PACKAGE, "churn")}
    assert [(one.path, one.code.name) for one in checked.warnings] == [("/model_package_name", "RESOLVED_LATER")]
    assert "latest approved version of the group churn" in checked.warnings[0].problem
    assert [one.resource for one in checked.preconditions] == ["churn"]


class Groups:
    """A registry with one group, `churn`: the approval of each version, in order."""

    def __init__(self, *approvals: str, shared: bool = True) -> None:
        self.approvals, self.shared = approvals, shared

    def model_packages(self, group: str, approval: str = "") -> list[ModelPackage] | None:
        if not self.shared:
            raise NotShared
        if group not in ("churn", GROUP.format(HERE), GROUP.format(SHARING)):
            return None
        account = SHARING if SHARING in group else HERE
        return [
            ModelPackage(PACKAGE.format(account, version), "Completed", one, version)
            for version, one in enumerate(self.approvals, 1)
            if approval in ("", one)
        ]


def found(group: str, cloud: Any, settings: Settings) -> Any:
    return resolve({"model_package_name": Reference(MODEL_PACKAGE, group)}, settings, cloud)["model_package_name"]


@pytest.mark.parametrize(
    ("group", "account"), [("churn", HERE), (GROUP.format(HERE), HERE), (GROUP.format(SHARING), SHARING)]
)
def test_a_group_stands_for_its_latest_approved_version(group: str, account: str, settings: Settings) -> None:
    one = found(group, Groups("Approved", "Approved", "Rejected", "PendingManualApproval"), settings)
    assert one.value == PACKAGE.format(account, 2)
    assert one.document() == {"group": "churn", "version": 2, "model_package": PACKAGE.format(account, 2)}


def test_a_group_and_a_version_stand_for_that_version_of_this_account(settings: Settings) -> None:
    assert found("churn/7", Groups(), settings).value == PACKAGE.format(HERE, 7)


@pytest.mark.parametrize(
    ("group", "cloud", "status", "problem", "hint"),
    [
        ("other", Groups(), 400, "there is no model package group 'other'", "mlops models list"),
        ("churn", Groups(), 409, "the group churn has no versions", "model_package_group_name"),
        (
            "churn",
            Groups("Rejected", "PendingManualApproval", "PendingManualApproval"),
            409,
            "the group churn has no approved version: 2 PendingManualApproval, 1 Rejected",
            "mlops models approve churn/3",
        ),
        (GROUP.format(SHARING), Groups(shared=False), 400, "has not shared churn with", "PutModelPackageGroupPolicy"),
    ],
)
def test_a_group_without_a_version_to_deploy(
    group: str, cloud: Groups, status: int, problem: str, hint: str, settings: Settings
) -> None:
    with pytest.raises(OrchestratorError) as refused:
        found(group, cloud, settings)
    assert refused.value.status == status
    assert refused.value.retry_after is None
    (told,) = refused.value.problems
    assert told.path == "/model_package_name"
    assert problem in told.problem
    assert hint in told.hint


@pytest.fixture
def planned(body: dict[str, Any], catalog: Catalog, settings: Settings) -> Plan:
    checked = check_request(json.dumps({**body, **PACKAGE_KEYS}).encode(), catalog, settings)
    return plan.make(checked, settings, catalog)


def test_a_plan_lists_that_its_package_must_be_approved(planned: Plan) -> None:
    (precondition,) = planned.preconditions
    assert precondition.document() == {
        "path": "/model_package_name",
        "requires": "approved_model_package",
        "resource": PACKAGE.format(HERE, 3),
        "description": "the model package is approved",
    }


@pytest.mark.parametrize("approval", ["PendingManualApproval", "Rejected"])
def test_what_nobody_approved_is_not_deployed(planned: Plan, approval: str) -> None:
    world = World(approvals={PACKAGE.format(HERE, 3): approval})
    with pytest.raises(Conflict) as refused:
        provision(planned, MemoryCloud(world))
    assert world.writes == []
    assert refused.value.retry_after is None
    (problem,) = refused.value.problems
    assert (problem.path, problem.problem) == ("/model_package_name", f"the model package churn/3 is {approval}")
    assert problem.hint == f"to approve it: mlops models approve {PACKAGE.format(HERE, 3)}"


def test_what_is_approved_or_rejected_meanwhile_is_seen_right_before_the_first_write(planned: Plan) -> None:
    arn = PACKAGE.format(HERE, 3)
    world = World(approvals={arn: "PendingManualApproval"})

    class Meanwhile(MemoryCloud):
        """Another status once the state was observed."""

        def stack(self, name: str) -> Any:
            found = super().stack(name)
            world.approvals[arn] = status
            return found

    status = "Approved"
    assert provision(planned, Meanwhile(world)).changed
    status = "Rejected"
    world.settle()
    assert not provision(planned, Meanwhile(world)).changed  # what serves goes on serving
    rerun = replace(planned, rerun=True)
    written = list(world.writes)
    with pytest.raises(Conflict):
        provision(rerun, Meanwhile(world))
    assert world.writes == written


class Registry(MemoryCloud):
    """A world whose registry answers with one package, or with an error."""

    def __init__(self, package: ModelPackage | Exception | None) -> None:
        super().__init__(World())
        self.package = package

    def model_package(self, arn: str) -> ModelPackage | None:
        if isinstance(self.package, Exception):
            raise self.package
        return self.package


@pytest.mark.parametrize(
    ("package", "status", "problem"),
    [
        (None, 400, "there is no model package churn/3"),
        (NotShared(), 400, "has not shared churn/3 with this account"),
        (ModelPackage(PACKAGE.format(HERE, 3), "Failed", "Approved", 3), 409, "is Failed, not Completed"),
    ],
)
def test_a_package_that_cannot_be_deployed(planned: Plan, package: Any, status: int, problem: str) -> None:
    cloud = Registry(package)
    with pytest.raises(OrchestratorError) as refused:
        provision(planned, cloud)
    assert refused.value.status == status
    assert problem in refused.value.problems[0].problem
    assert cloud.world.writes == []


def test_a_package_that_is_in_no_group_needs_no_approval(planned: Plan) -> None:
    assert provision(planned, Registry(ModelPackage("arn", "Completed"))).changed
