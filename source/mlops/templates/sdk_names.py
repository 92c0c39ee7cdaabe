# SPDX-License-Identifier: Apache-2.0
"""How Task states that call an AWS API (`aws-sdk:`) name the members of its requests and responses."""

from __future__ import annotations

import re


def task_member(name: str) -> str:
    """The name in a Task state of a member of an API: `SSEKMSKeyId` is SsekmsKeyId, `stateMachineArn` StateMachineArn.

    Names begin with a capital letter and are otherwise those of the AWS SDK for Java, in which an acronym at the
    beginning is one word. https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
    """
    name = name[0].upper() + name[1:]
    return re.sub(r"^[A-Z]{2,}(?=[A-Z][a-z]|[^A-Za-z]|$)", lambda acronym: acronym[0].capitalize(), name)
