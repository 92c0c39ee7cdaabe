# SPDX-License-Identifier: Apache-2.0
"""Autopilot jobs on one account: requests for them, and what came of them."""

from __future__ import annotations

from typing import Any

from tests.support import messy
from tests.support.lab import Lab
from tests.support.naming import unique
from tests.support.waiting import wait_for


def request(lab: Lab, training: str, tabular: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A CreateAutoMLJobV2 request; `tabular` changes its TabularJobConfig."""
    return {
        "AutoMLJobName": unique("search"),
        "AutoMLJobInputDataConfig": [channel(training)],
        "OutputDataConfig": {"S3OutputPath": f"s3://{lab.bucket}/found/"},
        "AutoMLProblemTypeConfig": {
            "TabularJobConfig": {
                "TargetAttributeName": messy.TARGET,
                "CompletionCriteria": {"MaxCandidates": 3},
                **(tabular or {}),
            }
        },
        "RoleArn": lab.role,
        **changes,
    }


def channel(uri: str, kind: str = "training", **changes: Any) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}
    return {"ChannelType": kind, "ContentType": "text/csv;header=present", "DataSource": source, **changes}


def search(lab: Lab, training: str, tabular: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Run a job to its end."""
    wanted = request(lab, training, tabular, **changes)
    lab.sagemaker.create_auto_ml_job_v2(**wanted)
    return ended(lab, wanted["AutoMLJobName"])


def described(lab: Lab, name: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.sagemaker.describe_auto_ml_job_v2(AutoMLJobName=name)
    return found


def ended(lab: Lab, name: str) -> dict[str, Any]:
    wait_for(lambda: described(lab, name)["AutoMLJobStatus"] not in ("InProgress", "Stopping"), 180)
    return described(lab, name)


def candidates(lab: Lab, job: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    pages = lab.sagemaker.get_paginator("list_candidates_for_auto_ml_job")
    name = job["AutoMLJobName"]
    return [one for page in pages.paginate(AutoMLJobName=name, **query) for one in page["Candidates"]]


def value(candidate: dict[str, Any]) -> float:
    found: float = candidate["FinalAutoMLJobObjectiveMetric"]["Value"]
    return found


def metrics(candidate: dict[str, Any], place: str = "Validation") -> dict[str, float]:
    found = candidate["CandidateProperties"]["CandidateMetrics"]
    return {one["StandardMetricName"]: one["Value"] for one in found if one["Set"] == place}


def algorithms(job: dict[str, Any], found: list[dict[str, Any]]) -> list[str]:
    """What the candidates learnt with, which their names say."""
    return [one["CandidateName"].removeprefix(f"{job['AutoMLJobName']}-")[:-4] for one in found]


def serve(lab: Lab, candidate: dict[str, Any], output: str = "") -> str:
    """An endpoint with a candidate's own containers; `output` is what it answers with."""
    containers = candidate["InferenceContainers"]
    if output:
        containers[0]["Environment"]["SAGEMAKER_INFERENCE_OUTPUT"] = output
    name = unique("model")
    lab.sagemaker.create_model(ModelName=name, ExecutionRoleArn=lab.role, Containers=containers)
    endpoint = lab.endpoint(lab.config(name))
    settled = lab.settled(endpoint)
    assert settled["EndpointStatus"] == "InService", settled
    return endpoint
