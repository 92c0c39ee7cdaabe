# SPDX-License-Identifier: Apache-2.0
"""AWS failing on the wire, between the packaged orchestrator and the account: told as 503, healed by one repeat."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.wired import Wired
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, training

# Every kind in the deep run; in the short one the one that leaves most in doubt.
KINDS = [
    "answer lost",
    *(
        pytest.param(kind, marks=pytest.mark.slow)
        for kind in ("throttled", "server error", "unavailable", "request lost")
    ),
]
NEW = ["DescribeStacks", "PutObject", "CreateStack"]
CHANGED = [
    "PutObject",
    "StartPipelineExecution",
    # reads, which nothing is left of
    *(
        pytest.param(call, marks=pytest.mark.slow)
        for call in ("DescribeStacks", "HeadObject", "ListPipelineExecutions")
    ),
]


@pytest.fixture(scope="module", autouse=True)
def _data(api: Installed) -> None:
    api.put("wire/train.csv", csv(ROWS[:40], LABELS[:40]))


def request(name: str, **changes: Any) -> dict[str, Any]:
    return training(name, training_data="wire/train.csv", validation_data="", **changes)


def jobs(api: Installed, name: str) -> list[str]:
    listed = api.client("sagemaker").list_training_jobs(NameContains=f"{name}-training")["TrainingJobSummaries"]
    return [one["TrainingJobName"] for one in listed]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", NEW)
def test_a_new_pipeline_heals(wired: Wired, call: str, kind: str) -> None:
    name = f"new-{call}-{kind}".replace(" ", "-").lower()
    wired.failing(call, kind, request(name))
    pipeline = wired.healed(request(name))
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    assert len(jobs(wired.api, name)) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CHANGED)
def test_a_changed_request_heals(wired: Wired, call: str, kind: str) -> None:
    name = f"changed-{call}-{kind}".replace(" ", "-").lower()
    assert wired.healed(request(name))["status"] == "Succeeded"
    changed = request(name, instance_count=2)
    wired.failing(call, kind, changed)
    pipeline = wired.healed(changed)
    assert pipeline["status"] == "Succeeded", pipeline["reason"]
    described = wired.api.client("sagemaker").describe_training_job(
        TrainingJobName=pipeline["outputs"]["TrainingJobName"]
    )
    assert described["ResourceConfig"]["InstanceCount"] == 2
    assert len(jobs(wired.api, name)) == 2
