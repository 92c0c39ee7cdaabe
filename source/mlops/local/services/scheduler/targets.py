# SPDX-License-Identifier: Apache-2.0
"""What a schedule can start, with the role that its target names.

A target that refuses is not tried again: nobody is told, as on AWS, but the metric TargetErrorCount in the namespace
AWS/Scheduler, and this account's log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudwatch
from mlops.local.services.scheduler.records import GROUP, PRINCIPAL, group_arn
from mlops.local.state.store import Record

_LOG = logging.getLogger(__name__)
_NOT_HERE = ("DeadLetterConfig", "EcsParameters", "EventBridgeParameters", "KinesisParameters")


def _start_execution(session: boto3.Session, arn: str, payload: str) -> None:
    session.client("stepfunctions").start_execution(stateMachineArn=arn, input=payload)


def _invoke_function(session: boto3.Session, arn: str, payload: str) -> None:
    session.client("lambda").invoke(FunctionName=arn, InvocationType="Event", Payload=payload)


_STARTS: Mapping[str, Callable[[boto3.Session, str, str], None]] = {
    "states": _start_execution,
    "lambda": _invoke_function,
}


def check(target: Mapping[str, Any]) -> None:
    """Raise a ValueError for a target that this account cannot start."""
    if target["Arn"].count(":") < 5:
        raise ValueError(f"Provided Arn is not in correct format: {target['Arn']}.")
    service = target["Arn"].split(":")[2]
    if service not in _STARTS:
        raise ValueError(f"The laptop account does not support schedules that start {target['Arn']}.")
    for member in _NOT_HERE:
        if member in target:
            raise ValueError(f"The laptop account does not support {member}.")


def start(schedule: Record, caller: Caller) -> None:
    """Start the target of a schedule that is due."""
    target = schedule["Target"]
    _count("InvocationAttemptCount")
    try:
        session = identity.role_session(target["RoleArn"], PRINCIPAL, caller, group_arn(caller))
        _STARTS[target["Arn"].split(":")[2]](session, target["Arn"], target.get("Input", "{}"))
    except (ClientError, BotoCoreError, ApiError) as error:
        _count("TargetErrorCount")
        _LOG.warning("the schedule %s could not start its target: %s", schedule["Name"], error)


def _count(metric: str) -> None:
    cloudwatch.record_metric("AWS/Scheduler", metric, [1.0], "Count", {"ScheduleGroup": GROUP})
