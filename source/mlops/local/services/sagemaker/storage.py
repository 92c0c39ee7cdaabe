# SPDX-License-Identifier: Apache-2.0
"""S3 as a job sees it: everything is read and written with the job's role, and refusals become reasons."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal, TypedDict

from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import archives

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class StorageError(Exception):
    """What S3 refused, in one sentence."""


def split(uri: str) -> tuple[str, str]:
    """`s3://bucket/key` as bucket and key."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def explain(error: ClientError) -> str:
    """`NoSuchKey (404): The specified key does not exist.`"""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return f"{code} ({error.response['ResponseMetadata']['HTTPStatusCode']}): {message}"


def list_prefix(s3: S3Client, uri: str) -> list[str]:
    """The keys of the objects under a prefix, without the markers that consoles make for folders."""
    bucket, prefix = split(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [found["Key"] for page in pages for found in page.get("Contents", []) if not found["Key"].endswith("/")]


def download_prefix(s3: S3Client, uri: str, keys: list[str], folder: Path, gzipped: bool) -> None:
    """Write the objects below `folder`, named by what follows the prefix."""
    bucket, prefix = split(uri)
    unpacked = 0
    for key in keys:
        target = folder / _relative(key, prefix)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if gzipped:
                unpacked += archives.gunzip(body, target, unpacked)
            else:
                target.write_bytes(body)
        except archives.Unusable as error:
            raise StorageError(f"s3://{bucket}/{key} {error}; its channel's CompressionType is Gzip") from error
        except OSError as error:
            raise StorageError(f"s3://{bucket}/{key} cannot be a file: {error.strerror}") from error


def _relative(key: str, prefix: str) -> PurePosixPath:
    inside = prefix if prefix.endswith("/") or not prefix else prefix + "/"
    name = key.removeprefix(inside) if key.startswith(inside) else key.rsplit("/", 1)[-1]
    parts = [part for part in name.split("/") if part]
    if ".." in parts:
        raise StorageError(f"the key {key} has a part '..'")
    return PurePosixPath(*parts)


def read(s3: S3Client, uri: str) -> bytes:
    bucket, key = split(uri)
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def check_key(role_arn: str, kms_key: str | None, caller: Caller) -> None:
    """Refuse what S3 would: a key that isn't there, and a key that the role may not use.

    As in KMS, an alias stands for its key: policies see the key's ARN, and what the key is called.
    """
    check_key_use(Caller(caller.account_id, caller.region, identity.session_arn(role_arn, "sagemaker")), kms_key)


def check_key_use(caller: Caller, kms_key: str | None) -> None:
    """The same for whoever writes the object."""
    if not kms_key:
        return
    kms = identity.root_session(caller).client("kms")
    key_arn = kms.describe_key(KeyId=kms_key)["KeyMetadata"]["Arn"]
    called = [alias["AliasName"] for alias in kms.list_aliases(KeyId=key_arn)["Aliases"]]
    keys = {"kms:ResourceAliases": called, "kms:ViaService": f"s3.{caller.region}.amazonaws.com"}
    identity.authorize(caller, "kms:GenerateDataKey", [key_arn], keys)


class _Encryption(TypedDict, total=False):
    ServerSideEncryption: Literal["aws:kms"]
    SSEKMSKeyId: str


def write(s3: S3Client, uri: str, body: bytes, kms_key: str | None = None) -> None:
    bucket, key = split(uri)
    encryption: _Encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)
