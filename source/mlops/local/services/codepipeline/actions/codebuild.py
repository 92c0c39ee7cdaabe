# SPDX-License-Identifier: Apache-2.0
"""The CodeBuild action: starts a build on an artifact and waits for its end."""

from __future__ import annotations

import json
from typing import Any

from mlops.local.services.codepipeline.actions.base import ActionFailed, ActionType, Run
from mlops.local.services.codepipeline.records import Record


def run(action: Run) -> None:
    codebuild, project = action.session.client("codebuild"), action.configuration["ProjectName"]
    location = action.execution["artifacts"][action.configuration.get("PrimarySource") or action.input_names[0]]
    started = codebuild.start_build(
        projectName=project,
        sourceTypeOverride="S3",
        sourceLocationOverride=f"{location['bucket']}/{location['key']}",
        environmentVariablesOverride=_variables(action.configuration),
    )["build"]
    build_id, region = started["id"], action.caller.region
    action.show(
        externalExecutionId=build_id,
        externalExecutionUrl=f"https://console.aws.amazon.com/codebuild/home?region={region}"
        f"#/builds/{build_id}/view/new",
    )

    def ended() -> Record | None:
        found: list[Record] = codebuild.batch_get_builds(ids=[build_id])["builds"]
        if not found:
            raise ActionFailed(f"The build {build_id} no longer exists")
        return found[0] if found[0]["buildComplete"] else None

    build = action.wait_until(ended)
    exported = build.get("exportedEnvironmentVariables", [])
    action.variables.update({one["name"]: one["value"] for one in exported})
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionFailed(_reason(build))
    action.show(externalExecutionSummary=f"Build {build_id} succeeded")


def _reason(build: Record) -> str:
    """The build's status, and the phase that failed with its first message."""
    reason = f"Build terminated with state: {build['buildStatus']}"
    for phase in build["phases"]:
        if phase.get("phaseStatus") == "FAILED" and (contexts := phase.get("contexts")):
            context = contexts[0]
            return (
                f"{reason}. Phase: {phase['phaseType']}, Code: {context['statusCode']}, Message: {context['message']}"
            )
    return reason


def _variables(configuration: dict[str, str]) -> list[Any]:
    """The environment variables of the action, which win over the project's."""
    listed: list[Any] = json.loads(configuration.get("EnvironmentVariables", "[]"))
    return listed


def _check(configuration: dict[str, str]) -> list[str]:
    problems = [
        f"'{key}', which the laptop account does not support"
        for key in ("BatchEnabled", "CombineArtifacts")
        if configuration.get(key, "false") != "false"
    ]
    if not _are_variables(configuration.get("EnvironmentVariables", "[]")):
        problems.append("'EnvironmentVariables' that are not a JSON list of objects with name and value")
    return problems


def _are_variables(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(one, dict) and {"name", "value"} <= set(one) for one in found)


TYPE = ActionType(
    run=run,
    keys=frozenset({"ProjectName", "PrimarySource", "BatchEnabled", "CombineArtifacts", "EnvironmentVariables"}),
    required=frozenset({"ProjectName"}),
    inputs=(1, 5),
    outputs=(0, 0),
    check=_check,
)
