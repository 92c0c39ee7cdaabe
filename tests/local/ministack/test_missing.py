# SPDX-License-Identifier: Apache-2.0
"""What the laptop account does not have says so in every protocol; stacks show when they were updated."""

import json
import time
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.waiting import wait_for

MISSING = [
    ("codecommit", "list_repositories", {}, "codecommit ListRepositories"),
    ("rekognition", "list_collections", {}, "rekognition ListCollections"),
    ("polly", "describe_voices", {}, "polly GET /v1/voices"),
    ("elasticbeanstalk", "describe_applications", {}, "elasticbeanstalk DescribeApplications"),
    (
        "application-autoscaling",
        "describe_scalable_targets",
        {"ServiceNamespace": "sagemaker"},
        "application-autoscaling DescribeScalableTargets",
    ),
    ("sagemaker", "list_clusters", {}, "sagemaker ListClusters"),
    (
        "sagemaker-metrics",
        "batch_get_metrics",
        {
            "MetricQueries": [
                {
                    "MetricName": "a",
                    "ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/x",
                    "MetricStat": "Avg",
                    "Period": "OneMinute",
                    "XAxisType": "Timestamp",
                }
            ]
        },
        "sagemaker POST /BatchGetMetrics",
    ),
    ("dynamodb", "list_tables", {}, "dynamodb ListTables"),
    ("ec2", "describe_instances", {}, "ec2 DescribeInstances"),
    ("glue", "list_jobs", {}, "glue ListJobs"),
    ("rds", "describe_db_instances", {}, "rds DescribeDBInstances"),
    ("batch", "describe_job_queues", {}, "batch POST /v1/describejobqueues"),
    ("secretsmanager", "list_secrets", {}, "secretsmanager ListSecrets"),
    ("cloudformation", "list_stack_sets", {}, "cloudformation ListStackSets"),
    ("logs", "list_anomalies", {}, "logs ListAnomalies"),
    (
        "sqs",
        "list_message_move_tasks",
        {"SourceArn": "arn:aws:sqs:us-east-1:123456789012:x"},
        "sqs ListMessageMoveTasks",
    ),
    ("apigateway", "get_sdk_types", {}, "apigateway GET /sdktypes"),
]


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "named"), MISSING, ids=lambda one: one if isinstance(one, str) else ""
)
def test_what_is_not_there_says_so(
    account: Account, service: str, operation: str, arguments: dict[str, Any], named: str
) -> None:
    client = account.session.client(service, endpoint_url=account.endpoint, config=Config(retries={"max_attempts": 0}))
    start = time.monotonic()
    with pytest.raises(ClientError) as caught:
        getattr(client, operation)(**arguments)
    assert caught.value.response["Error"]["Message"].startswith(f"The laptop account does not support {named}.")
    assert not caught.value.response["Error"]["Code"].isdigit()
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "type_name",
    [
        "AWS::DynamoDB::Table",  # of a service that is not here
        "AWS::EC2::Instance",  # nobody makes it
        "AWS::EC2::InternetGateway",
        "AWS::CodeBuild::ReportGroup",  # of a service that is here in part
    ],
)
def test_a_type_that_is_not_supported_is_refused_with_its_template(account: Account, type_name: str) -> None:
    cloudformation, name = account.client("cloudformation"), unique("stack")
    resources = {"T": {"Type": "AWS::SNS::Topic"}, "X": {"Type": type_name}}
    refused = rf"ValidationError.*The laptop account does not support {type_name}\."
    with pytest.raises(ClientError, match=refused):
        cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName=name)
    resources["X"]["Condition"] = "Never"
    template = {"Conditions": {"Never": {"Fn::Equals": ["a", "b"]}}, "Resources": resources}
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))


def test_a_stack_has_an_update_time_once_it_was_updated(account: Account) -> None:
    cloudformation, name = account.client("cloudformation"), unique("updated")

    def settled() -> dict[str, Any] | None:
        stack: dict[str, Any] = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack

    def template(value: str) -> str:
        return json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": value}}}})

    cloudformation.create_stack(StackName=name, TemplateBody=template("a"))
    assert "LastUpdatedTime" not in cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    created = wait_for(settled)
    assert created["StackStatus"] == "CREATE_COMPLETE"
    assert "LastUpdatedTime" not in created
    assert "Description" not in created
    summaries = {one["StackName"]: one for one in cloudformation.list_stacks()["StackSummaries"]}
    assert "LastUpdatedTime" not in summaries[name]
    cloudformation.update_stack(StackName=name, TemplateBody=template("b"))
    assert wait_for(settled)["LastUpdatedTime"] >= created["CreationTime"]


def test_kms_without_a_key_is_the_managed_key_of_s3(account: Account) -> None:
    """The SageMaker SDK uploads scripts so."""
    s3, bucket = account.client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a", Body=b"b", ServerSideEncryption="aws:kms")
    found = s3.get_object(Bucket=bucket, Key="a")
    assert found["Body"].read() == b"b"
    assert found["SSEKMSKeyId"].endswith(":alias/aws/s3")
