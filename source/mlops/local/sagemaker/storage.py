# SPDX-License-Identifier: Apache-2.0
"""S3 as a job sees it: everything is read and written with the job's role, and refusals become reasons."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from botocore.exceptions import ClientError

from mlops.local import identity
from mlops.local.errors import Caller


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


def list_prefix(s3: Any, uri: str) -> list[str]:
    """The keys of the objects under a prefix, without the markers that consoles make for folders."""
    bucket, prefix = split(uri)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [found["Key"] for page in pages for found in page.get("Contents", [])
            if not found["Key"].endswith("/")]


def download_prefix(s3: Any, uri: str, keys: list[str], folder: Path, gzipped: bool) -> None:
    """Write the objects below `folder`, named by what follows the prefix."""
    bucket, prefix = split(uri)
    for key in keys:
        target = folder / _relative(key, prefix)
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(gzip.decompress(body) if gzipped else body)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise StorageError(f"s3://{bucket}/{key} is not gzip, but its channel's CompressionType is Gzip") from error
        except OSError as error:
            raise StorageError(f"s3://{bucket}/{key} cannot be a file: {error.strerror}") from error


def _relative(key: str, prefix: str) -> PurePosixPath:
    inside = prefix if prefix.endswith("/") or not prefix else prefix + "/"
    name = key.removeprefix(inside) if key.startswith(inside) else key.rsplit("/", 1)[-1]
    parts = [part for part in name.split("/") if part]
    if ".." in parts:
        raise StorageError(f"the key {key} has a part '..'")
    return PurePosixPath(*parts)


def read(s3: Any, uri: str) -> bytes:
    bucket, key = split(uri)
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def check_key(role_arn: str, kms_key: str | None, caller: Caller) -> None:
    """Refuse what S3 would: a key that isn't there, and a key that the role may not use.

    As in KMS, an alias stands for its key: policies see the key's ARN, and what the key is called.
    """
    if not kms_key:
        return
    kms = identity.root_session(caller).client("kms")
    key_arn = kms.describe_key(KeyId=kms_key)["KeyMetadata"]["Arn"]
    called = [alias["AliasName"] for alias in kms.list_aliases(KeyId=key_arn)["Aliases"]]
    session = Caller(caller.account_id, caller.region, identity.session_arn(role_arn, "sagemaker"))
    identity.authorize(session, "kms:GenerateDataKey", [key_arn], {"kms:ResourceAliases": called})


def write(s3: Any, uri: str, body: bytes, kms_key: str | None = None) -> None:
    bucket, key = split(uri)
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
    s3.put_object(Bucket=bucket, Key=key, Body=body, **encryption)


def pack(folder: Path) -> bytes | None:
    """A folder's files as a .tar.gz; nothing if there are none."""
    files = list(_files(folder))
    if not files:
        return None
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for file in files:
            archive.add(file, file.relative_to(folder).as_posix())
    return buffer.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a .tar.gz; what would land outside the folder is refused."""
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:*") as opened:
            opened.extractall(folder, filter="data")
    except tarfile.ReadError as error:
        raise StorageError("it is not a .tar.gz archive") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise StorageError(f"it is a damaged archive, or one that cannot be unpacked ({error})") from error
