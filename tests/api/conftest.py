# SPDX-License-Identifier: Apache-2.0
"""One installed account for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.api.installed import Installed, build, installed
from tests.api.wired import Wired, wired_to
from tests.local.laptop import start_account, stop_account


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    account = start_account()
    try:
        yield installed(account.endpoint, account.session, build(tmp_path_factory.mktemp("build")))
    finally:
        stop_account(account)


@pytest.fixture(scope="session")
def wired(api: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with wired_to(api, tmp_path_factory.mktemp("wired")) as started:
        yield started
