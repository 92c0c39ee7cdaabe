# SPDX-License-Identifier: Apache-2.0
"""S3 as AWS has it: whose a bucket is, and what was stored."""

import base64
import hashlib
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError


def test_a_bucket_of_another_owner_than_expected_is_denied(account: Any) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="whose")
    s3.put_object(Bucket="whose", Key="key", Body=b"ours")
    own = account.client("sts").get_caller_identity()["Account"]
    s3.head_bucket(Bucket="whose", ExpectedBucketOwner=own)
    for call in (
        lambda: s3.head_bucket(Bucket="whose", ExpectedBucketOwner="999999999999"),
        lambda: s3.get_object(Bucket="whose", Key="key", ExpectedBucketOwner="999999999999"),
        lambda: s3.put_object(Bucket="whose", Key="key", Body=b"theirs", ExpectedBucketOwner="999999999999"),
    ):
        with pytest.raises(ClientError) as denied:
            call()
        assert denied.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert s3.get_object(Bucket="whose", Key="key")["Body"].read() == b"ours"
    with pytest.raises(ClientError) as missing:
        s3.head_bucket(Bucket="there-is-none", ExpectedBucketOwner="999999999999")
    assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404


def test_a_checksum_is_of_what_is_stored_and_wrong_ones_are_refused(account: Any) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="checked")
    digest = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    once = account.client("s3", config=Config(retries={"max_attempts": 0}))
    with pytest.raises(ClientError, match="BadDigest"):
        once.put_object(Bucket="checked", Key="key", Body=b"others", ChecksumSHA256=digest)
    s3.put_object(Bucket="checked", Key="key", Body=b"bytes", ChecksumSHA256=digest)
    assert s3.head_object(Bucket="checked", Key="key", ChecksumMode="ENABLED")["ChecksumSHA256"] == digest
    s3.put_object(
        Bucket="checked", Key="key", Body=b"others", Metadata={"sha256": hashlib.sha256(b"bytes").hexdigest()}
    )
    assert s3.head_object(Bucket="checked", Key="key", ChecksumMode="ENABLED").get("ChecksumSHA256") != digest
