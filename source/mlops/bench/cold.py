# SPDX-License-Identifier: Apache-2.0
"""Cold starts: fresh processes, ours and the references in turn, so that what else the machine does meets all alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlops.bench import cloud
from mlops.bench.measures import Goal, Measure, Samples
from mlops.bench.orchestrator import BARE, EMPTY, EXAMPLE, OURS, USAGE, WRONG, event, start
from mlops.bench.runtime import Package

_GROUP = "A cold start"
_BARE = "bare boto3"
_STARTS = {
    "ours": (OURS, event(EXAMPLE)),
    "refused": (OURS, event(WRONG)),
    "bare": (BARE, {}),
    "empty": (EMPTY, {}),
}


@dataclass(frozen=True)
class Start:
    """One fresh process: seconds from its start, and bytes."""

    ready: float
    first: float
    memory_ready: float
    memory_first: float


def measure(package: Package, processes: int) -> Iterator[Measure]:
    starts: dict[str, list[Start]] = defaultdict(list)
    with cloud.serving() as address:
        for _ in range(processes):
            for name, (handler, request) in _STARTS.items():
                starts[name].append(_start(package, handler, request, address))

    def seen(name: str, field: str) -> Samples:
        return Samples.of(getattr(one, field) for one in starts[name])

    ready, first = Goal(0.10, where=0.23), Goal(0.35, where=0.23)
    memory = Goal(60e6, where=44e6)
    bare = (seen("bare", "ready"), _BARE)
    yield Measure(_GROUP, "start to ready", "s", seen("ours", "ready"), *bare, ready)
    yield Measure(_GROUP, "start to the end of the first request", "s", seen("ours", "first"), *bare, first)
    yield Measure(_GROUP, "start to the end of a first request that is refused", "s", seen("refused", "first"), *bare)
    yield Measure(_GROUP, "an empty function, start to ready", "s", seen("empty", "ready"), *bare)
    for what, field, goal in (
        ("peak memory when ready", "memory_ready", memory),
        ("peak memory after the first request", "memory_first", None),
    ):
        yield Measure(_GROUP, what, "B", seen("ours", field), seen("bare", field), _BARE, goal)


def _start(package: Package, handler: str, request: dict[str, Any], address: str) -> Start:
    with start(package, handler, address) as function:
        ready = function.ready()
        first, _ = function.timed(request)
        memory_first = function.invoke(USAGE)["memory"]
    # Asking takes memory, so it is asked of a process of its own.
    with start(package, handler, address) as function:
        return Start(ready, first, function.invoke(USAGE)["memory"], memory_first)
