# SPDX-License-Identifier: Apache-2.0
"""Processing jobs: what AWS checks of one, and what its description holds. What it does is in `processing_run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chalicelib.images.instances import has_local_storage
from chalicelib.job_kinds import JOB_KINDS

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import networks, processing_run
from mlops.local.services.sagemaker.jobs import Run, job_type
from mlops.local.services.sagemaker.service import invalid
from mlops.local.state.store import Record


@job_type
class ProcessingJob:
    kind = JOB_KINDS["ProcessingJob"]
    event = "Processing Job"
    default_order = "Ascending"
    messages: dict[str, str] = {}  # noqa: RUF012  it has no secondary statuses

    def check(self, request: dict[str, Any], caller: Caller) -> None:
        for problem in _problems(request):
            raise invalid(problem)
        networks.check(request.get("NetworkConfig", {}), request["RoleArn"], caller)

    def record(self, request: dict[str, Any]) -> Record:
        return {}

    def run(self, run: Run) -> None:
        processing_run.process(run)

    def ended(self, job: Record) -> None:
        """Nothing more is known of it."""


def _problems(request: dict[str, Any]) -> Iterator[str]:
    """What AWS checks beyond the members' shapes before it takes a job."""
    inputs = request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for kind, member, items in (("input", "InputName", inputs), ("output", "OutputName", outputs)):
        names = [item[member] for item in items]
        if len(set(names)) != len(names):
            yield f"Processing {kind} names must be unique within a processing job."
    for item in inputs:
        yield from _input_problems(item, f"Processing input {item['InputName']}")
    for item in outputs:
        where = f"Processing output {item['OutputName']}"
        if bool(item.get("S3Output")) == bool(item.get("FeatureStoreOutput")):
            yield f"{where} needs either an S3Output or a FeatureStoreOutput."
        elif "S3Output" in item:
            yield from _path_problems(item, item["S3Output"], where)
    cluster = request["ProcessingResources"]["ClusterConfig"]
    if "InstanceType" not in cluster or "InstanceCount" not in cluster:
        yield "ClusterConfig needs an InstanceType and an InstanceCount: the laptop account has no InstancePreferences."
    elif cluster.get("VolumeKmsKeyId") and has_local_storage(cluster["InstanceType"]):
        yield (
            f"VolumeKmsKeyId is not supported with instance type {cluster['InstanceType']}: it encrypts its local "
            "storage with a key of its own."
        )


def _input_problems(item: dict[str, Any], where: str) -> Iterator[str]:
    if bool(item.get("S3Input")) == bool(item.get("DatasetDefinition")):
        yield f"{where} needs either an S3Input or a DatasetDefinition."
    elif "S3Input" in item:
        source = item["S3Input"]
        yield from _path_problems(item, source, where)
        if not item.get("AppManaged") and "S3InputMode" not in source:
            yield f"{where} needs an S3InputMode, unless it is AppManaged."
        if source.get("S3CompressionType") == "Gzip" and source.get("S3InputMode") != "Pipe":
            yield f"{where}: S3CompressionType Gzip is supported with S3InputMode Pipe only."


def _path_problems(item: dict[str, Any], described: dict[str, Any], where: str) -> Iterator[str]:
    path = described.get("LocalPath")
    if path is None:
        if not item.get("AppManaged"):
            yield f"{where} needs a LocalPath, unless it is AppManaged."
    elif not path.startswith(processing_run.ROOT):
        yield f"{where}: LocalPath {path} must begin with {processing_run.ROOT}."
