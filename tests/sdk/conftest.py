# SPDX-License-Identifier: Apache-2.0
"""What the tests against the SageMaker SDK share: the Python that has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import sdk


@pytest.fixture(scope="session")
def sdk_python() -> Path:
    return sdk.installed()
