# SPDX-License-Identifier: Apache-2.0
"""Pipelines run: from a zip in S3 through a stack and a state machine, with approvals, stops and retries."""

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
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for


@pytest.fixture
def machine(account: Account) -> str:
    """A state machine that fails when its input says so."""
    states = {
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.fail", "BooleanEquals": True, "Next": "Fail"}],
            "Default": "Done",
        },
        "Fail": {"Type": "Fail", "Error": "NoData", "Cause": "there are no rows"},
        "Done": {"Type": "Succeed"},
    }
    arn: str = account.client("stepfunctions").create_state_machine(
        name=unique("machine"),
        roleArn=trusted_role(account, "states.amazonaws.com"),
        definition=json.dumps({"StartAt": "Choose", "States": states}),
    )["stateMachineArn"]
    return arn


def test_a_zip_becomes_a_stack_and_its_outputs_reach_the_next_action(pipelines: Pipelines, machine: str) -> None:
    version = pipelines.upload(Parameters={"Colour": "blue"}, Tags={"team": "a"})
    stack = unique("stack")
    name = pipelines.create(
        source(pipelines.bucket),
        deploy(stack, pipelines.stack_role, TemplateConfiguration="Bundle::settings.json"),
        invoke(machine, Input='{"fail": false, "colour": "#{DeployVariables.Colour}"}'),
    )
    execution = pipelines.ended(name)
    assert execution["status"] == "Succeeded"
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
    assert execution["artifactRevisions"][0]["revisionId"] == version
    described = pipelines.account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    assert {"Key": "team", "Value": "a"} in described["Tags"]
    actions = pipelines.actions(name)
    run = actions["Jobs"]["latestExecution"]
    assert actions["Read"]["currentRevision"]["revisionId"] == version
    assert actions["Stack"]["latestExecution"]["externalExecutionId"] == described["StackId"]
    assert run["externalExecutionId"].endswith(run["actionExecutionId"])
    started = pipelines.account.client("stepfunctions").describe_execution(executionArn=run["externalExecutionId"])
    assert json.loads(started["input"]) == {"fail": False, "colour": "blue"}


def test_a_template_may_be_larger_than_a_body_of_a_request(pipelines: Pipelines) -> None:
    """CodePipeline takes templates that CloudFormation takes by URL only."""
    described = {f"Unused{number}": {"Type": "String", "Default": "x" * 1000} for number in range(60)}
    template = {**MODEL_OF_NOTHING, "Parameters": MODEL_OF_NOTHING["Parameters"] | described}
    assert len(json.dumps(template)) > 51_200
    pipelines.upload(template)
    name = pipelines.create(source(pipelines.bucket), deploy(unique("stack"), pipelines.stack_role))
    assert pipelines.ended(name)["status"] == "Succeeded"


def test_an_unchanged_stack_is_a_success(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), deploy(unique("stack"), pipelines.stack_role))
    assert pipelines.ended(name)["status"] == "Succeeded"
    again = pipelines.codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    assert pipelines.ended(name, again)["status"] == "Succeeded"


def test_a_failed_stack_names_its_first_failed_resource(pipelines: Pipelines) -> None:
    pipelines.upload({"Resources": {"Bad": {"Type": "AWS::SNS::Topic", "Properties": {"Nonsense": 1}}}})
    name = pipelines.create(source(pipelines.bucket), deploy(unique("stack"), pipelines.stack_role))
    assert pipelines.ended(name)["status"] == "Failed"
    assert "[Bad]. Bad:" in pipelines.error(name, "Stack")
    assert "Nonsense" in pipelines.error(name, "Stack")
    assert pipelines.stages(name) == {"Source": "Succeeded", "Deploy": "Failed"}


def test_a_failed_state_machine_gives_its_error_and_cause_and_a_retry_runs_it_again(
    pipelines: Pipelines, machine: str
) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), invoke(machine, Input='{"fail": true}'))
    execution = pipelines.ended(name)
    assert execution["status"] == "Failed"
    assert "NoData: there are no rows" in pipelines.error(name, "Jobs")
    pipelines.codepipeline.retry_stage_execution(
        pipelineName=name,
        stageName="Run",
        retryMode="FAILED_ACTIONS",
        pipelineExecutionId=execution["pipelineExecutionId"],
    )
    pipelines.ended(name)
    details = pipelines.codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    assert [one["actionName"] for one in details] == ["Jobs", "Jobs", "Read"]
    assert details[0]["actionExecutionId"] != details[1]["actionExecutionId"]


