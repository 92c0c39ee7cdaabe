# SPDX-License-Identifier: Apache-2.0
"""Pipelines run: from a zip in S3 through a stack and a state machine, with approvals, stops and retries."""

import json
from dataclasses import dataclass
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
    zipped,
)

ENDED = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")


@dataclass
class World:
    account: Account
    bucket: str
    pipeline_role: str
    stack_role: str

    @property
    def codepipeline(self) -> Any:
        return self.account.client("codepipeline")

    def upload(self, template: dict[str, Any] = MODEL_OF_NOTHING, key: str = "template.zip", **settings: Any) -> str:
        body = zipped(template__json=template, settings__json=settings)
        version: str = self.account.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)["VersionId"]
        return version

    def create(self, *stages: dict[str, Any], **more: Any) -> str:
        name = unique("pipeline")
        self.codepipeline.create_pipeline(pipeline=declaration(name, self.pipeline_role, self.bucket, *stages, **more))
        return name

    def executions(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.codepipeline.list_pipeline_executions(pipelineName=name)[
            "pipelineExecutionSummaries"
        ]
        return found

    def ended(self, name: str, execution_id: str | None = None) -> dict[str, Any]:
        """The execution (default: the latest) once it has ended."""
        execution_id = execution_id or self.executions(name)[0]["pipelineExecutionId"]

        def ended() -> dict[str, Any] | None:
            execution: dict[str, Any] = self.codepipeline.get_pipeline_execution(
                pipelineName=name, pipelineExecutionId=execution_id
            )["pipelineExecution"]
            return execution if execution["status"] in ENDED else None

        answer: dict[str, Any] = wait_for(ended)
        return answer

    def actions(self, name: str) -> dict[str, Any]:
        state = self.codepipeline.get_pipeline_state(name=name)
        return {action["actionName"]: action for stage in state["stageStates"] for action in stage["actionStates"]}

    def stages(self, name: str) -> dict[str, Any]:
        state = self.codepipeline.get_pipeline_state(name=name)
        return {stage["stageName"]: stage.get("latestExecution", {}).get("status") for stage in state["stageStates"]}

    def error(self, name: str, action: str) -> str:
        message: str = self.actions(name)[action]["latestExecution"]["errorDetails"]["message"]
        return message


@pytest.fixture(scope="module")
def world(account: Account) -> World:
    return World(
        account,
        versioned_bucket(account),
        trusted_role(account, "codepipeline.amazonaws.com"),
        trusted_role(account, "cloudformation.amazonaws.com"),
    )


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


def test_a_zip_becomes_a_stack_and_its_outputs_reach_the_next_action(world: World, machine: str) -> None:
    version = world.upload(Parameters={"Colour": "blue"}, Tags={"team": "a"})
    stack = unique("stack")
    name = world.create(
        source(world.bucket),
        deploy(stack, world.stack_role, TemplateConfiguration="Bundle::settings.json"),
        invoke(machine, Input='{"fail": false, "colour": "#{DeployVariables.Colour}"}'),
    )
    execution = world.ended(name)
    assert execution["status"] == "Succeeded"
    assert execution["trigger"]["triggerType"] == "CreatePipeline"
    assert execution["artifactRevisions"][0]["revisionId"] == version
    described = world.account.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    assert {"Key": "team", "Value": "a"} in described["Tags"]
    actions = world.actions(name)
    run = actions["Jobs"]["latestExecution"]
    assert actions["Read"]["currentRevision"]["revisionId"] == version
    assert actions["Stack"]["latestExecution"]["externalExecutionId"] == described["StackId"]
    assert run["externalExecutionId"].endswith(run["actionExecutionId"])
    started = world.account.client("stepfunctions").describe_execution(executionArn=run["externalExecutionId"])
    assert json.loads(started["input"]) == {"fail": False, "colour": "blue"}


def test_an_unchanged_stack_is_a_success(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), deploy(unique("stack"), world.stack_role))
    assert world.ended(name)["status"] == "Succeeded"
    again = world.codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    assert world.ended(name, again)["status"] == "Succeeded"


def test_a_failed_stack_names_its_first_failed_resource(world: World) -> None:
    world.upload({"Resources": {"Bad": {"Type": "AWS::SNS::Topic", "Properties": {"Nonsense": 1}}}})
    name = world.create(source(world.bucket), deploy(unique("stack"), world.stack_role))
    assert world.ended(name)["status"] == "Failed"
    assert "[Bad]. Bad:" in world.error(name, "Stack")
    assert "Nonsense" in world.error(name, "Stack")
    assert world.stages(name) == {"Source": "Succeeded", "Deploy": "Failed"}


