# SPDX-License-Identifier: Apache-2.0
"""What CodePipeline tells EventBridge: every change of state of an execution, a stage and an action."""

from __future__ import annotations

from typing import Any

from mlops.local.kit import identity, shapes
from mlops.local.kit.errors import Caller
from mlops.local.services.codepipeline.records import Record, pipeline_arn

_ACTION_RESULT = {
    "externalExecutionId": "external-execution-id",
    "externalExecutionUrl": "external-execution-url",
    "externalExecutionSummary": "external-execution-summary",
}


def pipeline_changed(execution: Record, state: str, caller: Caller) -> None:
    trigger = execution["trigger"]
    detail = {
        "execution-trigger": {"trigger-type": trigger["triggerType"], "trigger-detail": trigger["triggerDetail"]},
        "pipeline-execution-attempt": execution["attempt"],
    }
    if execution.get("stopReason") and state in ("STOPPING", "STOPPED"):
        detail["stop-execution-comments"] = execution["stopReason"]
    _put("Pipeline Execution", execution, state, detail, caller)


def stage_changed(execution: Record, stage: str, state: str, caller: Caller) -> None:
    detail: dict[str, Any] = {"stage": stage}
    if state == "FAILED":
        detail["failed-actions"] = [
            {
                "action": action["actionName"],
                "additional-information": _result(action).get("errorDetails", {}).get("message", ""),
            }
            for action in execution["actions"]
            if action["stageName"] == stage and action["status"] == "Failed"
        ]
    _put("Stage Execution", execution, state, detail, caller)


def action_changed(execution: Record, action: Record, state: str, caller: Caller) -> None:
    kind, result = action["input"]["actionTypeId"], _result(action)
    detail: dict[str, Any] = {
        "stage": action["stageName"],
        "action": action["actionName"],
        "region": caller.region,
        "action-execution-id": action["actionExecutionId"],
        "type": {name: kind[name] for name in ("owner", "provider", "category", "version")},
        "input-artifacts": [_artifact(artifact) for artifact in action["input"].get("inputArtifacts", [])],
        "output-artifacts": [_artifact(artifact) for artifact in action["output"].get("outputArtifacts", [])],
    }
    shown = {name: result[key] for key, name in _ACTION_RESULT.items() if key in result}
    if error := result.get("errorDetails"):
        shown.update({"external-execution-summary": error["message"], "error-code": error["code"]})
    if shown:
        detail["execution-result"] = shown
    _put("Action Execution", execution, state, detail, caller)


def _result(action: Record) -> dict[str, Any]:
    result: dict[str, Any] = action["output"].get("executionResult", {})
    return result


def _artifact(artifact: Record) -> dict[str, Any]:
    return {"name": artifact["name"], "s3location": artifact.get("s3location", {})}


def _put(what: str, execution: Record, state: str, detail: dict[str, Any], caller: Caller) -> None:
    name = execution["pipelineName"]
    common = {
        "pipeline": name,
        "execution-id": execution["pipelineExecutionId"],
        "state": state,
        "start-time": shapes.iso(execution["startTime"]),
        "version": execution["pipelineVersion"],
    }
    identity.put_event(
        caller,
        "aws.codepipeline",
        f"CodePipeline {what} State Change",
        {**common, **detail},
        [pipeline_arn(name, caller)],
    )
