# SPDX-License-Identifier: Apache-2.0
"""Who is at work in the account, beyond the requests: threads of services, stack operations, executions.

While somebody is, records may change at any time; once nobody is, nothing changes until the next request.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_running: Counter[str] = Counter()
_ended: Counter[str] = Counter()
_listeners: list[Callable[[], None]] = []
_last_work: list[Callable[[], None]] = []


@contextmanager
def working(what: str) -> Iterator[None]:
    """Records of `what` may change in here."""
    with _lock:
        _running[what] += 1
    _tell()
    try:
        yield
    finally:
        with _lock:
            _running[what] -= 1
            _ended[what] += 1
        _tell()


def anybody_works() -> bool:
    return any(_running.values())


def progress(what: str) -> int | None:
    """A number that stays as long as nobody works on `what`; None while somebody does."""
    with _lock:
        return None if _running[what] else _ended[what]


def on_work(listener: Callable[[], None]) -> None:
    """Call `listener` whenever work begins or ends, in that work's thread."""
    _listeners.append(listener)


def before_end(work: Callable[[], None]) -> Callable[[], None]:
    """Call `work` before the account ends: it writes what was answered and is not written yet."""
    _last_work.append(work)
    return work


def finish() -> None:
    for work in _last_work:
        work()


def _tell() -> None:
    for listener in _listeners:
        listener()
