# SPDX-License-Identifier: Apache-2.0
"""What CodePipeline remembers: pipelines, their executions, and the API all of its operations belong to.

Records are plain dictionaries in the words of the API, so that answering is picking members out of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from mlops.local.kit import identity
from mlops.local.kit.api import Api
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.settings import CUT_OFF
from mlops.local.state.store import Store

Record = dict[str, Any]

api = Api("codepipeline")
store = Store("codepipeline")
pipelines = store.table("Pipeline")
executions = store.table("Execution")

SERVICE = "codepipeline.amazonaws.com"
RUNNING = ("InProgress", "Stopping")


def now() -> datetime:
    return datetime.now(UTC)


def pipeline_arn(name: str, caller: Caller) -> str:
    return f"arn:aws:codepipeline:{caller.region}:{caller.account_id}:{name}"


def find_pipeline(name: str) -> Record:
    if name not in pipelines:
        account_id = identity.current_caller().account_id
        raise ApiError(
            "PipelineNotFoundException", f"Account '{account_id}' does not have a pipeline with name '{name}'"
        )
    return pipelines[name]


def find_execution(pipeline_name: str, execution_id: str) -> Record:
    find_pipeline(pipeline_name)
    execution = executions.get(execution_id)
    if execution is None or execution["pipelineName"] != pipeline_name:
        raise ApiError(
            "PipelineExecutionNotFoundException",
            f"Cannot find pipeline execution for pipeline execution ID '{execution_id}'",
        )
    return execution


def executions_of(pipeline_name: str) -> list[Record]:
    """Newest first."""
    found = [execution for execution in executions.values() if execution["pipelineName"] == pipeline_name]
    return sorted(found, key=lambda execution: (execution["startTime"], execution["sequence"]), reverse=True)


def is_latest(execution: Record) -> bool:
    return bool(executions_of(execution["pipelineName"])[0] is execution)


def find_stage(execution: Record, name: str) -> Record:
    for stage in execution["stages"]:
        if stage["name"] == name:
            return dict(stage)
    raise ApiError("StageNotFoundException", f"Pipeline '{execution['pipelineName']}' does not have a stage '{name}'")


@api.resources
def _arns(operation: str, request: Record, caller: Caller) -> list[str]:
    """What a policy must name for a call: the pipeline, and the action where an approval is given."""
    if "resourceArn" in request:
        return [str(request["resourceArn"])]
    name = request.get("pipelineName") or request.get("name") or request.get("pipeline", {}).get("name")
    if not name:
        return ["*"]
    arn = pipeline_arn(name, caller)
    if operation == "PutApprovalResult":
        return [f"{arn}/{request['stageName']}/{request['actionName']}"]
    return [f"{arn}/{request['stageName']}"] if "stageName" in request else [arn]


@store.on_load
def fail_interrupted() -> None:
    """What ran when the account was stopped cannot go on: its threads are gone."""
    for execution in list(executions.values()):
        if execution["status"] not in RUNNING:
            continue
        execution.update(status="Failed", statusSummary=CUT_OFF, lastUpdateTime=now())
        for stage_state in pipelines[execution["pipelineName"]]["stageStates"].values():
            latest = stage_state.get("latestExecution")
            if (
                latest
                and latest["pipelineExecutionId"] == execution["pipelineExecutionId"]
                and latest["status"] in RUNNING
            ):
                latest["status"] = "Failed"
            stage_state.pop("inboundExecution", None)
        for action in execution["actions"]:
            if action["status"] == "InProgress":
                fail_action(execution, action, "JobFailed", CUT_OFF)


def fail_action(execution: Record, action: Record, code: str, message: str) -> None:
    """Mark an action as failed, in its execution and in the pipeline's state."""
    error = {"code": code, "message": message[:5000]}
    action.update(status="Failed", lastUpdateTime=now())
    action["output"].setdefault("executionResult", {})["errorDetails"] = error
    show_action(execution, action)


def show_action(execution: Record, action: Record) -> None:
    """Let the pipeline's state show this run of an action as its latest."""
    pipeline = pipelines.get(execution["pipelineName"])
    if pipeline is None:
        return
    result = action["output"].get("executionResult", {})
    shown = {
        "actionExecutionId": action["actionExecutionId"],
        "status": action["status"],
        "lastStatusChange": action["lastUpdateTime"],
        "lastUpdatedBy": action.get("updatedBy"),
        "summary": result.get("externalExecutionSummary"),
        "token": action.get("token"),
        "externalExecutionId": result.get("externalExecutionId"),
        "externalExecutionUrl": result.get("externalExecutionUrl"),
        "errorDetails": result.get("errorDetails"),
    }
    with pipelines.lock:
        actions = pipeline["stageStates"].setdefault(action["stageName"], {}).setdefault("actions", {})
        state = actions.setdefault(action["actionName"], {})
        state["latestExecution"] = {name: value for name, value in shown.items() if value}
        if action.get("currentRevision"):
            state["currentRevision"] = action["currentRevision"]
