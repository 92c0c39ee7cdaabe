# SPDX-License-Identifier: Apache-2.0
"""CloudFormation: the delivery and the deployed stacks."""

from __future__ import annotations

from typing import Any

from chalicelib.aws.calls import Calls, code, is_no_such_stack, translate_errors
from chalicelib.aws.observed import Stack
from chalicelib.aws.port import AlreadyExists
from chalicelib.planning.plan import Plan


class Stacks(Calls):
    """Calls to CloudFormation."""

    @translate_errors
    def stack(self, name: str) -> Stack | None:
        from botocore.exceptions import ClientError

        try:
            found = self.cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if is_no_such_stack(error):
                return None
            raise
        return Stack(
            id=found["StackId"],
            name=found["StackName"],
            status=found["StackStatus"],
            parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
            outputs={one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])},
            tags={one["Key"]: one["Value"] for one in found.get("Tags", [])},
            role=found.get("RoleARN", ""),
            reason=found.get("StackStatusReason", ""),
            created=found["CreationTime"].timestamp(),
            protected=found.get("EnableTerminationProtection", False),
        )

    @translate_errors
    def create_delivery(self, plan: Plan) -> str:
        from botocore.exceptions import ClientError

        try:
            created = self.cloudformation.create_stack(
                **self._delivery(plan),
                OnFailure="DO_NOTHING",
                Tags=[{"Key": key, "Value": value} for key, value in plan.tags.items()],
            )
        except ClientError as error:
            if code(error) == "AlreadyExistsException":
                raise AlreadyExists from error
            raise
        return str(created["StackId"])

    @translate_errors
    def update_delivery(self, plan: Plan) -> bool:
        from botocore.exceptions import ClientError

        try:
            self.cloudformation.update_stack(**self._delivery(plan))
        except ClientError as error:
            if "No updates are to be performed" in str(error):
                return False
            raise
        return True

    @translate_errors
    def delete_stack(self, stack: Stack) -> None:
        self.cloudformation.delete_stack(StackName=stack.id, RoleARN=self.settings.cfn_role_arn)

    @translate_errors
    def continue_rollback(self, stack: Stack) -> None:
        client = self.cloudformation
        undo = client.rollback_stack if stack.status == "UPDATE_FAILED" else client.continue_update_rollback
        undo(StackName=stack.id, RoleARN=self.settings.cfn_role_arn)

    @translate_errors
    def first_failure(self, stack: Stack, since: float, until: float | None = None) -> str:
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(
            StackName=stack.id, PaginationConfig={"MaxItems": 300}
        )
        first = ""
        for event in (event for page in pages for event in page["StackEvents"]):  # the newest first
            if event["Timestamp"].timestamp() < since:
                break
            if until is not None and event["Timestamp"].timestamp() > until:
                continue
            itself = event["PhysicalResourceId"] == event["StackId"]
            if itself and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"):
                break  # where the last operation began
            reason = event.get("ResourceStatusReason", "")
            if event["ResourceStatus"].endswith("_FAILED") and not itself and "cancelled" not in reason:
                first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
        return first

    def _delivery(self, plan: Plan) -> dict[str, Any]:
        return {
            "StackName": plan.delivery_stack,
            "TemplateBody": plan.delivery_template,
            "Parameters": [
                {"ParameterKey": key, "ParameterValue": value} for key, value in plan.delivery_parameters.items()
            ],
            "Capabilities": ["CAPABILITY_IAM"],
            "RoleARN": self.settings.cfn_role_arn,
        }
