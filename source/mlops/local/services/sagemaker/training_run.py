# SPDX-License-Identifier: Apache-2.0
"""A training job's life: instances start, data come in, the container trains, the model goes out.

The container is a process of its own; stopping the job ends it. All of S3 is reached with the job's role.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from chalicelib.job_kinds import JOB_KINDS

from mlops.local import containers
from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudwatch
from mlops.local.services.sagemaker import archives, storage, tags
from mlops.local.services.sagemaker.logs import LogStream
from mlops.local.services.sagemaker.service import PRINCIPAL, invalid, now, put_event
from mlops.local.services.sagemaker.usage import HostUsage
from mlops.local.settings import TIMING
from mlops.local.state.store import Record

_LOG = logging.getLogger(__name__)
_LOG_GROUP = _NAMESPACE = JOB_KINDS["TrainingJob"].log_group  # of its metrics, too
_GRACE = 10.0  # seconds that a stopped container has to save its model; AWS gives 120
_TREE = ("input/config", "input/data", "model", "output/data")
_MESSAGES = {
    "Starting": "Starting the training job",
    "Downloading": "Downloading input data",
    "Training": "Training image download completed. Training in progress.",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopping": "Stopping the training job",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
}


class _JobFailed(Exception):
    """Ends the job; the message is its FailureReason."""


class _Stop:
    """Whether a running job is to stop."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    def wait(self, seconds: float) -> None:
        if self.asked.wait(seconds):
            raise _Stopped("Stopped")


class _Stopped(Exception):
    """Ends the job as Stopped; the message is its secondary status."""


_running: dict[str, _Stop] = {}  # by ARN


def start(job: Record, caller: Caller) -> None:
    stop_signal = _running[job["TrainingJobArn"]] = _Stop()
    _enter(job, caller, "Starting")
    identity.spawn(_run, job, caller, stop_signal)


def stop(job: Record, caller: Caller) -> None:
    running = _running.get(job["TrainingJobArn"])
    if job["TrainingJobStatus"] != "InProgress" or running is None:
        raise invalid(f"The request was rejected because the training job is in status {job['TrainingJobStatus']}.")
    job["TrainingJobStatus"] = "Stopping"
    _enter(job, caller, "Stopping")
    running.asked.set()


def record_failure(job: Record, reason: str) -> None:
    """The record of a failure that nobody is told of."""
    job["FailureReason"] = reason
    job["TrainingJobStatus"] = "Failed"
    _transition(job, "Failed", reason)
    _end(job)


# --- the steps ---------------------------------------------------------------------------------------------


def _run(job: Record, caller: Caller, stop_signal: _Stop) -> None:
    final, secondary, reason = "Completed", "Completed", None
    try:
        stop_signal.wait(TIMING.training_starting)
        with tempfile.TemporaryDirectory(prefix="mlops-training-", ignore_cleanup_errors=True) as folder:
            _train_in(Path(folder), job, caller, stop_signal)
    except _Stopped as stopped:
        final, secondary = "Stopped", str(stopped)
        time.sleep(TIMING.stopping)
    except _JobFailed as failure:
        final, secondary, reason = "Failed", "Failed", str(failure)
    except (ClientError, BotoCoreError, ApiError) as error:
        final, secondary, reason = "Failed", "Failed", f"ClientError: {error}"
    except Exception as error:
        _LOG.exception("training job %s", job["TrainingJobName"])
        final, secondary, reason = "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}"
    del _running[job["TrainingJobArn"]]
    if reason:
        job["FailureReason"] = reason[:1024]
    _end(job)
    _transition(job, secondary, reason)
    job["TrainingJobStatus"] = final
    _tell(job, caller)


