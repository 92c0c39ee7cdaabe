# SPDX-License-Identifier: Apache-2.0
"""S3: buckets, objects, and objects that could not be written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ministack.services import s3 as _s3

from mlops.local.ministack import context

_ENCRYPTION = "x-amz-server-side-encryption"
_KEY = "x-amz-server-side-encryption-aws-kms-key-id"
_unkept: set[tuple[str, str, str]] = set()  # account, bucket and key of what could not be written
_failures: ContextVar[list[OSError] | None] = ContextVar("failures", default=None)


def bucket_and_owner(path: str) -> tuple[str, str | None]:
    """The bucket that a request is for, and the account that owns it, if there is one."""
    bucket, _ = _s3._parse_bucket_key(path, {})
    return bucket, _s3._bucket_owner_account(bucket)


def has_object(bucket: str, key: str, version: str | None) -> bool:
    if version:
        versions = _s3._object_versions.get((bucket, key), [])
        return any(one["version_id"] == version for one in versions)
    held = _s3._buckets.get(bucket)
    return held is not None and key in held["objects"]


def has_objects(bucket: str) -> bool:
    """Whether a bucket holds an object, a version or a delete marker."""
    held = _s3._buckets.get(bucket)
    return held is not None and bool(held["objects"] or _s3._bucket_has_versions(bucket))


def log_failed_writes() -> None:
    """Once, before the first request: from now on `failed_writes` and `keep_objects` know of them."""
    _s3.logger.setLevel(logging.WARNING)
    _s3.logger.propagate = False
    _s3.logger.addHandler(_FailedWrites())


def accept_the_managed_key() -> None:
    """Once: `aws:kms` without a key means S3's own key of the account, as on AWS; ministack refuses it."""
    resolve = _s3._resolve_sse_write_headers

    def with_key(headers: dict[str, str], bucket_name: str) -> Any:
        if headers.get(_ENCRYPTION) == "aws:kms" and not headers.get(_KEY):
            account_id, region = context.current_scope()
            headers = {**headers, _KEY: f"arn:aws:kms:{region}:{account_id}:alias/aws/s3"}
        return resolve(headers, bucket_name)

    _s3._resolve_sse_write_headers = with_key


class _FailedWrites(logging.Handler):
    """ministack logs that an object could not be written, and answers 200: here it is noticed."""

    def emit(self, record: logging.LogRecord) -> None:
        match record.args:
            case (str(bucket), str(key), OSError() as error):
                _unkept.add((context.current_scope()[0], bucket, key))
                failures = _failures.get()
                if failures is not None:
                    failures.append(error)


@contextmanager
def failed_writes() -> Iterator[list[OSError]]:
    """Collects the writes of objects that fail in here."""
    failures: list[OSError] = []
    token = _failures.set(failures)
    try:
        yield failures
    finally:
        _failures.reset(token)


def keep_objects() -> None:
    """Write the objects that could not be written before; OSError where they still cannot."""
    for account_id, bucket, key in list(_unkept):
        with context.scope(account_id, context.current_scope()[1]), failed_writes() as failures:
            held = _s3._buckets.get(bucket)
            if held is not None:
                _s3._persist_version_state(bucket, key, held)
        if failures:
            raise failures[0]
        _unkept.discard((account_id, bucket, key))
