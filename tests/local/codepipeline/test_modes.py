# SPDX-License-Identifier: Apache-2.0
"""The less trodden ways of pipelines: execution modes, stack modes, action roles, overrides, transitions, tags."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.codepipelines import (
    MODEL_OF_NOTHING,
    Pipelines,
    approval,
    declaration,
    deploy,
    invoke,
    source,
)
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

BROKEN = {"Resources": {"T": {"Type": "AWS::SNS::Topic", "Properties": {"Nonsense": 1}}}}


def stack_status(pipelines: Pipelines, name: str) -> str:
    status: str = pipelines.account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
    return status


def test_parallel_executions_do_not_wait_for_each_other(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval(), executionMode="PARALLEL")
    pipelines.codepipeline.start_pipeline_execution(name=name)

    def both_ask() -> bool:
        details = pipelines.codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
        return [one["actionName"] for one in details].count("Ask") == 2

    wait_for(both_ask)


def test_queued_executions_wait_in_line(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval(), executionMode="QUEUED")
    for _ in range(2):
        pipelines.codepipeline.start_pipeline_execution(name=name)
    for position in (2, 1, 0):
        pipelines.answer(name)
        waiting = pipelines.executions(name)[position]["pipelineExecutionId"]
        assert pipelines.ended(name, waiting)["status"] == "Succeeded"


def test_a_failed_stack_is_replaced_only_where_that_is_asked_for(pipelines: Pipelines) -> None:
    stack = unique("stack")
    pipelines.upload(BROKEN)
    stays = pipelines.create(source(pipelines.bucket), deploy(stack, pipelines.stack_role))
    assert pipelines.ended(stays)["status"] == "Failed"
    assert stack_status(pipelines, stack) == "ROLLBACK_COMPLETE"
    pipelines.upload()
    again = pipelines.codepipeline.start_pipeline_execution(name=stays)["pipelineExecutionId"]
    assert pipelines.ended(stays, again)["status"] == "Failed"
    assert "ROLLBACK_COMPLETE" in pipelines.error(stays, "Stack")
    replaces = pipelines.create(source(pipelines.bucket), deploy(stack, pipelines.stack_role, "REPLACE_ON_FAILURE"))
    assert pipelines.ended(replaces)["status"] == "Succeeded"
    assert stack_status(pipelines, stack) == "CREATE_COMPLETE"


def test_a_stack_is_deleted(pipelines: Pipelines) -> None:
    stack = unique("stack")
    pipelines.upload()
    assert (
        pipelines.ended(pipelines.create(source(pipelines.bucket), deploy(stack, pipelines.stack_role)))["status"]
        == "Succeeded"
    )
    deletes = deploy(stack, pipelines.stack_role, "DELETE_ONLY")
    del deletes["actions"][0]["configuration"]["TemplatePath"]
    assert pipelines.ended(pipelines.create(source(pipelines.bucket), deletes))["status"] == "Succeeded"
    with pytest.raises(ClientError, match="does not exist"):
        stack_status(pipelines, stack)


def test_parameter_overrides_win_and_may_look_into_artifacts(pipelines: Pipelines) -> None:
    stack = unique("stack")
    pipelines.upload(
        {**MODEL_OF_NOTHING, "Parameters": {"Colour": {"Type": "String"}, "Where": {"Type": "String"}}},
        Parameters={"Colour": "blue", "Where": "x"},
        Tags={"shape": "round"},
    )
    overrides = {"Colour": "green", "Where": {"Fn::GetArtifactAtt": ["Bundle", "BucketName"]}}
    name = pipelines.create(
        source(pipelines.bucket),
        deploy(
            stack,
            pipelines.stack_role,
            TemplateConfiguration="Bundle::settings.json",
            ParameterOverrides=json.dumps(overrides),
        ),
    )
    assert pipelines.ended(name)["status"] == "Succeeded"
    described = pipelines.account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}
    assert given == {"Colour": "green", "Where": pipelines.bucket}


def test_actions_of_one_run_order_run_side_by_side(pipelines: Pipelines) -> None:
    pipelines.upload()
    asks = [
        {**approval()["actions"][0], "name": name, "runOrder": order} for name, order in (("A", 1), ("B", 1), ("C", 2))
    ]
    name = pipelines.create(source(pipelines.bucket), {"name": "Approve", "actions": asks})

    def answer(action: str) -> None:
        token = wait_for(lambda: pipelines.actions(name)[action].get("latestExecution", {}).get("token"))
        pipelines.codepipeline.put_approval_result(
            pipelineName=name,
            stageName="Approve",
            actionName=action,
            token=token,
            result={"summary": "", "status": "Approved"},
        )

    wait_for(lambda: "latestExecution" in pipelines.actions(name)["B"])
    answer("A")
    assert "latestExecution" not in pipelines.actions(name)["C"]
    answer("B")
    answer("C")
    assert pipelines.ended(name)["status"] == "Succeeded"


def test_an_action_may_have_a_role_of_its_own(pipelines: Pipelines) -> None:
    iam, role = (
        pipelines.account.client("iam"),
        trusted_role(pipelines.account, "codepipeline.amazonaws.com", {"Action": "s3:*", "Resource": "*"}),
    )
    iam.update_assume_role_policy(
        RoleName=role.rsplit("/", 1)[1],
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": pipelines.pipeline_role}}
                ],
            }
        ),
    )
    pipelines.upload()
    stage = deploy(unique("stack"), pipelines.stack_role)
    stage["actions"][0]["roleArn"] = role
    name = pipelines.create(source(pipelines.bucket), stage)
    assert pipelines.ended(name)["status"] == "Failed"
    assert role.rsplit("/", 1)[1] in pipelines.error(name, "Stack")


def test_a_disabled_transition_holds_an_execution(pipelines: Pipelines) -> None:
    pipelines.upload()
    nowhere = "arn:aws:states:us-east-1:123456789012:stateMachine:nowhere"
    name = pipelines.create(source(pipelines.bucket), approval(), invoke(nowhere))
    pipelines.codepipeline.disable_stage_transition(
        pipelineName=name, stageName="Run", transitionType="Inbound", reason="not today"
    )
    pipelines.answer(name)
    held = wait_for(
        lambda: pipelines.codepipeline.get_pipeline_state(name=name)["stageStates"][2].get("inboundExecution")
    )
    assert held["status"] == "InProgress"
    pipelines.codepipeline.enable_stage_transition(pipelineName=name, stageName="Run", transitionType="Inbound")
    assert pipelines.ended(name)["status"] == "Failed"
    assert (
        "not found" in pipelines.error(name, "Jobs").lower()
        or "does not exist" in pipelines.error(name, "Jobs").lower()
    )


def test_pipelines_are_listed_described_tagged_and_deleted(pipelines: Pipelines) -> None:
    pipelines.upload()
    name, codepipeline = pipelines.create(source(pipelines.bucket), approval()), pipelines.codepipeline
    described = codepipeline.get_pipeline(name=name)
    arn = described["metadata"]["pipelineArn"]
    changed = {**described["pipeline"], "stages": [source(pipelines.bucket), approval("Agree")]}
    assert codepipeline.update_pipeline(pipeline=changed)["pipeline"]["version"] == 2
    assert codepipeline.get_pipeline(name=name, version=1)["pipeline"]["stages"][1]["name"] == "Approve"
    with pytest.raises(ClientError, match="PipelineVersionNotFound"):
        codepipeline.get_pipeline(name=name, version=9)
    with pytest.raises(ClientError, match="PipelineNameInUse"):
        codepipeline.create_pipeline(
            pipeline=declaration(name, pipelines.pipeline_role, pipelines.bucket, source(pipelines.bucket), approval())
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


def test_a_source_that_polls_sees_a_new_version(pipelines: Pipelines) -> None:
    pipelines.upload(key="polled.zip")
    polled = source(pipelines.bucket, "polled.zip")
    del polled["actions"][0]["configuration"]["PollForSourceChanges"]
    name = pipelines.create(polled, approval())
    wait_for(lambda: "latestExecution" in pipelines.actions(name)["Ask"])
    version = pipelines.upload(key="polled.zip")
    newer = wait_for(
        lambda: (
            len(pipelines.executions(name)) == 2
            and pipelines.executions(name)[0]["sourceRevisions"]
            and pipelines.executions(name)[0]
        )
    )
    assert newer["trigger"]["triggerType"] == "PollForSourceChanges"
    assert newer["sourceRevisions"][0]["revisionId"] == version
