# SPDX-License-Identifier: Apache-2.0
"""What CodeBuild remembers: projects by name and builds by id, in the words of the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from mlops.local.kit.api import Api
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.settings import CUT_OFF
from mlops.local.state.store import Store

Record = dict[str, Any]
Request = dict[str, Any]

PRINCIPAL = "codebuild.amazonaws.com"
CODEPIPELINE = "CODEPIPELINE"  # a source, and artifacts, that come from and go to a pipeline

api = Api("codebuild")
store = Store("codebuild")
projects = store.table("Project")
builds = store.table("Build")


def now() -> datetime:
    """The time to the millisecond, which is what CodeBuild keeps."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def project_arn(caller: Caller, name: str) -> str:
    return f"arn:aws:codebuild:{caller.region}:{caller.account_id}:project/{name}"


def invalid(message: str) -> ApiError:
    return ApiError("InvalidInputException", message)


def find_project(name: str, caller: Caller) -> Record:
    if name not in projects:
        raise ApiError("ResourceNotFoundException", f"Project cannot be found: {project_arn(caller, name)}")
    return projects[name]


def end_phase(build: Record, status: str, code: str = "", message: str = "") -> None:
    """End the current phase of a build."""
    phase, moment = build["phases"][-1], now()
    seconds = int((moment - phase["startTime"]).total_seconds())
    phase.update(phaseStatus=status, endTime=moment, durationInSeconds=seconds)
    phase["contexts"] = [{"statusCode": code, "message": message}] if message else []


def end(build: Record, status: str) -> None:
    """End a build."""
    build["phases"].append({"phaseType": "COMPLETED", "startTime": now()})
    build.update(buildStatus=status, endTime=now(), currentPhase="COMPLETED", buildComplete=True)


@api.resources
def _arns(operation: str, request: Request, caller: Caller) -> list[str]:
    """The projects that a policy must allow, those of builds too."""
    names = [*request.get("names", []), *(build.partition(":")[0] for build in request.get("ids", []))]
    if "id" in request:
        names.append(request["id"].partition(":")[0])
    names += [request[member] for member in ("projectName", "name") if member in request]
    return [project_arn(caller, name) for name in names] or ["*"]


@store.on_load
def fail_interrupted() -> None:
    """What was built when the account was stopped does not go on: its thread is gone."""
    for build in builds.values():
        if not build["buildComplete"]:
            end_phase(build, "FAILED", "INTERNAL_SERVICE_ERROR", CUT_OFF)
            end(build, "FAILED")


def known(kind: str, table: Mapping[str, Record], given: Iterable[str]) -> Record:
    """The answer of a Batch operation: what is there of what was asked for, by name or ARN, and what is not."""
    names = [name.rpartition("/")[2] for name in given]
    found: Record = {kind: [table[name] for name in names if name in table]}
    missing = [name for name in names if name not in table]
    return {**found, f"{kind}NotFound": missing} if missing else found
