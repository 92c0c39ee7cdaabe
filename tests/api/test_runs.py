# SPDX-License-Identifier: Apache-2.0
"""What a pipeline's runs did, told from outside: the job that ran, what it made, and why one failed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support.http import error_shape
from tests.support.installed import Installed
from tests.support.requests import LABELS, ROWS, csv, training


@pytest.fixture(scope="module")
def mended(api: Installed) -> dict[str, Any]:
    """A pipeline whose first run failed for want of data, and whose second trained."""
    body = training("mended", validation_data="")
    first = api.ended(api.provision(body).body["pipeline_id"])
    assert (first["status"], first["stage"]) == ("Failed", "Run")
    assert first["job"]["status"] == "Failed"
    api.put("mended/train.csv", csv(ROWS[:100], LABELS[:100]))
    second: dict[str, Any] = api.ended(api.provision(body).body["pipeline_id"])
    assert second["status"] == "Succeeded", second
    assert second["job"]["name"] != first["job"]["name"]
    return second


def test_status_names_the_job_that_ran_and_what_it_made(api: Installed, mended: dict[str, Any]) -> None:
    job = mended["job"]
    described = api.client("sagemaker").describe_training_job(TrainingJobName=job["name"])
    assert (job["kind"], job["status"]) == ("TrainingJob", described["TrainingJobStatus"])
    assert job["artifact"] == described["ModelArtifacts"]["S3ModelArtifacts"]
    assert job["metrics"] == {one["MetricName"]: one["Value"] for one in described["FinalMetricDataList"]}
    assert datetime.fromisoformat(job["started"]) <= datetime.fromisoformat(job["ended"])
    assert mended["outputs"]["TrainingJobName"] == job["name"]
    bucket, _, key = job["artifact"].removeprefix("s3://").partition("/")
    assert api.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


def test_every_run_is_told_with_its_job(api: Installed, mended: dict[str, Any]) -> None:
    answer = api.get(f"pipelines/{mended['name']}/runs")
    assert answer.status == 200, answer.text
    second, first = answer.body["runs"]
    assert answer.body["name"] == mended["name"]
    assert "next" not in answer.body
    assert (second["status"], second["reason"], second["job"]) == ("Succeeded", None, mended["job"])
    assert (first["status"], first["stage"]) == ("Failed", "Run")
    assert "mended/train.csv" in first["reason"]
    assert first["job"]["name"] in first["reason"]
    assert (first["job"]["status"], first["job"]["artifact"]) == ("Failed", None)
    times = [datetime.fromisoformat(run[key]) for run in (first, second) for key in ("started", "ended")]
    assert times == sorted(times)


def test_runs_come_in_pages(api: Installed, mended: dict[str, Any]) -> None:
    path = f"pipelines/{mended['name']}/runs?limit=1"
    newest = api.get(path).body
    older = api.get(f"{path}&next={newest['next']}").body
    whole = api.get(f"pipelines/{mended['name']}/runs").body["runs"]
    assert newest["runs"] + older["runs"] == whole
    assert "next" not in older


@pytest.mark.parametrize("query", ["limit=0", "limit=51", "limit=x", "next=nonsense", "count=1", "limit=1e1"])
def test_a_wrong_page_is_a_400_that_says_what_is_wrong(api: Installed, mended: dict[str, Any], query: str) -> None:
    answer = api.get(f"pipelines/{mended['name']}/runs?{query}")
    assert answer.status == 400, answer.text
    (problem,) = error_shape(answer)["errors"]
    assert problem["path"] == f"/{query.partition('=')[0]}"
    assert problem["hint"]


def test_a_pipeline_is_told_by_its_name_in_the_path(api: Installed, mended: dict[str, Any]) -> None:
    answer = api.get(f"pipelines/{mended['name']}")
    assert answer.status == 200, answer.text
    assert answer.body == api.post("pipelinestatus", {"pipeline_id": mended["name"]}).body


@pytest.mark.parametrize(
    "path",
    [
        "pipelines/nobody",
        "pipelines/mlops-pipeline-nobody-modeltraining/runs",
        "pipelines/x%20y",
        "pipelines/%C3%B6/runs",
        "pipelines/arn%3Aaws%3As3%3A%3A%3Abucket",
    ],
)
def test_an_unknown_pipeline_in_the_path_is_a_404(api: Installed, path: str) -> None:
    answer = api.get(path)
    assert answer.status == 404, answer.text
    error_shape(answer)
    assert api.get(path, signed=False).status == 403
