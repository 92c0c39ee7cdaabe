# SPDX-License-Identifier: Apache-2.0
"""Custom resource of the main stack: fails an installation that is told to use what cannot be used.

CloudFormation waits for an answer and shows its reason, so whatever happens here, one is sent.
"""

import json
import logging
import urllib.request
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger()
logger.setLevel(logging.INFO)

DEPLOYED_STACKS = "mlops-pipeline"
REASON_LIMIT = 1_000


class Unusable(Exception):
    """The installation cannot go on; the message says why, and what to do."""


def handler(event: dict[str, Any], context: Any) -> None:
    """Check the properties of an InstallCheck. There is nothing to delete."""
    status, reason = "SUCCESS", "All can be used"
    try:
        if event["RequestType"] != "Delete":
            check(event["ResourceProperties"])
    except Unusable as problem:
        status, reason = "FAILED", str(problem)
    except Exception as error:  # an unanswered request would keep CloudFormation waiting for an hour
        logger.exception("The check itself failed")
        status, reason = "FAILED", f"The check itself failed: {type(error).__name__}: {error}"
    answer(event, status, reason)


def check(properties: dict[str, str]) -> None:
    """Raise Unusable for the first thing that cannot be used."""
    check_stack_name(properties["StackName"])
    if bucket := properties.get("ExistingS3Bucket"):
        check_bucket(bucket, properties["Region"], properties["Account"])
    if repository := properties.get("ExistingECRRepo"):
        check_repository(repository, properties["Region"])


def check_stack_name(name: str) -> None:
    """What pipelines may touch is told by its name, and must not be this stack."""
    if name.lower().startswith(DEPLOYED_STACKS):
        raise Unusable(
            f"Stack names that start with {DEPLOYED_STACKS} belong to pipelines, which may change and delete them. "
            "Install under another name, for example mlops-orchestrator."
        )


def check_bucket(name: str, region: str, account: str) -> None:
    """The assets bucket must be ours, here, versioned (a pipeline runs one version of its bundle), and readable."""
    s3 = boto3.client("s3", region_name=region)
    bucket = {"Bucket": name, "ExpectedBucketOwner": account}
    try:
        found_in = s3.head_bucket(**bucket)["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
        versioning = s3.get_bucket_versioning(**bucket).get("Status")
        key = customer_key(s3, bucket)
    except ClientError as error:
        raise Unusable(f"ExistingS3Bucket: {explain_bucket(name, region, error)}") from error
    except BotoCoreError as error:
        raise Unusable(f"ExistingS3Bucket: the bucket {name} cannot be reached: {error}") from error
    if found_in != region:
        raise Unusable(f"ExistingS3Bucket: the bucket {name} is in {found_in}, this stack is in {region}.")
    if versioning != "Enabled":
        raise Unusable(
            f"ExistingS3Bucket: the bucket {name} is not versioned. Enable versioning on it "
            f"(aws s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled), "
            "or leave ExistingS3Bucket blank to have a bucket made."
        )
    if key:
        raise Unusable(
            f"ExistingS3Bucket: the bucket {name} is encrypted with your key {key}, which the roles made here may not "
            "use. Set its default encryption to SSE-S3 or to the key aws/s3, or leave ExistingS3Bucket blank to have a "
            "bucket made."
        )


def customer_key(s3: Any, bucket: dict[str, str]) -> str:
    """The key of the customer's that new objects are encrypted with; empty where S3 has its own."""
    try:
        rules = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError":
            return ""
        raise
    keys = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "") for rule in rules]
    return next((key for key in keys if key and not key.endswith("alias/aws/s3")), "")


def explain_bucket(name: str, region: str, error: ClientError) -> str:
    """HEAD has no body, so its error is no more than a status."""
    status = error.response["ResponseMetadata"].get("HTTPStatusCode")
    if status == 404:
        return f"there is no bucket {name}."
    if status in (301, 400):
        return f"the bucket {name} is not in {region}."
    if status == 403:
        return f"access to the bucket {name} is denied: it belongs to another account, or its policy forbids it."
    return f"the bucket {name} cannot be used: {error}"


def check_repository(name: str, region: str) -> None:
    """The image repository must be here."""
    try:
        boto3.client("ecr", region_name=region).list_images(repositoryName=name, maxResults=1)
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            raise Unusable(
                f"ExistingECRRepo: there is no repository {name} in {region}. "
                "Correct the name, or leave ExistingECRRepo blank to have one made."
            ) from error
        raise Unusable(f"ExistingECRRepo: the repository {name} cannot be used: {error}") from error


def answer(event: dict[str, Any], status: str, reason: str) -> None:
    """Put the answer where CloudFormation waits for it."""
    logger.info("%s %s: %s", event["RequestType"], status, reason)
    body = {
        "Status": status,
        "Reason": reason[:REASON_LIMIT],
        "PhysicalResourceId": event.get("PhysicalResourceId", "install-check"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own presigned URL
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    urllib.request.urlopen(request, timeout=20).close()  # noqa: S310
