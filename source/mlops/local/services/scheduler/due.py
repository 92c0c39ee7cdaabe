# SPDX-License-Identifier: Apache-2.0
"""When a schedule is due: rate(), cron() and at() expressions in a time zone, between a start and an end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mlops.local.ministack import events

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_AT = re.compile(r"at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)")


class NotASchedule(ValueError):
    """The message says which member is wrong."""


def check(schedule: Mapping[str, Any]) -> None:
    """Raise NotASchedule for an expression or a time zone that nobody can read."""
    next_time(schedule, datetime.now(UTC))


def next_time(schedule: Mapping[str, Any], after: datetime) -> datetime | None:
    """The first moment after `after` at which a schedule is due, whatever its State; None: never again."""
    start, end = schedule.get("StartDate"), schedule.get("EndDate")
    if start is not None and after < start:
        after = start - timedelta(microseconds=1)
    found = _next(schedule, after)
    return None if found is None or (end is not None and found > end) else found


def _next(schedule: Mapping[str, Any], after: datetime) -> datetime | None:
    expression, zone = schedule["ScheduleExpression"], _zone(schedule["ScheduleExpressionTimezone"])
    if at := _AT.fullmatch(expression):
        try:
            moment = datetime.fromisoformat(at[1]).replace(tzinfo=zone)
        except ValueError as error:
            raise NotASchedule(f"Invalid Schedule Expression {expression}.") from error
        return moment if moment > after else None
    if rate := _RATE.fullmatch(expression):
        interval = timedelta(**{f"{rate[2]}s": int(rate[1])})
        if not interval:
            raise NotASchedule(f"Invalid Schedule Expression {expression}.")
        first: datetime = schedule.get("StartDate") or schedule["LastModificationDate"] + interval
        return first if first > after else first + interval * ((after - first) // interval + 1)
    if not events.is_cron(expression):
        raise NotASchedule(f"Invalid Schedule Expression {expression}.")
    return _next_of_cron(expression, zone, after)


def _next_of_cron(expression: str, zone: tzinfo, after: datetime) -> datetime | None:
    local: datetime | None = after.astimezone(zone).replace(tzinfo=None)
    while local is not None:
        local = events.next_of_cron(expression, local)
        if local is not None and (found := local.replace(tzinfo=zone)) > after:  # an hour may come twice in a year
            return found
    return None


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # systems without a database of time zones have this one
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise NotASchedule(f"Invalid ScheduleExpressionTimezone {name}.") from error
