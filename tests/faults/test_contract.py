# SPDX-License-Identifier: Apache-2.0
"""One contract for the three clouds: in memory, AWS by moto, AWS by the account on the laptop.

What tests/faults proves in memory holds in AWS as far as the clouds behave alike; here they are held together.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from chalicelib.aws.client import Aws
from chalicelib.aws.observed import ENDED_BADLY, RUNNING, SUCCEEDED, Phase, Stack
from chalicelib.aws.port import AlreadyExists, Cloud, PipelineGone, PreconditionFailed
from chalicelib.catalog import Catalog
from chalicelib.errors import Unavailable
from chalicelib.intake.check import check_request
from chalicelib.planning import plan
from chalicelib.planning.plan import Plan
from chalicelib.settings import Settings
from moto import mock_aws

from tests.support.laptop import running_account
from tests.support.memory import MemoryCloud, World

Make = Callable[..., Plan]
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": ["codepipeline.amazonaws.com", "cloudformation.amazonaws.com"]},
        }
    ],
}


@pytest.fixture
def make(catalog: Catalog, settings: Settings, example: Callable[[str], dict[str, Any]]) -> Make:
    def of(**changes: Any) -> Plan:
        body = json.dumps({**example("model_training_builtin"), **changes}).encode()
        return plan.make(check_request(body, catalog, settings), settings, catalog)

    return of


@pytest.fixture(scope="module")
def laptop() -> Iterator[Any]:
    """Of its own: each test deletes all stacks."""
    with running_account() as account:
        yield account


@pytest.fixture(params=["memory", "moto", "laptop"])
def cloud(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A cloud in which nothing exists but what the main stack would have made."""
    if request.param == "memory":
        yield MemoryCloud(World())
        return
    keys = boto3.Session("123456789012", "of-no-account").get_credentials()
    if request.param == "laptop":
        keys = request.getfixturevalue("laptop").session.get_credentials()
    for name, value in {
        "ACCESS_KEY_ID": keys.access_key,
        "SECRET_ACCESS_KEY": keys.secret_key,
        "DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # an earlier test's, with its credentials
    settings = replace(settings, bundle_bucket=f"bundles-{request.param}", artifact_bucket=f"artifacts-{request.param}")
    if request.param == "moto":
        with mock_aws():
            prepare(settings)
            yield Aws(settings)
        return
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("laptop").endpoint)
    prepare(settings)
    yield Aws(settings)
    for stack in boto3.client("cloudformation").describe_stacks()["Stacks"]:
        boto3.client("cloudformation").delete_stack(StackName=stack["StackName"])
    boto3.client("s3").delete_object(Bucket=settings.bundle_bucket, Key="x")


def prepare(settings: Settings) -> None:
    s3, iam = boto3.client("s3"), boto3.client("iam")
    for bucket in (settings.bundle_bucket, settings.artifact_bucket):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        for one in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    for arn in (settings.cfn_role_arn, settings.pipeline_role_arn):
        name = arn.rpartition("/")[2]
        if name in {role["RoleName"] for role in iam.list_roles()["Roles"]}:
            continue
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(everything))


def test_nothing_is_found_where_nothing_is(cloud: Cloud, make: Make) -> None:
    assert cloud.stack(make().name) is None
    assert cloud.bundle(make().bundle_key) is None
    with pytest.raises(PipelineGone):
        cloud.latest_execution("nobodys-pipeline")


def test_a_bundle_is_written_once(cloud: Cloud, make: Make) -> None:
    version = cloud.put_bundle(make(), None)
    found = cloud.bundle(make().bundle_key)
    assert found is not None
    assert (found.digest, found.version, found.settled) == (make().digest, version, False)
    with pytest.raises(PreconditionFailed):
        cloud.put_bundle(make(), None)
    assert cloud.bundle(make().bundle_key) == found


