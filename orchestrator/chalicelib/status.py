# SPDX-License-Identifier: Apache-2.0
"""What AWS says about a pipeline -> GetPipelineState's document, and a `pipeline` object that a person can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.cloud import Cloud, Job, PipelineGone, is_stack_name
from chalicelib.decide import RUNNING, SUCCEEDED, Execution, Phase, Stack
from chalicelib.errors import NotFound
from chalicelib.names import DELIVERY, delivery_stack
from chalicelib.provision import PIPELINE_OUTPUT
from chalicelib.settings import Settings

NOT_YET = "The delivery stack has not made its pipeline yet."
GONE = "The delivery pipeline was deleted; the same request makes it anew."
_OPERATIONS = {Phase.CREATING: "Creating", Phase.CHANGING: "Updating", Phase.DELETING: "Deleting"}
_BROKEN = {Phase.NEVER_COMPLETED, Phase.STUCK, Phase.BLOCKED}
_FAILED = {"Failed", "Abandoned"}

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """Everything that was looked up about one pipeline."""

    delivery: Stack
    deployed: Stack | None
    execution: Execution | None
    state: Document
    reason: str
    job: Job | None


def look_up(pipeline_id: str, settings: Settings, cloud: Cloud) -> Seen:
    """Look up a pipeline by the name or id of its delivery stack, or by its own name.

    Raises NotFound where there is none that this orchestrator made.
    """
    found = (cloud.stack(name) for name in _candidates(pipeline_id, settings))
    delivery = next((stack for stack in found if stack and _ours(stack, settings)), None)
    if delivery is None:
        raise NotFound(f"There is no pipeline {pipeline_id!r} of this orchestrator.")
    deployed = cloud.stack(delivery.parameters["StackName"])
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    if not pipeline:
        return Seen(delivery, deployed, None, {"message": NOT_YET}, _reason(delivery, deployed, {}, cloud), None)
    try:
        execution, state = cloud.latest_execution(pipeline), cloud.pipeline_state(pipeline)
    except PipelineGone:
        return Seen(delivery, deployed, Execution("", "Failed"), {"message": GONE}, GONE, None)
    return Seen(delivery, deployed, execution, state, _reason(delivery, deployed, state, cloud), _job(state, cloud))


def document(seen: Seen) -> dict[str, Any]:
    """The answer of /pipelinestatus."""
    status = _status(seen)
    return {
        **seen.state,
        "pipeline": {
            "name": seen.delivery.parameters["StackName"],
            "pipeline_id": seen.delivery.id,
            "pipeline_type": seen.delivery.tags.get("pipeline_type", ""),
            "status": status,
            "stage": _stage_reached(seen),
            "reason": seen.reason if status in ("Failed", "Stopped") and seen.reason else None,
            "stack": {"name": seen.deployed.name, "status": seen.deployed.status} if seen.deployed else None,
            "job": asdict(seen.job) if seen.job else None,
            "outputs": dict(seen.deployed.outputs) if seen.deployed else {},
            "stages": [_stage(stage) for stage in seen.state.get("stageStates", [])],
        },
    }


def _candidates(pipeline_id: str, settings: Settings) -> list[str]:
    """The stacks an id can mean. Others are not even asked for: this orchestrator may not read them."""
    own = f"arn:{settings.partition}:cloudformation:{settings.aws_region}:{settings.account}:stack/"
    name = pipeline_id.removeprefix(own).partition("/")[0]
    if not is_stack_name(name) or not name.startswith(f"{settings.pipeline_stack_name}-"):
        return []
    if pipeline_id.startswith(own) or name.endswith(DELIVERY):
        return [pipeline_id]
    return [delivery_stack(name), name]


def _ours(stack: Stack, settings: Settings) -> bool:
    return stack.tags.get("mlops_orchestrator") == settings.orchestrator_stack and "StackName" in stack.parameters


def _status(seen: Seen) -> str:
    """One word: a stack operation outranks an execution, and what is broken outranks what once succeeded."""
    for stack in filter(None, (seen.delivery, seen.deployed)):
        if stack.phase in _OPERATIONS:
            return _OPERATIONS[stack.phase]
    if seen.delivery.phase in _BROKEN or (seen.deployed and seen.deployed.phase is Phase.BLOCKED):
        return "Failed"
    if seen.execution is None:
        return "Creating"  # CodePipeline has not begun the first run yet
    if seen.execution.status in RUNNING:
        waiting = any(_waits(action) for _, action in _actions(seen.state))
        return "WaitingForApproval" if waiting else "Running"
    if seen.execution.status == SUCCEEDED:
        return "Succeeded"
    return "Failed" if seen.execution.status == "Failed" else "Stopped"


def _stage_reached(seen: Seen) -> str | None:
    """The last stage that the latest execution has entered."""
    reached = None
    for stage in seen.state.get("stageStates", []):
        latest = stage.get("latestExecution") or {}
        if seen.execution and latest.get("pipelineExecutionId") == seen.execution.id:
            reached = stage["stageName"]
    return reached


def _stage(stage: Document) -> dict[str, Any]:
    latest = stage.get("latestExecution") or {}
    return {
        "name": stage["stageName"],
        "status": latest.get("status"),
        "actions": [
            {
                "name": action["actionName"],
                "status": _latest(action).get("status"),
                "changed": _latest(action).get("lastStatusChange"),
                "message": _message(action),
            }
            for action in stage.get("actionStates", [])
        ],
    }


def _reason(delivery: Stack, deployed: Stack | None, state: Document, cloud: Cloud) -> str:
    """Why it failed, down to the resource or the job: stack -> pipeline -> execution -> job."""
    if delivery.phase in _BROKEN:
        return cloud.first_failure(delivery) or delivery.reason
    for stage, action in _actions(state):
        if _latest(action).get("status") not in _FAILED:
            continue
        if execution := _state_machine_execution(action):
            return cloud.jobs_failure(execution) or _message(action)
        deploys = deployed is not None and "CloudFormation" in stage["stageName"]
        return (cloud.first_failure(deployed) if deploys and deployed else "") or _message(action)
    if deployed and deployed.phase is Phase.BLOCKED:
        return cloud.first_failure(deployed) or deployed.reason
    return ""


def _job(state: Document, cloud: Cloud) -> Job | None:
    """The job that is waited for, where one is."""
    for _, action in _actions(state):
        execution = _state_machine_execution(action)
        if execution and _latest(action).get("status") == "InProgress":
            return cloud.running_job(execution)
    return None


def _actions(state: Document) -> Iterator[tuple[Document, Document]]:
    for stage in state.get("stageStates", []):
        for action in stage.get("actionStates", []):
            yield stage, action


def _latest(action: Document) -> Document:
    return action.get("latestExecution") or {}


def _message(action: Document) -> str:
    latest = _latest(action)
    return str((latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "")


def _waits(action: Document) -> bool:
    """Only a manual approval has a token."""
    return _latest(action).get("status") == "InProgress" and "token" in _latest(action)


def _state_machine_execution(action: Document) -> str:
    execution = str(_latest(action).get("externalExecutionId", ""))
    return execution if ":states:" in execution else ""
