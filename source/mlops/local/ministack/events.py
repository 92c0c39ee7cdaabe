# SPDX-License-Identifier: Apache-2.0
"""EventBridge."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ministack.services import eventbridge as _eventbridge


def put_event(entry: dict[str, Any]) -> None:
    """Publish an event of a service (`aws.…`) on the default bus."""
    _eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def check_targets(may_invoke: Callable[[dict[str, Any], dict[str, Any]], bool]) -> None:
    """Invoke a rule's target only if `may_invoke(target, rule)`."""
    invoke = _eventbridge._invoke_target

    def checked(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
        if may_invoke(target, rule):
            invoke(target, event, rule, view)

    _eventbridge._invoke_target = checked


def is_cron(expression: str) -> bool:
    """Whether an expression is one of AWS's `cron(…)`, with six fields."""
    return _eventbridge._parse_cron_fields(expression) is not None


def next_of_cron(expression: str, after: datetime) -> datetime | None:
    """The first minute after `after` that a cron expression names, both without a time zone; None: never again."""
    found: datetime | None = _eventbridge._cron_next_fire(_eventbridge._parse_cron_fields(expression), after)
    return found and found.replace(tzinfo=None)
