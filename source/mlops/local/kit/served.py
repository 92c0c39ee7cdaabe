# SPDX-License-Identifier: Apache-2.0
"""Which of ministack's services this account answers for.

ministack has many more. No test here holds them to what AWS does, and some return made-up results; so they are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    title: str
    operations: tuple[str, ...] = ()  # those that are served; none: all that ministack has


# by the name in a request's signature
SERVICES: Mapping[str, Service] = {
    "apigateway": Service("API Gateway"),
    "cloudformation": Service("CloudFormation"),
    "ec2": Service(
        "EC2",  # the networks that jobs and models may name
        tuple(
            operation
            for kind in ("Vpc", "Subnet", "SecurityGroup")
            for operation in (f"Create{kind}", f"Delete{kind}", f"Describe{kind}s")
        ),
    ),
    "ecr": Service("ECR"),
    "events": Service("EventBridge"),
    "iam": Service("IAM"),
    "kms": Service("KMS"),
    "lambda": Service("Lambda"),
    "logs": Service("CloudWatch Logs"),
    "monitoring": Service("CloudWatch"),
    "s3": Service("S3"),
    "sns": Service("SNS"),
    "sqs": Service("SQS"),
    "ssm": Service("Systems Manager"),
    "states": Service("Step Functions"),
    "sts": Service("STS"),
}
_OF_ACTIONS = {"cloudwatch": "monitoring"}  # what IAM's actions call a service, where signatures name it otherwise


def has(service: str, operation: str) -> bool:
    """Whether an operation is served; the service is named as in signatures or in IAM's actions."""
    found = SERVICES.get(_OF_ACTIONS.get(service, service))
    return found is not None and (not found.operations or operation in found.operations)
