# SPDX-License-Identifier: Apache-2.0
"""Custom resource of the main stack: fails the installation if a parameter names something unusable.

In: the parameters that name existing resources. Out: success, or failure with every problem.
"""

import logging
from collections.abc import Iterator
from typing import Any

import boto3
from _custom_resource import DENIALS, DeniedCallRetries, Refused, serve
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger()
DEPLOYED_STACKS = "mlops-pipeline"  # as in mlops/defaults.py; a test compares them
MOST_DATA_BUCKETS = 10
MOST_CHARACTERS = 400  # of all names, with commas; more would exceed the boundary's size


def handler(event: dict[str, Any], context: Any) -> None:
    """Check the properties of an InstallCheck. A deletion always succeeds."""
    serve(event, context, work, "install-check")


def work(event: dict[str, Any], retries: DeniedCallRetries) -> str:
    if event["RequestType"] == "Delete":
        return "Nothing to check"
    if event["RequestType"] == "Update" and is_rolled_back(event):
        return "Not checked: the stack is rolling back"
    if problems := list(check(event["ResourceProperties"], retries)):
        raise Refused(" ".join(problems))
    return "All checks passed"


def is_rolled_back(event: dict[str, Any]) -> bool:
    """Whether CloudFormation is rolling back an update.

    A failure would then leave the stack in UPDATE_ROLLBACK_FAILED, even if the resource had become unusable before the
    update.
    """
    try:
        cloudformation = boto3.client("cloudformation", region_name=event["ResourceProperties"]["Region"])
        (own,) = cloudformation.describe_stacks(StackName=event["StackId"])["Stacks"]
    except (BotoCoreError, ClientError):
        logger.exception("Cannot read the status of the stack; checking everything")
        return False
    return str(own["StackStatus"]).startswith("UPDATE_ROLLBACK")


def check(properties: dict[str, Any], retries: DeniedCallRetries) -> Iterator[str]:
    """Every problem, with its solution."""
    region = properties["Region"]
    supported = properties["SupportedRegions"]
    if region not in supported:
        yield f"{region} is not supported: it lacks a service or a resource type. Supported: {', '.join(supported)}."
        return
    yield from check_stack_name(properties["StackName"])
    yield from check_distribution(properties)
    buckets = Buckets(region, properties["Account"], retries)
    key = properties.get("AssetsBucketKmsKeyArn", "")
    if name := properties.get("ExistingS3Bucket"):
        yield from (f"ExistingS3Bucket: {problem}" for problem in buckets.check(name) or buckets.check_key(name, key))
    elif key:
        yield "AssetsBucketKmsKeyArn: requires ExistingS3Bucket, which is blank. Set both parameters, or neither."
    names = [name for name in properties.get("DataBuckets", []) if name]
    if len(names) > MOST_DATA_BUCKETS:
        yield f"DataBuckets: has {len(names)} buckets; the maximum is {MOST_DATA_BUCKETS}."
    elif (length := len(",".join(names))) > MOST_CHARACTERS:
        yield f"DataBuckets: has {length} characters; the maximum is {MOST_CHARACTERS}."
    for name in names[:MOST_DATA_BUCKETS]:
        yield from (f"DataBuckets: {problem}" for problem in buckets.check(name))
    if repository := properties.get("ExistingECRRepo"):
        yield from check_repository(repository, region, retries)


def check_stack_name(name: str) -> Iterator[str]:
    """Permissions on pipelines go by the stack name, so this stack's name must not match."""
    if name.lower().startswith(DEPLOYED_STACKS):
        yield (
            f"Stack names that start with {DEPLOYED_STACKS} are reserved for pipelines. "
            "Use another stack name, for example mlops-orchestrator."
        )


