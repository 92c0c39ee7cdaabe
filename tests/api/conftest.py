# SPDX-License-Identifier: Apache-2.0
"""What the tests of the API share: a trained model, and the orchestrator on a line that records and fails calls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.wired import Wired, wired_to
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, training


@pytest.fixture(scope="session")
def trained(api: Installed) -> dict[str, Any]:
    """A trained model: its pipeline."""
    api.put("first/train.csv", csv(ROWS[:300], LABELS[:300]))
    api.put("first/validation.csv", csv(ROWS[300:], LABELS[300:]))
    answer = api.provision(training("first"))
    assert answer.status == 200, answer.text
    assert answer.body["message"] == "success: stack creation started"
    pipeline: dict[str, Any] = api.ended(answer.body["pipeline_id"])
    assert pipeline["status"] == "Succeeded", pipeline
    return pipeline


@pytest.fixture(scope="session")
def wired(api: Installed, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    with wired_to(api, built, tmp_path_factory.mktemp("wired")) as started:
        yield started
