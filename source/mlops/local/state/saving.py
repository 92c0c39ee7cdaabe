# SPDX-License-Identifier: Apache-2.0
"""When the account's state is written with `--data`, and which answers wait for it.

In: requests, and work that goes on without one. Out: a request that may have changed something is answered once what it
changed is written (many share one write); what changes later is written within half a second. While nobody asks and
nobody works, nothing is looked at and nothing is written. A write that fails makes such answers 503, is said once on
stderr, and is tried again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from mlops.local import activity
from mlops.local.ministack import s3
from mlops.local.settings import TIMING
from mlops.local.state import writes
from mlops.local.state.store import Disk

_TURN = 0.0005  # seconds that a thread keeps Python's lock: while state is looked at, answers wait for a few of them

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Saver:
    """Writes a disk in a thread of its own; made, and asked, on the event loop."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._loop = asyncio.get_running_loop()
        self._due, self._asked = asyncio.Event(), asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._thread = ThreadPoolExecutor(1, "saving")
        self._ended = False
        self.failed = False
        activity.on_work(self._work_changed)
        sys.setswitchinterval(_TURN)

    def _work_changed(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: the account has ended
            self._loop.call_soon_threadsafe(self._due.set)

    def changed(self) -> None:
        """Something may have changed: it is written soon."""
        self._due.set()

    async def kept(self) -> None:
        """Return once everything that has changed until now is written; OSError if it cannot be."""
        if self._ended:
            raise OSError("The account is stopping.")
        waiting = self._loop.create_future()
        self._waiting.append(waiting)
        self._asked.set()
        self._due.set()
        await waiting

    async def run(self) -> None:
        """Write whenever it is due, until this is cancelled."""
        while True:
            await self._due.wait()
            if self._ended:
                return
            if not self._waiting:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._asked.wait(), TIMING.save)
            self._due.clear()
            self._asked.clear()
            waiting, self._waiting = self._waiting, []
            changed, failure = await self._loop.run_in_executor(self._thread, self._save)
            for one in waiting:
                if not one.done():
                    if failure:
                        one.set_exception(OSError(failure))
                    else:
                        one.set_result(None)
            if changed or failure or activity.anybody_works():
                self._due.set()

    def save_last(self) -> None:
        """As the account stands now; what becomes of it while it shuts down is not kept."""
        self._ended = True
        self._thread.submit(self._save).result()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _save(self) -> tuple[bool, str | None]:
        """Whether anything changed, and why that could not be written."""
        try:
            changed = self._disk.save()
        except Exception as error:  # a saver that ended would leave every later change waiting
            reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
            if not self.failed:
                _say(f"cannot write the account's state: {reason}; changes are rejected until it can be written")
            self.failed = True
            return False, reason
        if self.failed:
            _say("the account's state was written; changes are accepted")
        self.failed = False
        return changed, None

    # --- answers ---

    def answering(self, application: Application) -> Application:
        """The application, whose answers wait until what they tell of is written."""

        async def answering(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await application(scope, receive, send)
                return
            request = writes.Request(scope)
            with s3.failed_writes() as failures:
                await application(scope, request.read_by(receive), _Answer(self, request, failures, send))

        return answering


class _Answer:
    """Holds the start of an answer back until what the request changed is written."""

    def __init__(self, saver: Saver, request: writes.Request, failures: list[OSError], send: Any) -> None:
        self._saver, self._request, self._failures, self._send = saver, request, failures, send
        self._refused = False

    async def __call__(self, message: dict[str, Any]) -> None:
        starts = message["type"] == "http.response.start" and message["status"] < 400
        if starts and (refusal := await self._refusal(self._request.effect())):
            self._refused = True
            for part in self._request.refused(refusal):
                await self._send(part)
            return
        if not self._refused:
            await self._send(message)

    async def _refusal(self, effect: writes.Effect) -> str | None:
        try:
            if effect is writes.Effect.CHANGES:
                await self._saver.kept()
            elif effect is writes.Effect.RUNS:
                self._saver.changed()
        except OSError as error:
            return error.strerror or str(error)
        return self._failures[0].strerror if self._failures else None


def _say(message: str) -> None:
    with suppress(OSError):  # stderr may be a file on the disk that is full
        print(f"mlops.local: {message}", file=sys.stderr, flush=True)
