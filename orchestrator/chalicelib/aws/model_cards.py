# SPDX-License-Identifier: Apache-2.0
"""SageMaker Model Cards, and what their content is filled in from. Imported when a model card is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chalicelib.aws.calls import Calls, code, translate_errors
from chalicelib.aws.port import Document
from chalicelib.errors import RETRY_AFTER, BadRequest, Conflict, NotFound

PAGE = 100
_NOT_FOUND = ("ResourceNotFound", "ResourceNotFoundException")
_LOGGED = "ResponseMetadata"


class ModelCards:
    """Calls to SageMaker and S3, over a connection that others use, too.

    Those that write raise BadRequest for what SageMaker refuses in the content, Conflict where the card is busy, exists
    already or would be one too many, and NotFound.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    @property
    def _sagemaker(self) -> Any:
        return self._calls.sagemaker

    def create(self, name: str, content: str, status: str, kms_key_arn: str) -> None:
        """Create a card."""
        security = {"SecurityConfig": {"KmsKeyId": kms_key_arn}} if kms_key_arn else {}
        create = self._sagemaker.create_model_card
        arguments = {"ModelCardName": name, "Content": content, "ModelCardStatus": status, **security}
        _write(lambda: create(**arguments), name, taken=f"There is already a model card {name}.")

    def update(self, name: str, **change: str) -> None:
        """Change the Content or the ModelCardStatus of a card; SageMaker takes one in a call."""
        _write(lambda: self._sagemaker.update_model_card(ModelCardName=name, **change), name)

    def delete(self, name: str) -> None:
        """Begin to delete a card."""
        _write(lambda: self._sagemaker.delete_model_card(ModelCardName=name), name)

    @translate_errors
    def card(self, name: str, version: int | None = None) -> Document | None:
        """A card, or one version of it; None where there is none."""
        given = {"ModelCardVersion": version} if version else {}
        return _document(lambda: self._sagemaker.describe_model_card(ModelCardName=name, **given))

    @translate_errors
    def cards(self, **filters: str) -> list[Document]:
        """The summaries of all cards, the newest first."""
        return self._all("list_model_cards", "ModelCardSummaries", MaxResults=PAGE, **filters)

    @translate_errors
    def versions(self, name: str) -> list[Document]:
        """The summaries of all versions of a card, the newest first."""
        listed = {"ModelCardName": name, "MaxResults": PAGE, "SortOrder": "Descending"}
        return self._all("list_model_card_versions", "ModelCardVersionSummaryList", **listed)

    def export(self, name: str, version: int, job: str, path: str) -> bool:
        """Start an export job; False where there is already one of this name."""
        arguments = {
            "ModelCardName": name,
            "ModelCardVersion": version,
            "ModelCardExportJobName": job,
            "OutputConfig": {"S3OutputPath": path},
        }
        try:
            _write(lambda: self._sagemaker.create_model_card_export_job(**arguments), name)
        except Conflict:
            return False
        return True

    @translate_errors
    def export_job(self, arn: str) -> Document | None:
        """An export job; None where there is none."""
        describe = self._sagemaker.describe_model_card_export_job
        return _document(lambda: describe(ModelCardExportJobArn=arn))

    @translate_errors
    def model(self, name: str) -> Document | None:
        """A SageMaker model; None where there is none."""
        return _document(lambda: self._sagemaker.describe_model(ModelName=name), "ValidationException")

    @translate_errors
    def training_job(self, name: str) -> Document | None:
        """A training job; None where there is none."""
        describe = self._sagemaker.describe_training_job
        return _document(lambda: describe(TrainingJobName=name), "ValidationException")

    @translate_errors
    def file(self, bucket: str, key: str, most: int) -> bytes | None:
        """The first `most` bytes of an object in S3; None where there is none."""
        from botocore.exceptions import ClientError

        owner = self._calls.settings.account
        try:
            found = self._calls.s3.get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=owner)
        except ClientError as error:
            if code(error) == "NoSuchKey":
                return None
            raise
        return found["Body"].read(most)

    def _all(self, operation: str, member: str, **arguments: Any) -> list[Document]:
        pages = self._sagemaker.get_paginator(operation).paginate(**arguments)
        return [_plain(one) for page in pages for one in page[member]]


def _document(call: Callable[[], Any], *absent: str) -> Document | None:
    """What a call returns, dates as ISO 8601; None where there is no such thing, which it may say with other codes."""
    from botocore.exceptions import ClientError

    try:
        found: Document = _plain(call())
        return found
    except ClientError as error:
        if code(error) in (*_NOT_FOUND, *absent):
            return None
        raise


@translate_errors
def _write(call: Callable[[], Any], name: str, taken: str = "") -> None:
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        words = str(error)
        match code(error):
            case "ConflictException":
                busy = f"The model card {name} is being changed. Resend the request."
                raise Conflict(taken or busy, detail=words, retry_after=None if taken else RETRY_AFTER) from error
            case "ResourceLimitExceeded":
                raise Conflict("A SageMaker quota of model cards is reached.", detail=words) from error
            case "ValidationException":
                refused = BadRequest(f"SageMaker refused the model card {name}", [])
                refused.detail = words
                raise refused from error
            case one if one in _NOT_FOUND:
                raise NotFound(f"There is no model card {name}.", detail=words) from error
        raise


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if key != _LOGGED}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value