@pytest.mark.parametrize("cloud", ["moto", "laptop"], indirect=True)
def test_a_bundle_is_known_by_its_bytes(cloud: Cloud, make: Make, settings: Settings) -> None:
    plan = make()
    cloud.put_bundle(plan, None)
    (bucket,) = [one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"] if "bundles" in one["Name"]]
    written = boto3.client("s3").head_object(Bucket=bucket, Key=plan.bundle_key)
    boto3.client("s3").put_object(
        Bucket=bucket, Key=plan.bundle_key, Body=b"garbage", Metadata=written["Metadata"], ChecksumAlgorithm="SHA256"
    )
    found = cloud.bundle(plan.bundle_key)
    assert found is not None
    assert found.digest != plan.digest
    cloud.put_bundle(plan, found.etag)
    healed = cloud.bundle(plan.bundle_key)
    assert healed is not None
    assert healed.digest == plan.digest


@pytest.mark.parametrize("cloud", ["moto", "laptop"], indirect=True)
def test_a_bundle_that_was_written_without_versioning_is_written_again(cloud: Cloud, make: Make) -> None:
    s3, plan = boto3.client("s3"), make()
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if "bundles" in one["Name"]]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    with pytest.raises(Unavailable, match="Enable it"):
        cloud.put_bundle(plan, None)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    found = cloud.bundle(plan.bundle_key)
    assert found is not None
    assert found.digest == ""
    assert cloud.put_bundle(plan, found.etag) not in ("", "null")


def test_a_bundle_is_written_over_what_was_read_and_nothing_else(cloud: Cloud, make: Make) -> None:
    first = cloud.put_bundle(make(), None)
    read = cloud.bundle(make().bundle_key)
    assert read is not None
    second = cloud.put_bundle(make(instance_count=2), read.etag)
    assert second != first
    with pytest.raises(PreconditionFailed):
        cloud.put_bundle(make(instance_count=3), read.etag)
    found = cloud.bundle(make().bundle_key)
    assert found is not None
    assert (found.digest, found.version) == (make(instance_count=2).digest, second)


def test_a_bundle_is_not_written_over_one_that_is_gone(cloud: Cloud, make: Make) -> None:
    with pytest.raises(PreconditionFailed):
        cloud.put_bundle(make(), '"0123456789abcdef0123456789abcdef"')
    assert cloud.bundle(make().bundle_key) is None


def test_a_bundle_is_deleted_where_it_is_still_as_it_was_read(cloud: Cloud, make: Make) -> None:
    cloud.put_bundle(make(), None)
    read = cloud.bundle(make().bundle_key)
    assert read is not None
    written = cloud.put_bundle(make(instance_count=2), read.etag)
    with pytest.raises(PreconditionFailed):
        cloud.delete_bundle(make().bundle_key, read.etag)
    cloud.remove_bundle(make(), written)
    assert cloud.bundle(make().bundle_key) == read
    cloud.delete_bundle(make().bundle_key, read.etag)
    assert cloud.bundle(make().bundle_key) is None
    cloud.delete_bundle(make().bundle_key, read.etag)  # deleted already
    cloud.put_bundle(make(), None)
    assert cloud.bundle(make().bundle_key) is not None


def test_a_deleted_bundle_is_not_listed(cloud: Cloud, make: Make, request: pytest.FixtureRequest) -> None:
    if "moto" in request.node.callspec.id:
        pytest.skip("moto lists the folder of an object that was deleted")
    cloud.put_bundle(make(), None)
    read = cloud.bundle(make().bundle_key)
    assert read is not None
    assert cloud.list_bundled_pipelines(make().name, "", 10) == ([make().name], False)
    cloud.delete_bundle(make().bundle_key, read.etag)
    assert cloud.list_bundled_pipelines(make().name, "", 10) == ([], False)


