# SPDX-License-Identifier: Apache-2.0
"""The check of an installation always answers CloudFormation, whatever happens."""

import json
import re
import time
from typing import Any

import pytest

from tests.support.custom_resources import CloudFormation, Reply, serving, use_endpoint

GOOD: dict[str, Any] = {
    "StackName": "mlops-orchestrator",
    "Region": "us-east-1",
    "Account": "123456789012",
    "SupportedRegions": ["eu-west-1", "us-east-1"],
    "ExistingS3Bucket": "",
    "AssetsBucketKmsKeyArn": "",
    "DataBuckets": [""],
    "ExistingECRRepo": "",
}
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd"


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> CloudFormation:
    use_endpoint(monkeypatch, "http://127.0.0.1:9")  # nobody listens there
    return CloudFormation("check_install", monkeypatch)


def test_nothing_existing_is_a_success(cloudformation: CloudFormation) -> None:
    answer = cloudformation.asks("Create", **GOOD)
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == "install-check"
    assert (answer["StackId"], answer["RequestId"]) == ("stack-id", "request-id")


def test_an_update_keeps_the_resource_as_it_was_made(cloudformation: CloudFormation) -> None:
    """With another physical id CloudFormation would delete the old one."""
    assert cloudformation.asks("Update", **GOOD)["PhysicalResourceId"] == "as-it-was-made"


