# SPDX-License-Identifier: Apache-2.0
"""Models in memory: what an endpoint's variants answer with."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mlops.local import containers
from mlops.local.containers import ModelLoadError, Prediction, Predictor
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import archives, models, reports, storage
from mlops.local.services.sagemaker.service import PRINCIPAL
from mlops.local.state.store import Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class DeploymentFailed(Exception):
    """An endpoint cannot serve its config; the message is its FailureReason."""


@dataclass(frozen=True)
class Variant:
    """A production variant that serves."""

    name: str
    model_name: str
    images: tuple[str, ...]
    predictor: Predictor
    source: reports.Source

    @property
    def role_arn(self) -> str:
        return self.source.role_arn


class _Chain:
    """An inference pipeline: each container's answer is the next one's request."""

    def __init__(self, predictors: list[Predictor]) -> None:
        self._predictors = predictors

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        for predictor in self._predictors[:-1]:
            answer = predictor.invoke(body, content_type, "")
            body, content_type = answer.body, answer.content_type
        return self._predictors[-1].invoke(body, content_type, accept)


def load(config: Record, caller: Caller, endpoint_arn: str) -> list[Variant]:
    """Load all models of an endpoint config, each with its own execution role."""
    instance = reports.instance_id(endpoint_arn, config["EndpointConfigName"])
    return [_load_variant(variant, caller, endpoint_arn, instance) for variant in config["ProductionVariants"]]


def _load_variant(variant: dict[str, Any], caller: Caller, endpoint_arn: str, instance: str) -> Variant:
    try:
        model = models.find(variant["ModelName"], caller)
        specified = models.containers(model)
        s3 = identity.role_session(model["ExecutionRoleArn"], PRINCIPAL, caller, endpoint_arn).client("s3")
    except ApiError as error:
        raise DeploymentFailed(error.message) from error
    name = endpoint_arn.rsplit("/", 1)[-1]
    source = reports.Source(caller, name, variant["VariantName"], instance, model["ExecutionRoleArn"])
    predictors = [_load_container(container, number, source, s3) for number, container in enumerate(specified, 1)]
    return Variant(
        variant["VariantName"],
        variant["ModelName"],
        tuple(container["Image"] for container in specified),
        predictors[0] if len(predictors) == 1 else _Chain(predictors),
        source,
    )


def _load_container(container: dict[str, Any], number: int, source: reports.Source, s3: S3Client) -> Predictor:
    name = container.get("ContainerHostname", "primary" if number == 1 else f"container_{number}")
    unhealthy = f"The {name} container for production variant {source.variant} did not pass the ping health check"
    known = containers.find(container["Image"])
    if known is None:
        raise DeploymentFailed(f"{unhealthy}: {containers.unknown_image(container['Image'])}")
    with tempfile.TemporaryDirectory(prefix="mlops-model-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        uri = models.artifact(container)
        if uri is not None:
            _fetch(container, uri, name, s3, folder)
        try:
            predictor = known.load(folder)
        except ModelLoadError as error:
            reports.log(source, f"[ERROR] Unable to load model from {uri or 'no artifact'}: {error}")
            raise DeploymentFailed(
                f"{unhealthy}: unable to load model from {uri or 'no artifact'}: {error}."
            ) from error
    reports.log(source, f"[INFO] {container['Image']} serves the model from {uri or 'no artifact'}")
    return predictor


def _fetch(container: dict[str, Any], uri: str, name: str, s3: S3Client, folder: Path) -> None:
    try:
        if uri.endswith("/"):
            storage.download_prefix(s3, uri, storage.list_prefix(s3, uri), folder, gzipped=False)
        else:
            archives.unpack(storage.read(s3, uri), folder)
    except ClientError as error:
        raise DeploymentFailed(
            f'Failed to download model data for container "{name}" from URL: "{uri}". Please ensure that there is an '
            "object located at the URL and that the role passed to CreateModel has permissions to download the "
            f"object. S3 answered {storage.explain(error)}"
        ) from error
    except archives.Unusable as error:
        raise DeploymentFailed(
            f'Failed to extract model data archive from URL "{uri}" for container "{name}": it {error}.'
        ) from error
    except storage.StorageError as error:
        raise DeploymentFailed(
            f'Failed to download model data for container "{name}" from URL: "{uri}": {error}.'
        ) from error
