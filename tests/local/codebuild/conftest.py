# SPDX-License-Identifier: Apache-2.0
"""A bucket and roles for pipelines, in the worker's account."""

import pytest

from tests.support.codepipelines import Pipelines
from tests.support.laptop import Account


@pytest.fixture(scope="session")
def pipelines(account: Account) -> Pipelines:
    return Pipelines.of(account)
