# SPDX-License-Identifier: Apache-2.0
"""What people see of a pipeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mlops.cli import show, table, view


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


def drawn(found: dict[str, Any]) -> str:
    return "\n".join(line.plain for line in view.pipeline(found))


def test_what_runs_is_told_with_its_time() -> None:
    began = (datetime.now(UTC) - timedelta(seconds=42)).isoformat()
    found = document("Running", {"status": "InProgress", "changed": began})
    text = drawn(found)
    assert "✓ Source" in text
    assert "42 s" in text
    assert "Deploy / deploy_stack 42 s" in view.now(found)
    assert "· Run" in text


def test_what_waits_for_a_person_says_so() -> None:
    assert "waiting for approval" in drawn(document("WaitingForApproval", {"status": "InProgress", "waiting": True}))


def test_a_failure_shows_its_reason_once() -> None:
    failed = document("Failed", {"status": "Failed", "message": "it ended: no such [role]"}, reason="no such [role]")
    text = drawn(failed)
    assert "✗ Deploy" in text
    assert "Reason: no such [role]" in text
    assert text.count("no such [role]") == 1


def test_a_failed_action_shows_its_message_where_there_is_no_other_reason() -> None:
    assert "see the stack" in drawn(document("Failed", {"status": "Failed", "message": "see the stack"}))


def test_what_is_left_of_the_run_before_is_not_shown() -> None:
    found = document("Running", {"status": "InProgress"})
    found["pipeline"]["stages"][0]["execution"] = found["pipeline"]["stages"][1]["execution"] = "new"
    found["pipeline"]["stages"][2] |= {"execution": "old", "status": "Failed"}
    assert "failed" not in drawn(found)


def test_the_job_that_runs_is_shown() -> None:
    job = {"kind": "TrainingJob", "name": "churn-training-1a2b", "status": "InProgress", "progress": "Training"}
    found = document("Running", {"status": "Succeeded"}, job=job)
    assert "training job churn-training-1a2b: in progress, training" in drawn(found)
    assert any("churn-training-1a2b" in event.text for event in view.events(found))


def test_a_job_that_has_ended_is_shown_with_its_times_metrics_and_artifact() -> None:
    job = {
        "kind": "TrainingJob",
        "name": "churn-training-1a2b",
        "status": "Completed",
        "progress": "Completed",
        "started": "2026-01-31T12:00:04+00:00",
        "ended": "2026-01-31T12:01:04+00:00",
        "metrics": {"validation:auc": 0.99181},
        "artifact": f"s3://bucket/{'long/' * 40}model.tar.gz",
    }
    text = drawn(document("Succeeded", {"status": "Succeeded"}, job=job))
    assert "training job churn-training-1a2b: completed\n" in text
    for part in ("validation:auc 0.99181", job["artifact"], "started   2026-01-31", "ended     2026-01-31"):
        assert part in text


def test_the_best_of_the_jobs_that_a_job_started_is_shown_with_what_was_found() -> None:
    job = {
        "kind": "HyperParameterTuningJob",
        "name": "churn-tuner-1a2b",
        "status": "InProgress",
        "progress": "training jobs: 3 completed, 2 in progress",
        "metrics": {"validation:auc": 0.99181},
        "best": {
            "kind": "TrainingJob",
            "name": "churn-tuner-1a2b-002-0a1b2c3d",
            "hyperparameters": {"eta": "0.25", "max_depth": "4"},
        },
    }
    text = drawn(document("Running", {"status": "Succeeded"}, job=job))
    assert "churn-tuner-1a2b: in progress, training jobs: 3 completed, 2 in progress\n" in text
    assert "churn-tuner-1a2b-002-0a1b2c3d: eta 0.25, max_depth 4\n" in text


def test_events_are_facts_one_each() -> None:
    found = document("Failed", {"status": "Failed"}, reason="because")
    assert [event.text for event in view.events(found)] == [
        "Source / S3Source: succeeded",
        "Deploy / deploy_stack: failed",
    ]


@pytest.mark.parametrize("width", [20, 40, 300])
def test_no_cell_of_a_table_is_cut(width: int, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    rows = [("a-name-that-is-rather-long", "what it is, in a sentence that needs more than one line"), ("b", "")]
    table.write(("NAME", "MEANING"), rows, fold=True)
    words = capsys.readouterr().out.split()
    for cell in (cell for row in rows for cell in row):
        assert set(cell.split()) <= set(words)


@pytest.mark.parametrize(
    ("state", "words"), [("WaitingForApproval", "waiting for approval"), ("Failed", "failed"), ("", "")]
)
def test_states_are_spoken(state: str, words: str) -> None:
    assert show.spaced(state) == words
