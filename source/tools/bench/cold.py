# SPDX-License-Identifier: Apache-2.0
"""Cold starts: fresh processes, ours and the references in turn, so that what else the machine does meets all alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.bench import cloud
from tools.bench.measures import Goal, Measure, Samples
from tools.bench.orchestrator import BARE, EMPTY, EXAMPLE, OURS, USAGE, WRONG, event, start
from tools.bench.runtime import Package

_GROUP = "Cold start"
_NAMES = {"bare": "bare boto3", "empty": "an empty function"}
_STARTS = {
    "ours": (OURS, event(EXAMPLE)),
    "refused": (OURS, event(WRONG)),
    "bare": (BARE, {}),
    "empty": (EMPTY, {}),
}


Usage = Mapping[str, float]  # cpu in seconds, memory in bytes


@dataclass(frozen=True)
class Start:
    """A fresh process: when it was ready and had answered its first request, and what it had used by then."""

    ready: float
    first: float
    used_ready: Usage
    used_first: Usage


def measure(package: Package, processes: int) -> Iterator[Measure]:
    starts: dict[str, list[Start]] = defaultdict(list)
    with cloud.serving() as address:
        for _ in range(processes):
            for name, (handler, request) in _STARTS.items():
                starts[name].append(_start(package, handler, request, address))

    def seen(name: str, value: Callable[[Start], float]) -> Samples:
        return Samples.of(map(value, starts[name]))

    def row(
        what: str, unit: str, value: Callable[[Start], float], goal: Goal | None = None, against: str = "bare"
    ) -> Measure:
        return Measure(_GROUP, what, unit, seen("ours", value), seen(against, value), _NAMES[against], goal)

    ready, first, memory = Goal(0.10, where=0.23), Goal(0.35, where=0.23), Goal(60e6, where=44e6)
    to_ready, to_first = "start to ready", "start to the end of the first request"
    bare = seen("bare", lambda one: one.ready)
    yield row(to_ready, "s", lambda one: one.ready, ready)
    yield row(to_ready, "s", lambda one: one.ready, against="empty")
    yield Measure(_GROUP, to_first, "s", seen("ours", lambda one: one.first), bare, f"{_NAMES['bare']} ready", first)
    yield row(to_first, "s", lambda one: one.first)
    refused = seen("refused", lambda one: one.first)
    yield Measure(_GROUP, "start to the end of a rejected first request", "s", refused)
    yield row(f"{to_ready}, CPU time", "s", lambda one: one.used_ready["cpu"])
    yield row(f"{to_first}, CPU time", "s", lambda one: one.used_first["cpu"])
    yield row("peak memory when ready", "B", lambda one: one.used_ready["memory"], memory)
    yield row("peak memory after the first request", "B", lambda one: one.used_first["memory"])


def _start(package: Package, handler: str, request: dict[str, Any], address: str) -> Start:
    with start(package, handler, address) as function:
        ready = function.ready()
        first, _ = function.timed(request)
        used_first = function.invoke(USAGE)
    # Telling uses something too, so that what is used when ready is told by a process of its own.
    with start(package, handler, address) as function:
        return Start(ready, first, function.invoke(USAGE), used_first)
