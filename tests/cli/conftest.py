# SPDX-License-Identifier: Apache-2.0
"""Accounts that the tests of the command start for themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import commands
from tests.support.commands import Up


@pytest.fixture
def start_up(built: Path) -> Iterator[Callable[..., Up]]:
    """Starts `mlops local up`; what still runs at the end is killed."""
    with commands.starting("--assets", str(built)) as start_one:
        yield start_one
