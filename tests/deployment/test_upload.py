# SPDX-License-Identifier: Apache-2.0
"""Where a build is put: into buckets of this account alone, and what lies there is known by its bytes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from mlops.deploy.errors import InstallError
from mlops.deploy.upload import GLOBAL_ASSETS, MAIN_TEMPLATE, REGIONAL_ASSETS, upload
from moto import mock_aws

from tests.support.custom_resources import Reply, serving
from tests.support.laptop import Account

KEY = "solution/v1"


@pytest.fixture
def assets(tmp_path: Path) -> Path:
    for name in (f"{GLOBAL_ASSETS}/{MAIN_TEMPLATE}", f"{REGIONAL_ASSETS}/blueprints/one.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    return tmp_path


@pytest.fixture
def name() -> str:
    return f"dist-{uuid4().hex[:12]}"


def put(session: Any, assets: Path, name: str, create: bool = True) -> str:
    return upload(session, assets, name, "solution", "v1", create=create)


class Recorded:
    """An account, and every request to S3 that was sent with it."""

    def __init__(self, account: Account) -> None:
        self.region_name, self._account = account.region_name, account
        self.requests: list[tuple[str, Any]] = []

    def client(self, service: str, **options: Any) -> Any:
        client = self._account.client(service, **options)
        client.meta.events.register("before-send.s3", self._record)
        return client

    def _record(self, request: Any, event_name: str, **_: Any) -> None:
        self.requests.append((event_name.rsplit(".", 1)[1], request))

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.requests]


def test_missing_buckets_are_private_owned_versioned_encrypted_and_tls_only(
    assets: Path, name: str, account: Account
) -> None:
    put(account, assets, name)
    s3 = account.client("s3")
    for bucket in (name, f"{name}-us-east-1"):
        blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert set(blocked.values()) == {True}
        assert len(blocked) == 4
        ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_bucket_in_use_is_left_as_it_is(assets: Path, name: str, account: Account) -> None:
    s3 = account.client("s3")
    for bucket in (name, f"{name}-us-east-1"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="something", Body=b"")
    recorded = Recorded(account)
    put(recorded, assets, name)
    assert set(recorded.operations()) == {"HeadBucket", "GetBucketPolicy", "ListObjectsV2", "HeadObject", "PutObject"}


def test_a_creation_that_was_interrupted_is_finished(assets: Path, name: str, account: Account) -> None:
    account.client("s3").create_bucket(Bucket=name)
    put(account, assets, name)
    assert "TlsOnly" in account.client("s3").get_bucket_policy(Bucket=name)["Policy"]


def test_every_request_names_the_owner(assets: Path, name: str, account: Account) -> None:
    """So that none reaches a bucket that another account has made in the meantime."""
    recorded = Recorded(account)
    put(recorded, assets, name)
    own = account.client("sts").get_caller_identity()["Account"]
    assert {"CreateBucket", "PutBucketPolicy", "PutObject"} <= set(recorded.operations())
    for operation, request in recorded.requests:
        if operation != "CreateBucket":
            assert request.headers["x-amz-expected-bucket-owner"] in (own, own.encode()), operation


def test_what_lies_there_is_known_by_its_bytes_and_not_by_what_its_metadata_say(
    assets: Path, name: str, account: Account
) -> None:
    put(account, assets, name)
    s3, place = account.client("s3"), {"Bucket": f"{name}-us-east-1", "Key": f"{KEY}/blueprints/one.yaml"}
    digest = hashlib.sha256(b"{}").hexdigest()
    s3.put_object(**place, Body=b"of somebody else", Metadata={"sha256": digest})
    recorded = Recorded(account)
    put(recorded, assets, name)
    assert s3.get_object(**place)["Body"].read() == b"{}"
    assert recorded.operations().count("PutObject") == 1
    recorded = Recorded(account)
    put(recorded, assets, name)
    assert "PutObject" not in recorded.operations()


def test_without_create_a_missing_bucket_is_named(assets: Path, name: str, account: Account) -> None:
    with pytest.raises(InstallError, match=f"The bucket {name}-us-east-1 does not exist"):
        put(account, assets, name, create=False)


class Faked:
    """A session whose S3 answers what a test says, and which is of account 123456789012."""

    region_name = "us-east-1"

    def __init__(self, url: str) -> None:
        self._url = url

    def client(self, service: str, **options: Any) -> Any:
        session = boto3.Session("key", "secret", region_name=self.region_name)
        return session.client(service, endpoint_url=self._url, **options)


def faked(s3: Callable[[str, str], Reply]) -> Callable[[str, str, dict[str, str], bytes], Reply]:
    def reply(method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        if b"GetCallerIdentity" in body:
            result = "<GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult>"
            return 200, {}, f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>"
        return s3(method, path)

    return reply


def error(code: str, status: int = 409) -> Reply:
    return status, {}, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"


def test_a_bucket_of_another_account_is_refused_before_anything_is_sent(assets: Path) -> None:
    seen = []

    def s3(method: str, path: str) -> Reply:
        seen.append(method)
        return 403, {}, ""

    with serving(faked(s3)) as url, pytest.raises(InstallError, match="it is not owned by account 123456789012"):
        put(Faked(url), assets, "theirs")
    assert seen == ["HEAD"]


def test_a_name_that_another_account_takes_at_the_same_moment_is_refused(assets: Path) -> None:
    def s3(method: str, path: str) -> Reply:
        return (404, {}, "") if method == "HEAD" else error("BucketAlreadyExists")

    with (
        serving(faked(s3)) as url,
        pytest.raises(InstallError, match=r"another account owns it\. Use another name"),
    ):
        put(Faked(url), assets, "contested")


def test_a_bucket_that_we_create_twice_at_the_same_moment_is_used(assets: Path) -> None:
    heads = []

    def s3(method: str, path: str) -> Reply:
        bucket = path.partition("?")[0].strip("/")
        if method == "HEAD" and "/" not in bucket:
            heads.append(bucket)
            return (404, {}, "") if heads.count(bucket) == 1 else (200, {"x-amz-bucket-region": "us-east-1"}, "")
        if method == "PUT" and "/" not in bucket and "?" not in path:
            return error("BucketAlreadyOwnedByYou" if "us-east-1" in bucket else "OperationAborted")
        if method == "HEAD":
            return 404, {}, ""
        return 200, {}, "{}" if method == "GET" else ""

    with serving(faked(s3)) as url:
        assert put(Faked(url), assets, "ours") == f"{url}/ours/{KEY}/{MAIN_TEMPLATE}"
    assert heads == ["ours-us-east-1"] * 2 + ["ours"] * 2


@mock_aws
@pytest.mark.parametrize(
    ("first", "second", "host"),
    [
        ("us-east-1", "eu-west-1", "s3.amazonaws.com"),
        ("eu-west-1", "us-east-1", "s3.eu-west-1.amazonaws.com"),
        ("eu-west-1", "ap-southeast-2", "s3.eu-west-1.amazonaws.com"),
        ("us-gov-west-1", "us-gov-east-1", "s3.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "cn-northwest-1", "s3.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_in_a_second_region_the_template_is_taken_from_where_its_bucket_is(
    first: str, second: str, host: str, assets: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    sessions = [boto3.Session("key", "secret", region_name=region) for region in (first, second)]
    for session, buckets in zip(sessions, ([name, f"{name}-{first}"], [f"{name}-{second}"]), strict=True):
        region = session.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        for bucket in buckets:
            session.client("s3").create_bucket(Bucket=bucket, **place)
    for session in sessions:
        assert put(session, assets, name, create=False) == f"https://{host}/{name}/{KEY}/{MAIN_TEMPLATE}"
        bucket = f"{name}-{session.region_name}"
        session.client("s3").head_object(Bucket=bucket, Key=f"{KEY}/blueprints/one.yaml")


@mock_aws
def test_a_regional_bucket_in_another_region_is_refused(assets: Path, name: str) -> None:
    place = {"LocationConstraint": "eu-west-1"}
    elsewhere = boto3.Session("key", "secret", region_name="eu-west-1").client("s3")
    elsewhere.create_bucket(Bucket=f"{name}-us-east-1", CreateBucketConfiguration=place)
    with pytest.raises(InstallError, match=f"The bucket {name}-us-east-1 is in eu-west-1, but Lambda requires"):
        put(boto3.Session("key", "secret", region_name="us-east-1"), assets, name)
