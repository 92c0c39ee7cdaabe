# SPDX-License-Identifier: Apache-2.0
"""Builds: the API. A build is started on a zip in S3; for a pipeline's project, CodePipeline names the zip."""

from __future__ import annotations

import uuid

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codebuild import build_run
from mlops.local.services.codebuild.records import (
    CODEPIPELINE,
    Record,
    Request,
    api,
    builds,
    find_project,
    invalid,
    known,
    now,
)

_TAKEN = {"projectName", "sourceTypeOverride", "sourceLocationOverride", "environmentVariablesOverride"}


@api.operation("StartBuild")
def start_build(request: Request, caller: Caller) -> Record:
    project = find_project(request["projectName"], caller)
    if unknown := sorted(request.keys() - _TAKEN):
        raise invalid(f"The laptop account does not support {', '.join(unknown)}")
    build = _new(project, _source(project, request), request.get("environmentVariablesOverride", []), caller)
    builds[build["id"]] = build
    identity.spawn(build_run.run, build, project, caller)
    return {"build": build}


@api.operation("StopBuild")
def stop_build(request: Request, caller: Caller) -> Record:
    """A build that has ended stays as it is."""
    build = builds.get(request["id"])
    if build is None:
        raise ApiError("ResourceNotFoundException", f"Build cannot be found: {request['id']}")
    if not build["buildComplete"]:
        build_run.stop(build)
    return {"build": build}


@api.operation("BatchGetBuilds")
def batch_get_builds(request: Request, caller: Caller) -> Record:
    return known("builds", builds, request["ids"])


@api.operation("ListBuildsForProject")
def list_builds_for_project(request: Request, caller: Caller) -> Record:
    find_project(request["projectName"], caller)
    found = [one for one in builds.values() if one["projectName"] == request["projectName"]]
    newest_first = request.get("sortOrder", "DESCENDING") == "DESCENDING"
    return {"ids": [one["id"] for one in sorted(found, key=lambda one: one["buildNumber"], reverse=newest_first)]}


def _source(project: Record, request: Request) -> Record:
    """The source of a build: that of its project, unless the request has another."""
    source: Record = {**project["source"]}
    for member, override in (("type", "sourceTypeOverride"), ("location", "sourceLocationOverride")):
        if override in request:
            source[member] = request[override]
    if source["type"] == CODEPIPELINE:
        raise invalid("CodePipeline starts the builds of a project with a source of the type CODEPIPELINE")
    if source["type"] != "S3":
        raise invalid(f"The laptop account does not support sources of the type {source['type']}")
    if "/" not in source.get("location", ""):
        raise invalid("The location of the source is not a bucket and a key")
    return source


def _new(project: Record, source: Record, variables: list[Record], caller: Caller) -> Record:
    unique, moment = str(uuid.uuid4()), now()
    number = 1 + max(
        (one["buildNumber"] for one in builds.values() if one["projectName"] == project["name"]), default=0
    )
    given = {one["name"] for one in variables}
    kept = [one for one in project["environment"].get("environmentVariables", []) if one["name"] not in given]
    return {
        "id": f"{project['name']}:{unique}",
        "arn": project["arn"].replace(":project/", ":build/") + f":{unique}",
        "buildNumber": number,
        "startTime": moment,
        "currentPhase": "SUBMITTED",
        "buildStatus": "IN_PROGRESS",
        "projectName": project["name"],
        "phases": [{"phaseType": "SUBMITTED", "startTime": moment}],
        "source": source,
        "artifacts": {"location": ""},
        "environment": {**project["environment"], "environmentVariables": [*kept, *variables]},
        "serviceRole": project["serviceRole"],
        "logs": build_run.logs(project, unique, caller),
        "timeoutInMinutes": project["timeoutInMinutes"],
        "queuedTimeoutInMinutes": project["queuedTimeoutInMinutes"],
        "buildComplete": False,
        "initiator": caller.arn.rpartition(":")[2],
    }
