# SPDX-License-Identifier: Apache-2.0
"""S3: template bundles, written by compare-and-swap."""

from __future__ import annotations

from datetime import UTC, datetime

from chalicelib.aws.calls import Calls, code, translated
from chalicelib.cloud import Moved
from chalicelib.errors import Unavailable
from chalicelib.found import Bundle
from chalicelib.plan import Plan

DIGEST = "request-digest"  # the bundle's metadata key
SETTLED_AFTER = 60  # seconds: twice the function's longest run


class Bundles(Calls):
    """Calls to S3."""

    @translated
    def bundle(self, key: str) -> Bundle | None:
        from botocore.exceptions import ClientError

        try:
            head = self.client("s3").head_object(Bucket=self.settings.assets_bucket, Key=key)
        except ClientError as error:
            if code(error) in ("404", "NoSuchKey", "NotFound"):
                return None
            raise
        age = (datetime.now(UTC) - head["LastModified"]).total_seconds()
        return Bundle(head["Metadata"].get(DIGEST, ""), head["ETag"], head.get("VersionId", ""), age > SETTLED_AFTER)

    @translated
    def put_bundle(self, plan: Plan, replaces: str | None) -> str:
        from botocore.exceptions import ClientError

        condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        try:
            put = self.client("s3").put_object(
                Bucket=self.settings.assets_bucket,
                Key=plan.bundle_key,
                Body=plan.bundle,
                ContentType="application/zip",
                Metadata={DIGEST: plan.digest},
                **condition,
            )
        except ClientError as error:
            if code(error) in ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey", "412", "409"):
                raise Moved from error
            raise
        if "VersionId" not in put:
            bucket = self.settings.assets_bucket
            raise Unavailable(f"The assets bucket {bucket} is not versioned any more: turn its versioning on.")
        return str(put["VersionId"])

    @translated
    def remove_bundle(self, plan: Plan, version: str) -> None:
        bucket = self.settings.assets_bucket
        self.client("s3").delete_object(Bucket=bucket, Key=plan.bundle_key, VersionId=version)
