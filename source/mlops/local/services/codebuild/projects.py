# SPDX-License-Identifier: Apache-2.0
"""Projects: the API, and what CodeBuild checks beyond the shapes of its model."""

from __future__ import annotations

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codebuild.records import (
    CODEPIPELINE,
    PRINCIPAL,
    Record,
    Request,
    api,
    builds,
    find_project,
    invalid,
    known,
    now,
    project_arn,
    projects,
)

_DEFAULTS = {"timeoutInMinutes": 60, "queuedTimeoutInMinutes": 480, "cache": {"type": "NO_CACHE"}}


@api.operation("CreateProject")
def create_project(request: Request, caller: Caller) -> Record:
    name = request["name"]
    with projects.lock:
        if name in projects:
            raise ApiError("ResourceAlreadyExistsException", f"Project already exists: {project_arn(caller, name)}")
        moment = now()
        project = {**_DEFAULTS, **request, "arn": project_arn(caller, name), "created": moment, "lastModified": moment}
        _check(project, caller)
        projects[name] = project
    return {"project": project}


@api.operation("UpdateProject")
def update_project(request: Request, caller: Caller) -> Record:
    """What the request leaves out stays as it is."""
    with projects.lock:
        project = {**find_project(request["name"], caller), **request, "lastModified": now()}
        _check(project, caller)
        projects[request["name"]] = project
    return {"project": project}


@api.operation("DeleteProject")
def delete_project(request: Request, caller: Caller) -> None:
    """Deleting what isn't there succeeds, as on AWS."""
    projects.pop(request["name"], None)
    for build_id in [one["id"] for one in list(builds.values()) if one["projectName"] == request["name"]]:
        builds.pop(build_id, None)


@api.operation("BatchGetProjects")
def batch_get_projects(request: Request, caller: Caller) -> Record:
    return known("projects", projects, request["names"])


@api.operation("ListProjects")
def list_projects(request: Request, caller: Caller) -> Record:
    return {"projects": sorted(projects, reverse=request.get("sortOrder") == "DESCENDING")}


def _check(project: Record, caller: Caller) -> None:
    source, artifacts = project["source"]["type"], project["artifacts"]["type"]
    if (source == CODEPIPELINE) != (artifacts == CODEPIPELINE):
        raise invalid(f"The source type {source} and the artifacts type {artifacts} cannot be used together")
    role = project["serviceRole"]
    try:
        identity.check_role(role, PRINCIPAL, caller, project["arn"])
    except ApiError as error:
        raise invalid(f"CodeBuild is not authorized to perform: sts:AssumeRole on service role {role}") from error
