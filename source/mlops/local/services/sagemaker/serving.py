# SPDX-License-Identifier: Apache-2.0
"""Models that answer, by their names: what an endpoint's variants and a batch transform job ask.

with serving.open_model("churn", caller, source_arn=job_arn) as model:
    answer = model.invoke(body, "text/csv", "")
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from mlops.local import containers
from mlops.local.containers import Model, ModelLoadError, Prediction, Predictor
from mlops.local.containers.base import ANSWER_SECONDS
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import access, archives, models, reports, storage
from mlops.local.services.sagemaker.service import PRINCIPAL
from mlops.local.state.store import Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Log = Callable[[str], None]


class DeploymentFailed(Exception):
    """A model cannot be served; the message says why, in the words of an endpoint's FailureReason."""


class Closed(Exception):
    """The model was closed: another has taken its place, or its endpoint was deleted."""


class OpenModel:
    """A model with all of its containers. Each container's answer is the next one's request.

    Closing it waits for the requests under way, and ends the processes that serve it.
    """

    def __init__(self, name: str, images: tuple[str, ...], predictors: list[Predictor], close: Callable[[], None]):
        self.name, self.images = name, images
        self._predictors, self._close = predictors, close
        self._state = threading.Condition()
        self._under_way, self._closed = 0, False

    def invoke(self, body: bytes, content_type: str, accept: str) -> Prediction:
        """Answer one request; raises InferenceError, or Closed. May be called from several threads."""
        with self._state:
            if self._closed:
                raise Closed(self.name)
            self._under_way += 1
        try:
            for predictor in self._predictors[:-1]:
                answer = predictor.invoke(body, content_type, "")
                body, content_type = answer.body, answer.content_type
            return self._predictors[-1].invoke(body, content_type, accept)
        finally:
            with self._state:
                self._under_way -= 1
                self._state.notify_all()

    def close(self) -> None:
        """Answer nothing more. A second call does nothing."""
        with self._state:
            if self._closed:
                return
            self._closed = True
            self._state.wait_for(lambda: not self._under_way)
        self._close()

    def abandon(self) -> None:
        """Close at once: requests under way to a process fail."""
        with self._state:
            if self._closed:
                return
            self._closed = True
        self._close()

    def __enter__(self) -> OpenModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_model(
    name: str,
    caller: Caller,
    *,
    source_arn: str,
    environment: Mapping[str, str] | None = None,
    log: Log = lambda line: None,
    place: str = "",
    answer_seconds: float = ANSWER_SECONDS,
) -> OpenModel:
    """Load an AWS::SageMaker::Model by its name, with its execution role; raises DeploymentFailed.

    `source_arn` is what asks for it (an endpoint, a job); `environment` is added to that of every container; `log`
    takes the containers' lines; `place` follows the container's name in messages: " for production variant AllTraffic".
    A process that has not answered a request after `answer_seconds` is ended.
    """
    try:
        model = models.find(name, caller)
        specified = models.containers(model)
        session = identity.role_session(model["ExecutionRoleArn"], PRINCIPAL, caller, source_arn)
    except ApiError as error:
        raise DeploymentFailed(error.message) from error
    reach = access.variables(session, model["EnableNetworkIsolation"])
    loader = _Loader(session, reach, dict(environment or {}), log, place, answer_seconds)
    with contextlib.ExitStack() as stack:
        predictors = [loader.load(container, number, stack) for number, container in enumerate(specified, 1)]
        images = tuple(container["Image"] for container in specified)
        return OpenModel(name, images, predictors, stack.pop_all().close)


@dataclass(frozen=True)
class _Loader:
    """Loads the containers of one model."""

    session: boto3.Session
    access: Mapping[str, str]
    environment: Mapping[str, str]
    log: Log
    place: str
    answer_seconds: float

    def load(self, container: dict[str, Any], number: int, stack: contextlib.ExitStack) -> Predictor:
        """A container that answers; what it needs until it is closed goes onto the stack."""
        image = container["Image"]
        name = container.get("ContainerHostname", "primary" if number == 1 else f"container_{number}")
        unhealthy = f"The {name} container{self.place} did not pass the ping health check"
        known = containers.find(image)
        if known is None:
            raise DeploymentFailed(f"{unhealthy}: {containers.unknown_image(image)}")
        place = stack.enter_context(tempfile.TemporaryDirectory(prefix="mlops-model-", ignore_cleanup_errors=True))
        folder = Path(place, "ml", "model")
        folder.mkdir(parents=True)
        uri = models.artifact(container)
        if uri is not None:
            _fetch(container, uri, name, self.session.client("s3"), folder)
        environment = {**container.get("Environment", {}), **self.environment}
        model = Model(folder, image, environment, self.access, self.log, self.answer_seconds)
        try:
            predictor = known.load(model)
        except ModelLoadError as error:
            self.log(f"[ERROR] Unable to load model from {uri or 'no artifact'}: {error}")
            raise DeploymentFailed(
                f"{unhealthy}: unable to load model from {uri or 'no artifact'}: {error}."
            ) from error
        stack.callback(predictor.close)
        self.log(f"[INFO] {image} serves the model from {uri or 'no artifact'}")
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


# --- the variants of an endpoint ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Variant:
    """A production variant that serves."""

    name: str
    model: OpenModel
    source: reports.Source

    @property
    def role_arn(self) -> str:
        return self.source.role_arn


def load(config: Record, caller: Caller, endpoint_arn: str) -> list[Variant]:
    """Load all models of an endpoint config, each with its own execution role; raises DeploymentFailed."""
    instance = reports.instance_id(endpoint_arn, config["EndpointConfigName"])
    with contextlib.ExitStack() as stack:
        variants = []
        for variant in config["ProductionVariants"]:
            variants.append(_load_variant(variant, caller, endpoint_arn, instance))
            stack.callback(variants[-1].model.close)
        stack.pop_all()
    return variants


def close(variants: list[Variant]) -> None:
    """End what serves these variants, when their requests are answered."""
    for variant in variants:
        variant.model.close()


def _load_variant(variant: dict[str, Any], caller: Caller, endpoint_arn: str, instance: str) -> Variant:
    try:
        role_arn = models.find(variant["ModelName"], caller)["ExecutionRoleArn"]
    except ApiError as error:
        raise DeploymentFailed(error.message) from error
    name = variant["VariantName"]
    source = reports.Source(caller, endpoint_arn.rsplit("/", 1)[-1], name, instance, role_arn)
    model = open_model(
        variant["ModelName"],
        caller,
        source_arn=endpoint_arn,
        log=lambda line: reports.log(source, line),
        place=f" for production variant {name}",
    )
    return Variant(name, model, source)
