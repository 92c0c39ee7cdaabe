# SPDX-License-Identifier: Apache-2.0
"""Custom resource of the main stack: fails an installation that is told to use what cannot be used.

In: the parameters that name what exists already. Out: success, or failure with every problem that was found.
"""

import logging
from collections.abc import Iterator
from typing import Any

import boto3
from _custom_resource import DENIALS, Patience, Refused, serve
from botocore.exceptions import BotoCoreError, ClientError

logger = logging.getLogger()
DEPLOYED_STACKS = "mlops-pipeline"  # mlops/defaults.py has it, too; a test compares them
MOST_DATA_BUCKETS, MOST_CHARACTERS = 10, 400  # of all names, with commas: the boundary of roles has room for no more


def handler(event: dict[str, Any], context: Any) -> None:
    """Check the properties of an InstallCheck. There is nothing to delete."""
    serve(event, context, work, "install-check")


def work(event: dict[str, Any], patience: Patience) -> str:
    if event["RequestType"] == "Delete":
        return "Nothing to check"
    if event["RequestType"] == "Update" and is_rolled_back(event):
        return "Nothing is checked: the stack goes back to what it was"
    if problems := list(check(event["ResourceProperties"], patience)):
        raise Refused(" ".join(problems))
    return "All can be used"


def is_rolled_back(event: dict[str, Any]) -> bool:
    """Whether CloudFormation undoes an update. What cannot be used any more then was used before, and a second failure
    would leave the stack in UPDATE_ROLLBACK_FAILED."""
    try:
        cloudformation = boto3.client("cloudformation", region_name=event["ResourceProperties"]["Region"])
        (own,) = cloudformation.describe_stacks(StackName=event["StackId"])["Stacks"]
    except (BotoCoreError, ClientError):
        logger.exception("The state of the stack cannot be read: everything is checked")
        return False
    return str(own["StackStatus"]).startswith("UPDATE_ROLLBACK")


def check(properties: dict[str, Any], patience: Patience) -> Iterator[str]:
    """What cannot be used, and what to do about it."""
    region = properties["Region"]
    supported = properties["SupportedRegions"]
    if region not in supported:
        yield f"{region} is not supported: it lacks a service or a resource type. Supported are {', '.join(supported)}."
        return
    yield from check_stack_name(properties["StackName"])
    yield from check_distribution(properties)
    buckets = Buckets(region, properties["Account"], patience)
    key = properties.get("AssetsBucketKmsKeyArn", "")
    if name := properties.get("ExistingS3Bucket"):
        yield from (f"ExistingS3Bucket: {problem}" for problem in buckets.check(name) or buckets.check_key(name, key))
    elif key:
        yield "AssetsBucketKmsKeyArn: it is the key of ExistingS3Bucket, which is blank. Name the bucket, or no key."
    names = [name for name in properties.get("DataBuckets", []) if name]
    if len(names) > MOST_DATA_BUCKETS:
        yield f"DataBuckets: {len(names)} are named; there can be at most {MOST_DATA_BUCKETS}."
    elif (length := len(",".join(names))) > MOST_CHARACTERS:
        yield f"DataBuckets: the names have {length} characters together; there can be at most {MOST_CHARACTERS}."
    for name in names[:MOST_DATA_BUCKETS]:
        yield from (f"DataBuckets: {problem}" for problem in buckets.check(name))
    if repository := properties.get("ExistingECRRepo"):
        yield from check_repository(repository, region, patience)


def check_stack_name(name: str) -> Iterator[str]:
    """What pipelines may touch is told by its name, and must not be this stack."""
    if name.lower().startswith(DEPLOYED_STACKS):
        yield (
            f"Stack names that start with {DEPLOYED_STACKS} belong to pipelines, which may change and delete them. "
            "Install under another name, for example mlops-orchestrator."
        )


