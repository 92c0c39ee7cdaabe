# SPDX-License-Identifier: Apache-2.0
"""Warm requests: the CPU time that a running function takes for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tools.bench import cloud
from tools.bench.measures import Goal, Measure, Samples
from tools.bench.orchestrator import BARE, EXAMPLE, OURS, USAGE, WRONG, event, start
from tools.bench.runtime import Function, Package

GROUP = "Warm request, CPU time"
_BARE = "bare boto3"
BATCH = 10


def measure(package: Package, batches: int) -> Iterator[Measure]:
    with cloud.serving() as address, start(package, OURS, address) as ours, start(package, BARE, address) as bare:
        reference = cpu(bare, lambda number: {}, batches)
        new = cpu(ours, lambda number: event({**EXAMPLE, "model_name": f"model-{number}"}), batches)
        refused = cpu(ours, lambda number: event(WRONG), batches)
    yield Measure(GROUP, "new pipeline", "s", new, reference, _BARE, Goal(0.008))
    yield Measure(GROUP, "rejected request", "s", refused, reference, _BARE)


def cpu(function: Function, request: Callable[[int], Any], batches: int) -> Samples:
    """CPU seconds of a request, in batches; the first batch warms up."""
    used = []
    for batch in range(batches + 1):
        before = function.invoke(USAGE)["cpu"]
        for number in range(BATCH):
            function.invoke(request(batch * BATCH + number))
        used.append((function.invoke(USAGE)["cpu"] - before) / BATCH)
    return Samples.of(used[1:])
