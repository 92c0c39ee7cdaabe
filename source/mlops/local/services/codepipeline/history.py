# SPDX-License-Identifier: Apache-2.0
"""What CodePipeline tells about pipelines and executions."""

from __future__ import annotations

from typing import Any

from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.codepipeline.records import (
    Record,
    api,
    executions_of,
    find_execution,
    find_pipeline,
    pipelines,
)

Request = dict[str, Any]


@api.operation("ListPipelines")
def list_pipelines(request: Request, caller: Caller) -> Record:
    summaries = [
        {
            "name": pipeline["declaration"]["name"],
            "version": pipeline["declaration"]["version"],
            "pipelineType": pipeline["declaration"].get("pipelineType", "V1"),
            "executionMode": pipeline["declaration"].get("executionMode", "SUPERSEDED"),
            "created": pipeline["created"],
            "updated": pipeline["updated"],
        }
        for _, pipeline in sorted(pipelines.items())
    ]
    return _page("pipelines", summaries, request, 1000)


@api.operation("GetPipelineState")
def get_pipeline_state(request: Request, caller: Caller) -> Record:
    pipeline = find_pipeline(request["name"])
    declaration = pipeline["declaration"]
    with pipelines.lock:
        stages = [
            _stage_state(stage, pipeline["stageStates"].get(stage["name"], {})) for stage in declaration["stages"]
        ]
    return {
        "pipelineName": declaration["name"],
        "pipelineVersion": declaration["version"],
        "stageStates": stages,
        "created": pipeline["created"],
        "updated": pipeline["updated"],
    }


def _stage_state(stage: Record, state: Record) -> Record:
    actions = state.get("actions", {})
    shown = {
        "stageName": stage["name"],
        "inboundTransitionState": state.get("inboundTransitionState", {"enabled": True}),
        "actionStates": [_action_state(action, actions.get(action["name"], {})) for action in stage["actions"]],
    }
    for key in ("latestExecution", "inboundExecution"):
        if key in state:
            shown[key] = dict(state[key])
    return shown


def _action_state(action: Record, state: Record) -> Record:
    latest = state.get("latestExecution", {})
    shown: Record = {"actionName": action["name"], **{key: dict(value) for key, value in state.items()}}
    if url := latest.get("externalExecutionUrl"):
        shown["revisionUrl" if "currentRevision" in state else "entityUrl"] = url
    return shown


@api.operation("ListPipelineExecutions")
def list_pipeline_executions(request: Request, caller: Caller) -> Record:
    find_pipeline(request["pipelineName"])
    found = executions_of(request["pipelineName"])
    if stage := request.get("filter", {}).get("succeededInStage", {}).get("stageName"):
        found = [execution for execution in found if execution["stageStatuses"].get(stage) == "Succeeded"]
    return _page("pipelineExecutionSummaries", [_summary(execution) for execution in found], request, 100)


def _summary(execution: Record) -> Record:
    keys = (
        "pipelineExecutionId",
        "status",
        "statusSummary",
        "startTime",
        "lastUpdateTime",
        "sourceRevisions",
        "trigger",
        "executionMode",
    )
    shown = {key: execution[key] for key in keys if key in execution}
    if reason := execution.get("stopReason"):
        shown["stopTrigger"] = {"reason": reason}
    return {**shown, "executionType": "STANDARD"}


@api.operation("GetPipelineExecution")
def get_pipeline_execution(request: Request, caller: Caller) -> Record:
    execution = find_execution(request["pipelineName"], request["pipelineExecutionId"])
    keys = (
        "pipelineName",
        "pipelineVersion",
        "pipelineExecutionId",
        "status",
        "statusSummary",
        "artifactRevisions",
        "trigger",
        "executionMode",
    )
    shown = {key: execution[key] for key in keys if key in execution}
    variables = [{"name": name, "resolvedValue": value} for name, value in execution["variables"].items()]
    return {"pipelineExecution": {**shown, "variables": variables, "executionType": "STANDARD"}}


@api.operation("ListActionExecutions")
def list_action_executions(request: Request, caller: Caller) -> Record:
    wanted = request.get("filter", {})
    latest = wanted.get("latestInPipelineExecution", {})
    execution_id = wanted.get("pipelineExecutionId") or latest.get("pipelineExecutionId")
    if execution_id:
        found = [find_execution(request["pipelineName"], execution_id)]
    else:
        find_pipeline(request["pipelineName"])
        found = executions_of(request["pipelineName"])
    actions = [action for execution in found for action in reversed(execution["actions"])]
    if latest and latest["startTimeRange"] == "Latest":
        newest: dict[tuple[str, str], Record] = {}
        for action in actions:
            newest.setdefault((action["stageName"], action["actionName"]), action)
        actions = list(newest.values())
    return _page("actionExecutionDetails", [_detail(action) for action in actions], request, 100)


def _detail(action: Record) -> Record:
    keys = (
        "pipelineExecutionId",
        "actionExecutionId",
        "pipelineVersion",
        "stageName",
        "actionName",
        "startTime",
        "lastUpdateTime",
        "updatedBy",
        "status",
        "input",
        "output",
    )
    return {key: action[key] for key in keys if key in action}


def _page(member: str, items: list[Record], request: Request, limit: int) -> Record:
    token = request.get("nextToken", "0")
    if not token.isdigit() or int(token) > len(items):
        raise ApiError("InvalidNextTokenException", "The nextToken is not valid")
    begin, size = int(token), request.get("maxResults", limit)
    page: Record = {member: items[begin : begin + size]}
    if begin + size < len(items):
        page["nextToken"] = str(begin + size)
    return page
