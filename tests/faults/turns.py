# SPDX-License-Identifier: Apache-2.0
"""Requests that run at the same time, one AWS call of one of them after the other, in an order of the test's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from chalicelib.aws import port as protocol

from tests.support.memory import MemoryCloud, World

Request = Callable[[MemoryCloud], Any]
CALLS = {name for name in vars(protocol.Cloud) if not name.startswith("_")}
MOST_CALLS = 40  # of a request


def together(world: World, requests: Sequence[Request], turns: Sequence[int]) -> list[Any]:
    """Take turns, then let each request run to its end. Answers each one's result, or the exception it ended in."""
    ready = [threading.Semaphore(0) for _ in requests]
    idle = [threading.Semaphore(0) for _ in requests]
    results: list[Any] = [None] * len(requests)
    ended = [False] * len(requests)

    class Stepping(MemoryCloud):
        def __init__(self, me: int) -> None:
            super().__init__(world)
            self.me = me

        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            if name in CALLS:
                me = super().__getattribute__("me")
                idle[me].release()
                ready[me].acquire()
            return found

    def run(me: int) -> None:
        try:
            results[me] = requests[me](Stepping(me))
        except Exception as error:
            results[me] = error
        finally:
            ended[me] = True
            idle[me].release()

    threads = [threading.Thread(target=run, args=(me,), daemon=True) for me in range(len(requests))]
    for me, thread in enumerate(threads):
        thread.start()
        idle[me].acquire()
    for me in [*turns, *(me for me in range(len(requests)) for _ in range(MOST_CALLS))]:
        if not ended[me]:
            ready[me].release()
            idle[me].acquire()
    for thread in threads:
        thread.join(5)
    return results
