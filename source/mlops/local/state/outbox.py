# SPDX-License-Identifier: Apache-2.0
"""What is written a moment later, many at once, by a thread of its own: captured data, an endpoint's log and metrics.

    items one by one -> write(list of items)

Before the account ends, every outbox writes what it still holds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from mlops.local import activity

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")


class Outbox(Generic[_T]):
    """Gathers items for some seconds from the first on, then writes them."""

    def __init__(self, name: str, seconds: float, write: Callable[[list[_T]], None]) -> None:
        self._name, self._seconds, self._write = name, seconds, write
        self._changed = threading.Condition()
        self._items: list[_T] = []
        self._writing = self._started = self._hurried = False
        activity.before_end(self.flush)

    def put(self, item: _T) -> None:
        with self._changed:
            self._items.append(item)
            if not self._started:
                self._started = True
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
            self._changed.notify_all()

    def flush(self, seconds: float = 5) -> None:
        """Write what was put in until now; give up after `seconds`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            while (self._items or self._writing) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._items or self._writing:
                _LOG.warning("%s: some items were not written", self._name)
            self._hurried = False

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items)
                self._changed.wait_for(lambda: self._hurried, self._seconds)
                items, self._items, self._writing = self._items, [], True
            try:
                self._write(items)
            except Exception:
                _LOG.exception("%s: %d items were lost", self._name, len(items))
            with self._changed:
                self._writing = False
                self._changed.notify_all()
