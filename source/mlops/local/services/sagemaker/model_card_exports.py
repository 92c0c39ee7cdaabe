# SPDX-License-Identifier: Apache-2.0
"""Export jobs of model cards. SageMaker writes a PDF; this account writes the same facts as a page of HTML."""

from __future__ import annotations

import json
import time
from typing import Any

from botocore.exceptions import ClientError

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import listing, model_card_page, model_cards, storage
from mlops.local.services.sagemaker.service import now, sagemaker, store
from mlops.local.settings import CUT_OFF, TIMING
from mlops.local.state.store import Record

KIND = "ModelCardExportJob"
_PAGING = ("MaxResults", "NextToken", "SortBy", "SortOrder")
_jobs = store.table(KIND)  # by ARN


@sagemaker.operation("CreateModelCardExportJob")
def create_model_card_export_job(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    card = model_cards.find(request["ModelCardName"], caller)
    version = model_cards.version(card, request.get("ModelCardVersion"))
    name = request["ModelCardExportJobName"]
    job_arn = f"{card['ModelCardArn']}/export-job/{name}"
    moment = now()
    job: Record = {
        "ModelCardExportJobName": name,
        "ModelCardExportJobArn": job_arn,
        "Status": "InProgress",
        "ModelCardName": card["ModelCardName"],
        "ModelCardVersion": version["ModelCardVersion"],
        "OutputConfig": request["OutputConfig"],
        "CreatedAt": moment,
        "LastModifiedAt": moment,
    }
    with _jobs.lock:
        if job_arn in _jobs:
            raise ApiError("ConflictException", f"Model card export job {job_arn} already exists.")
        _jobs[job_arn] = job
    identity.spawn(_export, job, {**card, **version}, caller)
    return {"ModelCardExportJobArn": job_arn}


@sagemaker.operation("DescribeModelCardExportJob")
def describe_model_card_export_job(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    job = _jobs.get(request["ModelCardExportJobArn"])
    if job is None:
        raise ApiError("ResourceNotFound", f"Model card export job {request['ModelCardExportJobArn']} does not exist.")
    return dict(job)


@sagemaker.operation("ListModelCardExportJobs")
def list_model_card_export_jobs(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
    card = model_cards.find(request["ModelCardName"], caller)
    found = [job for job in _jobs.values() if job["ModelCardName"] == card["ModelCardName"] and _matches(job, request)]
    paging = {member: request[member] for member in _PAGING if member in request}
    keys = {"Status": "Status", "CreationTime": "CreatedAt"}
    return listing.page(KIND, found, paging, keys=keys)


def _matches(job: Record, request: dict[str, Any]) -> bool:
    return (
        request.get("ModelCardVersion") in (None, job["ModelCardVersion"])
        and request.get("ModelCardExportJobNameContains", "") in job["ModelCardExportJobName"]
        and request.get("StatusEquals") in (None, job["Status"])
        and ("CreationTimeAfter" not in request or job["CreatedAt"] > request["CreationTimeAfter"])
        and ("CreationTimeBefore" not in request or job["CreatedAt"] < request["CreationTimeBefore"])
    )


def _export(job: Record, card: Record, caller: Caller) -> None:
    """Write the page, as whoever started the job, and end the job."""
    time.sleep(TIMING.training_uploading)
    name = f"{card['ModelCardName']}-version-{card['ModelCardVersion']}.html"
    uri = f"{job['OutputConfig']['S3OutputPath'].rstrip('/')}/{job['ModelCardExportJobName']}/{name}"
    bucket, key = storage.split(uri)
    content = model_card_page.page(card, json.loads(card["Content"])).encode()
    try:
        identity.authorize(caller, "s3:PutObject", [f"arn:aws:s3:::{bucket}/{key}"])
        storage.write(identity.root_session(caller).client("s3"), uri, content)
    except (ApiError, ClientError) as error:
        _end(job, "Failed", FailureReason=f"The model card could not be written to {uri}: {error}"[:1024])
    else:
        _end(job, "Completed", ExportArtifacts={"S3ExportArtifacts": uri})


def _end(job: Record, status: str, **members: Any) -> None:
    with _jobs.lock:
        job.update(members, LastModifiedAt=now())
        job["Status"] = status


@store.on_load
def fail_what_ran() -> None:
    """After a restart: an export that was running is not any more."""
    for job in _jobs.values():
        if job["Status"] == "InProgress":
            _end(job, "Failed", FailureReason=CUT_OFF)
