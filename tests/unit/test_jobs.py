# SPDX-License-Identifier: Apache-2.0
"""Each kind of job is read as SageMaker's own model describes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource
from chalicelib import job_kinds
from chalicelib.aws.jobs import described
from chalicelib.aws.observed import BestJob
from chalicelib.job_kinds import JOB_KINDS, JobKind

MODEL = botocore.session.get_session().get_service_model("sagemaker")
IAM = load_resource(AdditionalSpecs, "Policies.json")
each_kind = pytest.mark.parametrize("kind", JOB_KINDS.values(), ids=JOB_KINDS)


def shape_at(shape: Any, path: str) -> Any:
    for key in path.split("."):
        shape = shape.member if shape.type_name == "list" else shape.members[key]
    return shape


@each_kind
def test_what_is_read_of_a_job_is_in_its_description(kind: JobKind) -> None:
    described = MODEL.operation_model(kind.describe)
    assert described.input_shape.required_members == [kind.name]
    assert MODEL.operation_model(kind.stop).input_shape.required_members == [kind.name]
    found = described.output_shape
    for path in (job_kinds.CREATED, kind.started, kind.ended):
        assert shape_at(found, path).type_name == "timestamp"
    texts = (kind.name, kind.progress, kind.artifact, kind.role, job_kinds.FAILURE_REASON)
    for path in filter(None, texts):
        assert shape_at(found, path).type_name == "string"
    if kind.counters:
        assert {"integer"} == {one.type_name for one in shape_at(found, kind.counters).members.values()}
    if kind.best:
        best = shape_at(found, kind.best)
        assert {JOB_KINDS[kind.logs_as].name, "TunedHyperParameters"} <= set(best.members)
    if kind.metrics:
        metric = shape_at(found, kind.metrics)
        metric = metric.member if metric.type_name == "list" else metric
        assert {"MetricName", "Value"} <= set(metric.members)


@each_kind
def test_every_status_of_a_kind_is_one_that_is_known(kind: JobKind) -> None:
    statuses = set(shape_at(MODEL.operation_model(kind.describe).output_shape, kind.status).enum)
    assert job_kinds.RUNNING | {job_kinds.COMPLETED} < statuses
    assert statuses - job_kinds.RUNNING - {job_kinds.COMPLETED} <= job_kinds.ENDED_BADLY


@each_kind
def test_what_a_request_for_a_job_says_is_in_its_model(kind: JobKind) -> None:
    created = MODEL.operation_model(kind.create)
    assert kind.name in created.input_shape.required_members
    assert shape_at(created.input_shape, kind.name).metadata["max"] in (32, 63)
    if kind.role:
        assert shape_at(created.input_shape, kind.role).metadata["pattern"].startswith("arn:")
    arn = shape_at(created.output_shape, f"{kind.key}Arn")
    assert f":{kind.arn}/" in arn.metadata["pattern"]


@each_kind
def test_iam_knows_what_a_state_machine_needs_for_a_kind(kind: JobKind) -> None:
    for action in kind.actions:
        service, _, name = action.partition(":")
        assert kind.arn in IAM[service]["Actions"][name.lower()]["Resources"], action
    assert any(f":{kind.arn}/" in arn for arn in IAM["sagemaker"]["Resources"][kind.arn]["ARNFormats"])


def test_step_functions_waits_for_these_kinds() -> None:
    """https://docs.aws.amazon.com/step-functions/latest/dg/connect-sagemaker.html"""
    assert {kind.integration for kind in JOB_KINDS.values()} == {
        "sagemaker:createTrainingJob.sync",
        "sagemaker:createHyperParameterTuningJob.sync",
        "sagemaker:createTransformJob.sync",
        "sagemaker:createProcessingJob.sync",
        "aws-sdk:sagemaker:createAutoMLJobV2",
    }


@pytest.mark.parametrize("status", ["InProgress", "Completed", "Failed", "Stopped"])
def test_what_a_job_made_counts_once_it_has_completed(status: str) -> None:
    found = {
        "TrainingJobName": "job",
        "TrainingJobStatus": status,
        "TrainingStartTime": datetime(2026, 1, 31, tzinfo=UTC),
        "ModelArtifacts": {"S3ModelArtifacts": "s3://assets/model.tar.gz"},
        "FinalMetricDataList": [{"MetricName": "auc", "Value": 0.5}, {"MetricName": "loss", "Value": 2.0}],
    }
    job = described("TrainingJob", found)
    assert job.artifact == ("s3://assets/model.tar.gz" if status == "Completed" else "")
    assert (job.metrics, job.ended) == ({"auc": 0.5, "loss": 2.0}, None)


def test_a_description_that_lacks_something_leaves_it_out() -> None:
    found = {"AutoMLJobName": "job", "AutoMLJobStatus": "Completed", "BestCandidate": {"InferenceContainers": []}}
    job = described("AutoMLJob", found)
    assert (job.artifact, job.metrics, job.started) == ("", {}, None)


@pytest.mark.parametrize(
    ("kind", "group", "streams"),
    [
        ("TrainingJob", "/aws/sagemaker/TrainingJobs", "one/"),
        ("HyperParameterTuningJob", "/aws/sagemaker/TrainingJobs", "one"),
        ("AutoMLJob", "/aws/sagemaker/TrainingJobs", "one"),
        ("TransformJob", "/aws/sagemaker/TransformJobs", "one/"),
        ("ProcessingJob", "/aws/sagemaker/ProcessingJobs", "one/"),
    ],
)
def test_where_the_log_of_a_job_is(kind: str, group: str, streams: str) -> None:
    assert JOB_KINDS[kind].log_group == group
    assert JOB_KINDS[kind].log_streams("one") == streams


def test_a_tuning_job_tells_of_the_training_jobs_that_it_started() -> None:
    found = {
        "HyperParameterTuningJobName": "job",
        "HyperParameterTuningJobStatus": "InProgress",
        "TrainingJobStatusCounters": {"Completed": 3, "InProgress": 2, "NonRetryableError": 1, "Stopped": 0},
        "BestTrainingJob": {
            "TrainingJobName": "job-002-0a1b2c3d",
            "TunedHyperParameters": {"eta": "0.2"},
            "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "validation:auc", "Value": 0.5},
        },
    }
    job = described("HyperParameterTuningJob", found)
    assert job.progress == "training jobs: 3 completed, 2 in progress, 1 non retryable error"
    assert job.best == BestJob("TrainingJob", "job-002-0a1b2c3d", {"eta": "0.2"})
    assert (job.metrics, job.artifact, job.is_model) == ({"validation:auc": 0.5}, "", True)
    del found["BestTrainingJob"]
    job = described("HyperParameterTuningJob", found)
    assert (job.best, job.metrics) == (None, {})
