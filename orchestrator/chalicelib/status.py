# SPDX-License-Identifier: Apache-2.0
"""What AWS says about a pipeline -> GetPipelineState's document, and a `pipeline` object that a person can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chalicelib.cloud import Cloud, PipelineGone
from chalicelib.echo import shown
from chalicelib.errors import NotFound
from chalicelib.found import RUNNING, SUCCEEDED, Execution, Job, Phase, Stack
from chalicelib.names import DELIVERY, PIPELINE_OUTPUT, delivery_stack, is_stack_name
from chalicelib.plan import OWNER_TAG
from chalicelib.settings import Settings

NOT_YET = "The delivery stack has not made its pipeline yet."
PIPELINE_GONE = "The delivery pipeline was deleted; the same request makes it anew."
STACK_GONE = "The stack it deployed was deleted; the same request makes it anew."
_OPERATIONS = {Phase.CREATING: "Creating", Phase.CHANGING: "Updating", Phase.DELETING: "Deleting"}
_BROKEN = {Phase.NEVER_COMPLETED, Phase.STUCK, Phase.BLOCKED}
_FAILED = {"Failed", "Abandoned"}

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """Everything that was looked up about one pipeline."""

    delivery: Stack
    deployed: Stack | None
    execution: Execution | None = None
    state: Document = field(default_factory=lambda: {"message": NOT_YET})
    reason: str = ""
    job: Job | None = None


def look_up(pipeline_id: str, settings: Settings, cloud: Cloud) -> Seen:
    """Look up a pipeline by the name or id of its delivery stack, or by its own name.

    Raises NotFound where there is none that this orchestrator made.
    """
    stacks = (cloud.stack(name) for name in _candidates(pipeline_id, settings))
    delivery = next((stack for stack in stacks if stack and ours(stack, settings)), None)
    if delivery is None:
        raise NotFound(f"There is no pipeline {shown(pipeline_id)} of this orchestrator.")
    seen = Seen(delivery, cloud.stack(delivery.parameters["StackName"]))
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    if pipeline:
        try:
            seen = replace(seen, execution=cloud.latest_execution(pipeline), state=cloud.pipeline_state(pipeline))
        except PipelineGone:
            return replace(
                seen, execution=Execution("", "Failed"), state={"message": PIPELINE_GONE}, reason=PIPELINE_GONE
            )
    match status_of(seen):
        case "Failed" | "Stopped":
            return replace(seen, reason=_reason(seen, cloud))
        case "Running":
            return replace(seen, job=_job(seen, cloud))
    return seen


def document(seen: Seen) -> dict[str, Any]:
    """The answer of /pipelinestatus."""
    reached = [stage["stageName"] for stage in seen.state.get("stageStates", []) if _is_of_latest_run(stage, seen)]
    return {
        **seen.state,
        "pipeline": {
            "name": seen.delivery.parameters["StackName"],
            "pipeline_id": seen.delivery.id,
            "pipeline_type": seen.delivery.tags.get("pipeline_type", ""),
            "status": status_of(seen),
            "stage": reached[-1] if reached else None,
            "reason": seen.reason or None,
            "stack": {"name": seen.deployed.name, "status": seen.deployed.status} if seen.deployed else None,
            "job": asdict(seen.job) if seen.job else None,
            "outputs": dict(seen.deployed.outputs) if seen.deployed else {},
            "stages": [_stage(stage, seen) for stage in seen.state.get("stageStates", [])],
        },
    }


def status_of(seen: Seen) -> str:
    """One word: a stack operation outranks an execution, and what is broken outranks what once succeeded."""
    for stack in filter(None, (seen.delivery, seen.deployed)):
        if stack.phase in _OPERATIONS:
            return _OPERATIONS[stack.phase]
    if seen.delivery.phase in _BROKEN or (seen.deployed and seen.deployed.phase is Phase.BLOCKED):
        return "Failed"
    if seen.execution is None:
        return "Creating"  # CodePipeline has not begun the first run yet
    if seen.execution.status in RUNNING:
        waiting = any(_waits(action) for action in _actions(seen))
        return "WaitingForApproval" if waiting else "Running"
    if seen.execution.status == SUCCEEDED:
        return "Succeeded" if seen.deployed else "Failed"  # somebody deleted what it deployed
    return "Failed" if seen.execution.status == "Failed" else "Stopped"


def _candidates(pipeline_id: str, settings: Settings) -> list[str]:
    """The stacks an id can mean. Others are not even asked for: this orchestrator may not read them."""
    own = f"arn:{settings.partition}:cloudformation:{settings.aws_region}:{settings.account}:stack/"
    name = pipeline_id.removeprefix(own).partition("/")[0]
    if not is_stack_name(name) or not name.startswith(f"{settings.pipeline_stack_name}-"):
        return []
    if pipeline_id.startswith(own) or name.endswith(DELIVERY):
        return [pipeline_id]
    return [delivery_stack(name), name]


def ours(stack: Stack, settings: Settings) -> bool:
    """A deleted stack, which AWS still describes by its id, is nobody's."""
    made_here = stack.tags.get(OWNER_TAG) == settings.orchestrator_stack and "StackName" in stack.parameters
    return made_here and stack.phase is not Phase.GONE