def test_a_failed_state_machine_gives_its_error_and_cause_and_a_retry_runs_it_again(world: World, machine: str) -> None:
    world.upload()
    name = world.create(source(world.bucket), invoke(machine, Input='{"fail": true}'))
    execution = world.ended(name)
    assert execution["status"] == "Failed"
    assert "NoData: there are no rows" in world.error(name, "Jobs")
    world.codepipeline.retry_stage_execution(
        pipelineName=name,
        stageName="Run",
        retryMode="FAILED_ACTIONS",
        pipelineExecutionId=execution["pipelineExecutionId"],
    )
    world.ended(name)
    details = world.codepipeline.list_action_executions(pipelineName=name)["actionExecutionDetails"]
    assert [one["actionName"] for one in details] == ["Jobs", "Jobs", "Read"]
    assert details[0]["actionExecutionId"] != details[1]["actionExecutionId"]


def test_a_state_machine_that_was_deleted_is_named(world: World, machine: str) -> None:
    states = world.account.client("stepfunctions")
    version = states.publish_state_machine_version(stateMachineArn=machine)["stateMachineVersionArn"]
    states.delete_state_machine(stateMachineArn=machine)
    world.upload()
    name = world.create(source(world.bucket), invoke(version))
    assert world.ended(name)["status"] == "Failed"
    said = f"StateMachineDoesNotExist: State Machine Does Not Exist: '{version}'"
    assert world.error(name, "Jobs") == said


def test_a_start_names_the_version_it_wants_and_its_token_makes_it_once(world: World) -> None:
    first, _ = world.upload(), world.upload()
    name = world.create(source(world.bucket), approval())
    wanted = {
        "name": name,
        "clientRequestToken": "abc-1",
        "sourceRevisions": [{"actionName": "Read", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": first}],
    }
    ids = {world.codepipeline.start_pipeline_execution(**wanted)["pipelineExecutionId"] for _ in range(3)}
    assert len(ids) == 1
    assert len(world.executions(name)) == 2
    wait_for(lambda: world.executions(name)[0]["sourceRevisions"])
    assert world.executions(name)[0]["sourceRevisions"][0]["revisionId"] == first


def test_variables_are_declared_resolved_and_shown(world: World, machine: str) -> None:
    world.upload()
    variables = [{"name": "who", "defaultValue": "nobody"}]
    name = world.create(
        source(world.bucket), invoke(machine, Input='{"fail": false, "who": "#{variables.who}"}'), variables=variables
    )
    execution_id = world.codepipeline.start_pipeline_execution(name=name, variables=[{"name": "who", "value": "me"}])[
        "pipelineExecutionId"
    ]
    assert world.ended(name, execution_id)["variables"] == [{"name": "who", "resolvedValue": "me"}]
    with pytest.raises(ClientError, match="does not declare"):
        world.codepipeline.start_pipeline_execution(name=name, variables=[{"name": "what", "value": "me"}])


def test_an_approval_waits_for_its_answer(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), approval(CustomData="look"))
    token = wait_for(lambda: world.actions(name)["Ask"].get("latestExecution", {}).get("token"))
    answer = {
        "pipelineName": name,
        "stageName": "Approve",
        "actionName": "Ask",
        "result": {"summary": "fine", "status": "Approved"},
    }
    with pytest.raises(ClientError, match="InvalidApprovalToken"):
        world.codepipeline.put_approval_result(**answer, token="0" * 8 + "-0000-0000-0000-" + "0" * 12)
    assert world.codepipeline.put_approval_result(**answer, token=token)["approvedAt"]
    assert world.ended(name)["status"] == "Succeeded"
    assert world.actions(name)["Ask"]["latestExecution"]["summary"] == "fine"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompleted"):
        world.codepipeline.put_approval_result(**answer, token=token)


def test_a_rejection_fails_the_pipeline(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), approval())
    token = wait_for(lambda: world.actions(name)["Ask"].get("latestExecution", {}).get("token"))
    world.codepipeline.put_approval_result(
        pipelineName=name,
        stageName="Approve",
        actionName="Ask",
        token=token,
        result={"summary": "no", "status": "Rejected"},
    )
    assert world.ended(name)["status"] == "Failed"
    assert "no" in world.error(name, "Ask")


