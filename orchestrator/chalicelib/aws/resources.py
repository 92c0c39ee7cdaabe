# SPDX-License-Identifier: Apache-2.0
"""What a deployed stack holds, asked of the services themselves: CloudFormation does not notice what they delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.aws.calls import Calls, Service, code, translate_errors
from chalicelib.aws.observed import Stack


@dataclass(frozen=True)
class DescribeCall:
    """How a service describes one resource, and how it says that there is none."""

    service: Service
    call: str
    name: str  # the argument that takes the physical id, or what is after its last slash: an endpoint's id is its ARN
    absent: str  # the error's code
    status: str = ""  # the key of its status, where it has one


# What a pipeline is of no use without. Of a type that is not here, a deletion shows when CloudFormation needs it.
LIVE: Mapping[str, DescribeCall] = {
    "AWS::SageMaker::Endpoint": DescribeCall(
        "sagemaker", "describe_endpoint", "EndpointName", "ValidationException", "EndpointStatus"
    ),
    "AWS::StepFunctions::StateMachine": DescribeCall(
        "stepfunctions", "describe_state_machine", "stateMachineArn", "StateMachineDoesNotExist", "status"
    ),
    "AWS::Lambda::Function": DescribeCall(
        "lambda", "get_function_configuration", "FunctionName", "ResourceNotFoundException"
    ),
    "AWS::ApiGateway::RestApi": DescribeCall("apigateway", "get_rest_api", "restApiId", "NotFoundException"),
}


class Resources(Calls):
    """Calls to CloudFormation, and one for each resource."""

    @translate_errors
    def lost(self, stack: Stack) -> list[str]:
        listed = self.cloudformation.describe_stack_resources(StackName=stack.id)["StackResources"]
        held = ((one["ResourceType"], one.get("PhysicalResourceId", "")) for one in listed)
        return [
            f"{kind} {physical.replace(':', '/').rpartition('/')[2]}"
            for kind, physical in sorted(held)
            if kind in LIVE and physical and self._is_gone(LIVE[kind], physical.rpartition("/")[2])
        ]

    def _is_gone(self, describe: DescribeCall, name: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            found = getattr(self.client(describe.service), describe.call)(**{describe.name: name})
        except ClientError as error:
            if code(error) == describe.absent:
                return True
            raise
        return str(found.get(describe.status, "")).lower() == "deleting"
