# SPDX-License-Identifier: Apache-2.0
"""Training jobs: the API. What a job does once it is made is in `training_run`."""

from __future__ import annotations

from typing import Any

from chalicelib.images.instances import has_local_storage

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import listing, networks, tags, training_run
from mlops.local.services.sagemaker.service import PRINCIPAL, arn, invalid, now, sagemaker, store
from mlops.local.settings import CUT_OFF
from mlops.local.state.store import Record

_jobs = store.table("TrainingJob")
_NOT_HERE = ("ServerlessJobConfig", "ModelPackageConfig", "SessionChainingConfig")


def find(name: str) -> Record:
    if name not in _jobs:
        raise invalid("Requested resource not found.")
    return _jobs[name]


@sagemaker.operation("CreateTrainingJob")
def create_training_job(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    name = request["TrainingJobName"]
    job_arn = arn(caller, "training-job", name)
    _check(request)
    identity.check_role(request["RoleArn"], PRINCIPAL, caller, job_arn)
    networks.check(request, caller)
    moment = now()
    output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
    job: Record = {
        "EnableNetworkIsolation": False,
        "EnableInterContainerTrafficEncryption": False,
        "EnableManagedSpotTraining": False,
        "InputDataConfig": [],
        "HyperParameters": {},
        **{member: value for member, value in request.items() if member != "Tags"},
        "TrainingJobArn": job_arn,
        "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{name}/output/model.tar.gz"},
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Starting",
        "CreationTime": moment,
        "LastModifiedTime": moment,
        "SecondaryStatusTransitions": [],
    }
    with _jobs.lock:
        if any(taken.lower() == name.lower() for taken in _jobs):
            raise ApiError(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, "
                f"and a training job with this name already exists ({job_arn})",
            )
        tags.attach(job_arn, request, caller)
        _jobs[name] = job
    training_run.start(job, caller)
    return {"TrainingJobArn": job_arn}


def _check(request: dict[str, Any]) -> None:
    """What AWS checks beyond the members' shapes before it takes a job."""
    for member in _NOT_HERE:
        if member in request:
            raise invalid(f"The account on your laptop does not have {member}.")
    for member in ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition"):
        if member not in request:
            raise invalid(
                f"1 validation error detected: Value null at '{member[0].lower()}{member[1:]}' failed to "
                "satisfy constraint: Member must not be null"
            )
    algorithm = request["AlgorithmSpecification"]
    if bool(algorithm.get("TrainingImage")) == bool(algorithm.get("AlgorithmName")):
        raise invalid("You must specify either a TrainingImage or an AlgorithmName in AlgorithmSpecification.")
    if "AlgorithmName" in algorithm:
        raise invalid(
            f'Could not find algorithm "{algorithm["AlgorithmName"]}": the account on your laptop has no '
            "algorithm resources, so name a TrainingImage."
        )
    _check_instances(request["ResourceConfig"])
    _check_times(request)
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if len(set(channels)) != len(channels):
        raise invalid("InputDataConfig has two channels of one name; channel names must be unique.")


def _check_instances(resources: dict[str, Any]) -> None:
    groups = resources.get("InstanceGroups") or [resources]
    for group in groups:
        if "InstanceType" not in group or "InstanceCount" not in group:
            raise invalid("ResourceConfig needs an InstanceType and an InstanceCount, or InstanceGroups.")
        if resources.get("VolumeKmsKeyId") and has_local_storage(group["InstanceType"]):
            raise invalid(
                f"VolumeKmsKeyId is not supported with instance type {group['InstanceType']}: it encrypts "
                "its local storage with a key of its own."
            )


def _check_times(request: dict[str, Any]) -> None:
    limits = request["StoppingCondition"]
    runtime, wait = limits.get("MaxRuntimeInSeconds", 86400), limits.get("MaxWaitTimeInSeconds")
    if request.get("EnableManagedSpotTraining"):
        if wait is None or wait < runtime:
            raise invalid(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds."
            )
    elif wait is not None:
        raise invalid("Invalid MaxWaitTimeInSeconds. It must not be present unless EnableManagedSpotTraining is true.")


@sagemaker.operation("DescribeTrainingJob")
def describe_training_job(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return dict(find(request["TrainingJobName"]))


@sagemaker.operation("ListTrainingJobs")
def list_training_jobs(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    return listing.page(
        _jobs.values(),
        request,
        (
            "TrainingJobName",
            "TrainingJobArn",
            "CreationTime",
            "TrainingEndTime",
            "LastModifiedTime",
            "TrainingJobStatus",
            "SecondaryStatus",
        ),
        "TrainingJobSummaries",
        name="TrainingJobName",
        status="TrainingJobStatus",
        default_order="Ascending",
    )


@sagemaker.operation("StopTrainingJob")
def stop_training_job(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    job = find(request["TrainingJobName"])
    training_run.stop(job, caller)
    return {}


@store.on_load
def _fail_what_ran() -> None:
    """After a restart: a job that was running is not any more."""
    for job in _jobs.values():
        if job["TrainingJobStatus"] in ("InProgress", "Stopping"):
            training_run.record_failure(job, f"InternalServerError: {CUT_OFF} Please start the job again.")
