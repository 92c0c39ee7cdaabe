# SPDX-License-Identifier: Apache-2.0
"""Waiting for what happens in another process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PAUSE = 0.03  # seconds between two looks


def wait_for(question: Callable[[], Any], seconds: float = 60) -> Any:
    """The first true answer to `question`. Time is ample: a busy machine takes long, and how long does not matter."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(PAUSE)
    raise AssertionError(f"{question} was not true within {seconds} s")


def soon(check: Callable[[], Any], seconds: float = 60) -> Any:
    """The answer of the first `check` whose assertions hold; the last one's failure where none does."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
