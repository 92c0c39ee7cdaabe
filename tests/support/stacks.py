# SPDX-License-Identifier: Apache-2.0
"""CloudFormation stacks of an account: made, and looked at once they have settled."""

from __future__ import annotations

import json
from typing import Any

from tests.support.laptop import Account
from tests.support.naming import unique
from tests.support.waiting import wait_for


def deployed(account: Account, template: dict[str, Any], **more: Any) -> tuple[str, str, str]:
    """(stack name, status, reasons of what failed) once it is settled."""
    name = unique("stack")
    account.client("cloudformation").create_stack(
        StackName=name, TemplateBody=json.dumps(template), **{"Capabilities": ["CAPABILITY_IAM"], **more}
    )
    return name, *settled(account, name)


def settled(account: Account, name: str) -> tuple[str, str]:
    """(status, reasons of what failed) once no operation is in progress."""
    cloudformation = account.client("cloudformation")

    def status() -> str | None:
        now: str = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        return None if now.endswith("IN_PROGRESS") else now

    ended = wait_for(status)
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    return ended, "\n".join(
        event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"].endswith("FAILED")
    )


def outputs(account: Account, name: str) -> dict[str, str]:
    stack = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", [])}