def _train_in(folder: Path, job: Record, caller: Caller, stop_signal: _Stop) -> None:
    image = job["AlgorithmSpecification"]["TrainingImage"]
    container = containers.find(image)
    if container is None:
        raise _JobFailed(f"ClientError: {containers.unknown_image(image)}")
    for part in _TREE:
        (folder / part).mkdir(parents=True)
    session = identity.role_session(job["RoleArn"], PRINCIPAL, caller, job["TrainingJobArn"])
    s3 = session.client("s3")
    job["TrainingStartTime"] = now()
    _enter(job, caller, "Downloading")
    _write_config(folder / "input" / "config", job)
    for channel in job["InputDataConfig"]:
        _download(s3, channel, folder / "input" / "data" / channel["ChannelName"], job, caller)
    stop_signal.wait(TIMING.training_downloading)
    _enter(job, caller, "Training")
    log = folder / "log"
    log.touch()
    stream = LogStream(session, _LOG_GROUP, f"{job['TrainingJobName']}/algo-1-{int(time.time())}", log)
    ended = _train(container, folder, log, stream, job, stop_signal)
    _carry(stream, container, job, now=True)
    text = log.read_text(errors="replace")
    job["FinalMetricDataList"] = [
        {"MetricName": name, "Value": value, "Timestamp": now()}
        for name, value in container.metrics(text).items()
        if math.isfinite(value)
    ]
    failure = folder / "output" / "failure"
    if ended == "Failed":
        raise _JobFailed(failure.read_text() if failure.exists() else f"AlgorithmError: {_last_lines(text)}")
    _upload(s3, folder, job, caller, quiet=ended != "Completed")
    if ended != "Completed":
        raise _Stopped(ended)


def _carry(stream: LogStream, container: containers.Container, job: Record, now: bool = False) -> None:
    """Forward new lines of the log, and what metrics are in them."""
    reported: dict[str, list[float]] = {}
    for line in stream.forward(now):
        for name, value in container.metrics(line).items():
            if math.isfinite(value):
                reported.setdefault(name, []).append(value)
    for name, values in reported.items():
        cloudwatch.record_metric(_NAMESPACE, name, values, "None", {"TrainingJobName": job["TrainingJobName"]})


def _last_lines(text: str) -> str:
    return " ".join(text.strip().splitlines()[-5:]) or "the training process ended without a word"


def _write_config(folder: Path, job: Record) -> None:
    mode = job["AlgorithmSpecification"]["TrainingInputMode"]
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", mode),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
            "S3DistributionType": channel["DataSource"]
            .get("S3DataSource", {})
            .get("S3DataDistributionType", "FullyReplicated"),
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
        }
        for channel in job["InputDataConfig"]
    }
    (folder / "inputdataconfig.json").write_text(json.dumps(channels))
    (folder / "hyperparameters.json").write_text(json.dumps(job["HyperParameters"]))


def _download(s3: Any, channel: Record, folder: Path, job: Record, caller: Caller) -> None:
    name = channel["ChannelName"]
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise _JobFailed(f"ClientError: Channel {name}: the account on your laptop reads channels from S3 only.")
    if source["S3DataType"] != "S3Prefix":
        raise _JobFailed(
            f"ClientError: Channel {name}: the account on your laptop does not read "
            f"{source['S3DataType']}; give the data as an S3Prefix."
        )
    if channel.get("RecordWrapperType", "None") != "None":
        raise _JobFailed(
            f"ClientError: Channel {name}: the account on your laptop does not wrap records as "
            f"{channel['RecordWrapperType']}."
        )
    uri, why = source["S3Uri"], ""
    folder.mkdir()
    try:
        keys = storage.list_prefix(s3, uri)
        if keys:
            storage.download_prefix(s3, uri, keys, folder, channel.get("CompressionType") == "Gzip")
            return
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise _JobFailed(
                f"ClientError: Data download failed: {storage.explain(error)} (channel {name}, {uri}, "
                f"role {job['RoleArn']})"
            ) from error
        why = f" Error message from S3: {error.response['Error']['Message']}"
    except storage.StorageError as error:
        raise _JobFailed(f"ClientError: Data download failed: channel {name}: {error}") from error
    bucket = storage.split(uri)[0]
    raise _JobFailed(
        f'ClientError: Data download failed: No S3 objects found under S3 URL "{uri}" given in input data source of '
        f"channel {name}. Please ensure that the bucket exists in the selected region ({caller.region}), that objects "
        f'exist under that S3 prefix, and that the role "{job["RoleArn"]}" has "s3:ListBucket" permissions on bucket '
        f'"{bucket}".{why}'
    )


