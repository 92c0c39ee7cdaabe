# SPDX-License-Identifier: Apache-2.0
"""The networks that jobs and models are to run in: nothing runs there, but they must exist, as on AWS."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker.service import invalid


def check(request: dict[str, Any], caller: Caller) -> None:
    """Refuse a VpcConfig whose subnets or security groups EC2 doesn't know."""
    network = request.get("VpcConfig")
    if not network:
        return
    ec2 = identity.root_session(caller).client("ec2")
    try:
        ec2.describe_subnets(SubnetIds=network["Subnets"])
        ec2.describe_security_groups(GroupIds=network["SecurityGroupIds"])
    except ClientError as error:
        raise invalid(error.response["Error"]["Message"]) from error