def test_an_execution_is_stopped_and_its_action_abandoned(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), approval())
    wait_for(lambda: world.actions(name)["Ask"].get("latestExecution"))
    execution_id = world.executions(name)[0]["pipelineExecutionId"]
    stop = {"pipelineName": name, "pipelineExecutionId": execution_id}
    world.codepipeline.stop_pipeline_execution(**stop, abandon=True, reason="enough")
    assert world.ended(name)["status"] == "Stopped"
    assert world.actions(name)["Ask"]["latestExecution"]["status"] == "Abandoned"
    assert world.stages(name)["Approve"] == "Stopped"
    assert world.executions(name)[0]["stopTrigger"] == {"reason": "enough"}
    with pytest.raises(ClientError, match="PipelineExecutionNotStoppable"):
        world.codepipeline.stop_pipeline_execution(**stop)


def test_a_newer_execution_supersedes_the_one_that_waits(world: World) -> None:
    world.upload()
    name = world.create(source(world.bucket), approval())
    wait_for(lambda: world.actions(name)["Ask"].get("latestExecution"))
    second = world.codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    wait_for(lambda: world.codepipeline.get_pipeline_state(name=name)["stageStates"][1].get("inboundExecution"))
    third = world.codepipeline.start_pipeline_execution(name=name)["pipelineExecutionId"]
    assert world.ended(name, second)["status"] == "Superseded"
    assert [one["status"] for one in world.executions(name)] == ["InProgress", "Superseded", "InProgress"]
    assert world.executions(name)[0]["pipelineExecutionId"] == third


def test_an_unversioned_bucket_is_no_source(world: World) -> None:
    s3, bucket = world.account.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="template.zip", Body=b"x")
    name = world.create(source(bucket), approval())
    assert world.ended(name)["status"] == "Failed"
    assert "not versioned" in world.error(name, "Read")


def test_actions_may_do_what_the_pipelines_role_may(world: World) -> None:
    world.upload()
    role = trusted_role(world.account, "codepipeline.amazonaws.com", {"Action": "s3:*", "Resource": "*"})
    name = unique("pipeline")
    world.codepipeline.create_pipeline(
        pipeline=declaration(name, role, world.bucket, source(world.bucket), deploy(unique("stack"), world.stack_role))
    )
    assert world.ended(name)["status"] == "Failed"
    failed = world.actions(name)["Stack"]["latestExecution"]["errorDetails"]
    assert failed["code"] == "PermissionError"
    assert "cloudformation:DescribeStacks" in failed["message"]


def test_a_missing_template_is_named(world: World) -> None:
    world.upload()
    name = world.create(
        source(world.bucket), deploy(unique("stack"), world.stack_role, TemplatePath="Bundle::other.json")
    )
    assert world.ended(name)["status"] == "Failed"
    assert "File [other.json] does not exist in artifact [Bundle]" in world.error(name, "Stack")


def test_state_changes_reach_eventbridge(world: World) -> None:
    events, sqs = world.account.client("events"), world.account.client("sqs")
    queue = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    world.upload()
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
    world.codepipeline.create_pipeline(
        pipeline=declaration(
            name, world.pipeline_role, world.bucket, source(world.bucket), deploy(unique("stack"), world.stack_role)
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


def test_declarations_that_make_no_sense_are_refused(world: World) -> None:
    bucket, role = world.bucket, world.stack_role
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
            world.create(*stages)
    with pytest.raises(ClientError, match="not authorized to perform AssumeRole"):
        world.codepipeline.create_pipeline(pipeline=declaration(unique("p"), role, bucket, source(bucket), good))


def test_a_pipeline_is_a_resource_of_a_stack(world: World) -> None:
    world.upload()
    cloudformation, stack = world.account.client("cloudformation"), unique("delivery")
    template: dict[str, Any] = {
        "Resources": {
            "Pipe": {
                "Type": "AWS::CodePipeline::Pipeline",
                "Properties": {
                    "PipelineType": "V2",
                    "RoleArn": world.pipeline_role,
                    "RestartExecutionOnUpdate": "true",
                    "ArtifactStore": {"Type": "S3", "Location": world.bucket},
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
                                        "S3Bucket": world.bucket,
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
    tags = {tag["key"]: tag["value"] for tag in world.codepipeline.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert tags["k"] == "v"
    assert tags["aws:cloudformation:stack-name"] == stack
    template["Resources"]["Pipe"]["Properties"]["Stages"][1]["Name"] = "Agree"
    cloudformation.update_stack(StackName=stack, TemplateBody=json.dumps(template), Tags=[{"Key": "k", "Value": "v"}])
    assert settled() == {"Name": made["Name"], "Version": "2"}
    assert len(world.executions(made["Name"])) == 2
    cloudformation.delete_stack(StackName=stack)

    def gone() -> bool:
        return made["Name"] not in [one["name"] for one in world.codepipeline.list_pipelines()["pipelines"]]

    wait_for(gone)
