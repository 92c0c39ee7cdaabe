# SPDX-License-Identifier: Apache-2.0
"""The less trodden ways of pipelines: execution modes, stack modes, action roles, overrides, transitions, tags."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.laptop import Account, wait_for
from tests.local.pipelines import (
    MODEL_OF_NOTHING,
    approval,
    declaration,
    deploy,
    invoke,
    source,
    trusted_role,
    unique,
    versioned_bucket,
)
from tests.local.test_codepipeline import World

BROKEN = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"Nonsense": 1}}}}


@pytest.fixture(scope="module")
def world(account: Account) -> World:
    return World(
        account,
        versioned_bucket(account),
        trusted_role(account, "codepipeline.amazonaws.com"),
        trusted_role(account, "cloudformation.amazonaws.com"),
    )


def stack_status(world: World, name: str) -> str:
    status: str = world.account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    return status


def test_parallel_executions_do_not_wait_for_each_other(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), approval(), executionMode="PARALLEL")
    world.codepipeline.start_pipeline_execution(name=name)

    def both_ask() -> bool:
        details = world.codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
        return [one["actionName"] for one in details].count("Ask") == 2

    wait_for(both_ask)


def test_queued_executions_wait_in_line(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), approval(), executionMode="QUEUED")
    for _ in range(2):
        world.codepipeline.start_pipeline_execution(name=name)
    for position in (2, 1, 0):
        token = wait_for(lambda: _new_token(world, name))
        world.codepipeline.put_approval_result(
            pipelineName=name,
            stageName="Approve",
            actionName="Ask",
            token=token,
            result={"summary": "", "status": "Approved"},
        )
        waiting = world.executions(name)[position]["pipelineExecutionId"]
        assert world.ended(name, waiting)["status"] == "Succeeded"


def _new_token(world: World, name: str) -> str | None:
    latest = world.actions(name)["Ask"].get("latestExecution", {})
    return latest.get("token") if latest.get("status") == "InProgress" else None


def test_a_failed_stack_is_replaced_only_where_that_is_asked_for(world: World) -> None:
    stack = unique("stack")
    world.upload(BROKEN)
    stays = world.create(source(world.bucket), deploy(stack, world.stack_role))
    assert world.ended(stays)["status"] == "Failed"
    assert stack_status(world, stack) == "ROLLBACK_COMPLETE"
    world.upload()
    again = world.codepipeline.start_pipeline_execution(name=stays)["pipelineExecutionId"]
    assert world.ended(stays, again)["status"] == "Failed"
    assert "ROLLBACK_COMPLETE" in world.error(stays, "Stack")
    replaces = world.create(source(world.bucket), deploy(stack, world.stack_role, "REPLACE_ON_FAILURE"))
    assert world.ended(replaces)["status"] == "Succeeded"
    assert stack_status(world, stack) == "CREATE_COMPLETE"


def test_a_stack_is_deleted(world: World) -> None:
    stack = unique("stack")
    world.upload()
    assert world.ended(world.create(source(world.bucket), deploy(stack, world.stack_role)))["status"] == "Succeeded"
    deletes = deploy(stack, world.stack_role, "DELETE_ONLY")
    del deletes["actions"][0]["configuration"]["TemplatePath"]
    assert world.ended(world.create(source(world.bucket), deletes))["status"] == "Succeeded"
    with pytest.raises(ClientError, match="does not exist"):
        stack_status(world, stack)


def test_parameter_overrides_win_and_may_look_into_artifacts(world: World) -> None:
    stack = unique("stack")
    world.upload(
        {**MODEL_OF_NOTHING, "Parameters": {"Colour": {"Type": "String"}, "Where": {"Type": "String"}}},
        Parameters={"Colour": "blue", "Where": "x"},
        Tags={"shape": "round"},
    )
    overrides = {"Colour": "green", "Where": {"Fn::GetArtifactAtt": ["Bundle", "BucketName"]}}
    name = world.create(
        source(world.bucket),
        deploy(
            stack,
            world.stack_role,
            TemplateConfiguration="Bundle::settings.json",
            ParameterOverrides=json.dumps(overrides),
        ),
    )
    assert world.ended(name)["status"] == "Succeeded"
    described = world.account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}
    assert given == {"Colour": "green", "Where": world.bucket}


def test_actions_of_one_run_order_run_side_by_side(world: World) -> None:
    world.upload()
    asks = [
        {**approval()["actions"][0], "name": name, "runOrder": order} for name, order in (("A", 1), ("B", 1), ("C", 2))
    ]
    name = world.create(source(world.bucket), {"name": "Approve", "actions": asks})

    def answer(action: str) -> None:
        token = wait_for(lambda: world.actions(name)[action].get("latestExecution", {}).get("token"))
        world.codepipeline.put_approval_result(
            pipelineName=name,
            stageName="Approve",
            actionName=action,
            token=token,
            result={"summary": "", "status": "Approved"},
        )

    wait_for(lambda: "latestExecution" in world.actions(name)["B"])
    answer("A")
    assert "latestExecution" not in world.actions(name)["C"]
    answer("B")
    answer("C")
    assert world.ended(name)["status"] == "Succeeded"


def test_an_action_may_have_a_role_of_its_own(world: World) -> None:
    iam, role = (
        world.account.client("iam"),
        trusted_role(world.account, "codepipeline.amazonaws.com", {"Action": "s3:*", "Resource": "*"}),
    )
    iam.update_assume_role_policy(
        RoleName=role.rsplit("/", 1)[1],
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": world.pipeline_role}}
                ],
            }
        ),
    )
    world.upload()
    stage = deploy(unique("stack"), world.stack_role)
    stage["actions"][0]["roleArn"] = role
    name = world.create(source(world.bucket), stage)
    assert world.ended(name)["status"] == "Failed"
    assert role.rsplit("/", 1)[1] in world.error(name, "Stack")


def test_a_disabled_transition_holds_an_execution(world: World) -> None:
    world.upload()
    nowhere = "arn:aws:states:us-east-1:123456789012:stateMachine:nowhere"
    name = world.create(source(world.bucket), approval(), invoke(nowhere))
    world.codepipeline.disable_stage_transition(
        pipelineName=name, stageName="Run", transitionType="Inbound", reason="not today"
    )
    token = wait_for(lambda: _new_token(world, name))
    world.codepipeline.put_approval_result(
        pipelineName=name,
        stageName="Approve",
        actionName="Ask",
        token=token,
        result={"summary": "", "status": "Approved"},
    )
    held = wait_for(lambda: world.codepipeline.get_pipeline_state(name=name)["stageStates"][2].get("inboundExecution"))
    assert held["status"] == "InProgress"
    world.codepipeline.enable_stage_transition(pipelineName=name, stageName="Run", transitionType="Inbound")
    assert world.ended(name)["status"] == "Failed"
    assert "not found" in world.error(name, "Jobs").lower() or "does not exist" in world.error(name, "Jobs").lower()


def test_pipelines_are_listed_described_tagged_and_deleted(world: World) -> None:
    world.upload()
    name, codepipeline = world.create(source(world.bucket), approval()), world.codepipeline
    described = codepipeline.get_pipeline(name=name)
    arn = described["metadata"]["pipelineArn"]
    changed = {**described["pipeline"], "stages": [source(world.bucket), approval("Agree")]}
    assert codepipeline.update_pipeline(pipeline=changed)["pipeline"]["version"] == 2
    assert codepipeline.get_pipeline(name=name, version=1)["pipeline"]["stages"][1]["name"] == "Approve"
    with pytest.raises(ClientError, match="PipelineVersionNotFound"):
        codepipeline.get_pipeline(name=name, version=9)
    with pytest.raises(ClientError, match="PipelineNameInUse"):
        codepipeline.create_pipeline(
            pipeline=declaration(name, world.pipeline_role, world.bucket, source(world.bucket), approval())
        )
    codepipeline.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])
    codepipeline.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert codepipeline.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    pages: list[Any] = list(codepipeline.get_paginator("list_pipelines").paginate(PaginationConfig={"PageSize": 1}))
    assert name in [one["name"] for page in pages for one in page["pipelines"]]
    codepipeline.delete_pipeline(name=name)
    codepipeline.delete_pipeline(name=name)
    with pytest.raises(ClientError, match="PipelineNotFound"):
        codepipeline.get_pipeline_state(name=name)


def test_a_source_that_polls_sees_a_new_version(world: World) -> None:
    world.upload(key="polled.zip")
    polled = source(world.bucket, "polled.zip")
    del polled["actions"][0]["configuration"]["PollForSourceChanges"]
    name = world.create(polled, approval())
    wait_for(lambda: "latestExecution" in world.actions(name)["Ask"])
    version = world.upload(key="polled.zip")
    newer = wait_for(
        lambda: (
            len(world.executions(name)) == 2
            and world.executions(name)[0]["sourceRevisions"]
            and world.executions(name)[0]
        )
    )
    assert newer["trigger"]["triggerType"] == "PollForSourceChanges"
    assert newer["sourceRevisions"][0]["revisionId"] == version
