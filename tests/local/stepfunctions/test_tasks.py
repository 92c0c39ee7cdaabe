# SPDX-License-Identifier: Apache-2.0
"""State machines call our services as AWS lets them: names, errors, and their role."""

import json
from typing import Any

import pytest

from tests.support.codepipelines import approval, declaration, source, versioned_bucket
from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.roles import trusted_role
from tests.support.waiting import wait_for

GET = "arn:aws:states:::aws-sdk:codepipeline:getPipeline"


def run(account: Account, resource: str, arguments: dict[str, Any], role: str) -> dict[str, Any]:
    """One Task state's execution, once it has ended."""
    states = account.client("stepfunctions")
    task = {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True}
    machine = states.create_state_machine(
        name=unique("machine"),
        roleArn=role,
        definition=json.dumps({"QueryLanguage": "JSONata", "StartAt": "T", "States": {"T": task}}),
    )
    arn = states.start_execution(stateMachineArn=machine["stateMachineArn"])["executionArn"]

    def ended() -> dict[str, Any] | None:
        execution: dict[str, Any] = states.describe_execution(executionArn=arn)
        return None if execution["status"] == "RUNNING" else execution

    answer: dict[str, Any] = wait_for(ended)
    return answer


@pytest.fixture(scope="module")
def role(account: Account) -> str:
    return trusted_role(account, "states.amazonaws.com")


@pytest.fixture(scope="module")
def pipeline(account: Account) -> str:
    bucket, name = versioned_bucket(account), unique("pipeline")
    account.client("codepipeline").create_pipeline(
        pipeline=declaration(
            name, trusted_role(account, "codepipeline.amazonaws.com"), bucket, source(bucket), approval()
        )
    )
    return name


def test_members_are_in_pascal_case_and_dates_are_text(account: Account, role: str, pipeline: str) -> None:
    execution = run(account, GET, {"Name": pipeline}, role)
    assert execution["status"] == "SUCCEEDED"
    output = json.loads(execution["output"])
    assert output["Pipeline"]["Stages"][0]["Actions"][0]["ActionTypeId"]["Provider"] == "S3"
    assert output["Pipeline"]["Stages"][0]["Actions"][0]["Configuration"]["S3ObjectKey"] == "template.zip"
    assert output["Metadata"]["Created"].endswith("Z")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"Name": "nobody"}, "CodePipeline.PipelineNotFoundException", "does not have a pipeline"),
        ({"Name": "a b"}, "CodePipeline.ValidationException", "regular expression pattern"),
        ({"name": "x"}, "States.Runtime", "'name' is not supported"),
        ({"Name": 3}, "States.Runtime", "can not be converted"),
    ],
)
def test_errors_have_the_names_aws_gives_them(
    account: Account, role: str, arguments: dict[str, Any], error: str, words: str
) -> None:
    execution = run(account, GET, arguments, role)
    assert execution["status"] == "FAILED"
    assert execution["error"] == error
    assert words in execution["cause"]


def test_an_operation_nobody_knows_fails(account: Account, role: str) -> None:
    assert run(account, GET.replace("getPipeline", "getNothing"), {}, role)["error"] == "States.Runtime"
    assert run(account, "arn:aws:states:::sagemaker:createNothing", {}, role)["error"] == "States.Runtime"


def test_a_task_may_do_what_its_state_machines_role_may(account: Account, pipeline: str) -> None:
    one = f"arn:aws:codepipeline:us-east-1:123456789012:{pipeline}"
    reader = trusted_role(account, "states.amazonaws.com", {"Action": "codepipeline:GetPipeline", "Resource": one})
    assert run(account, GET, {"Name": pipeline}, reader)["status"] == "SUCCEEDED"
    refused = run(account, GET, {"Name": "another"}, reader)
    assert refused["error"] == "CodePipeline.CodePipelineException"
    assert "not authorized to perform: codepipeline:GetPipeline" in refused["cause"]


def test_a_notice_needs_its_permission(account: Account, role: str) -> None:
    topic = account.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    notice = {"TopicArn": topic, "Message": "m"}
    assert run(account, "arn:aws:states:::sns:publish", notice, role)["status"] == "SUCCEEDED"
    nobody = trusted_role(account, "states.amazonaws.com", {"Action": "s3:GetObject", "Resource": "*"})
    assert "sns:Publish" in run(account, "arn:aws:states:::sns:publish", notice, nobody)["cause"]


@pytest.mark.parametrize(
    "name", ["aws-sdk:dynamodb:listTables", "aws-sdk:s3:listBuckets", "sqs:sendMessage", "states:startExecution"]
)
def test_an_integration_whose_permissions_nobody_checks_fails(account: Account, role: str, name: str) -> None:
    execution = run(account, f"arn:aws:states:::{name}", {}, role)
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Runtime")
    assert execution["cause"] == f"The laptop account does not support arn:aws:states:::{name}."