def test_bundles_are_listed_by_name_a_page_at_a_time(cloud: Cloud, make: Make) -> None:
    plans = [make(model_name=name) for name in ("b", "a", "a-modeltraining", "aa")]
    for one in plans:
        cloud.put_bundle(one, None)
    mine = [f"mlops-pipeline-{name}-modeltraining" for name in ("a", "a-modeltraining", "aa", "b")]
    mine.sort(key=lambda name: f"{name}/")  # as S3 does
    assert cloud.list_bundled_pipelines("mlops-pipeline-", "", 10) == (mine, False)
    assert cloud.list_bundled_pipelines("mlops-pipeline-", "", 2) == (mine[:2], True)
    assert cloud.list_bundled_pipelines("mlops-pipeline-", mine[1], 2) == (mine[2:], False)
    assert cloud.list_bundled_pipelines("mlops-pipeline-b", "", 2) == ([plans[0].name], False)
    assert cloud.list_bundled_pipelines("mlops-pipeline-c", "", 2) == ([], False)


def test_a_delivery_stack_is_created_as_planned_and_once(cloud: Cloud, make: Make) -> None:
    cloud.put_bundle(make(), None)
    stack_id = cloud.create_delivery(make())
    found = cloud.stack(make().delivery_stack)
    assert found is not None
    assert (found.id, found.name) == (stack_id, make().delivery_stack)
    assert cloud.stack(stack_id) is not None or isinstance(cloud, MemoryCloud)
    assert dict(found.parameters) == dict(make().delivery_parameters)
    assert {key: found.tags[key] for key in make().tags} == dict(make().tags)
    with pytest.raises(AlreadyExists):
        cloud.create_delivery(make(instance_count=2))


# --- what moto has not: pipelines that run -----------------------------------------------------------------


@pytest.fixture
def delivered(cloud: Cloud, make: Make, request: pytest.FixtureRequest) -> Stack:
    """A delivery stack that is complete."""
    if "moto" in request.node.callspec.id:
        pytest.skip("moto's pipelines don't run")
    cloud.put_bundle(make(), None)
    cloud.create_delivery(make())
    return settled(cloud, make().delivery_stack)


def settled(cloud: Cloud, name: str) -> Stack:
    """A stack once it stands still."""
    for _ in range(100):
        if isinstance(cloud, MemoryCloud):
            cloud.world.settle()
        stack = cloud.stack(name)
        if stack is not None and stack.phase is Phase.READY:
            return stack
        time.sleep(0.1)
    raise AssertionError(f"{name} never settled: {stack}")


def test_a_created_pipeline_has_begun_its_first_run(cloud: Cloud, delivered: Stack) -> None:
    pipeline = delivered.outputs["PipelineName"]
    for _ in range(50):
        if execution := cloud.latest_execution(pipeline):
            break
        time.sleep(0.1)
    assert execution is not None
    assert execution.status in RUNNING | ENDED_BADLY | {SUCCEEDED}


def test_a_token_starts_one_run(cloud: Cloud, delivered: Stack, make: Make) -> None:
    pipeline = delivered.outputs["PipelineName"]
    bundle = cloud.bundle(make().bundle_key)
    assert bundle is not None
    first = cloud.start(pipeline, bundle.version, "token-1")
    assert cloud.start(pipeline, bundle.version, "token-1") == first
    assert cloud.start(pipeline, bundle.version, "token-2") != first


def test_an_update_is_made_where_something_changes(cloud: Cloud, delivered: Stack, make: Make) -> None:
    assert not cloud.update_delivery(make())
    newer = replace(make(), delivery_parameters={**make().delivery_parameters, "DeliveryDigest": "newer"})
    assert cloud.update_delivery(newer)
    assert settled(cloud, delivered.name).parameters["DeliveryDigest"] == "newer"


def test_a_deleted_stack_is_gone(cloud: Cloud, delivered: Stack) -> None:
    cloud.delete_stack(delivered)
    for _ in range(100):
        if isinstance(cloud, MemoryCloud):
            cloud.world.settle()
        stack = cloud.stack(delivered.name)
        if stack is None:
            break
        assert stack.phase is Phase.DELETING
        time.sleep(0.1)
    assert stack is None
    with pytest.raises(PipelineGone):
        cloud.latest_execution(delivered.outputs["PipelineName"])
