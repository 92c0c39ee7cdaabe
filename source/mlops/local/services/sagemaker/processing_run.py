# SPDX-License-Identifier: Apache-2.0
"""What a processing job does: inputs come in, the container's command runs, outputs go out.

The container is a process of its own; stopping the job ends it. All of S3 is reached with the job's role. Outputs are
uploaded at the job's end: those with S3UploadMode Continuous however it ends, all others if it completes.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError
from chalicelib.job_kinds import JOB_KINDS

from mlops.local import containers
from mlops.local.containers import CannotRun, Job, Program
from mlops.local.kit.errors import ApiError
from mlops.local.services.sagemaker import access, job_input, storage
from mlops.local.services.sagemaker.job_process import run_process
from mlops.local.services.sagemaker.jobs import JobFailed, JobStopped, Run
from mlops.local.services.sagemaker.logs import LogStream
from mlops.local.settings import TIMING
from mlops.local.state.store import Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = "/opt/ml/processing/"
_LOG_GROUP = JOB_KINDS["ProcessingJob"].log_group
_LONGEST_MESSAGE = 1024
_DESCRIBED = (  # members of the request in processingjobconfig.json
    "ProcessingJobArn",
    "ProcessingJobName",
    "AppSpecification",
    "Environment",
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "ProcessingResources",
    "NetworkConfig",
    "RoleArn",
    "StoppingCondition",
)


def process(run: Run) -> None:
    run.wait(TIMING.training_starting)
    with tempfile.TemporaryDirectory(prefix="mlops-processing-", ignore_cleanup_errors=True) as folder:
        _process_in(Path(folder), run)


def _process_in(folder: Path, run: Run) -> None:
    job, tree = run.job, folder / "ml"
    for part in ("config", "output", "processing"):
        (tree / part).mkdir(parents=True)
    session = run.session()
    program = _program(tree, run, session)
    s3 = session.client("s3")
    run.starts()
    _write_config(tree / "config", job)
    for item in job.get("ProcessingInputs", []):
        _download(s3, item, tree, run)
    outputs = [item for item in _outputs(job) if _path(item["S3Output"])]
    for item in outputs:
        _place(tree, item["S3Output"]["LocalPath"]).mkdir(parents=True, exist_ok=True)
    run.wait(0)
    ended = _run(program, folder, session, run)
    _read_message(tree / "output" / "message", job)
    uploaded = outputs if ended == "Completed" else [item for item in outputs if _is_continuous(item)]
    for item in uploaded:
        _upload(s3, item["S3Output"], tree, run)
    if ended == "Failed":
        failure = tree / "output" / "failure"
        raise JobFailed(
            failure.read_text() if failure.exists() else "AlgorithmError: See job logs for more information"
        )
    if ended != "Completed":
        raise JobStopped(ended)


def _program(tree: Path, run: Run, session: boto3.Session) -> Program:
    """The process that works, with what SageMaker sets in its environment."""
    app = run.job["AppSpecification"]
    container = containers.find(app["ImageUri"])
    if container is None:
        raise JobFailed(f"ClientError: {containers.unknown_image(app['ImageUri'])}")
    isolated = run.job.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
    environment = {**access.variables(session, isolated), **run.job.get("Environment", {})}
    entrypoint, arguments = app.get("ContainerEntrypoint", []), app.get("ContainerArguments", [])
    try:
        return container.processing(Job(tree, app["ImageUri"], environment, entrypoint, arguments))
    except CannotRun as error:
        raise JobFailed(f"ClientError: {error}") from error


def _write_config(folder: Path, job: Record) -> None:
    described = {member: job[member] for member in _DESCRIBED if member in job}
    (folder / "processingjobconfig.json").write_text(json.dumps(described))
    (folder / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))


def _run(program: Program, folder: Path, session: boto3.Session, run: Run) -> str:
    """Run the process; how it ended: Completed, Failed, Stopped or MaxRuntimeExceeded."""
    name, log = run.job["ProcessingJobName"], folder / "log"
    log.touch()
    stream = LogStream(session, _LOG_GROUP, f"{name}/algo-1-{int(time.time())}", log)
    ended = run_process(program, folder, log, f"{name}/algo-1", stream.forward, run)
    stream.forward(now=True)
    return ended


def _read_message(path: Path, job: Record) -> None:
    """What the container says of its end: the first KB."""
    if not path.is_file():
        return
    try:
        job["ExitMessage"] = path.read_bytes().decode("utf-8")[:_LONGEST_MESSAGE]
    except UnicodeDecodeError as error:
        raise JobFailed("ClientError: The file /opt/ml/output/message is not encoded in UTF-8") from error


# --- inputs ------------------------------------------------------------------------------------------------


def _download(s3: S3Client, item: dict[str, Any], tree: Path, run: Run) -> None:
    name = item["InputName"]
    source = item.get("S3Input")
    if source is None:
        raise JobFailed(f"ClientError: Input {name}: the laptop account reads inputs from S3 only.")
    if not _path(source):
        return  # the container downloads it itself
    for member, supported in (("S3DataType", "S3Prefix"), ("S3InputMode", "File")):
        if source.get(member, supported) != supported:
            raise JobFailed(
                f"ClientError: Input {name}: the laptop account does not support {member} {source[member]}; "
                f"use {supported}."
            )
    cluster = run.job["ProcessingResources"]["ClusterConfig"]
    if source.get("S3DataDistributionType") == "ShardedByS3Key" and cluster["InstanceCount"] > 1:
        raise JobFailed(
            f"ClientError: Input {name}: the laptop account runs one instance, so it does not distribute inputs by key."
        )
    uri, folder = source["S3Uri"], _place(tree, source["LocalPath"])
    folder.mkdir(parents=True, exist_ok=True)
    nothing = f'No S3 objects found under S3 URL "{uri}" given in input {name}.'
    job_input.download(s3, uri, folder, f"input {name}", run.job["RoleArn"], nothing)


def _path(described: dict[str, Any]) -> str:
    return str(described.get("LocalPath", ""))


def _place(tree: Path, local: str) -> Path:
    """Where a LocalPath lies; one that leads out of the container's folder is refused."""
    inside = PurePosixPath(local).relative_to("/opt/ml")
    if ".." in inside.parts:
        raise JobFailed(f"ClientError: the LocalPath {local} has a part '..'")
    return tree / inside