def check_distribution(properties: dict[str, Any]) -> Iterator[str]:
    """The roles made here are denied what is installed from, so it cannot hold their data."""
    given = {"ExistingS3Bucket": [properties.get("ExistingS3Bucket")], "DataBuckets": properties.get("DataBuckets", [])}
    for parameter, names in given.items():
        for name in names:
            if name and name in properties.get("DistributionBuckets", []):
                yield (
                    f"{parameter}: {name} holds the code that is installed, which the roles made here cannot reach. "
                    "Name another bucket."
                )


class Buckets:
    """Existing buckets, which must be of this account and in this region."""

    def __init__(self, region: str, account: str, patience: Patience) -> None:
        self.region, self.account, self.patience = region, account, patience
        self.s3 = boto3.client("s3", region_name=region)

    def check(self, name: str) -> list[str]:
        """Whether there is such a bucket here."""
        try:
            head = self.patience.call(self.s3.head_bucket, Bucket=name, ExpectedBucketOwner=self.account)
        except ClientError as error:
            return [self.explain(name, error)]
        except BotoCoreError as error:
            return [f"the bucket {name} cannot be reached: {error}."]
        found_in = head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", self.region)
        if found_in != self.region:
            return [f"the bucket {name} is in {found_in}, this stack is in {self.region}; SageMaker needs it there."]
        return []

    def check_key(self, name: str, given: str) -> list[str]:
        """Whether roles made here may use the key of the customer's that the bucket encrypts new objects with."""
        try:
            has = self.customer_key(name)
            if not has or (given and self.is_key(has, given)):
                return []
        except ClientError as error:
            return [f"the encryption of the bucket {name} cannot be read: {error}."]
        return [
            f"the bucket {name} is encrypted with your key {has}, which the roles made here may not use. Give the "
            f"key's ARN as AssetsBucketKmsKeyArn{f', not {given}' if given else ''}, or leave ExistingS3Bucket blank "
            "to have a bucket made."
        ]

    def is_key(self, has: str, given: str) -> bool:
        """Whether what a bucket says, which may be an ARN, an id or an alias, is the key of an ARN."""
        if "alias/" not in has:
            return has == given or given.endswith(f":kms:{self.region}:{self.account}:key/{has}")
        kms = boto3.client("kms", region_name=self.region)
        try:
            return bool(self.patience.call(kms.describe_key, KeyId=has)["KeyMetadata"]["Arn"] == given)
        except ClientError as error:
            if error.response["Error"]["Code"] in DENIALS:  # may be described: the given key alone
                return False
            raise

    def customer_key(self, name: str) -> str:
        """The key of the customer's that new objects are encrypted with; empty where S3 has its own."""
        try:
            bucket = {"Bucket": name, "ExpectedBucketOwner": self.account}
            found = self.patience.call(self.s3.get_bucket_encryption, **bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ServerSideEncryptionConfigurationNotFoundError":
                return ""
            raise
        rules = found["ServerSideEncryptionConfiguration"]["Rules"]
        keys = [rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID", "") for rule in rules]
        return next((key for key in keys if key and not key.endswith("alias/aws/s3")), "")

    def explain(self, name: str, error: ClientError) -> str:
        """HEAD has no body, so its error is no more than a status."""
        status = error.response["ResponseMetadata"].get("HTTPStatusCode")
        if status == 404:
            return f"there is no bucket {name}."
        if status in (301, 400):
            return f"the bucket {name} is not in {self.region}."
        if status == 403:
            return f"access to the bucket {name} is denied: it belongs to another account, or its policy forbids it."
        return f"the bucket {name} cannot be used: {error}."


def check_repository(name: str, region: str, patience: Patience) -> Iterator[str]:
    """The image repository must be here."""
    try:
        ecr = boto3.client("ecr", region_name=region)
        patience.call(ecr.list_images, repositoryName=name, maxResults=1)
    except ClientError as error:
        if error.response["Error"]["Code"] == "RepositoryNotFoundException":
            yield (
                f"ExistingECRRepo: there is no repository {name} in {region}. "
                "Correct the name, or leave ExistingECRRepo blank to have one made."
            )
        else:
            yield f"ExistingECRRepo: the repository {name} cannot be used: {error}."
