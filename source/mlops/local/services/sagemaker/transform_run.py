# SPDX-License-Identifier: Apache-2.0
"""What a batch transform job does: objects come in, the model answers, their outputs go out.

The model is loaded as an endpoint's is. All of S3 is reached with the model's execution role. An object that cannot be
transformed has no output and fails the job, once the others are done:
https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-errors.html
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError
from chalicelib.job_kinds import JOB_KINDS

from mlops.local.containers import InferenceError, Prediction
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError
from mlops.local.services.sagemaker import archives, models, reports, serving, storage
from mlops.local.services.sagemaker.jobs import JobFailed, JobStopped, Run
from mlops.local.services.sagemaker.logs import LogStream
from mlops.local.services.sagemaker.service import PRINCIPAL
from mlops.local.services.sagemaker.transform import inputs
from mlops.local.services.sagemaker.transform.inputs import Input
from mlops.local.services.sagemaker.transform.joining import FormatError
from mlops.local.services.sagemaker.transform.records import RecordError
from mlops.local.services.sagemaker.transform.work import Request, Work, output, requests, work_of
from mlops.local.settings import TIMING
from mlops.local.state.store import Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG_GROUP = JOB_KINDS["TransformJob"].log_group
_ANSWER_SECONDS, _RETRIES = 600, 3  # the defaults of ModelClientConfig
_BATCH = {"SAGEMAKER_BATCH": "true"}  # by which a container knows that it serves a batch transform job


class _ObjectFailed(Exception):
    """An object cannot be transformed: whose error it is, and the lines about it in the data log."""

    def __init__(self, error: str, *lines: str) -> None:
        super().__init__(error)
        self.error, self.lines = error, lines


def transform(run: Run) -> None:
    """Transform all objects of a job."""
    run.wait(TIMING.transform_starting)
    role_arn = models.find(run.job["ModelName"], run.caller)["ExecutionRoleArn"]
    session = identity.role_session(role_arn, PRINCIPAL, run.caller, run.arn)
    with tempfile.TemporaryDirectory(prefix="mlops-transform-", ignore_cleanup_errors=True) as folder:
        logs = _Logs(session, run.job["TransformJobName"], run.arn, Path(folder))
        try:
            _transform(run, session, role_arn, logs, Path(folder))
        finally:
            logs.forward(now=True)


def _transform(run: Run, session: boto3.Session, role_arn: str, logs: _Logs, folder: Path) -> None:
    job, work, s3 = run.job, work_of(run.job), session.client("s3")
    run.starts()
    objects = _objects(s3, job, role_arn)
    concurrent = job.get("MaxConcurrentTransforms") or 1
    logs.data(
        f"MaxConcurrentTransforms={concurrent}, MaxPayloadInMB={work.megabytes}, BatchStrategy={work.shown_strategy}"
    )
    environment, client = {**job.get("Environment", {}), **_BATCH}, job.get("ModelClientConfig", {})
    try:
        model = serving.open_model(
            job["ModelName"],
            run.caller,
            source_arn=run.arn,
            environment=environment,
            log=logs.container,
            answer_seconds=client.get("InvocationsTimeoutInSeconds", _ANSWER_SECONDS),
        )
    except serving.DeploymentFailed as failure:
        raise JobFailed(f"ClientError: {failure}") from failure
    retries = client.get("InvocationsMaxRetries", _RETRIES)
    transformer = _Transformer(run, s3, role_arn, logs, work, model, concurrent, retries, folder)
    with model:
        failed = [error for one in objects if (error := transformer.tried(one))]
    if failed:
        raise JobFailed(f"{failed[0]}: See job logs for more information")


def _objects(s3: S3Client, job: Record, role_arn: str) -> list[Input]:
    """The objects to transform, in the order in which they are."""
    source = job["TransformInput"]["DataSource"]["S3DataSource"]
    uri = source["S3Uri"]
    bucket, key = storage.split(uri)
    try:
        if source["S3DataType"] == "ManifestFile":
            return inputs.of_manifest(storage.read(s3, uri))
        if keys := storage.list_prefix(s3, uri):
            return inputs.under_prefix(bucket, key, keys)
    except ClientError as error:
        raise JobFailed(
            f"ClientError: Data download failed: {storage.explain(error)} ({uri}, role {role_arn})"
        ) from error
    except inputs.ManifestError as error:
        raise JobFailed(f"ClientError: The manifest {uri} {error}") from error
    raise JobFailed(
        f'ClientError: No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that objects '
        f'exist under that S3 prefix, and that the role "{role_arn}" has "s3:ListBucket" permissions on bucket '
        f'"{bucket}".'
    )


@dataclass(frozen=True)
class _Transformer:
    """Transforms the objects of a job, one after the other."""

    run: Run
    s3: S3Client
    role_arn: str
    logs: _Logs
    work: Work
    model: serving.OpenModel
    concurrent: int
    retries: int
    folder: Path

    def tried(self, one: Input) -> str:
        """Transform an object. What fails is in the data log; returns whose error it is, or nothing."""
        self.run.wait(0)
        name = one.uri.removeprefix("s3://")
        try:
            self._transform(one)
        except _ObjectFailed as failure:
            self.logs.data(*(f"{name}: {line}" for line in failure.lines))
            return failure.error
        except (RecordError, FormatError) as error:
            self.logs.data(f"{name}: {error}")
            return "ClientError"
        finally:
            self.logs.forward()
        return ""

    def _transform(self, one: Input) -> None:
        body = self._read(one.uri)
        with ThreadPoolExecutor(self.concurrent) as pool:
            answers = b"".join(
                answer
                for some in _in_groups(requests(body, self.work), self.concurrent)
                for answer in self._ask(pool, some)
            )
        self._write(one.output, answers)

    def _ask(self, pool: ThreadPoolExecutor, some: list[Request]) -> list[bytes]:
        """The answers to requests that are sent at the same time. A job that is to stop does not wait for them."""
        answers = [pool.submit(self._answer, request) for request in some]
        try:
            while futures.wait(answers, TIMING.poll).not_done:
                self.run.wait(0)
        except JobStopped:
            self.model.abandon()
            raise
        self.run.wait(0)
        return [answer.result() for answer in answers]

    def _answer(self, request: Request) -> bytes:
        prediction = self._predicted(request)
        return output(request, prediction.body, prediction.content_type, self.work)

    def _predicted(self, request: Request) -> Prediction:
        """The model's answer. A container that fails, or does not answer in time, is asked again."""
        for left in range(self.retries, -1, -1):
            try:
                return self.model.invoke(request.body, self.work.content_type, self.work.accept)
            except InferenceError as error:
                is_client = 400 <= error.status < 500
                if is_client or not left:
                    whose = "ClientError" if is_client else "AlgorithmError"
                    said = f"{whose}: {error.status}" if error.status else whose
                    raise _ObjectFailed(whose, said, "", "Message:", *error.message.splitlines()) from error
        raise AssertionError("a request is sent at least once")

    def _read(self, uri: str) -> bytes:
        try:
            body = storage.read(self.s3, uri)
            if self.run.job["TransformInput"].get("CompressionType") == "Gzip":
                unpacked = self.folder / "unpacked"
                archives.gunzip(body, unpacked)
                return unpacked.read_bytes()
        except ClientError as error:
            raise _ObjectFailed("ClientError", f"Data download failed: {storage.explain(error)}") from error
        except archives.Unusable as error:
            raise _ObjectFailed("ClientError", f"it {error}; the job's CompressionType is Gzip") from error
        return body

    def _write(self, name: str, body: bytes) -> None:
        target = self.run.job["TransformOutput"]
        uri = f"{target['S3OutputPath'].rstrip('/')}/{name}"
        kms_key = target.get("KmsKeyId") or None
        try:
            storage.check_key(self.role_arn, kms_key, self.run.caller)
            storage.write(self.s3, uri, body, kms_key)
        except (ClientError, ApiError) as error:
            why = storage.explain(error) if isinstance(error, ClientError) else error.message
            raise JobFailed(f"ClientError: Output upload failed: {why} ({uri}, role {self.role_arn})") from error


def _in_groups(items: Iterable[Request], size: int) -> Iterator[list[Request]]:
    iterator = iter(items)
    while group := list(itertools.islice(iterator, size)):
        yield group


class _Logs:
    """A job's two log streams: what its container writes, and what is said of its data."""

    def __init__(self, session: boto3.Session, job: str, job_arn: str, folder: Path) -> None:
        instance = f"{job}/{reports.instance_id(job_arn, job)}-{int(time.time())}"
        self._container, self._data = folder / "container", folder / "data"
        for file in (self._container, self._data):
            file.touch()
        self._streams = (
            LogStream(session, _LOG_GROUP, instance, self._container),
            LogStream(session, _LOG_GROUP, f"{instance}/data-log", self._data),
        )

    def container(self, line: str) -> None:
        """A line of the container's log."""
        with self._container.open("a") as file:
            file.write(f"{line}\n")

    def data(self, *lines: str) -> None:
        """Lines of the data log."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        with self._data.open("a") as file:
            file.writelines(f"{moment}:[sagemaker logs]: {line}\n" for line in lines)

    def forward(self, now: bool = False) -> None:
        """Send what is new."""
        for stream in self._streams:
            stream.forward(now)
