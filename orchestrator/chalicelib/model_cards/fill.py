# SPDX-License-Identifier: Apache-2.0
"""What SageMaker says of a model or a training job -> the parts of a card's content that follow from it. Pure.

In: the documents of DescribeModel and DescribeTrainingJob. The values of a request have precedence over these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chalicelib.model_cards import schemas
from chalicelib.model_cards.content import Content

_ARTIFACT = "/output/model.tar.gz"  # what SageMaker appends to <output path>/<training job> for the model that it made


def model_overview(model: Mapping[str, Any]) -> Content:
    """The ARN, the artifacts and the images of a model."""
    found: Content = {"model_id": model["ModelArn"]}
    if artifacts := model_artifacts(model):
        found["model_artifact"] = artifacts
    if images := [one["Image"] for one in _containers(model) if one.get("Image")]:
        found["inference_environment"] = {"container_image": images}
    return found


def model_artifacts(model: Mapping[str, Any]) -> list[str]:
    """The artifacts of a model, one of each of its containers that has one."""
    return [location for one in _containers(model) if (location := _location(one))]


def training_job_of(artifact: str) -> str:
    """The training job in the location of the model that it made; empty where there is none."""
    folder = artifact.removesuffix(_ARTIFACT)
    return "" if folder == artifact else folder.rpartition("/")[2]


def training_job_details(job: Mapping[str, Any]) -> tuple[Content, list[str]]:
    """The data, image, hyperparameters and metrics of a training job; and the hyperparameters that a card cannot hold.

    SageMaker takes more of them in a training job than in a card, and longer values.
    """
    limits = schemas.content()["properties"]["training_details"]["properties"]["training_job_details"]["properties"]
    found: Content = {"training_arn": job["TrainingJobArn"]}
    sources = [channel["DataSource"].get("S3DataSource", {}).get("S3Uri") for channel in job.get("InputDataConfig", [])]
    if datasets := list(dict.fromkeys(filter(None, sources))):
        found["training_datasets"] = datasets[: limits["training_datasets"]["maxItems"]]
    if image := job["AlgorithmSpecification"].get("TrainingImage"):
        found["training_environment"] = {"container_image": [image]}
    metrics = [{"name": one["MetricName"], "value": one["Value"]} for one in job.get("FinalMetricDataList", [])]
    if metrics:
        found["training_metrics"] = metrics[: limits["training_metrics"]["maxItems"]]
    given = job.get("HyperParameters", {})
    value = schemas.content()["$defs"]["hyperparameter"]["properties"]["value"]
    held = [key for key, one in given.items() if value["minLength"] <= len(one) <= value["maxLength"]]
    held = held[: limits["hyper_parameters"]["maxItems"]]
    if held:
        found["hyper_parameters"] = [{"name": key, "value": given[key]} for key in held]
    return found, [key for key in given if key not in held]


def _containers(model: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(model.get("Containers") or [model.get("PrimaryContainer", {})])


def _location(container: Mapping[str, Any]) -> str:
    source = container.get("ModelDataSource", {}).get("S3DataSource", {}).get("S3Uri", "")
    return str(container.get("ModelDataUrl") or source)
