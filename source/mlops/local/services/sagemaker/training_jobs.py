# SPDX-License-Identifier: Apache-2.0
"""Training jobs: what AWS checks of one, and what its description holds. What it does is in `training_run`."""

from __future__ import annotations

import math
from typing import Any

from chalicelib.images.instances import has_local_storage
from chalicelib.job_kinds import JOB_KINDS

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import metrics, networks, training_run
from mlops.local.services.sagemaker.jobs import Run, job_type
from mlops.local.services.sagemaker.service import invalid
from mlops.local.state.store import Record

_NOT_HERE = ("ServerlessJobConfig", "ModelPackageConfig", "SessionChainingConfig")


@job_type
class TrainingJob:
    kind = JOB_KINDS["TrainingJob"]
    event = "Training Job"
    default_order = "Ascending"
    messages = training_run.MESSAGES

    def check(self, request: dict[str, Any], caller: Caller) -> None:
        _check(request)
        networks.check(request, request["RoleArn"], caller)

    def record(self, request: dict[str, Any]) -> Record:
        output = request["OutputDataConfig"]["S3OutputPath"].rstrip("/")
        return {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": False,
            "EnableManagedSpotTraining": False,
            "InputDataConfig": [],
            "HyperParameters": {},
            "ModelArtifacts": {"S3ModelArtifacts": f"{output}/{request['TrainingJobName']}/output/model.tar.gz"},
        }

    def run(self, run: Run) -> None:
        training_run.train(run)

    def ended(self, job: Record) -> None:
        if "TrainingStartTime" in job:
            seconds = (job["TrainingEndTime"] - job["TrainingStartTime"]).total_seconds()
            job["TrainingTimeInSeconds"] = job["BillableTimeInSeconds"] = max(1, math.ceil(seconds))


def _check(request: dict[str, Any]) -> None:
    """What AWS checks beyond the members' shapes before it takes a job."""
    for member in _NOT_HERE:
        if member in request:
            raise invalid(f"The laptop account does not support {member}.")
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
            f'Could not find algorithm "{algorithm["AlgorithmName"]}": the laptop account has no '
            "algorithm resources, so name a TrainingImage."
        )
    if wrong := metrics.problem(algorithm.get("MetricDefinitions", [])):
        raise invalid(wrong)
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