def check_distribution(properties: dict[str, Any]) -> Iterator[str]:
    """The permissions boundary denies access to the distribution buckets, so they cannot contain data."""
    given = {"ExistingS3Bucket": [properties.get("ExistingS3Bucket")], "DataBuckets": properties.get("DataBuckets", [])}
    for parameter, names in given.items():
        for name in names:
            if name and name in properties.get("DistributionBuckets", []):
                yield (
                    f"{parameter}: {name} contains the installed code, which pipelines are not allowed to access. "
                    "Use another bucket."
                )


class Buckets:
    """Existing buckets, which must be in this account and region."""

    def __init__(self, region: str, account: str, retries: DeniedCallRetries) -> None:
        self.region, self.account, self.retries = region, account, retries
        self.s3 = boto3.client("s3", region_name=region)

    def check(self, name: str) -> list[str]:
        """The problems of a bucket: it must exist in this account and region."""
        try:
            head = self.retries.call(self.s3.head_bucket, Bucket=name, ExpectedBucketOwner=self.account)
        except ClientError as error:
            return [self.explain(name, error)]
        except BotoCoreError as error:
            return [f"the bucket {name} cannot be reached: {error}."]
        found_in = head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", self.region)
        if found_in != self.region:
            return [f"the bucket {name} is in {found_in}; SageMaker requires a bucket in {self.region}."]
        return []

    def check_key(self, name: str, given: str) -> list[str]:
        """The problems of a bucket's key: roles of pipelines can only use the customer managed key that is given."""
        try:
            has = self.customer_key(name)
            if not has or (given and self.is_key(has, given)):
                return []
        except ClientError as error:
            return [f"the encryption of the bucket {name} cannot be read: {error}."]
        return [
            f"the bucket {name} is encrypted with the key {has}, which pipelines are not allowed to use. Set "
            f"AssetsBucketKmsKeyArn to the ARN of this key{f', not {given}' if given else ''}, or leave "
            "ExistingS3Bucket blank to create a bucket."
        ]

    def is_key(self, has: str, given: str) -> bool:
        """Whether a bucket's key, which can be an ARN, an id or an alias, is the key with a given ARN."""
        if "alias/" not in has:
            return has == given or given.endswith(f":kms:{self.region}:{self.account}:key/{has}")
        kms = boto3.client("kms", region_name=self.region)
        try:
            return bool(self.retries.call(kms.describe_key, KeyId=has)["KeyMetadata"]["Arn"] == given)
        except ClientError as error:
            if error.response["Error"]["Code"] in DENIALS:  # only the given key can be described
                return False
            raise

    def customer_key(self, name: str) -> str:
        """The customer managed key that encrypts new objects; empty if there is none."""
        try:
            bucket = {"Bucket": name, "ExpectedBucketOwner": self.account}
            found = self.retries.call(self.s3.get_bucket_encryption, **bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError":
                return ""
            raise
        rules = found["ServerSideEncryptionConfiguration"]["Rules"]
        keys = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "") for rule in rules]
        return next((key for key in keys if key and not key.endswith("alias/aws/s3")), "")

    def explain(self, name: str, error: ClientError) -> str:
        """A HEAD response has no body, so the error has only a status."""
        status = error.response["ResponseMetadata"].get("HTTPStatusCode")
        if status == 404:
            return f"the bucket {name} does not exist."
        if status in (301, 400):
            return f"the bucket {name} is not in {self.region}."
        if status == 403:
            return f"access to the bucket {name} is denied: another account owns it, or its policy denies access."
        return f"the bucket {name} cannot be used: {error}."


def check_repository(name: str, region: str, retries: DeniedCallRetries) -> Iterator[str]:
    """The image repository must exist in this account and region."""
    try:
        ecr = boto3.client("ecr", region_name=region)
        retries.call(ecr.list_images, repositoryName=name, maxResults=1)
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            yield (
                f"ExistingECRRepo: the repository {name} does not exist in {region}. "
                "Correct the name, or leave ExistingECRRepo blank to create a repository."
            )
        else:
            yield f"ExistingECRRepo: the repository {name} cannot be used: {error}."