def test_a_state_machine_that_was_deleted_is_named(pipelines: Pipelines, machine: str) -> None:
    states = pipelines.account.client("stepfunctions")
    version = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    states.delete_state_machine(stateMachineArn=machine)
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), invoke(version))
    assert pipelines.ended(name)["status"] == "Failed"
    said = f"StateMachineDoesNotExist: State Machine Does Not Exist: '{version}'"
    assert pipelines.error(name, "Jobs") == said


def test_a_start_names_the_version_it_wants_and_its_token_makes_it_once(pipelines: Pipelines) -> None:
    first, _ = pipelines.upload(), pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval())
    wanted = {
        "name": name,
        "clientRequestToken": "abc-1",
        "sourceRevisions": [{"actionName": "Read", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": first}],
    }
    ids = {pipelines.codepipeline.start_pipeline_execution(**wanted)["pipelineExecutionId"] for _ in range(3)}
    assert len(ids) == 1
    assert len(pipelines.executions(name)) == 2
    wait_for(lambda: pipelines.executions(name)[0]["sourceRevisions"])
    assert pipelines.executions(name)[0]["sourceRevisions"][0]["revisionId"] == first


def test_variables_are_declared_resolved_and_shown(pipelines: Pipelines, machine: str) -> None:
    pipelines.upload()
    variables = [{"name": "who", "defaultValue": "nobody"}]
    name = pipelines.create(
        source(pipelines.bucket),
        invoke(machine, Input='{"fail": false, "who": "#{variables.who}"}'),
        variables=variables,
    )
    execution_id = pipelines.codepipeline.start_pipeline_execution(
        name=name, variables=[{"name": "who", "value": "me"}]
    )["pipelineExecutionId"]
    assert pipelines.ended(name, execution_id)["variables"] == [{"name": "who", "resolvedValue": "me"}]
    with pytest.raises(ClientError, match="does not declare"):
        pipelines.codepipeline.start_pipeline_execution(name=name, variables=[{"name": "what", "value": "me"}])


def test_an_approval_waits_for_its_answer(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval(CustomData="look"))
    token = wait_for(lambda: pipelines.actions(name)["Ask"].get("latestExecution", {}).get("token"))
    answer = {
        "pipelineName": name,
        "stageName": "Approve",
        "actionName": "Ask",
        "result": {"summary": "fine", "status": "Approved"},
    }
    with pytest.raises(ClientError, match="InvalidApprovalToken"):
        pipelines.codepipeline.put_approval_result(**answer, token="0" * 8 + "-0000-0000-0000-" + "0" * 12)
    assert pipelines.codepipeline.put_approval_result(**answer, token=token)["approvedAt"]
    assert pipelines.ended(name)["status"] == "Succeeded"
    assert pipelines.actions(name)["Ask"]["latestExecution"]["summary"] == "fine"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompleted"):
        pipelines.codepipeline.put_approval_result(**answer, token=token)


def test_a_rejection_fails_the_pipeline(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval())
    pipelines.answer(name, "Rejected", "no")
    assert pipelines.ended(name)["status"] == "Failed"
    assert "no" in pipelines.error(name, "Ask")


def test_an_execution_is_stopped_and_its_action_abandoned(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval())
    wait_for(lambda: pipelines.actions(name)["Ask"].get("latestExecution"))
    execution_id = pipelines.executions(name)[0]["pipelineExecutionId"]
    stop = {"pipelineName": name, "pipelineExecutionId": execution_id}
    pipelines.codepipeline.stop_pipeline_execution(**stop, abandon=True, reason="enough")
    assert pipelines.ended(name)["status"] == "Stopped"
    assert pipelines.actions(name)["Ask"]["latestExecution"]["status"] == "Abandoned"
    assert pipelines.stages(name)["Approve"] == "Stopped"
    assert pipelines.executions(name)[0]["stopTrigger"] == {"reason": "enough"}
    with pytest.raises(ClientError, match="PipelineExecutionNotStoppable"):
        pipelines.codepipeline.stop_pipeline_execution(**stop)


def test_a_newer_execution_supersedes_the_one_that_waits(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(source(pipelines.bucket), approval())
    wait_for(lambda: pipelines.actions(name)["Ask"].get("latestExecution"))
    second = pipelines.codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    wait_for(lambda: pipelines.codepipeline.get_pipeline_state(name=name)["stageStates"][1].get("inboundExecution"))
    third = pipelines.codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    assert pipelines.ended(name, second)["status"] == "Superseded"
    assert [one["status"] for one in pipelines.executions(name)] == ["InProgress", "Superseded", "InProgress"]
    assert pipelines.executions(name)[0]["pipelineExecutionId"] == third


def test_an_unversioned_bucket_is_no_source(pipelines: Pipelines) -> None:
    s3, bucket = pipelines.account.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="template.zip", Body=b"x")
    name = pipelines.create(source(bucket), approval())
    assert pipelines.ended(name)["status"] == "Failed"
    assert "not versioned" in pipelines.error(name, "Read")


def test_actions_may_do_what_the_pipelines_role_may(pipelines: Pipelines) -> None:
    pipelines.upload()
    role = trusted_role(pipelines.account, "codepipeline.amazonaws.com", {"Action": "s3:*", "Resource": "*"})
    name = unique("pipeline")
    pipelines.codepipeline.create_pipeline(
        pipeline=declaration(
            name, role, pipelines.bucket, source(pipelines.bucket), deploy(unique("stack"), pipelines.stack_role)
        )
    )
    assert pipelines.ended(name)["status"] == "Failed"
    failed = pipelines.actions(name)["Stack"]["latestExecution"]["errorDetails"]
    assert failed["code"] == "PermissionError"
    assert "cloudformation:DescribeStacks" in failed["message"]


def test_a_missing_template_is_named(pipelines: Pipelines) -> None:
    pipelines.upload()
    name = pipelines.create(
        source(pipelines.bucket), deploy(unique("stack"), pipelines.stack_role, TemplatePath="Bundle::other.json")
    )
    assert pipelines.ended(name)["status"] == "Failed"
    assert "File [other.json] does not exist in artifact [Bundle]" in pipelines.error(name, "Stack")


def test_state_changes_reach_eventbridge(pipelines: Pipelines) -> None:
    events, sqs = pipelines.account.client("events"), pipelines.account.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pipelines.upload()
    name = unique("pipeline")
    rule = events.put_rule(
        Name=name, EventPattern=json.dumps({"source": ["aws.codepipeline"], "detail": {"pipeline": [name]}})
    )["RuleArn"]
    sqs.set_queue_attributes(
        QueueUrl=queue,
        Attributes={
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": arn,
                            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
                        }
                    ],
                }
            )
        },
    )
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": arn}])
    pipelines.codepipeline.create_pipeline(
        pipeline=declaration(
            name,
            pipelines.pipeline_role,
            pipelines.bucket,
            source(pipelines.bucket),
            deploy(unique("stack"), pipelines.stack_role),
        )
    )
    seen: list[tuple[str, str]] = []

    def finished() -> bool:
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            event = json.loads(message["Body"])
            seen.append((event["detail-type"].split()[1], event["detail"]["state"]))
        return ("Pipeline", "SUCCEEDED") in seen

    wait_for(finished)
    for what in ("Pipeline", "Stage", "Action"):
        assert (what, "STARTED") in seen