@pytest.mark.parametrize(
    ("status", "outcome"), [("UPDATE_ROLLBACK_IN_PROGRESS", "SUCCESS"), ("UPDATE_IN_PROGRESS", "FAILED")]
)
def test_the_rollback_of_an_update_is_not_failed_by_what_is_gone(
    status: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A data bucket was deleted since: the upgrade fails for it, and goes back to where it was."""

    def aws(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if b"Action=DescribeStacks" not in body:
            return 404, {}, ""
        own = f"<member><StackName>mlops-orchestrator</StackName><StackStatus>{status}</StackStatus></member>"
        result = f"<DescribeStacksResult><Stacks>{own}</Stacks></DescribeStacksResult>"
        return 200, {}, f"<DescribeStacksResponse>{result}</DescribeStacksResponse>"

    with serving(aws) as url:
        use_endpoint(monkeypatch, url)
        function = CloudFormation("check_install", monkeypatch)
        answer = function.asks("Update", **{**GOOD, "DataBuckets": ["gone"]})
    assert answer["Status"] == outcome
    assert ("the bucket gone does not exist" in answer["Reason"]) == (outcome == "FAILED")


def test_a_delete_succeeds_even_with_nothing_to_go_by(cloudformation: CloudFormation) -> None:
    assert cloudformation.asks("Delete")["Status"] == "SUCCESS"


def test_a_check_that_fails_itself_still_answers(cloudformation: CloudFormation) -> None:
    answer = cloudformation.asks("Create")
    assert answer["Status"] == "FAILED"
    assert "KeyError" in answer["Reason"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"ExistingS3Bucket": "mine"}, "cannot be reached"),
        ({"ExistingECRRepo": "mine"}, "EndpointConnectionError"),
        ({"DataBuckets": ["mine"]}, "DataBuckets: the bucket mine cannot be reached"),
    ],
)
def test_an_unreachable_service_is_a_failure_with_a_reason(
    changed: dict[str, Any], reason: str, cloudformation: CloudFormation
) -> None:
    answer = cloudformation.asks("Update", **{**GOOD, **changed})
    assert answer["Status"] == "FAILED"
    assert reason in answer["Reason"]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Region": "us-gov-east-1"}, "us-gov-east-1 is not supported.*Supported: eu-west-1, us-east-1"),
        ({"StackName": "mlops-pipeline-one"}, "are reserved for pipelines"),
        ({"AssetsBucketKmsKeyArn": KEY}, "requires ExistingS3Bucket, which is blank"),
        ({"DataBuckets": [f"bucket-{number}" for number in range(11)]}, "has 11 buckets; the maximum is 10"),
        ({"DataBuckets": [f"{'b' * 62}{number}" for number in range(7)]}, "447 characters; the maximum is 400"),
    ],
)
def test_what_cannot_be_used_is_named(changed: dict[str, Any], reason: str, cloudformation: CloudFormation) -> None:
    answer = cloudformation.asks("Create", **{**GOOD, **changed})
    assert answer["Status"] == "FAILED"
    assert re.search(reason, answer["Reason"])


def test_every_problem_is_told_at_once_and_fits_an_answer(cloudformation: CloudFormation) -> None:
    many = {"StackName": "mlops-pipeline-one", "DataBuckets": [f"{'b' * 60}{number}" for number in range(20)]}
    answer = cloudformation.asks("Create", **{**GOOD, **many, "AssetsBucketKmsKeyArn": KEY})
    assert "are reserved for pipelines" in answer["Reason"]
    assert "AssetsBucketKmsKeyArn" in answer["Reason"]
    assert "DataBuckets: the bucket b" in answer["Reason"]
    assert answer["Reason"].endswith(" …")
    assert len(answer["Reason"]) <= 1_000


class S3:
    """S3 and KMS with one bucket, of one owner, in one region, with one default key; it may deny the first calls."""

    def __init__(self, owner: str = "123456789012", region: str = "us-east-1", key: str = "", denials: int = 0) -> None:
        self.owner, self.region, self.key, self.denials, self.asked = owner, region, key, denials, 0

    def __call__(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        self.asked += 1
        if headers.get("X-Amz-Target") == "TrentService.DescribeKey":
            return 200, {}, json.dumps({"KeyMetadata": {"KeyId": "1234abcd", "Arn": KEY}})
        if self.asked <= self.denials or headers.get("x-amz-expected-bucket-owner") != self.owner:
            return 403, {}, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        if not path.startswith("/theirs"):
            return 404, {}, ""
        algorithm = f"<SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>{self.key}</KMSMasterKeyID>"
        if not self.key:
            algorithm = "<SSEAlgorithm>AES256</SSEAlgorithm>"
        rule = f"<Rule><ApplyServerSideEncryptionByDefault>{algorithm}</ApplyServerSideEncryptionByDefault></Rule>"
        text = f"<ServerSideEncryptionConfiguration>{rule}</ServerSideEncryptionConfiguration>"
        return 200, {"x-amz-bucket-region": self.region}, text


def asked(s3: S3, monkeypatch: pytest.MonkeyPatch, seconds_left: float = 16, **changed: Any) -> dict[str, Any]:
    with serving(s3) as url:
        use_endpoint(monkeypatch, url)
        function = CloudFormation("check_install", monkeypatch)
        return function.asks("Create", seconds_left, **{**GOOD, "ExistingS3Bucket": "theirs", **changed})


def test_a_bucket_of_another_account_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As S3 does it: a bucket whose owner is not the one expected is forbidden, even where its policy admits us."""
    for changed in ({}, {"ExistingS3Bucket": "", "DataBuckets": ["theirs"]}):
        answer = asked(S3(owner="999999999999"), monkeypatch, **changed)
        assert answer["Status"] == "FAILED"
        assert "another account owns it" in answer["Reason"]


def test_a_policy_that_iam_does_not_know_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = S3(denials=1)
    assert asked(s3, monkeypatch, seconds_left=60)["Status"] == "SUCCESS"
    assert s3.asked == 3


def test_waiting_for_iam_ends_in_time_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    assert asked(S3(denials=100), monkeypatch, seconds_left=18)["Status"] == "FAILED"
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("parameter", ["ExistingS3Bucket", "DataBuckets"])
def test_the_distribution_bucket_is_no_bucket_for_data(parameter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boundary denies it to every role: nothing in it could be read."""
    changed = {"ExistingS3Bucket": "", parameter: "theirs" if parameter == "ExistingS3Bucket" else ["theirs"]}
    answer = asked(S3(), monkeypatch, DistributionBuckets=["dist", "theirs"], **changed)
    assert answer["Status"] == "FAILED"
    assert f"{parameter}: theirs contains the installed code" in answer["Reason"]
    assert asked(S3(), monkeypatch, DistributionBuckets=["dist", "dist-us-east-1"], **changed)["Status"] == "SUCCESS"


def test_a_bucket_in_another_region_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = asked(S3(region="eu-west-1"), monkeypatch)
    assert "the bucket theirs is in eu-west-1; SageMaker requires a bucket in us-east-1" in answer["Reason"]


@pytest.mark.parametrize("has", [KEY, "1234abcd", "alias/ours"])
def test_a_bucket_under_a_customer_key_needs_that_key_named(has: str, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = asked(S3(key=has), monkeypatch)
    assert f"encrypted with the key {has}" in refused["Reason"]
    assert "Set AssetsBucketKmsKeyArn to the ARN of this key" in refused["Reason"]
    wrong = asked(S3(key=has), monkeypatch, AssetsBucketKmsKeyArn=f"{KEY}0")
    assert f"to the ARN of this key, not {KEY}0" in wrong["Reason"]
    assert asked(S3(key=has), monkeypatch, AssetsBucketKmsKeyArn=KEY)["Status"] == "SUCCESS"


@pytest.mark.parametrize("has", ["", "alias/aws/s3", "arn:aws:kms:us-east-1:123456789012:alias/aws/s3"])
def test_a_bucket_under_a_key_of_s3s_own_needs_none(has: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(S3(key=has), monkeypatch)["Status"] == "SUCCESS"
