# SPDX-License-Identifier: Apache-2.0
"""What a caller, a bucket's writer and a deployed role can reach, tried with their own credentials."""

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.builds import DISTRIBUTION
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, training


@dataclass(frozen=True)
class Role:
    """A deployed role, and a session that works as it."""

    name: str
    session: boto3.Session
    endpoint: str

    def may(self, service: str, operation: str, **request: Any) -> bool:
        client = self.session.client(service, endpoint_url=self.endpoint, region_name="us-east-1")
        try:
            getattr(client, operation)(**request)
        except ClientError as error:
            if "not authorized to perform" in str(error) or "AccessDenied" in error.response["Error"]["Code"]:
                return False
            raise
        return True


@pytest.fixture(scope="module")
def pipeline(api: Installed) -> Any:
    api.put("reach/train.csv", csv(ROWS[:50], LABELS[:50]))
    api.put("elsewhere/secret.csv", b"1,2\n")
    body = training("reach", training_data="reach/train.csv", validation_data="", job_output_location="reach/output")
    done = api.ended(api.insisting(body).body["pipeline_id"])
    assert done["status"] == "Succeeded", done["reason"]
    return {**done, "body": body}


@pytest.fixture
def role(api: Installed, pipeline: Any) -> Iterator[Role]:
    """The training job's role, lent to the account's root for the test."""
    iam = api.client("iam")
    found = api.client("cloudformation").describe_stack_resource(
        StackName=pipeline["name"], LogicalResourceId="TrainingRole"
    )["StackResourceDetail"]["PhysicalResourceId"]
    known = iam.get_role(RoleName=found)["Role"]
    trust = known["AssumeRolePolicyDocument"]
    root = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    lent = {**trust, "Statement": [*trust["Statement"], root]}
    iam.update_assume_role_policy(RoleName=found, PolicyDocument=json.dumps(lent))
    given = api.client("sts").assume_role(RoleArn=known["Arn"], RoleSessionName="tried")["Credentials"]
    session = boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], "us-east-1")
    yield Role(found, session, api.endpoint)
    iam.update_assume_role_policy(RoleName=found, PolicyDocument=json.dumps(trust))


def test_a_jobs_role_reads_what_the_request_names_and_no_more(api: Installed, role: Role) -> None:
    assets = api.assets_bucket
    assert role.may("s3", "get_object", Bucket=assets, Key="reach/train.csv")
    assert role.may("s3", "put_object", Bucket=assets, Key="reach/output/x", Body=b"x")
    assert not role.may("s3", "get_object", Bucket=assets, Key="elsewhere/secret.csv")
    assert not role.may("s3", "put_object", Bucket=assets, Key="reach/train.csv", Body=b"x")


def test_the_boundary_holds_a_role_that_is_given_everything(api: Installed, role: Role) -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    api.client("iam").put_role_policy(RoleName=role.name, PolicyName="all", PolicyDocument=json.dumps(everything))
    try:
        assert role.may("s3", "get_object", Bucket=api.assets_bucket, Key="elsewhere/secret.csv")
        for bucket in (api.bundle_bucket, DISTRIBUTION.bucket, f"{DISTRIBUTION.bucket}-us-east-1"):
            assert not role.may(
                "s3", "put_object", Bucket=bucket, Key=f"{DISTRIBUTION.prefix}/orchestrator.zip", Body=b"x"
            ), bucket
        assert not role.may("iam", "create_user", UserName="intruder")
        assert not role.may("cloudformation", "describe_stacks")
        assert not role.may("sns", "create_topic", Name="elsewhere")
    finally:
        api.client("iam").delete_role_policy(RoleName=role.name, PolicyName="all")


def test_a_writer_of_the_assets_bucket_gets_nothing_deployed(api: Installed, pipeline: Any) -> None:
    key = f"mlops_provisioned_pipelines/{pipeline['name']}/template.zip"
    s3 = api.client("s3")
    bundle = s3.get_object(Bucket=api.bundle_bucket, Key=key)
    forged = io.BytesIO()
    with zipfile.ZipFile(forged, "w") as archive:
        archive.writestr("model_training.yaml", "Resources: {Intruder: {Type: 'AWS::SNS::Topic'}}")
    s3.put_object(Bucket=api.assets_bucket, Key=key, Body=forged.getvalue(), Metadata=bundle["Metadata"])
    before = api.status(pipeline["name"])["job"]
    again = api.provision({**pipeline["body"], "rerun": True})
    assert again.status == 200, again.text
    done = api.ended(pipeline["name"])
    assert done["status"] == "Succeeded", done["reason"]
    assert done["job"]["name"] != before["name"]
    resources = api.client("cloudformation").describe_stack_resources(StackName=pipeline["name"])["StackResources"]
    assert "Intruder" not in {one["LogicalResourceId"] for one in resources}


def test_a_caller_cannot_name_the_distribution_bucket_or_a_foreign_image(api: Installed, pipeline: Any) -> None:
    body = {
        "pipeline_type": "byom_realtime_custom",
        "model_name": "reach",
        "model_artifact_location": "reach/model.tar.gz",
        "inference_instance": "ml.m5.large",
        "custom_image_uri": "999999999999.dkr.ecr.us-east-1.amazonaws.com/miner:1",
        "data_capture_location": f"{DISTRIBUTION.bucket}-us-east-1/{DISTRIBUTION.prefix}",
    }
    answer = api.provision(body)
    assert answer.status == 400
    told = {error["path"]: error["hint"] for error in answer.body["errors"]}
    assert set(told) == {"/custom_image_uri", "/data_capture_location"}
    assert "ImageAccounts" in told["/custom_image_uri"]
    assert "DataBuckets" in told["/data_capture_location"]


def test_a_run_that_cannot_look_a_name_up_takes_a_name_of_its_own(api: Installed, pipeline: Any) -> None:
    role = api.client("cloudformation").describe_stack_resource(
        StackName=pipeline["name"], LogicalResourceId="StateMachineRole"
    )["StackResourceDetail"]["PhysicalResourceId"]
    denied = {"Effect": "Deny", "Action": "sagemaker:DescribeTrainingJob", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    before = api.status(pipeline["name"])["job"]["name"]
    taken = pipeline["body"] | {"job_name": before, "rerun": True}
    api.client("iam").put_role_policy(RoleName=role, PolicyName="blind", PolicyDocument=policy)
    try:
        assert api.insisting(taken).status == 200
        after = api.ended(pipeline["name"])["job"]
    finally:
        api.client("iam").delete_role_policy(RoleName=role, PolicyName="blind")
    assert after["name"].startswith(before)
    assert after["name"] != before
