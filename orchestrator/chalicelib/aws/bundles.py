# SPDX-License-Identifier: Apache-2.0
"""S3: template bundles, written by compare-and-swap and known by their bytes."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TypedDict

from chalicelib import names
from chalicelib.aws.calls import Calls, code, translate_errors
from chalicelib.aws.observed import Bundle
from chalicelib.aws.port import BundleSource, PipelineNames, PreconditionFailed
from chalicelib.errors import Unavailable
from chalicelib.settings import REQUEST_SECONDS

DIGEST = "request-digest"  # the bundle's metadata key, for people
NO_VERSION = "null"  # of an object that was written while its bucket was not versioned
_PRECONDITION_FAILED = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
SETTLED_AFTER = 2 * REQUEST_SECONDS + 2


class _Bucket(TypedDict):
    Bucket: str
    ExpectedBucketOwner: str


class _Condition(TypedDict, total=False):
    IfMatch: str
    IfNoneMatch: str


class _Page(TypedDict, total=False):
    StartAfter: str


class Bundles(Calls):
    """Calls to S3."""

    @translate_errors
    def bundle(self, key: str) -> Bundle | None:
        from botocore.exceptions import ClientError

        try:
            head = self.s3.head_object(**self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if code(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        age = (datetime.now(UTC) - head["LastModified"]).total_seconds()
        version = head.get("VersionId", NO_VERSION)
        # A bundle without a version cannot be delivered: without a digest it is written again.
        digest = "" if version == NO_VERSION else base64.b64decode(head.get("ChecksumSHA256", "")).hex()
        return Bundle(digest, head["ETag"], version, age > SETTLED_AFTER)

    @translate_errors
    def put_bundle(self, plan: BundleSource, replaces: str | None) -> str:
        from botocore.exceptions import ClientError

        condition: _Condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        try:
            put = self.s3.put_object(
                **self._bucket,
                Key=plan.bundle_key,
                Body=plan.bundle,
                ContentType="application/zip",
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=base64.b64encode(bytes.fromhex(plan.digest)).decode(),
                Metadata={DIGEST: plan.digest},
                **condition,
            )
        except ClientError as error:
            if code(error) in (*_PRECONDITION_FAILED, "NoSuchKey"):
                raise PreconditionFailed from error
            raise
        version = str(put.get("VersionId", NO_VERSION))
        if version == NO_VERSION:
            bucket = self.settings.bundle_bucket
            raise Unavailable(
                f"The versioning of the bundle bucket {bucket} is not enabled. Enable it, then resend the request."
            )
        return version

    @translate_errors
    def remove_bundle(self, plan: PipelineNames, version: str) -> None:
        self.s3.delete_object(**self._bucket, Key=plan.bundle_key, VersionId=version)

    @translate_errors
    def delete_bundle(self, key: str, etag: str) -> None:
        from botocore.exceptions import ClientError

        try:
            self.s3.delete_object(**self._bucket, Key=key, IfMatch=etag)
        except ClientError as error:
            if code(error) in ("NoSuchKey", "404"):  # deleted already
                return
            if code(error) in _PRECONDITION_FAILED:
                raise PreconditionFailed from error
            raise

    @translate_errors
    def list_bundled_pipelines(self, prefix: str, after: str, limit: int) -> tuple[list[str], bool]:
        # "0" follows "/": all of the last page's folders are left behind.
        page: _Page = {"StartAfter": f"{names.bundle_folder(after)}0"} if after else {}
        listed = self.s3.list_objects_v2(
            **self._bucket,
            Prefix=names.bundle_folder(prefix),
            Delimiter="/",
            MaxKeys=limit,
            **page,
        )
        folders = [one["Prefix"] for one in listed.get("CommonPrefixes", [])]
        return [names.of_bundle_folder(folder) for folder in folders], bool(listed["IsTruncated"])

    @property
    def _bucket(self) -> _Bucket:
        """The bundle bucket, on the condition that it is this account's."""
        return {"Bucket": self.settings.bundle_bucket, "ExpectedBucketOwner": self.settings.account}
