# SPDX-License-Identifier: Apache-2.0
"""Custom resource of the main stack that is deleted before everything else: no deletion while there are pipelines.

Without the main stack nobody could delete them: CloudFormation works on them with a role of it, and their own roles
keep the permissions boundary from being deleted.

In: the role that CloudFormation works with on pipelines. Out: success, or failure with the pipelines that are left.
"""

from typing import Any

from _custom_resource import Patience, Refused, serve

NAMED = 5
DELIVERY = "-codepipeline"  # chalicelib/planning/names.py has it, too; a test compares them
ANYWAY = (
    "To delete the stack although this fails, delete it again and retain this resource "
    "(aws cloudformation delete-stack --retain-resources {})."
)


def handler(event: dict[str, Any], context: Any) -> None:
    """Fail the deletion of the stack while pipelines need it; all else succeeds."""
    serve(event, context, work, "guard-pipelines")


def work(event: dict[str, Any], patience: Patience) -> str:
    if event["RequestType"] != "Delete":
        return "Nothing to do"
    try:
        return check(event, patience)
    except Refused:
        raise
    except Exception as error:
        how = ANYWAY.format(event["LogicalResourceId"])
        raise Refused(f"Whether there are pipelines is not known: {type(error).__name__}: {error} {how}") from error


def check(event: dict[str, Any], patience: Patience) -> str:
    """Raise Refused if the stack is being deleted and has pipelines."""
    # Here, so that an installation does not wait for it.
    import boto3
    from botocore.config import Config

    region, role = event["ResourceProperties"]["Region"], event["ResourceProperties"]["CloudFormationRole"]
    config = Config(retries={"mode": "standard", "total_max_attempts": 8})
    cloudformation = boto3.client("cloudformation", region_name=region, config=config)
    (own,) = patience.call(cloudformation.describe_stacks, StackName=event["StackId"])["Stacks"]
    if own["StackStatus"] != "DELETE_IN_PROGRESS":
        return f"The stack is {own['StackStatus']}: what is deleted now was never used, or has been replaced"
    left = pipelines(cloudformation, role, patience)
    if not left:
        return "There are no pipelines"
    named, more = ", ".join(left[:NAMED]), len(left) - NAMED
    raise Refused(
        f"{len(left)} pipeline{'s' * (len(left) != 1)} left: {named}{f' and {more} more' if more > 0 else ''}. "
        "They need roles of this stack. Delete each first (mlops delete NAME, or the stack NAME and then the stack "
        f"NAME{DELIVERY}), then delete this stack again."
    )


def pipelines(cloudformation: Any, role: str, patience: Patience) -> list[str]:
    """The pipelines that CloudFormation needs the role for, be it for their stack or that of their delivery."""
    found, token = set(), {}
    while True:
        page = patience.call(cloudformation.describe_stacks, **token)
        names = [stack["StackName"] for stack in page["Stacks"] if stack.get("RoleARN") == role]
        found.update(name.removesuffix(DELIVERY) for name in names)
        if not page.get("NextToken"):
            return sorted(found)
        token = {"NextToken": page["NextToken"]}
