# SPDX-License-Identifier: Apache-2.0
"""The distribution buckets: finds them in any region, creates missing ones, and rejects other accounts' buckets.

In: a session, a name, and the account that must own the bucket. Out: a Bucket with a client for its region, or
InstallError. Every call has ExpectedBucketOwner, so that nothing is sent to another account's bucket.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import boto3
from botocore.exceptions import ClientError

from mlops.deploy.errors import InstallError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        OwnershipControlsTypeDef,
        PublicAccessBlockConfigurationTypeDef,
        ServerSideEncryptionConfigurationTypeDef,
    )

ATTEMPTS = 5  # if another process is creating or deleting the bucket
_PRIVATE: PublicAccessBlockConfigurationTypeDef = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}


class _Named(TypedDict):
    Bucket: str
    ExpectedBucketOwner: str


@dataclass(frozen=True)
class Bucket:
    """A bucket of this account."""

    name: str
    owner: str
    region: str
    s3: S3Client

    def url(self, key: str) -> str:
        """The URL of an object, in the bucket's region and partition."""
        # Path style, which also works with other endpoints than AWS's.
        return f"{self.s3.meta.endpoint_url.rstrip('/')}/{self.name}/{key}"

    def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store an object, unless its checksum in S3 is the same."""
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        try:
            found = self.s3.head_object(**self._named, Key=key, ChecksumMode="ENABLED")
            if found.get("ChecksumSHA256") == checksum:
                return
        except ClientError as error:
            if _status(error) != 404:
                raise InstallError(f"s3://{self.name}/{key} cannot be read: {error}") from error
        try:
            self.s3.put_object(**self._named, Key=key, Body=data, ContentType=content_type, ChecksumSHA256=checksum)
        except ClientError as error:
            raise InstallError(f"s3://{self.name}/{key} cannot be written: {error}") from error

    def secure(self) -> None:
        """Make it private, encrypted, versioned and TLS-only. The policy is set last, to mark completion."""
        self.s3.put_public_access_block(**self._named, PublicAccessBlockConfiguration=_PRIVATE)
        ownership: OwnershipControlsTypeDef = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        self.s3.put_bucket_ownership_controls(**self._named, OwnershipControls=ownership)
        encryption: ServerSideEncryptionConfigurationTypeDef = {
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        }
        self.s3.put_bucket_encryption(**self._named, ServerSideEncryptionConfiguration=encryption)
        self.s3.put_bucket_versioning(**self._named, VersioningConfiguration={"Status": "Enabled"})
        self.s3.put_bucket_policy(**self._named, Policy=json.dumps(_tls_only(self.name, self.s3.meta.partition)))

    def is_unfinished(self) -> bool:
        """Whether it has neither objects nor a policy, which means that its creation was interrupted."""
        try:
            self.s3.get_bucket_policy(**self._named)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchBucketPolicy":
                return not self.s3.list_objects_v2(**self._named, MaxKeys=1)["KeyCount"]
        return False

    @property
    def _named(self) -> _Named:
        return {"Bucket": self.name, "ExpectedBucketOwner": self.owner}


def find(session: boto3.Session, name: str, owner: str) -> Bucket | None:
    """The bucket, in any region; None if it does not exist. Raises InstallError if another account owns it."""
    s3 = session.client("s3")
    try:
        head = s3.head_bucket(Bucket=name, ExpectedBucketOwner=owner)
    except ClientError as error:
        if _status(error) == 404:
            return None
        if _status(error) == 403:
            raise InstallError(
                f"The bucket {name} cannot be used: it is not owned by account {owner}, or the credentials have no "
                "permission to list it. Bucket names are unique across all accounts: use another name"
            ) from error
        raise InstallError(f"The bucket {name} cannot be used: {error}") from error
    region = head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", s3.meta.region_name)
    if region != s3.meta.region_name:
        s3 = session.client("s3", region_name=region)
    return Bucket(name, owner, region, s3)


def find_or_create(session: boto3.Session, name: str, owner: str) -> Bucket:
    """The bucket, created in the session's region if it does not exist. An existing bucket is not changed."""
    for attempt in range(ATTEMPTS):
        if bucket := find(session, name, owner):
            if bucket.is_unfinished():
                bucket.secure()
            return bucket
        try:
            _create(session.client("s3"), name)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "BucketAlreadyExists":
                raise InstallError(
                    f"The bucket {name} cannot be created: another account owns it. Use another name"
                ) from error
            if code not in ("BucketAlreadyOwnedByYou", "OperationAborted"):
                raise InstallError(f"The bucket {name} cannot be created: {error}") from error
            time.sleep(attempt)  # the account is creating it, or has just deleted it
    raise InstallError(f"The bucket {name} is being created or deleted by another process; retry in some minutes")


def _create(s3: S3Client, name: str) -> None:
    region = s3.meta.region_name
    place: dict[str, Any] = (
        {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    )
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **place)


def _tls_only(bucket: str, partition: str) -> dict[str, Any]:
    arn = f"arn:{partition}:s3:::{bucket}"
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _status(error: ClientError) -> int:
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status
