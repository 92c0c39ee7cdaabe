# SPDX-License-Identifier: Apache-2.0
"""The account on this laptop, started once for all tests of this folder."""

from collections.abc import Callable, Iterator

import pytest

from tests.local.laptop import Account, start_account, stop_account


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    started = start_account()
    yield started
    assert stop_account(started) == 0


@pytest.fixture
def start() -> Iterator[Callable[..., Account]]:
    """Starts accounts of a test's own; what still runs at the end is killed."""
    running: list[Account] = []

    def start_one(*arguments: str) -> Account:
        running.append(start_account(*arguments))
        return running[-1]

    yield start_one
    for one in running:
        one.process.kill()
        one.process.wait(15)
