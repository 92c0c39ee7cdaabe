# SPDX-License-Identifier: Apache-2.0
"""The thread that waits for the next schedule that is due.

What was due while the account did not run is not made up for.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mlops.local.kit import identity
from mlops.local.kit.errors import Caller
from mlops.local.ministack import context
from mlops.local.services.scheduler import due, targets
from mlops.local.services.scheduler.records import schedules
from mlops.local.state.store import Record

PRECISION = timedelta(seconds=60)  # AWS's: a moment that is that near is not missed while a schedule is created
_LONGEST_WAIT = 60.0  # seconds; the system's clock may be set meanwhile


@dataclass
class _Watched:
    name: str
    caller: Caller
    seen: datetime  # until when we have looked whether it is due


_watched: dict[str, _Watched] = {}  # by ARN
_changed = threading.Condition()
_threads: list[threading.Thread] = []


def watch(schedule: Record, caller: Caller, since: datetime) -> None:
    """Start a schedule's target whenever it is due after `since`, until it is deleted; call it again for a change."""
    with _changed:
        _watched.setdefault(schedule["Arn"], _Watched(schedule["Name"], caller, since))
        if not _threads:
            _threads.append(threading.Thread(target=_run, daemon=True, name="scheduler"))
            _threads[0].start()
        _changed.notify()


def _run() -> None:
    with _changed:
        while True:
            waits = [_look(arn, one) for arn, one in list(_watched.items())]
            _changed.wait(min([*waits, _LONGEST_WAIT]) if _watched else None)


def _look(arn: str, one: _Watched) -> float:
    """Start a schedule that came due since we looked; the seconds until it is due again."""
    with context.scope(one.caller.account_id, one.caller.region):
        schedule, now = schedules.get(one.name), datetime.now(UTC)
        if schedule is None:
            del _watched[arn]
            return _LONGEST_WAIT
        came_due, comes_due = due.next_time(schedule, one.seen), due.next_time(schedule, now)
        one.seen = now
        if came_due is not None and came_due <= now and schedule["State"] == "ENABLED":
            ends = comes_due is None and schedule["ActionAfterCompletion"] == "DELETE"
            identity.spawn(_start, schedule, one.caller, ends)
        return _LONGEST_WAIT if comes_due is None else (comes_due - now).total_seconds()


def _start(schedule: Record, caller: Caller, ends: bool) -> None:
    targets.start(schedule, caller)
    if ends:
        with schedules.lock:
            if schedules.get(schedule["Name"]) is schedule:
                del schedules[schedule["Name"]]
