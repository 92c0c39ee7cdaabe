# SPDX-License-Identifier: Apache-2.0
"""Custom resource of the main stack, deleted before all other resources: fails the deletion if there are pipelines.

Without the main stack, the pipelines cannot be deleted: CloudFormation needs the main stack's role for them, and the
permissions boundary cannot be deleted while their roles use it.

In: the role that CloudFormation uses for pipelines. Out: success, or failure with the remaining pipelines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from _custom_resource import DeniedCallRetries, Refused, serve

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

NAMED = 5
DELIVERY = "-codepipeline"  # as in chalicelib/names.py; a test compares them
OVERRIDE = (
    "To delete the stack without this check, retry the deletion and retain this resource "
    "(aws cloudformation delete-stack --retain-resources {})."
)


def handler(event: dict[str, Any], context: Any) -> None:
    """Fail the deletion of the stack while pipelines need it; every other event succeeds."""
    serve(event, context, work, "guard-pipelines")


def work(event: dict[str, Any], retries: DeniedCallRetries) -> str:
    if event["RequestType"] != "Delete":
        return "Nothing to do"
    try:
        return check(event, retries)
    except Refused:
        raise
    except Exception as error:
        how = OVERRIDE.format(event["LogicalResourceId"])
        raise Refused(f"Cannot check for pipelines: {type(error).__name__}: {error} {how}") from error


def check(event: dict[str, Any], retries: DeniedCallRetries) -> str:
    """Raise Refused if the stack is being deleted and has pipelines."""
    # Imported here, so that an installation does not spend time on it.
    import boto3
    from botocore.config import Config

    region, role = event["ResourceProperties"]["Region"], event["ResourceProperties"]["CloudFormationRole"]
    config = Config(retries={"mode": "standard", "total_max_attempts": 8})
    cloudformation = boto3.client("cloudformation", region_name=region, config=config)
    (own,) = retries.call(cloudformation.describe_stacks, StackName=event["StackId"])["Stacks"]
    if own["StackStatus"] != "DELETE_IN_PROGRESS":
        return f"Not checked: the stack is {own['StackStatus']}, not being deleted"
    left = pipelines(cloudformation, role, retries)
    if not left:
        return "No pipelines"
    named, more = ", ".join(left[:NAMED]), len(left) - NAMED
    raise Refused(
        f"{len(left)} pipeline{'s' * (len(left) != 1)} left: {named}{f' and {more} more' if more > 0 else ''}. "
        "They require roles of this stack. Delete each pipeline (mlops delete NAME, or the stack NAME and then the "
        f"stack NAME{DELIVERY}), then retry the deletion of this stack."
    )


def pipelines(cloudformation: CloudFormationClient, role: str, retries: DeniedCallRetries) -> list[str]:
    """The pipelines with a delivery stack or a deployed stack that uses the role."""
    found: set[str] = set()
    token: dict[str, str] = {}
    while True:
        page = retries.call(cloudformation.describe_stacks, **token)
        names = [stack["StackName"] for stack in page["Stacks"] if stack.get("RoleARN") == role]
        found.update(name.removesuffix(DELIVERY) for name in names)
        if not page.get("NextToken"):
            return sorted(found)
        token = {"NextToken": page["NextToken"]}