def test_declarations_that_make_no_sense_are_refused(pipelines: Pipelines) -> None:
    bucket, role = pipelines.bucket, pipelines.stack_role
    good = deploy("s", role)
    wrong = {
        "minimum of 2 stages": [source(bucket)],
        "unknown key 'Nonsense'": [source(bucket, Nonsense="1"), good],
        "missing key 'StateMachineArn'": [
            source(bucket),
            {**invoke("x"), "actions": [{**invoke("x")["actions"][0], "configuration": {"Input": "{}"}}]},
        ],
        "not declared as Output Artifact": [
            source(bucket),
            {**good, "actions": [{**good["actions"][0], "inputArtifacts": [{"name": "Other"}]}]},
        ],
        "must be unique": [source(bucket), good, good],
        "is not the namespace of an earlier action": [source(bucket), invoke("#{Nowhere.Arn}")],
        "only contains source": [good, source(bucket)],
        "is not available": [
            source(bucket),
            {
                "name": "X",
                "actions": [
                    {
                        "name": "Y",
                        "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "Jenkins", "version": "1"},
                    }
                ],
            },
        ],
        "length less than or equal to 1000": [source(bucket), invoke("m", Input='"' + "x" * 1000 + '"')],
    }
    for words, stages in wrong.items():
        with pytest.raises(ClientError, match=words):
            pipelines.create(*stages)
    with pytest.raises(ClientError, match="not authorized to perform AssumeRole"):
        pipelines.codepipeline.create_pipeline(pipeline=declaration(unique("p"), role, bucket, source(bucket), good))


