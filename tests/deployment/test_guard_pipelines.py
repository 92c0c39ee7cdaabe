# SPDX-License-Identifier: Apache-2.0
"""The main stack is not deleted while there are pipelines, which only it can delete."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import pytest
from mlops.deploy.install import InstallError, install, uninstall
from mlops.deploy.upload import MAIN_TEMPLATE

from tests.support.custom_resources import CloudFormation, Reply, serving, unguarded, use_endpoint
from tests.support.installed import post, uploaded
from tests.support.laptop import Account

ROLE = "arn:aws:iam::123456789012:role/mlops-orchestrator-CloudFormationRole-1ABC"
PAGE = 100


class Stacks:
    """DescribeStacks: the main stack by its id, and pages of all stacks."""

    def __init__(self, own_status: str, stacks: dict[str, str], denials: int = 0) -> None:
        self.own_status, self.stacks, self.denials = own_status, list(stacks.items()), denials

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        assert asked["Action"] == "DescribeStacks"
        if self.denials:
            self.denials -= 1
            return 403, {}, "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"
        if "StackName" in asked:
            return 200, {}, self.page([("mlops-orchestrator", "")], self.own_status, "")
        first = int(asked.get("NextToken", 0))
        token = str(first + PAGE) if first + PAGE < len(self.stacks) else ""
        return 200, {}, self.page(self.stacks[first : first + PAGE], "CREATE_COMPLETE", token)

    def page(self, stacks: list[tuple[str, str]], status: str, token: str) -> str:
        members = "".join(
            f"<member><StackName>{name}</StackName><StackStatus>{status}</StackStatus>"
            f"{f'<RoleARN>{role}</RoleARN>' if role else ''}</member>"
            for name, role in stacks
        )
        more = f"<NextToken>{token}</NextToken>" if token else ""
        result = f"<DescribeStacksResult><Stacks>{members}</Stacks>{more}</DescribeStacksResult>"
        return f"<DescribeStacksResponse>{result}</DescribeStacksResponse>"


def asked(
    monkeypatch: pytest.MonkeyPatch, stacks: Stacks, request_type: str = "Delete", seconds_left: float = 20
) -> dict[str, Any]:
    with serving(stacks) as url:
        use_endpoint(monkeypatch, url)
        function = CloudFormation("guard_pipelines", monkeypatch)
        return function.asks(request_type, seconds_left, Region="us-east-1", CloudFormationRole=ROLE)


def of(count: int) -> dict[str, str]:
    """Pipelines, each with its two stacks."""
    names = [f"mlops-pipeline-model-{number:04}-modeltraining" for number in range(count)]
    return {f"{name}{suffix}": ROLE for name in names for suffix in ("", "-codepipeline")}


def test_pipelines_are_named_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = asked(monkeypatch, Stacks("DELETE_IN_PROGRESS", of(2)))
    assert answer["Status"] == "FAILED"
    assert answer["PhysicalResourceId"] == "as-it-was-made"
    left = "2 pipelines left: mlops-pipeline-model-0000-modeltraining, mlops-pipeline-model-0001-modeltraining. They"
    assert left in answer["Reason"]
    assert "mlops delete NAME, or the stack NAME and then the stack NAME-codepipeline" in answer["Reason"]


def test_two_thousand_pipelines_among_others_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {f"another-{number}": "" for number in range(PAGE + 1)}
    answer = asked(monkeypatch, Stacks("DELETE_IN_PROGRESS", {**others, **of(2_000)}))
    assert "2000 pipelines left: " in answer["Reason"]
    assert "and 1995 more." in answer["Reason"]
    assert len(answer["Reason"]) <= 1_000


@pytest.mark.parametrize("suffix", ["", "-codepipeline"])
def test_one_stack_of_a_pipeline_is_enough(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = asked(monkeypatch, Stacks("DELETE_IN_PROGRESS", {f"mlops-pipeline-one{suffix}": ROLE}))
    assert "1 pipeline left: mlops-pipeline-one. " in answer["Reason"]


def test_stacks_of_others_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"mlops-pipeline-theirs": f"{ROLE}2", "mlops-pipeline-nobodys": ""}
    assert asked(monkeypatch, Stacks("DELETE_IN_PROGRESS", others))["Status"] == "SUCCESS"


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "CREATE_FAILED"])
def test_only_the_deletion_of_the_stack_is_guarded(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that rolls back, or that replaces the guard, deletes the guard and not the stack."""
    assert asked(monkeypatch, Stacks(status, of(2)))["Status"] == "SUCCESS"


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_all_else_needs_nothing(request_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, Stacks("CREATE_IN_PROGRESS", of(2)), request_type)["Status"] == "SUCCESS"


