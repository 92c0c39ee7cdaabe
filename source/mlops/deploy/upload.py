# SPDX-License-Identifier: Apache-2.0
"""Puts a build where it is installed from: the main template in BUCKET, what it refers to in BUCKET-<region>."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from mlops.deploy import archive
from mlops.deploy.errors import InstallError

MAIN_TEMPLATE = "mlops-orchestrator-single-account.template"
GLOBAL_ASSETS = "global-s3-assets"
REGIONAL_ASSETS = "regional-s3-assets"
_CONTENT_TYPES = {".zip": "application/zip", ".yaml": "application/yaml", ".json": "application/json"}


def upload(session: Any, assets_dir: Path, bucket: str, solution: str, version: str, *, create: bool = False) -> str:
    """Upload a build, and give the URL of its main template. What is there already isn't sent again.

    With `create`, the two distribution buckets are made if they are missing.
    """
    s3 = session.client("s3")
    regional = f"{bucket}-{session.region_name}"
    if create:
        for name in (bucket, regional):
            create_bucket(s3, name, session.region_name)
    if not (assets_dir / GLOBAL_ASSETS / MAIN_TEMPLATE).is_file():
        raise InstallError(f"There is no build in {assets_dir}: run deployment/build-s3-dist.sh first")
    for folder, target in ((GLOBAL_ASSETS, bucket), (REGIONAL_ASSETS, regional)):
        for name, data in archive.read_folder(assets_dir / folder).items():
            _put(s3, data, target, f"{solution}/{version}/{name}")
    # Path style: bucket names with dots, and endpoints other than AWS's own, work too.
    return f"{s3.meta.endpoint_url.rstrip('/')}/{bucket}/{solution}/{version}/{MAIN_TEMPLATE}"


def create_bucket(s3: Any, name: str, region: str) -> None:
    """Make a private, encrypted bucket that is reached by TLS only; one that is ours already is left as it is."""
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    try:
        s3.head_bucket(Bucket=name)
        return
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise InstallError(f"The bucket {name} cannot be used: it may belong to another account") from error
    s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **place)
    s3.put_public_access_block(
        Bucket=name,
        PublicAccessBlockConfiguration={
            "BlockPublicAcls": True,
            "IgnorePublicAcls": True,
            "BlockPublicPolicy": True,
            "RestrictPublicBuckets": True,
        },
    )
    encryption = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=encryption)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(_tls_only(name, s3.meta.partition)))


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


def _put(s3: Any, data: bytes, bucket: str, key: str) -> None:
    digest = hashlib.sha256(data)
    try:
        if s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256") == digest.hexdigest():
            return
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise InstallError(f"s3://{bucket}/{key} cannot be read: {error}") from error
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=data,
        ContentType=_CONTENT_TYPES.get(Path(key).suffix, "application/octet-stream"),
        ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
        Metadata={"sha256": digest.hexdigest()},
    )