def _train(
    container: containers.Container, tree: Path, log: Path, stream: LogStream, job: Record, stop_signal: _Stop
) -> str:
    """Run the training process; how it ended: Completed, Failed, Stopped or MaxRuntimeExceeded."""
    deadline = time.monotonic() + job["StoppingCondition"].get("MaxRuntimeInSeconds", 86400)
    ended = ""
    command = container.training_command(tree, job["AlgorithmSpecification"]["TrainingImage"])
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, cwd=tree) as process,
    ):
        usage = HostUsage(_NAMESPACE, f"{job['TrainingJobName']}/algo-1", process.pid)
        while process.poll() is None and not ended:
            if stop_signal.asked.wait(TIMING.poll):
                ended = "Stopped"
            elif time.monotonic() > deadline:
                ended = "MaxRuntimeExceeded"
            _carry(stream, container, job)
            usage.look()
        if ended:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            process.kill()
        usage.record()
    return ended or ("Completed" if process.returncode == 0 else "Failed")


def _upload(s3: Any, folder: Path, job: Record, caller: Caller, quiet: bool) -> None:
    """Write the model and what else the container left; a job that stops shows no Uploading."""
    if not quiet:
        _enter(job, caller, "Uploading")
        time.sleep(TIMING.training_uploading)
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    kms_key = job["OutputDataConfig"].get("KmsKeyId") or None
    for part, uri in (("model", model), ("output/data", model.replace("model.tar.gz", "output.tar.gz"))):
        archive = archives.pack(folder / part)
        if archive is None:
            continue
        try:
            storage.check_key(job["RoleArn"], kms_key, caller)
            storage.write(s3, uri, archive, kms_key)
        except ClientError as error:
            raise _JobFailed(
                f"ClientError: Artifact upload failed: {storage.explain(error)} ({uri}, role {job['RoleArn']})"
            ) from error
        except ApiError as error:
            raise _JobFailed(f"ClientError: Artifact upload failed: {error.message} ({uri})") from error


# --- states ------------------------------------------------------------------------------------------------


def _enter(job: Record, caller: Caller, secondary: str) -> None:
    if secondary != "Stopping" and job["TrainingJobStatus"] == "Stopping":
        raise _Stopped("Stopped")
    _transition(job, secondary)
    _tell(job, caller)


def _transition(job: Record, secondary: str, message: str | None = None) -> None:
    moment = now()
    before = job["SecondaryStatusTransitions"]
    closed = [{**step, "EndTime": step.get("EndTime", moment)} for step in before]
    step = {"Status": secondary, "StartTime": moment, "StatusMessage": message or _MESSAGES[secondary]}
    if secondary in ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded"):
        step["EndTime"] = moment
    job["SecondaryStatusTransitions"] = [*closed, step]
    job["SecondaryStatus"] = secondary
    job["LastModifiedTime"] = moment


def _end(job: Record) -> None:
    job["TrainingEndTime"] = now()
    if "TrainingStartTime" in job:
        seconds = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
        job["TrainingTimeInSeconds"] = job["BillableTimeInSeconds"] = max(1, math.ceil(seconds))


def _tell(job: Record, caller: Caller) -> None:
    put_event(caller, "Training Job", {**job, "Tags": tags.of(job["TrainingJobArn"])}, job["TrainingJobArn"])
