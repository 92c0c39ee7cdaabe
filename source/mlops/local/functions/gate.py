# SPDX-License-Identifier: Apache-2.0
"""How many functions run at once on this machine, and who waits for whom.

In: what the machine has. Out: a gate that lets `limit` invocations in at once and keeps the others waiting in their
turn. A function may wait for another one that the gate keeps waiting, directly or through a stack or a state machine.
So an invocation that a function makes enters at once; and where nobody has come or gone for a moment, one more is let
in. Both end at `most`, which is what the machine's memory holds.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MIB = 1 << 20
_WORKER = 64 * _MIB  # a function that has loaded boto3 and two clients
_LIMITS_OF_GROUP = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True)
class Size:
    """How many functions a machine runs."""

    limit: int  # at once
    most: int  # processes, with those that are idle and those that functions invoke


def size(cores: int, memory: int) -> Size:
    """Two to a core, since half of a function's time is spent waiting; at most half of the memory."""
    held = memory // 2 // _WORKER
    limit = max(2, min(2 * max(cores, 2), held // 2))
    return Size(limit, max(limit + 2, min(4 * limit, held)))


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory() -> int:
    """The bytes of memory that this process may use."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in map(Path, _LIMITS_OF_GROUP):
        with suppress(OSError, ValueError):  # no such group, or "max"
            found = min(found, int(path.read_text()))
    return found


class Gate:
    """Lets `limit` in at once; see the module."""

    def __init__(self, limit: int, most: int, stall: float = 5.0) -> None:
        self._limit, self._most, self._stall = limit, most, stall
        self._inside = 0
        self._moved = time.monotonic()
        self._waiting: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def enter(self, nested: bool) -> bool:
        """Wait for a turn. False for an invocation made by a function, where the machine holds no more."""
        with self._lock:
            if nested and self._inside >= self._most:
                return False
            if nested or (self._inside < self._limit and not self._waiting):
                self._let_in()
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        while not turn.wait(self._stall / 4):
            self._let_one_more_in_where_all_wait()
        return True

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            self._moved = time.monotonic()
            while self._waiting and self._inside < self._limit:
                self._let_in()
                self._waiting.popleft().set()

    def _let_one_more_in_where_all_wait(self) -> None:
        with self._lock:
            stalled = time.monotonic() - self._moved >= self._stall
            if stalled and self._waiting and self._inside < self._most:
                self._let_in()
                self._waiting.popleft().set()

    def _let_in(self) -> None:
        self._inside += 1
        self._moved = time.monotonic()