def test_a_policy_that_iam_does_not_know_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, Stacks("ROLLBACK_IN_PROGRESS", {}, denials=1))["Status"] == "SUCCESS"


def test_a_guard_that_cannot_tell_says_how_to_delete_the_stack_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = asked(monkeypatch, Stacks("DELETE_IN_PROGRESS", {}, denials=100), seconds_left=15)
    assert answer["Status"] == "FAILED"
    assert "AccessDenied" in answer["Reason"]
    assert "--retain-resources Resource" in answer["Reason"]


def test_the_guard_is_deleted_before_everything_else(built: Path) -> None:
    """CloudFormation deletes what nothing depends on first, and the guard depends on all the rest."""
    resources = json.loads((built / "global-s3-assets" / MAIN_TEMPLATE).read_text())["Resources"]
    assert unguarded(resources) == set()
    assert not [name for name, one in resources.items() if '"PipelinesGuard"' in json.dumps(one)]


EMAIL = {"NotificationEmail": "people@example.com"}
DEPLOYED = {"Resources": {"Logs": {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 30}}}}


@pytest.fixture
def stack_name(account: Account) -> Iterator[str]:
    name = f"guarded-{uuid4().hex[:8]}"
    yield name
    uninstall(account, name)


def deployed(account: Account, stack_name: str) -> str:
    """A stack that CloudFormation has made with the role of an installation, as it makes those of a pipeline."""
    cloudformation = account.client("cloudformation")
    described = cloudformation.describe_stack_resource(StackName=stack_name, LogicalResourceId="CloudFormationRole")
    role_name = described["StackResourceDetail"]["PhysicalResourceId"]
    role = account.client("iam").get_role(RoleName=role_name)["Role"]["Arn"]
    pipeline = f"mlops-pipeline-{uuid4().hex[:8]}"
    cloudformation.create_stack(StackName=pipeline, TemplateBody=json.dumps(DEPLOYED), RoleARN=role)
    cloudformation.get_waiter("stack_create_complete").wait(StackName=pipeline, WaiterConfig={"Delay": 1})
    return pipeline


def test_an_installation_with_pipelines_is_not_deleted_until_they_are(
    stack_name: str, built: Path, account: Account
) -> None:
    url = uploaded(account, built)
    outputs = install(account, stack_name, url, EMAIL)
    cloudformation = account.client("cloudformation")
    pipeline = deployed(account, stack_name)

    with pytest.raises(InstallError, match=rf"1 pipeline left: {pipeline}\. "):
        uninstall(account, stack_name)

    # Nothing else was deleted: the API still answers, and the pipeline can be deleted.
    assert post(account, outputs["ApiId"], "pipelinestatus", {}).status == 400
    cloudformation.delete_stack(StackName=pipeline)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=pipeline, WaiterConfig={"Delay": 1})
    uninstall(account, stack_name)
    stacks = {stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]}
    assert stack_name not in stacks


def test_an_owner_who_wants_to_can_delete_the_installation_all_the_same(
    stack_name: str, built: Path, account: Account
) -> None:
    url = uploaded(account, built)
    install(account, stack_name, url, EMAIL)
    deployed(account, stack_name)
    with pytest.raises(InstallError, match="1 pipeline left"):
        uninstall(account, stack_name)
    cloudformation = account.client("cloudformation")
    cloudformation.delete_stack(StackName=stack_name, RetainResources=["PipelinesGuard"])
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=stack_name, WaiterConfig={"Delay": 1})
