# SPDX-License-Identifier: Apache-2.0
"""Batch transform jobs: what AWS checks of one, and what its description holds. What it does is in `transform_run`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from chalicelib.images.instances import has_local_storage
from chalicelib.job_kinds import JOB_KINDS

from mlops.local.kit.errors import Caller
from mlops.local.services.sagemaker import models, transform_run
from mlops.local.services.sagemaker.jobs import Run, job_type
from mlops.local.services.sagemaker.service import invalid
from mlops.local.services.sagemaker.transform import joining
from mlops.local.services.sagemaker.transform.json_path import Path, PathError
from mlops.local.state.store import Record

_LARGEST_PAYLOAD = (
    100  # megabytes: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTransformJob.html
)
_SOURCES = ("S3Prefix", "ManifestFile")


@job_type
class TransformJob:
    kind = JOB_KINDS["TransformJob"]
    event = "Transform Job"
    default_order = "Descending"
    messages: Mapping[str, str] = MappingProxyType({})  # it has no secondary statuses

    def check(self, request: dict[str, Any], caller: Caller) -> None:
        models.find(request["ModelName"], caller)
        _check_support(request)
        _check_resources(request["TransformResources"])
        _check_payload(request)
        _check_data_processing(request)

    def record(self, request: dict[str, Any]) -> Record:
        return {"DataProcessing": {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None"}}

    def run(self, run: Run) -> None:
        transform_run.transform(run)

    def ended(self, job: Record) -> None:
        """The description has nothing more to say of an end."""


def _check_support(request: dict[str, Any]) -> None:
    """What the laptop account cannot do is refused, and says so."""
    if "DataCaptureConfig" in request:
        raise invalid("The laptop account does not support DataCaptureConfig of transform jobs.")
    source = request["TransformInput"]["DataSource"]["S3DataSource"]["S3DataType"]
    if source not in _SOURCES:
        raise invalid(f"The laptop account does not support the S3DataType {source}; use {' or '.join(_SOURCES)}.")


def _check_resources(resources: dict[str, Any]) -> None:
    if resources.get("VolumeKmsKeyId") and has_local_storage(resources["InstanceType"]):
        raise invalid(
            f"VolumeKmsKeyId is not supported with instance type {resources['InstanceType']}: it encrypts its local "
            "storage with a key of its own."
        )


def _check_payload(request: dict[str, Any]) -> None:
    payload, concurrent = request.get("MaxPayloadInMB", 0), request.get("MaxConcurrentTransforms", 0)
    if payload > _LARGEST_PAYLOAD:
        raise invalid(f"MaxPayloadInMB must not be greater than {_LARGEST_PAYLOAD}.")
    if payload * concurrent > _LARGEST_PAYLOAD:
        raise invalid(
            f"The product of MaxConcurrentTransforms and MaxPayloadInMB must not be greater than {_LARGEST_PAYLOAD}."
        )
    split_type = request["TransformInput"].get("SplitType", "None")
    if split_type == "None" and request.get("BatchStrategy") == "MultiRecord":
        raise invalid("BatchStrategy MultiRecord requires the SplitType Line, RecordIO or TFRecord.")


def _check_data_processing(request: dict[str, Any]) -> None:
    """The rules of https://docs.aws.amazon.com/sagemaker/latest/dg/batch-transform-data-processing.html"""
    try:
        processing = joining.processing(request.get("DataProcessing", {}))
    except PathError as error:
        raise invalid(f"DataProcessing is invalid: {error}.") from error
    given, output = request["TransformInput"], request["TransformOutput"]
    content_type, accept = given.get("ContentType", ""), output.get("Accept", "")
    if processing.joins or not processing.input_filter.is_whole:
        _check_format("ContentType", content_type, processing.input_filter)
    if processing.reads_output and accept:
        _check_format("Accept", accept, processing.output_filter)
    if not processing.joins:
        return
    if accept and joining.format_of(accept) != joining.format_of(content_type):
        raise invalid("JoinSource Input requires equal values of ContentType and Accept.")
    if given.get("SplitType", "None") != output.get("AssembleWith", "None"):
        raise invalid("JoinSource Input requires equal values of SplitType and AssembleWith.")


def _check_format(member: str, content_type: str, path: Path) -> None:
    if joining.format_of(content_type) not in joining.FORMATS:
        raise invalid(f"DataProcessing requires a {member} of {', '.join(joining.FORMATS)}.")
    if joining.format_of(content_type) == joining.CSV and not path.is_of_rows:
        raise invalid(f"The JSONPath {path.text} cannot be used with CSV, which has only indexes: $[0], $[1:].")
