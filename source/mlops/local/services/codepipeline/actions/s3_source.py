# SPDX-License-Identifier: Apache-2.0
"""The S3 source: one version of one object becomes the artifact every later action reads."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from botocore.exceptions import ClientError

from mlops.local.services.codepipeline.actions.base import ActionFailed, ActionType, Run

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef


def run(action: Run) -> None:
    bucket, key = action.configuration["S3Bucket"], action.configuration["S3ObjectKey"]
    given = _given_revision(action)
    if given.get("S3_OBJECT_KEY"):
        if action.configuration.get("AllowOverrideForS3ObjectKey") != "true":
            raise ActionFailed(
                "The source revision names an object key, and the action does not allow that", "ConfigurationError"
            )
        key = given["S3_OBJECT_KEY"]
    found = _read(action, bucket, key, given.get("S3_OBJECT_VERSION_ID"))
    version = found.get("VersionId")
    if not version or version == "null":
        raise ActionFailed(
            f"The Amazon S3 bucket [{bucket}] is not versioned. Enable versioning on the bucket, and then retry.",
            "ConfigurationError",
        )
    url = (
        f"https://{action.caller.region}.console.aws.amazon.com/s3/object/{bucket}"
        f"?prefix={quote(key)}&versionId={version}"
    )
    summary = f"Amazon S3 version id: {version}"
    action.write_artifact(action.output_names[0], found["Body"].read())
    action.variables.update(BucketName=bucket, ObjectKey=key, ETag=found["ETag"].strip('"'), VersionId=version)
    action.action["currentRevision"] = {
        "revisionId": version,
        "revisionChangeId": version[:100],
        "created": found["LastModified"],
    }
    action.execution["artifactRevisions"].append(
        {
            "name": action.output_names[0],
            "revisionId": version,
            "revisionSummary": summary,
            "created": found["LastModified"],
            "revisionUrl": url,
        }
    )
    action.execution["sourceRevisions"].append(
        {
            "actionName": action.action["actionName"],
            "revisionId": version,
            "revisionSummary": summary,
            "revisionUrl": url,
        }
    )
    action.show(externalExecutionId=version, externalExecutionSummary=summary, externalExecutionUrl=url)


def _given_revision(action: Run) -> dict[str, str]:
    """What StartPipelineExecution asked for."""
    return {
        revision["revisionType"]: revision["revisionValue"]
        for revision in action.execution["requestedRevisions"]
        if revision["actionName"] == action.action["actionName"]
    }


def _read(action: Run, bucket: str, key: str, version: str | None) -> GetObjectOutputTypeDef:
    s3 = action.session.client("s3")
    try:
        if version:
            return s3.get_object(Bucket=bucket, Key=key, VersionId=version)
        return s3.get_object(Bucket=bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("NoSuchBucket", "NoSuchKey", "NoSuchVersion", "404"):
            raise ActionFailed(
                f"The object with key '{key}' does not exist in the bucket '{bucket}'"
                + (f" in version '{version}'" if version else ""),
                "ConfigurationError",
            ) from error
        raise ActionFailed(
            f"The provided role does not have permissions to perform this action on "
            f"s3://{bucket}/{key}: {error.response['Error'].get('Message', code)}",
            "PermissionError",
        ) from error


def _check(configuration: dict[str, str]) -> list[str]:
    return [
        f"'{configuration[key]}' for '{key}', which must be true or false"
        for key in ("PollForSourceChanges", "AllowOverrideForS3ObjectKey")
        if configuration.get(key, "true") not in ("true", "false")
    ]


TYPE = ActionType(
    run=run,
    keys=frozenset({"S3Bucket", "S3ObjectKey", "PollForSourceChanges", "AllowOverrideForS3ObjectKey"}),
    required=frozenset({"S3Bucket", "S3ObjectKey"}),
    outputs=(1, 1),
    check=_check,
)
