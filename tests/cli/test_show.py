# SPDX-License-Identifier: Apache-2.0
"""What people see of a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from mlops.cli import show
from rich.console import Console


def document(status: str, deploy: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "pipeline": {
            "name": "mlops-pipeline-churn-modeltraining",
            "status": status,
            "stages": [
                {"name": "Source", "status": "Succeeded", "actions": [{"name": "S3Source", "status": "Succeeded"}]},
                {"name": "Deploy", "status": deploy["status"], "actions": [{"name": "deploy_stack", **deploy}]},
                {"name": "Run", "status": None, "actions": [{"name": "run_jobs", "status": None}]},
            ],
            **more,
        }
    }


def drawn(found: dict[str, Any], *, live: bool = False) -> str:
    console = Console(width=200, record=True, file=StringIO())
    console.print(show.pipeline(found, live=live))
    return console.export_text()


def test_what_runs_is_told_with_its_time() -> None:
    began = (datetime.now(UTC) - timedelta(seconds=42)).isoformat()
    text = drawn(document("Running", {"status": "InProgress", "changed": began}), live=True)
    assert "✓ Source" in text
    assert "42 s" in text
    assert "· Run" in text


def test_what_waits_for_a_person_says_so() -> None:
    assert "waiting for approval" in drawn(document("WaitingForApproval", {"status": "InProgress", "waiting": True}))


def test_a_failure_shows_its_reason_and_what_the_action_says() -> None:
    failed = document("Failed", {"status": "Failed", "message": "see the stack"}, reason="Role: no such [role]")
    text = drawn(failed)
    assert "✗ Deploy" in text
    assert "see the stack" in text
    assert "why: Role: no such [role]" in text


def test_what_is_left_of_the_run_before_is_not_shown() -> None:
    found = document("Running", {"status": "InProgress"})
    found["pipeline"]["stages"][0]["execution"] = found["pipeline"]["stages"][1]["execution"] = "new"
    found["pipeline"]["stages"][2] |= {"execution": "old", "status": "Failed"}
    assert "failed" not in drawn(found)


def test_the_job_that_runs_is_shown() -> None:
    job = {"kind": "training job", "name": "churn-training-1a2b", "status": "InProgress", "progress": "Training"}
    found = document("Running", {"status": "Succeeded"}, job=job)
    assert "training job churn-training-1a2b: InProgress Training" in drawn(found)
    assert any("churn-training-1a2b" in line for line in show.lines(found))


def test_lines_are_facts_one_each() -> None:
    assert list(show.lines(document("Failed", {"status": "Failed"}, reason="because"))) == [
        "mlops-pipeline-churn-modeltraining: failed",
        "  Source / S3Source: succeeded",
        "  Deploy / deploy_stack: failed",
        "  why: because",
    ]


@pytest.mark.parametrize(
    ("state", "words"), [("WaitingForApproval", "waiting for approval"), ("Failed", "failed"), ("", "")]
)
def test_states_are_spoken(state: str, words: str) -> None:
    assert show.spaced(state) == words
