# SPDX-License-Identifier: Apache-2.0
"""The data of a job: what lies under a prefix in S3 comes into a folder of its container."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from mlops.local.services.sagemaker import storage
from mlops.local.services.sagemaker.jobs import JobFailed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def download(s3: S3Client, uri: str, folder: Path, what: str, role: str, nothing: str, gzipped: bool = False) -> None:
    """Download all objects under a prefix; JobFailed says why that cannot be done.

    `what` names the data in messages, and `nothing` says that there are none.
    """
    why = ""
    try:
        keys = storage.list_prefix(s3, uri)
        if keys:
            storage.download_prefix(s3, uri, keys, folder, gzipped)
            return
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise JobFailed(
                f"ClientError: Data download failed: {storage.explain(error)} ({what}, {uri}, role {role})"
            ) from error
        why = f" Error message from S3: {error.response['Error']['Message']}"
    except storage.StorageError as error:
        raise JobFailed(f"ClientError: Data download failed: {what}: {error}") from error
    raise JobFailed(f"ClientError: Data download failed: {nothing}{why}")
