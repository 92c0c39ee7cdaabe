# SPDX-License-Identifier: Apache-2.0
"""What AWS says about a pipeline -> GetPipelineState's document, and a `pipeline` object that a person can read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chalicelib.aws.observed import RUNNING, SUCCEEDED, Action, Execution, Job, Phase, Stack
from chalicelib.aws.port import Cloud, PipelineGone
from chalicelib.planning.names import PIPELINE_OUTPUT
from chalicelib.provisioning.decide import lost
from chalicelib.settings import Settings
from chalicelib.status.finding import find
from chalicelib.status.outcome import Reason, job_document, of_actions, told

NOT_YET = "The delivery stack has not made its pipeline yet."
PIPELINE_GONE = "The delivery pipeline was deleted; the same request makes it anew."
STACK_GONE = "The stack it deployed was deleted; the same request makes it anew."
_OPERATIONS = {Phase.CREATING: "Creating", Phase.CHANGING: "Updating", Phase.DELETING: "Deleting"}
_SHARED = 54  # what names of a pipeline's jobs have in common: 63 less a run's ending
_BROKEN = {Phase.NEVER_COMPLETED, Phase.STUCK, Phase.BLOCKED}

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Seen:
    """Everything that was looked up about one pipeline."""

    delivery: Stack
    deployed: Stack | None
    execution: Execution | None = None
    state: Document = field(default_factory=lambda: {"message": NOT_YET})
    reason: Reason | None = None
    job: Job | None = None
    lost: tuple[str, ...] = ()  # resources of the deployed stack that were deleted without CloudFormation


def look_up(pipeline_id: str, settings: Settings, cloud: Cloud) -> Seen:
    """Look up a pipeline by the name or id of its delivery stack, or by its own name.

    Raises NotFound where there is none that this orchestrator made.
    """
    delivery = find(pipeline_id, settings, cloud)
    seen = Seen(delivery, cloud.stack(delivery.parameters["StackName"]))
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    if pipeline:
        try:
            seen = replace(seen, execution=cloud.latest_execution(pipeline), state=cloud.pipeline_state(pipeline))
        except PipelineGone:
            return replace(
                seen, execution=Execution("", "Failed"), state={"message": PIPELINE_GONE}, reason=Reason(PIPELINE_GONE)
            )
    if seen.delivery.phase in _BROKEN:
        return replace(seen, reason=_broken(seen.delivery, cloud))
    execution = seen.execution
    if execution is None or status_of(seen) in _OPERATIONS.values():
        return seen
    outcome = of_actions(_ran(seen), execution, seen.deployed, cloud)
    seen = replace(seen, job=outcome.job, reason=outcome.reason)
    if execution.status in RUNNING:
        return replace(seen, reason=_held(seen))
    return _looked_into(seen, cloud)


def _looked_into(seen: Seen, cloud: Cloud) -> Seen:
    """What has ended, with what became of the stack it deployed."""
    deployed = seen.deployed
    if deployed is None:
        gone = seen.execution is not None and seen.execution.status == SUCCEEDED
        return replace(seen, reason=Reason(STACK_GONE)) if gone else seen
    if deployed.phase is Phase.BLOCKED:
        return replace(seen, reason=_broken(deployed, cloud))
    missing = tuple(cloud.lost(deployed)) if deployed.phase is Phase.READY else ()
    return replace(seen, lost=missing, reason=Reason(lost(missing, deployed))) if missing else seen


def document(seen: Seen, detailed: bool) -> dict[str, Any]:
    """The answer of /pipelinestatus."""
    stages = [_stage(stage, seen, detailed) for stage in seen.state.get("stageStates", [])]
    reached = [stage["stageName"] for stage in seen.state.get("stageStates", []) if _is_of_latest_run(stage, seen)]
    return {
        **(seen.state if detailed else _plain(seen.state)),
        "pipeline": {
            "name": seen.delivery.parameters["StackName"],
            "pipeline_id": seen.delivery.id,
            "pipeline_type": seen.delivery.tags.get("pipeline_type", ""),
            "status": status_of(seen),
            "stage": reached[-1] if reached else None,
            "reason": told(seen.reason, detailed, seen.job, reached[-1] if reached else None),
            "stack": {"name": seen.deployed.name, "status": seen.deployed.status} if seen.deployed else None,
            "job": job_document(seen.job),
            "outputs": _outputs(seen, detailed),
            "stages": stages,
        },
    }


def status_of(seen: Seen) -> str:
    """One word: a stack operation outranks an execution, and what is broken outranks what once succeeded."""
    for stack in filter(None, (seen.delivery, seen.deployed)):
        if stack.phase in _OPERATIONS:
            return _OPERATIONS[stack.phase]
    if seen.delivery.phase in _BROKEN or (seen.deployed and seen.deployed.phase is Phase.BLOCKED) or seen.lost:
        return "Failed"
    if seen.execution is None:
        return "Creating"  # CodePipeline has not begun the first run yet
    if seen.execution.status in RUNNING:
        waiting = any(_waits(_latest(action)) for action in _actions(seen))
        return "WaitingForApproval" if waiting else "Running"
    if seen.execution.status == SUCCEEDED:
        return "Succeeded" if seen.deployed else "Failed"  # somebody deleted what it deployed
    return "Failed" if seen.execution.status == "Failed" else "Stopped"


def _is_of_latest_run(stage: Document, seen: Seen) -> bool:
    latest = (stage.get("latestExecution") or {}).get("pipelineExecutionId")
    return seen.execution is not None and latest == seen.execution.id


# What is left of GetPipelineState's document where AWS's words and ARNs stay inside: no messages, no URLs, no people.
_PLAIN = {
    "pipelineName", "pipelineVersion", "created", "updated", "message", "stageStates", "stageName", "actionStates",
    "actionName", "latestExecution", "pipelineExecutionId", "status", "lastStatusChange", "inboundTransitionState",
    "enabled",
}  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items() if key in _PLAIN}
    return value


def _outputs(seen: Seen, detailed: bool) -> dict[str, str]:
    """The deployed stack's outputs. The one that names its first job names the latest run's."""
    found = dict(seen.deployed.outputs) if seen.deployed else {}
    for key, value in found.items():
        if seen.job and key.endswith("JobName") and seen.job.name.startswith(value[:_SHARED].rstrip("-")):
            found[key] = seen.job.name
    return {key: value for key, value in found.items() if detailed or not value.startswith("arn:")}


def _stage(stage: Document, seen: Seen, detailed: bool) -> dict[str, Any]:
    """A stage as the latest run has it: what an earlier one left there is not told."""
    current = _is_of_latest_run(stage, seen)
    latest = (stage.get("latestExecution") or {}) if current else {}
    return {
        "name": stage["stageName"],
        "enabled": _is_enabled(stage),
        "status": latest.get("status"),
        "execution": latest.get("pipelineExecutionId"),
        "actions": [
            _action(action, _latest(action) if current else {}, detailed) for action in stage.get("actionStates", [])
        ],
    }


def _action(action: Document, latest: Document, detailed: bool) -> dict[str, Any]:
    return {
        "name": action["actionName"],
        "status": latest.get("status"),
        "changed": latest.get("lastStatusChange"),
        "message": _message(latest) if detailed else "",
        "waiting": _waits(latest),
    }


def _broken(stack: Stack, cloud: Cloud) -> Reason:
    return Reason(cloud.first_failure(stack, since=0) or stack.reason, ours=False)


def _held(seen: Seen) -> Reason | None:
    """Why a run stands still between two stages, where it does."""
    for stage in seen.state.get("stageStates", []):
        if _is_of_latest_run(stage, seen):
            if stage["latestExecution"].get("status") != SUCCEEDED:
                return None
        elif not _is_enabled(stage):
            name, pipeline = stage["stageName"], seen.state["pipelineName"]
            return Reason(
                f"The transition into the stage {name} is disabled. To let the run go on: aws codepipeline "
                f"enable-stage-transition --pipeline-name {pipeline} --stage-name {name} --transition-type Inbound"
            )
        else:
            return None
    return None


def _is_enabled(stage: Document) -> bool:
    return bool((stage.get("inboundTransitionState") or {}).get("enabled", True))


def _ran(seen: Seen) -> Iterator[Action]:
    """The actions that the latest run has begun: in the stage it is in, others still tell of the run before."""
    begun = seen.execution.started if seen.execution else 0
    for stage in seen.state.get("stageStates", []):
        if _is_of_latest_run(stage, seen):
            for action in stage.get("actionStates", []):
                latest = _latest(action)
                changed = latest.get("lastStatusChange")
                if not changed or datetime.fromisoformat(changed).timestamp() >= begun:
                    external = str(latest.get("externalExecutionId", ""))
                    status = str(latest.get("status", ""))
                    yield Action(stage["stageName"], action["actionName"], status, external, _message(latest))


def _actions(seen: Seen) -> Iterator[Document]:
    """The actions of the stages that the latest run has entered."""
    for stage in seen.state.get("stageStates", []):
        if _is_of_latest_run(stage, seen):
            yield from stage.get("actionStates", [])


def _latest(action: Document) -> Document:
    return action.get("latestExecution") or {}


def _message(latest: Document) -> str:
    return str((latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "")


def _waits(latest: Document) -> bool:
    return latest.get("status") == "InProgress" and "token" in latest  # only a manual approval has a token
