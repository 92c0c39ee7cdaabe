# SPDX-License-Identifier: Apache-2.0
"""Each kind of job is read as SageMaker's own model describes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore import xform_name
from chalicelib.aws import jobs
from chalicelib.aws.jobs import KINDS, Kind, described

MODEL = botocore.session.get_session().get_service_model("sagemaker")
OPERATIONS = {xform_name(name): MODEL.operation_model(name) for name in MODEL.operation_names}


def shape_at(shape: Any, path: str) -> Any:
    for key in path.split("."):
        shape = shape.member if shape.type_name == "list" else shape.members[key]
    return shape


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_read_of_a_job_is_in_its_description(kind: Kind) -> None:
    operation = OPERATIONS[kind.describe]
    assert operation.input_shape.required_members == [kind.name]
    assert OPERATIONS[kind.stop].input_shape.required_members == [kind.name]
    found = operation.output_shape
    assert shape_at(found, kind.status).type_name == "string"
    assert jobs.COMPLETED in shape_at(found, kind.status).enum
    for path in (kind.started, kind.ended):
        assert shape_at(found, path).type_name == "timestamp"
    for path in filter(None, (kind.name, kind.progress, kind.artifact)):
        assert shape_at(found, path).type_name == "string"
    if kind.metrics:
        metric = shape_at(found, kind.metrics)
        metric = metric.member if metric.type_name == "list" else metric
        assert {"MetricName", "Value"} <= set(metric.members)


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
