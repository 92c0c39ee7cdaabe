# SPDX-License-Identifier: Apache-2.0
"""S3: what AWS refuses and ministack lets through."""

from __future__ import annotations

from mlops.local.ministack import router, s3


def install() -> None:
    router.answer_first("s3", _refuse_other_owner)


def _refuse_other_owner(request: router.Request) -> router.Response | None:
    """A caller that says whose a bucket is gets no other account's."""
    expected = request.headers.get("x-amz-expected-bucket-owner")
    bucket, owner = s3.bucket_and_owner(request.path)
    if not expected or not owner or expected == owner:
        return None
    refusal = (
        f"<Error><Code>AccessDenied</Code><Message>Access Denied</Message><BucketName>{bucket}</BucketName></Error>"
    )
    return 403, {"Content-Type": "application/xml"}, b"" if request.method == "HEAD" else refusal.encode()
