# SPDX-License-Identifier: Apache-2.0
"""The order in which test files are given to workers: the longest first, so that all workers end at about one time.

How long a file takes is guessed from what its tests use: those that start accounts take seconds each, those that use
one that runs take about one, and all others next to nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

_SECONDS = {"laboratory": 20.0, "start_up": 8.0, "start": 4.0, "own": 3.0, "wired": 3.0, "up": 2.0, "api": 2.0}
_SECONDS |= {"sdk_python": 1.0, "lab": 1.0, "account": 0.5, "built": 0.5, "tmp_path": 0.1}


def longest_files_first(items: list[pytest.Item]) -> None:
    """Reorder tests by file; within one they stay in order."""
    seconds: dict[Path, float] = defaultdict(float)
    for item in items:
        seconds[item.path] += _guess(getattr(item, "fixturenames", ()))
    items.sort(key=lambda item: -seconds[item.path])


def _guess(fixtures: Sequence[str]) -> float:
    return max((_SECONDS.get(name, 0.01) for name in fixtures), default=0.01)