def _is_of_latest_run(stage: Document, seen: Seen) -> bool:
    latest = (stage.get("latestExecution") or {}).get("pipelineExecutionId")
    return seen.execution is not None and latest == seen.execution.id


def _stage(stage: Document, seen: Seen) -> dict[str, Any]:
    """A stage as the latest run has it: what an earlier one left there is not told."""
    current = _is_of_latest_run(stage, seen)
    latest = (stage.get("latestExecution") or {}) if current else {}
    return {
        "name": stage["stageName"],
        "status": latest.get("status"),
        "execution": latest.get("pipelineExecutionId"),
        "actions": [_action(action, _latest(action) if current else {}) for action in stage.get("actionStates", [])],
    }


def _action(action: Document, latest: Document) -> dict[str, Any]:
    return {
        "name": action["actionName"],
        "status": latest.get("status"),
        "changed": latest.get("lastStatusChange"),
        "message": _message(latest),
        "waiting": latest.get("status") == "InProgress" and "token" in latest,  # only a manual approval has a token
    }


def _reason(seen: Seen, cloud: Cloud) -> str:
    """Why it failed, down to the resource or the job: stack -> pipeline -> execution -> job."""
    if seen.delivery.phase in _BROKEN:
        return cloud.first_failure(seen.delivery, since=0) or seen.delivery.reason
    if seen.deployed and seen.deployed.phase is Phase.BLOCKED:
        return cloud.first_failure(seen.deployed, since=0) or seen.deployed.reason
    if seen.execution and seen.execution.status == SUCCEEDED and seen.deployed is None:
        return STACK_GONE
    for action in _actions(seen):
        latest = _latest(action)
        if latest.get("status") not in _FAILED:
            continue
        cause, external = "", str(latest.get("externalExecutionId", ""))
        if ":states:" in external:
            cause = cloud.jobs_failure(external)
        elif ":cloudformation:" in external and seen.deployed and seen.execution:
            cause = cloud.first_failure(seen.deployed, since=seen.execution.started)
        return cause or _message(latest)
    return ""


def _job(seen: Seen, cloud: Cloud) -> Job | None:
    """The job that is waited for, where one is."""
    for action in _actions(seen):
        external = str(_latest(action).get("externalExecutionId", ""))
        if ":states:" in external and _latest(action).get("status") == "InProgress":
            return cloud.running_job(external)
    return None


def _actions(seen: Seen) -> Iterator[Document]:
    """The actions of the stages that the latest run has entered."""
    for stage in seen.state.get("stageStates", []):
        if _is_of_latest_run(stage, seen):
            yield from stage.get("actionStates", [])


def _latest(action: Document) -> Document:
    return action.get("latestExecution") or {}


def _message(latest: Document) -> str:
    return str((latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "")


def _waits(action: Document) -> bool:
    return bool(_action(action, _latest(action))["waiting"])
