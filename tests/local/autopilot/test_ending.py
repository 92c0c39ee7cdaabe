# SPDX-License-Identifier: Apache-2.0
"""Autopilot jobs that do not get to their end: refused, failed, stopped, out of time, or killed with the account."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support import messy, searches
from tests.support.lab import Lab
from tests.support.laptop import Account, Start
from tests.support.naming import unique
from tests.support.waiting import wait_for

MANY: dict[str, Any] = {"CompletionCriteria": {"MaxCandidates": 750}}


@pytest.fixture(scope="module")
def lab(account: Account) -> Lab:
    lab = Lab(account)
    lab.put("train.csv", messy.text(messy.rows(500)))
    return lab


def train(lab: Lab) -> str:
    return f"s3://{lab.bucket}/train.csv"


def algorithms(*names: str) -> dict[str, Any]:
    return {"CandidateGenerationConfig": {"AlgorithmsConfig": [{"AutoMLAlgorithms": list(names)}]}}


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"ProblemType": "Regression"}, {}, "must be specified together"),
    ({}, {"AutoMLJobObjective": {"MetricName": "F1"}}, "must be specified together"),
    ({"ProblemType": "Regression"}, {"AutoMLJobObjective": {"MetricName": "F1"}}, "F1 is not supported for Regression"),
    (algorithms("xgboost"), {}, "AlgorithmsConfig cannot be used with Mode AUTO"),
    ({"Mode": "HYPERPARAMETER_TUNING", **algorithms("catboost")}, {}, "catboost is not supported in Mode"),
    ({"Mode": "HYPERPARAMETER_TUNING", "SampleWeightAttributeName": "age"}, {}, "in Mode ENSEMBLING only"),
    ({}, {"DataSplitConfig": {"ValidationFraction": 1.0}}, "greater than 0 and less than 1"),
    ({}, {"ModelDeployConfig": {"AutoGenerateEndpointName": True}}, "does not support ModelDeployConfig"),
    ({"FeatureSpecificationS3Uri": "s3://b/k"}, {}, "does not support FeatureSpecificationS3Uri"),
    ({}, {"AutoMLJobInputDataConfig": [searches.channel("s3://b/k", "validation")]}, "one channel of type training"),
    ({}, {"AutoMLJobInputDataConfig": [searches.channel("s3://b/k", ContentType="text/csv")]}, "ContentType text/csv"),
    ({}, {"AutoMLJobName": "a" * 33}, "have length less than or equal to 32"),
    ({}, {"AutoMLProblemTypeConfig": {"TextClassificationJobConfig": {"ContentColumn": "a", "TargetLabelColumn": "b"}}},
     "TabularJobConfig only"),
]  # fmt: skip


@pytest.mark.parametrize(("tabular", "changes", "problem"), REFUSED)
def test_what_aws_refuses_is_refused(lab: Lab, tabular: dict[str, Any], changes: dict[str, Any], problem: str) -> None:
    wanted = searches.request(lab, train(lab), tabular, **changes)
    with pytest.raises(ClientError, match=problem):
        lab.sagemaker.create_auto_ml_job_v2(**wanted)
    with pytest.raises(ClientError, match=r"not found|have length"):
        lab.sagemaker.describe_auto_ml_job_v2(AutoMLJobName=wanted["AutoMLJobName"])


@pytest.mark.parametrize(
    ("data", "tabular", "reason"),
    [
        (
            "train.csv",
            {"TargetAttributeName": "nothing"},
            "'nothing' is not a column of the training data; the columns",
        ),
        ("nowhere.csv", {}, "No S3 objects found under s3://"),
        ("train.csv", {"Mode": "ENSEMBLING", **algorithms("catboost")}, "does not have the algorithm catboost"),
    ],
)
def test_a_failed_job_says_why(lab: Lab, data: str, tabular: dict[str, Any], reason: str) -> None:
    job = searches.search(lab, f"s3://{lab.bucket}/{data}", tabular)
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Failed", "Failed")
    assert job["FailureReason"].startswith("ClientError: ")
    assert reason in job["FailureReason"]


def test_a_stopped_job_keeps_the_candidates_that_were_completed(lab: Lab) -> None:
    wanted = searches.request(
        lab, train(lab), {"Mode": "HYPERPARAMETER_TUNING", **MANY, **algorithms("linear-learner")}
    )
    lab.sagemaker.create_auto_ml_job_v2(**wanted)
    name = wanted["AutoMLJobName"]
    seen: list[str] = []

    def has_best() -> bool:
        job = searches.described(lab, name)
        seen.append(job["AutoMLJobSecondaryStatus"])
        return "BestCandidate" in job

    wait_for(has_best, 60)
    assert {"AnalyzingData", "ModelTuning"} & set(seen)
    lab.sagemaker.stop_auto_ml_job(AutoMLJobName=name)
    job = searches.ended(lab, name)
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Stopped", "Stopped")
    found = searches.candidates(lab, job)
    assert {one["CandidateStatus"] for one in found} <= {"Completed", "Stopped"}
    completed = [one for one in found if one["CandidateStatus"] == "Completed"]
    assert searches.value(job["BestCandidate"]) == max(map(searches.value, completed))
    listed = lab.sagemaker.list_auto_ml_jobs(NameContains=name, StatusEquals="Stopped")["AutoMLJobSummaries"]
    assert [one["AutoMLJobSecondaryStatus"] for one in listed] == ["Stopped"]


@pytest.mark.slow
def test_a_job_that_is_out_of_time_ends_with_the_best_until_then(lab: Lab) -> None:
    criteria = {"CompletionCriteria": {"MaxCandidates": 750, "MaxAutoMLJobRuntimeInSeconds": 20}}
    job = searches.search(
        lab, train(lab), {"Mode": "HYPERPARAMETER_TUNING", **criteria, **algorithms("linear-learner")}
    )
    assert job["AutoMLJobStatus"] == "Completed", job
    assert job["AutoMLJobSecondaryStatus"] == "MaxAutoMLJobRuntimeReached"
    found = searches.candidates(lab, job)
    assert 0 < len(found) < 750
    assert searches.value(job["BestCandidate"]) == max(
        searches.value(one) for one in found if one["CandidateStatus"] == "Completed"
    )


def test_a_candidate_that_takes_too_long_is_stopped(lab: Lab) -> None:
    large = lab.put("large.csv", messy.text(messy.rows(5000)))
    criteria = {"CompletionCriteria": {"MaxCandidates": 1, "MaxRuntimePerTrainingJobInSeconds": 1}}
    job = searches.search(lab, large, {"Mode": "ENSEMBLING", **criteria, **algorithms("randomforest")})
    assert job["AutoMLJobStatus"] == "Failed", job
    assert "no candidate was completed" in job["FailureReason"]
    assert "MaxRuntimePerTrainingJobInSeconds" in job["FailureReason"]
    (candidate,) = searches.candidates(lab, job)
    assert candidate["CandidateStatus"] == "Stopped"


def test_a_killed_account_fails_the_job_and_its_candidate(start: Start, tmp_path: Path) -> None:
    lab = Lab(start("--data", str(tmp_path)))
    lab.put("train.csv", messy.text(messy.rows(500)))
    wanted = searches.request(
        lab, train(lab), {"Mode": "HYPERPARAMETER_TUNING", **MANY, **algorithms("linear-learner")}
    )
    lab.sagemaker.create_auto_ml_job_v2(**wanted)
    name = {"AutoMLJobName": wanted["AutoMLJobName"]}
    wait_for(lambda: "BestCandidate" in lab.sagemaker.describe_auto_ml_job_v2(**name), 60)
    time.sleep(1.5)  # what is answered is written within a second
    lab.account.kill()
    again = Account.client(start("--data", str(tmp_path)), "sagemaker")
    job = again.describe_auto_ml_job_v2(**name)
    assert (job["AutoMLJobStatus"], job["AutoMLJobSecondaryStatus"]) == ("Failed", "Failed")
    assert "was stopped while this was running" in job["FailureReason"]
    found = again.list_candidates_for_auto_ml_job(**name, MaxResults=300)["Candidates"]
    assert {one["CandidateStatus"] for one in found} <= {"Completed", "Failed"}
    assert "Completed" in {one["CandidateStatus"] for one in found}


class _Runs:
    """Runs a command where it is unpickled."""

    def __init__(self, command: str) -> None:
        self._command = command

    def __reduce__(self) -> Any:
        return os.system, (self._command,)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({"model.json": {"problem": "Regression", "labels": [], "columns": ["a"]}}, "posix.system"),
        ({"model.json": {}}, "does not describe a model"),
        ({}, "has no file 'model.json'"),
    ],
)
def test_an_artifact_that_no_job_wrote_is_not_run(
    lab: Lab, tmp_path: Path, files: dict[str, Any], problem: str
) -> None:
    touched = tmp_path / "touched"
    held = {name: json.dumps(content).encode() for name, content in files.items()}
    artifact = lab.put(unique("artifact"), packed({**held, "model.pickle": pickle.dumps(_Runs(f"touch {touched}"))}))
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/autogluon-inference:1.4.0-cpu-py311"
    settled = lab.settled(lab.endpoint(lab.config(lab.model(artifact, image))))
    assert settled["EndpointStatus"] == "Failed"
    assert problem in settled["FailureReason"]
    assert not touched.exists()


def packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
