# SPDX-License-Identifier: Apache-2.0
"""The life of a job is the same for every kind: shown on processing jobs that run a shell command."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.lab import ALLOW_S3_AND_LOGS, Lab
from tests.support.laptop import Account, start_account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3"
RULE = "arn:aws:events:us-east-1:123456789012:rule/StepFunctionsGetEventsForSageMakerProcessingJobsRule"
WAITING = {"Action": ["events:PutRule", "events:PutTargets", "events:DescribeRule"], "Resource": RULE}


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    return Lab(account)


def request(lab: Lab, command: str, **changes: Any) -> dict[str, Any]:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
    return {
        "ProcessingJobName": unique("job"),
        "RoleArn": lab.role,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["/bin/sh", "-c", command]},
        "ProcessingResources": {"ClusterConfig": cluster},
        **changes,
    }


def described(lab: Lab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.sagemaker.describe_processing_job(ProcessingJobName=name)
    return found


def ended(lab: Lab, name: str) -> dict[str, Any]:
    wait_for(lambda: described(lab, name)["ProcessingJobStatus"] not in ("InProgress", "Stopping"))
    return described(lab, name)


def run(lab: Lab, command: str, **changes: Any) -> dict[str, Any]:
    wanted = request(lab, command, **changes)
    lab.sagemaker.create_processing_job(**wanted)
    return ended(lab, wanted["ProcessingJobName"])


def test_a_job_completes(lab: Lab) -> None:
    wanted = request(lab, "sleep 0.2", Tags=[{"Key": "team", "Value": "risk"}])
    arn = lab.sagemaker.create_processing_job(**wanted)["ProcessingJobArn"]
    name = wanted["ProcessingJobName"]
    assert arn == f"arn:aws:sagemaker:us-east-1:123456789012:processing-job/{name}"
    assert described(lab, name)["ProcessingJobStatus"] == "InProgress"
    job = ended(lab, name)
    assert job["ProcessingJobStatus"] == "Completed"
    assert job["CreationTime"] <= job["ProcessingStartTime"] < job["ProcessingEndTime"] <= job["LastModifiedTime"]
    assert all(job[member] == wanted[member] for member in wanted if member != "Tags")
    assert lab.sagemaker.list_tags(ResourceArn=arn)["Tags"] == wanted["Tags"]


def test_a_job_fails_with_its_reason(lab: Lab) -> None:
    job = run(lab, "echo 'no rows' >&2; exit 3")
    assert (job["ProcessingJobStatus"], job["FailureReason"]) == ("Failed", "AlgorithmError: no rows, exit code: 3")


def test_a_job_is_stopped(lab: Lab) -> None:
    wanted = request(lab, "sleep 60")
    name = {"ProcessingJobName": wanted["ProcessingJobName"]}
    lab.sagemaker.create_processing_job(**wanted)
    wait_for(lambda: "ProcessingStartTime" in described(lab, wanted["ProcessingJobName"]))
    lab.sagemaker.stop_processing_job(**name)
    assert described(lab, wanted["ProcessingJobName"])["ProcessingJobStatus"] in ("Stopping", "Stopped")
    assert ended(lab, wanted["ProcessingJobName"])["ProcessingJobStatus"] == "Stopped"
    with pytest.raises(ClientError, match="the processing job is in status Stopped"):
        lab.sagemaker.stop_processing_job(**name)


def test_a_job_that_takes_too_long_is_stopped(lab: Lab) -> None:
    start = time.monotonic()
    assert run(lab, "sleep 60", StoppingCondition={"MaxRuntimeInSeconds": 1})["ProcessingJobStatus"] == "Stopped"
    assert time.monotonic() - start < 20


def test_what_is_refused(lab: Lab) -> None:
    name = run(lab, "true")["ProcessingJobName"]
    strangers = lab.make_role(ALLOW_S3_AND_LOGS, "lambda.amazonaws.com")
    changes: list[tuple[dict[str, Any], str, str]] = [
        ({"ProcessingJobName": name.upper()}, "ResourceInUse", "Processing job names must be unique"),
        ({"RoleArn": strangers}, "ValidationException", "Could not assume role"),
    ]
    for change, code, message in changes:
        with pytest.raises(ClientError, match=message) as caught:
            lab.sagemaker.create_processing_job(**request(lab, "true", **change))
        assert caught.value.response["Error"]["Code"] == code
    for operation in (lab.sagemaker.describe_processing_job, lab.sagemaker.stop_processing_job):
        with pytest.raises(ClientError, match="Requested resource not found"):
            operation(ProcessingJobName="nothing")


def test_jobs_are_listed_with_the_members_of_their_kind(lab: Lab) -> None:
    prefix = unique("list")
    for number, command in enumerate(("true", "false")):
        run(lab, command, ProcessingJobName=f"{prefix}-{number}")
    answer = lab.sagemaker.list_processing_jobs(NameContains=prefix)["ProcessingJobSummaries"]
    assert [one["ProcessingJobName"] for one in answer] == [f"{prefix}-0", f"{prefix}-1"]
    assert "exit code: 1" in answer[1]["FailureReason"]
    failed = lab.sagemaker.list_processing_jobs(NameContains=prefix, StatusEquals="Failed")["ProcessingJobSummaries"]
    assert [one["ProcessingJobName"] for one in failed] == [f"{prefix}-1"]


def test_events_tell_a_jobs_states(lab: Lab) -> None:
    events, sqs, name = lab.account.client("events"), lab.account.client("sqs"), unique("told")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "detail-type": ["SageMaker Processing Job State Change"],
        "detail": {"ProcessingJobName": [name]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    run(lab, "true", ProcessingJobName=name)
    told: list[str] = []

    def both() -> bool:
        messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10).get("Messages", [])
        told.extend(json.loads(one["Body"])["detail"]["ProcessingJobStatus"] for one in messages)
        return len(told) == 2

    wait_for(both)
    assert sorted(told) == ["Completed", "InProgress"]


def started(lab: Lab, command: str, *statements: dict[str, Any]) -> str:
    """An execution that runs a job and waits for it."""
    allowed = [
        {"Action": ["sagemaker:*ProcessingJob", "sagemaker:AddTags"], "Resource": "*"},
        {"Action": "iam:PassRole", "Resource": lab.role},
        *statements,
    ]
    wanted = request(lab, command)
    states, role = lab.account.client("stepfunctions"), trusted_role(lab.account, "states.amazonaws.com", *allowed)
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createProcessingJob.sync",
        "Parameters": wanted,
        "End": True,
    }
    machine = states.create_state_machine(
        name=unique("machine"), roleArn=role, definition=json.dumps({"StartAt": "T", "States": {"T": task}})
    )
    arn: str = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], input=json.dumps({"name": wanted["ProcessingJobName"]})
    )["executionArn"]
    return arn


def execution(lab: Lab, arn: str) -> dict[str, Any]:
    states = lab.account.client("stepfunctions")
    wait_for(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")
    found: dict[str, Any] = states.describe_execution(executionArn=arn)
    return found


def test_a_state_machine_waits_for_a_job(lab: Lab) -> None:
    done = execution(lab, started(lab, "sleep 0.2", WAITING))
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"])["ProcessingJobStatus"] == "Completed"
    failed = execution(lab, started(lab, "exit 4", WAITING))
    assert (failed["status"], failed["error"]) == ("FAILED", "States.TaskFailed")
    assert "exit code: 4" in json.loads(failed["cause"])["FailureReason"]


def test_stopping_the_execution_stops_the_job(lab: Lab) -> None:
    arn = started(lab, "sleep 60", WAITING)
    name = json.loads(lab.account.client("stepfunctions").describe_execution(executionArn=arn)["input"])["name"]
    wait_for(lambda: lab.sagemaker.list_processing_jobs(NameContains=name)["ProcessingJobSummaries"])
    lab.account.client("stepfunctions").stop_execution(executionArn=arn)
    assert ended(lab, name)["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_a_kill_cut_off_has_failed(tmp_path: Path) -> None:
    accounts: list[Account] = []
    try:
        accounts.append(start_account("--data", str(tmp_path)))
        lab = Lab(accounts[0])
        wanted = request(lab, "sleep 60")
        lab.sagemaker.create_processing_job(**wanted)
        accounts[0].process.kill()
        accounts[0].process.wait()
        accounts.append(start_account("--data", str(tmp_path)))
        job = accounts[1].client("sagemaker").describe_processing_job(ProcessingJobName=wanted["ProcessingJobName"])
        assert job["ProcessingJobStatus"] == "Failed"
        assert "was stopped while this was running" in job["FailureReason"]
    finally:
        for account in accounts:
            account.process.kill()
            account.process.wait()
