# SPDX-License-Identifier: Apache-2.0
"""The networks that jobs and models are to run in: nothing runs there, but they must exist, as on AWS.

SageMaker makes network interfaces in the subnets with the execution role, so the role needs permission for that; see
"Execution Role Permissions" in https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html.
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker.service import invalid

_CREATE = "ec2:CreateNetworkInterface"
_MANAGE = ("ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission")
_DESCRIBE = (
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)


def check(holder: dict[str, Any], role_arn: str, caller: Caller) -> None:
    """Refuse a VpcConfig that EC2 doesn't know, or in which the execution role cannot make network interfaces.

    `holder` is the part of a request that may have a VpcConfig.
    """
    network = holder.get("VpcConfig")
    if not network:
        return
    ec2 = identity.root_session(caller).client("ec2")
    try:
        ec2.describe_subnets(SubnetIds=network["Subnets"])
        ec2.describe_security_groups(GroupIds=network["SecurityGroupIds"])
    except ClientError as error:
        raise invalid(error.response["Error"]["Message"]) from error
    try:
        _authorize(network, Caller(caller.account_id, caller.region, identity.session_arn(role_arn, "SageMaker")))
    except ApiError as error:
        raise invalid(error.message) from error


def _authorize(network: dict[str, Any], role: Caller) -> None:
    """Raise ApiError unless a role may do in a network what SageMaker does there."""
    own = f"arn:aws:ec2:{role.region}:{role.account_id}"
    interfaces = f"{own}:network-interface/*"
    subnets = [f"{own}:subnet/{name}" for name in network["Subnets"]]
    groups = [f"{own}:security-group/{name}" for name in network["SecurityGroupIds"]]
    for action in _DESCRIBE:
        identity.authorize(role, action)
    identity.authorize(role, _CREATE, [interfaces, *subnets, *groups])
    for subnet in subnets:
        for action in _MANAGE:
            identity.authorize(role, action, [interfaces], {"ec2:Subnet": subnet})
