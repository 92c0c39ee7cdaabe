# SPDX-License-Identifier: Apache-2.0
"""IAM roles of an account that a service may assume."""

from __future__ import annotations

import json
from typing import Any

from tests.support.laptop import Account
from tests.support.naming import unique


def trusted_role(account: Account, service: str, *statements: dict[str, Any]) -> str:
    """The ARN of a role that `service` may assume, with these statements allowed (default: everything)."""
    iam, name = account.client("iam"), unique("role")
    trust = [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]
    allowed = [{"Effect": "Allow", **statement} for statement in statements] or [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}
    ]
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document(allowed))
    return arn


def document(statements: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
