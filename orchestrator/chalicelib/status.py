# SPDX-License-Identifier: Apache-2.0
"""What AWS says about a pipeline -> GetPipelineState's document, and a `pipeline` object that a person can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.cloud import Cloud, is_stack_name
from chalicelib.decide import Phase, Stack
from chalicelib.errors import NotFound
from chalicelib.names import DELIVERY, delivery_stack
from chalicelib.provision import PIPELINE_OUTPUT
from chalicelib.settings import Settings

NOT_YET = "The delivery stack has not made its pipeline yet."
_STACK_STATUS = {
    Phase.CREATING: "Creating",
    Phase.CHANGING: "Updating",
    Phase.DELETING: "Deleting",
    Phase.NEVER_COMPLETED: "Failed",
    Phase.STUCK: "Failed",
    Phase.BLOCKED: "Failed",
}
_WAITING = "WaitingForApproval"


@dataclass(frozen=True)
class Seen:
    """Everything that was looked up about one pipeline."""

    delivery: Stack
    deployed: Stack | None
    state: Mapping[str, Any] | None
    reason: str


def look_up(pipeline_id: str, settings: Settings, cloud: Cloud) -> Seen:
    """Look up a pipeline by the name or id of its delivery stack, or by its own name.

    Raises NotFound where there is none that this orchestrator made.
    """
    delivery = None
    for name in _candidates(pipeline_id, settings):
        delivery = cloud.stack(name)
        if delivery is not None and _ours(delivery, settings):
            break
        delivery = None
    if delivery is None:
        raise NotFound(f"There is no pipeline {pipeline_id!r} of this orchestrator.")
    deployed = cloud.stack(delivery.parameters["StackName"])
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    state = cloud.pipeline_state(pipeline) if pipeline else None
    return Seen(delivery, deployed, state, _reason(delivery, deployed, state, cloud))


def _candidates(pipeline_id: str, settings: Settings) -> list[str]:
    """The stacks an id can mean. Others are not even asked for: this orchestrator may not read them."""
    own = f"arn:{settings.partition}:cloudformation:{settings.aws_region}:{settings.account}:stack/"
    name = pipeline_id.removeprefix(own).partition("/")[0]
    if not is_stack_name(name) or not name.startswith(f"{settings.pipeline_stack_name}-"):
        return []
    if pipeline_id.startswith(own) or name.endswith(DELIVERY):
        return [pipeline_id]
    return [delivery_stack(name), name]


def document(seen: Seen) -> dict[str, Any]:
    """The answer of /pipelinestatus."""
    state: dict[str, Any] = dict(seen.state or {"message": NOT_YET})
    stages = [_stage(stage) for stage in state.get("stageStates", [])]
    status, stage = _status(seen, stages)
    state["pipeline"] = {
        "name": seen.delivery.parameters["StackName"],
        "pipeline_id": seen.delivery.id,
        "pipeline_type": seen.delivery.tags.get("pipeline_type", ""),
        "status": status,
        "stage": stage,
        "reason": seen.reason if status in ("Failed", "Stopped") and seen.reason else None,
        "stack": {"name": seen.deployed.name, "status": seen.deployed.status} if seen.deployed else None,
        "outputs": dict(seen.deployed.outputs) if seen.deployed else {},
        "stages": stages,
    }
    return state


def _ours(stack: Stack, settings: Settings) -> bool:
    return stack.tags.get("mlops_orchestrator") == settings.orchestrator_stack and "StackName" in stack.parameters


def _status(seen: Seen, stages: list[dict[str, Any]]) -> tuple[str, str | None]:
    """A stack operation outranks an execution; among stages, the furthest one that the execution reached."""
    if seen.delivery.phase is not Phase.READY:
        return _STACK_STATUS.get(seen.delivery.phase, "Deleting"), None
    if seen.deployed and seen.deployed.phase in (Phase.DELETING, Phase.BLOCKED):
        return _STACK_STATUS[seen.deployed.phase], None
    for stage in stages:
        if stage["status"] == "InProgress":
            waiting = any(action["waiting"] for action in stage["actions"])
            return (_WAITING if waiting else "Running"), stage["name"]
        if stage["status"] in ("Failed", "Stopped", "Stopping", "Cancelled"):
            return ("Failed" if stage["status"] == "Failed" else "Stopped"), stage["name"]
    if not stages:
        return "Creating", None
    ended = [stage for stage in stages if stage["status"]]
    runs = {stage["execution"] for stage in ended}
    if len(ended) < len(stages) or len(runs) > 1:
        return "Running", ended[-1]["name"] if ended else stages[0]["name"]  # between two stages
    return "Succeeded", stages[-1]["name"]


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    latest = stage.get("latestExecution") or {}
    return {
        "name": stage["stageName"],
        "status": latest.get("status"),
        "execution": latest.get("pipelineExecutionId"),
        "actions": [_action(action) for action in stage.get("actionStates", [])],
    }


def _action(action: Mapping[str, Any]) -> dict[str, Any]:
    latest = action.get("latestExecution") or {}
    return {
        "name": action["actionName"],
        "status": latest.get("status"),
        "changed": latest.get("lastStatusChange"),
        "message": (latest.get("errorDetails") or {}).get("message") or latest.get("summary"),
        "waiting": latest.get("status") == "InProgress" and "token" in latest,
    }


def _reason(delivery: Stack, deployed: Stack | None, state: Mapping[str, Any] | None, cloud: Cloud) -> str:
    """Why it failed, down to the resource or the job: stack -> pipeline -> execution -> job."""
    if delivery.phase is not Phase.READY:
        broken = delivery.phase in (Phase.NEVER_COMPLETED, Phase.STUCK, Phase.BLOCKED)
        return cloud.first_failure(delivery) or delivery.reason if broken else ""
    for stage in (state or {}).get("stageStates", []):
        for action in stage.get("actionStates", []):
            latest = action.get("latestExecution") or {}
            if latest.get("status") not in ("Failed", "Abandoned"):
                continue
            told = str((latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "")
            execution = str(latest.get("externalExecutionId", ""))
            if ":states:" in execution:
                return cloud.jobs_failure(execution) or told
            failure = cloud.first_failure(deployed) if deployed and "CloudFormation" in stage["stageName"] else ""
            return failure or told
    return ""
