# SPDX-License-Identifier: Apache-2.0
"""What a training job does: data come in, the container trains, the model goes out.

The container is a process of its own; stopping the job ends it. All of S3 is reached with the job's role.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from chalicelib.job_kinds import JOB_KINDS

from mlops.local import containers
from mlops.local.containers import CannotRun, Container, Job, Program
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.ministack import cloudwatch
from mlops.local.services.sagemaker import access, archives, job_input, metrics, storage
from mlops.local.services.sagemaker.job_process import run_process
from mlops.local.services.sagemaker.jobs import JobFailed, JobStopped, Run
from mlops.local.services.sagemaker.logs import LogStream
from mlops.local.services.sagemaker.service import now
from mlops.local.settings import TIMING
from mlops.local.state.store import Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_LOG_GROUP = _NAMESPACE = JOB_KINDS["TrainingJob"].log_group  # of its metrics, too
_TREE = ("input/config", "input/data", "model", "output/data")
MESSAGES = {
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


def train(run: Run) -> None:
    run.wait(TIMING.training_starting)
    with tempfile.TemporaryDirectory(prefix="mlops-training-", ignore_cleanup_errors=True) as folder:
        _train_in(Path(folder), run)


def _train_in(folder: Path, run: Run) -> None:
    job = run.job
    image = job["AlgorithmSpecification"]["TrainingImage"]
    container = containers.find(image)
    if container is None:
        raise JobFailed(f"ClientError: {containers.unknown_image(image)}")
    tree = folder / "ml"
    for part in _TREE:
        (tree / part).mkdir(parents=True)
    session = run.session()
    s3 = session.client("s3")
    run.starts()
    run.enter("Downloading")
    _write_config(tree / "input" / "config", job)
    for channel in job["InputDataConfig"]:
        _download(s3, channel, tree / "input" / "data" / channel["ChannelName"], job, run.caller)
    run.wait(TIMING.training_downloading)
    run.enter("Training")
    log = folder / "log"
    log.touch()
    stream = LogStream(session, _LOG_GROUP, f"{job['TrainingJobName']}/algo-1-{int(time.time())}", log)
    wanted = metrics.Wanted(container.metrics, job["AlgorithmSpecification"].get("MetricDefinitions", []))
    program, host = _program(container, tree, run, session), f"{job['TrainingJobName']}/algo-1"
    ended = run_process(program, tree, log, host, lambda: _carry(stream, wanted, run), run)
    _carry(stream, wanted, run, now=True)
    text = log.read_text(errors="replace")
    job["FinalMetricDataList"] = [
        {"MetricName": name, "Value": value, "Timestamp": now()} for name, value in wanted.last(text).items()
    ]
    failure = tree / "output" / "failure"
    if ended == "Failed":
        raise JobFailed(
            failure.read_text(errors="replace") if failure.exists() else f"AlgorithmError: {_last_lines(text)}"
        )
    _upload(s3, tree, run, quiet=ended != "Completed")
    if ended != "Completed":
        raise JobStopped(ended)


def _carry(stream: LogStream, wanted: metrics.Wanted, run: Run, now: bool = False) -> None:
    """Forward new lines of the log, and what metrics are in them: to CloudWatch, and to who started the job."""
    lines = stream.forward(now)
    for name, values in wanted.all(lines).items():
        run.reported.setdefault(name, []).extend(values)
        cloudwatch.record_metric(_NAMESPACE, name, values, "None", {"TrainingJobName": run.job["TrainingJobName"]})


def _last_lines(text: str) -> str:
    return " ".join(text.strip().splitlines()[-5:]) or "the training process ended without output"


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
    (folder / "resourceconfig.json").write_text(json.dumps(_resources(job["ResourceConfig"])))


def _resources(config: Record) -> dict[str, Any]:
    """The cluster, as its only container sees it: a job of several instances is run by one process."""
    instance = (config.get("InstanceGroups") or [config])[0]["InstanceType"]
    group = {"instance_group_name": "homogeneousCluster", "instance_type": instance, "hosts": ["algo-1"]}
    return {
        "current_host": "algo-1",
        "current_instance_type": instance,
        "current_group_name": group["instance_group_name"],
        "hosts": group["hosts"],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }


def _download(s3: S3Client, channel: Record, folder: Path, job: Record, caller: Caller) -> None:
    name = channel["ChannelName"]
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise JobFailed(f"ClientError: Channel {name}: the laptop account reads channels from S3 only.")
    if source["S3DataType"] != "S3Prefix":
        raise JobFailed(
            f"ClientError: Channel {name}: the laptop account does not read {source['S3DataType']}; use S3Prefix."
        )
    if channel.get("RecordWrapperType", "None") != "None":
        raise JobFailed(
            f"ClientError: Channel {name}: the laptop account does not wrap records as {channel['RecordWrapperType']}."
        )
    uri, role = source["S3Uri"], job["RoleArn"]
    folder.mkdir()
    nothing = (
        f'No S3 objects found under S3 URL "{uri}" given in input data source of '
        f"channel {name}. Please ensure that the bucket exists in the selected region ({caller.region}), that objects "
        f'exist under that S3 prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket '
        f'"{storage.split(uri)[0]}".'
    )
    gzipped = channel.get("CompressionType") == "Gzip"
    job_input.download(s3, uri, folder, f"channel {name}", role, nothing, gzipped)


def _program(container: Container, tree: Path, run: Run, session: boto3.Session) -> Program:
    """The process that trains, with what SageMaker sets in its environment."""
    algorithm = run.job["AlgorithmSpecification"]
    environment = {
        **access.variables(session, run.job["EnableNetworkIsolation"]),
        "TRAINING_JOB_NAME": run.job["TrainingJobName"],
        "TRAINING_JOB_ARN": run.arn,
        **run.job.get("Environment", {}),
    }
    entrypoint, arguments = algorithm.get("ContainerEntrypoint", []), algorithm.get("ContainerArguments", [])
    try:
        return container.training(Job(tree, algorithm["TrainingImage"], environment, entrypoint, arguments))
    except CannotRun as error:
        raise JobFailed(f"ClientError: {error}") from error


def _upload(s3: S3Client, tree: Path, run: Run, quiet: bool) -> None:
    """Write the model and what else the container left; a job that stops shows no Uploading."""
    if not quiet:
        run.enter("Uploading")
        time.sleep(TIMING.training_uploading)
    job = run.job
    model = job["ModelArtifacts"]["S3ModelArtifacts"]
    kms_key = job["OutputDataConfig"].get("KmsKeyId") or None
    for part, uri in (("model", model), ("output/data", model.replace("model.tar.gz", "output.tar.gz"))):
        archive = archives.pack(tree / part)
        if archive is None:
            continue
        try:
            storage.check_key(job["RoleArn"], kms_key, run.caller)
            storage.write(s3, uri, archive, kms_key)
        except ClientError as error:
            raise JobFailed(
                f"ClientError: Artifact upload failed: {storage.explain(error)} ({uri}, role {job['RoleArn']})"
            ) from error
        except ApiError as error:
            raise JobFailed(f"ClientError: Artifact upload failed: {error.message} ({uri})") from error