def test_a_pipeline_is_a_resource_of_a_stack(pipelines: Pipelines) -> None:
    pipelines.upload()
    cloudformation, stack = pipelines.account.client("cloudformation"), unique("delivery")
    template: dict[str, Any] = {
        "Resources": {
            "Pipe": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "PipelineType": "V2",
                    "RoleArn": pipelines.pipeline_role,
                    "RestartExecutionOnUpdate": "true",
                    "ArtifactStore": {"Type": "S3", "Location": pipelines.bucket},
                    "Stages": [
                        {
                            "Name": "Source",
                            "Actions": [
                                {
                                    "Name": "Read",
                                    "RunOrder": "1",
                                    "OutputArtifacts": [{"Name": "Bundle"}],
                                    "ActionTypeId": {
                                        "Category": "Source",
                                        "Owner": "AWS",
                                        "Provider": "S3",
                                        "Version": 1,
                                    },
                                    "Configuration": {
                                        "S3Bucket": pipelines.bucket,
                                        "S3ObjectKey": "template.zip",
                                        "PollForSourceChanges": False,
                                    },
                                }
                            ],
                        },
                        {
                            "Name": "Approve",
                            "Actions": [
                                {
                                    "Name": "Ask",
                                    "ActionTypeId": {
                                        "Category": "Approval",
                                        "Owner": "AWS",
                                        "Provider": "Manual",
                                        "Version": "1",
                                    },
                                }
                            ],
                        },
                    ],
                },
            }
        },
        "Outputs": {"Name": {"Value": {"Ref": "Pipe"}}, "Version": {"Value": {"Fn::GetAtt": ["Pipe", "Version"]}}},
    }

    def settled() -> dict[str, str]:
        described: dict[str, Any] = wait_for(
            lambda: next(
                (
                    one
                    for one in cloudformation.describe_stacks(StackName=stack)["Stacks"]
                    if not one["StackStatus"].endswith("IN_PROGRESS")
                ),
                None,
            )
        )
        assert described["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), cloudformation.describe_stack_events(
            StackName=stack
        )
        return {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}

    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps(template), Tags=[{"Key": "k", "Value": "v"}])
    made = settled()
    assert made["Name"].startswith(f"{stack}-Pipe-")
    assert made["Version"] == "1"
    arn = f"arn:aws:codepipeline:us-east-1:123456789012:{made['Name']}"
    tags = {tag["key"]: tag["value"] for tag in pipelines.codepipeline.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert tags["k"] == "v"
    assert tags["aws:cloudformation:stack-name"] == stack
    template["Resources"]["Pipe"]["Properties"]["Stages"][1]["Name"] = "Agree"
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(template), Tags=[{"Key": "k", "Value": "v"}])
    assert settled() == {"Name": made["Name"], "Version": "2"}
    assert len(pipelines.executions(made["Name"])) == 2
    cloudformation.delete_stack(StackName=stack)

    def gone() -> bool:
        return made["Name"] not in [one["name"] for one in pipelines.codepipeline.list_pipelines()["pipelines"]]

    wait_for(gone)
