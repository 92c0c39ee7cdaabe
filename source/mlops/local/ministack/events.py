# SPDX-License-Identifier: Apache-2.0
"""EventBridge."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.services import eventbridge as _eventbridge


def put_event(entry: dict[str, Any]) -> None:
    """Publish an event of a service (`aws.…`) on the default bus."""
    _eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def check_schedules(check: Callable[[str, str], None]) -> None:
    """Call `check(role ARN, target ARN)` before a schedule invokes its target; it may raise, which is logged."""
    invoke = _eventbridge._invoke_target

    def checked(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        if event.get("Source") == "aws.scheduler":
            check(target["RoleArn"], target["Arn"])
        invoke(target, event, rule, view)

    _eventbridge._invoke_target = checked
