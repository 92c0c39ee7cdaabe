# SPDX-License-Identifier: Apache-2.0
"""`AWS::StepFunctions::StateMachineVersion`: a published version of a state machine."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlops.local.cloudformation.resources import Properties, Request, Resource, resource
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError


@resource
class StateMachineVersion:
    type_name = "AWS::StepFunctions::StateMachineVersion"

    def create(self, properties: Properties, request: Request) -> Resource:
        wanted = {
            "stateMachineArn": properties["StateMachineArn"],
            "revisionId": properties.get("StateMachineRevisionId"),
            "description": properties.get("Description"),
        }
        arn = _states(
            request, "publish_state_machine_version", **{name: value for name, value in wanted.items() if value}
        )["stateMachineVersionArn"]
        return Resource(arn, {"Arn": arn})

    def update(self, physical_id: str, old: Properties, new: Properties, request: Request) -> Resource:
        return Resource(physical_id, {"Arn": physical_id})

    def delete(self, physical_id: str, properties: Properties, request: Request) -> None:
        _states(request, "delete_state_machine_version", stateMachineVersionArn=physical_id)


def _states(request: Request, operation: str, **arguments: Any) -> dict[str, Any]:
    client = identity.root_session(request.caller).client("stepfunctions")
    try:
        answer: dict[str, Any] = getattr(client, operation)(**arguments)
    except ClientError as error:
        raise ApiError(error.response["Error"]["Code"], error.response["Error"]["Message"]) from error
    return answer
