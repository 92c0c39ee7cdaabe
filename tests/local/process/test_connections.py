# SPDX-License-Identifier: Apache-2.0
"""A connection that its client has closed takes nothing of the account any more."""

import http.client
from pathlib import Path

import pytest

from tests.support.laptop import Account
from tests.support.waiting import wait_for


def test_closed_connections_do_not_pile_up(account: Account) -> None:
    files = Path(f"/proc/{account.process.pid}/fd")
    if not files.exists():
        pytest.skip("this system does not tell a process's open files")
    before = len(list(files.iterdir()))
    for _ in range(100):
        connection = http.client.HTTPConnection(account.endpoint.removeprefix("http://"))
        connection.request("GET", "/_ministack/health")
        assert connection.getresponse().read()
        connection.close()
    assert wait_for(lambda: len(list(files.iterdir())) < before + 50, seconds=5)
