# SPDX-License-Identifier: Apache-2.0
"""S3: what AWS refuses and ministack lets through."""

from __future__ import annotations

from typing import Any

from mlops.local.ministack import router, s3


def install() -> None:
    router.wrap_service("s3", _expect_bucket_owner)


def _expect_bucket_owner(handler: router.Handler) -> router.Handler:
    """A caller that says whose a bucket is gets no other account's."""

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> router.Response:
        expected = headers.get("x-amz-expected-bucket-owner")
        bucket, owner = s3.bucket_and_owner(path)
        if expected and owner and expected != owner:
            refusal = (
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message>"
                f"<BucketName>{bucket}</BucketName></Error>"
            )
            return 403, {"Content-Type": "application/xml"}, b"" if method == "HEAD" else refusal.encode()
        return await handler(method, path, headers, body, query)

    return handle