# --- outputs -----------------------------------------------------------------------------------------------


def _outputs(job: Record) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = job.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for item in outputs:
        if "S3Output" not in item:
            raise JobFailed(f"ClientError: Output {item['OutputName']}: the laptop account writes outputs to S3 only.")
    return outputs


def _is_continuous(item: dict[str, Any]) -> bool:
    return bool(item["S3Output"]["S3UploadMode"] == "Continuous")


def _upload(s3: S3Client, output: dict[str, Any], tree: Path, run: Run) -> None:
    """Write the regular files below the output's path, each under its name."""
    job, folder = run.job, _place(tree, output["LocalPath"])
    kms_key = job["ProcessingOutputConfig"].get("KmsKeyId") or None
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    uri = output["S3Uri"].rstrip("/")
    try:
        if files:
            storage.check_key(job["RoleArn"], kms_key, run.caller)
        for path in files:
            uri = f"{output['S3Uri'].rstrip('/')}/{path.relative_to(folder).as_posix()}"
            storage.write(s3, uri, path.read_bytes(), kms_key)
    except ClientError as error:
        raise JobFailed(
            f"ClientError: Failed to upload output data: {storage.explain(error)} ({uri}, role {job['RoleArn']})"
        ) from error
    except ApiError as error:
        raise JobFailed(f"ClientError: Failed to upload output data: {error.message} ({uri})") from error
