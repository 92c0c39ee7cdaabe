# SPDX-License-Identifier: Apache-2.0
"""The observed state of a pipeline -> GetPipelineState's document, and a human-readable `pipeline` object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chalicelib.aws.observed import RUNNING, SUCCEEDED, Action, Execution, Job, Phase, Stack, lost_resources
from chalicelib.aws.port import Cloud, PipelineGone
from chalicelib.delivery import stacks_of
from chalicelib.job_kinds import RUN_ENDING
from chalicelib.names import BUNDLE_DIGEST, PIPELINE_OUTPUT, bundle_key, of_delivery_stack
from chalicelib.planning.plan import TYPE_TAG
from chalicelib.settings import Settings
from chalicelib.status.finding import deployed_stacks, find
from chalicelib.status.outcome import Reason, job_document, of_actions, visible_reason

NOT_YET = "The delivery stack has not created its pipeline yet."
PIPELINE_GONE = "The delivery pipeline was deleted; resend the request to recreate it."
STACK_GONE = "The deployed stack {} was deleted; resend the request to recreate it."
_OPERATIONS = {Phase.CREATING: "Creating", Phase.CHANGING: "Updating", Phase.DELETING: "Deleting"}
_BROKEN = {Phase.NEVER_COMPLETED, Phase.STUCK, Phase.BLOCKED}

Document = Mapping[str, Any]


@dataclass(frozen=True)
class PipelineSnapshot:
    """The observed state of one pipeline."""

    delivery: Stack
    deployed: tuple[Stack | None, ...]  # one for each stage
    execution: Execution | None = None
    state: Document = field(default_factory=lambda: {"message": NOT_YET})
    reason: Reason | None = None
    job: Job | None = None
    rolled_back: bool = False  # see is_rolled_back

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return of_delivery_stack(self.delivery.name)

    @property
    def furthest(self) -> Stack | None:
        """The deployed stack of the last stage that has one; the delivery stack of a pipeline without stages."""
        stacks = self.deployed or (self.delivery,)
        return next((stack for stack in reversed(stacks) if stack), None)


def look_up(pipeline_id: str, settings: Settings, cloud: Cloud) -> PipelineSnapshot:
    """Look up a pipeline by the name or id of its delivery stack, or by its own name.

    Raises NotFound if there is none in this deployment.
    """
    delivery = find(pipeline_id, settings, cloud)
    snapshot = PipelineSnapshot(delivery, deployed_stacks(delivery, cloud))
    pipeline = delivery.outputs.get(PIPELINE_OUTPUT)
    if pipeline:
        try:
            snapshot = replace(
                snapshot, execution=cloud.latest_execution(pipeline), state=cloud.pipeline_state(pipeline)
            )
        except PipelineGone:
            return replace(
                snapshot,
                execution=Execution("", "Failed"),
                state={"message": PIPELINE_GONE},
                reason=Reason(PIPELINE_GONE),
            )
    if snapshot.delivery.phase in _BROKEN:
        return replace(snapshot, reason=_stack_failure(snapshot.delivery, cloud))
    if is_rolled_back(delivery, cloud):
        return replace(snapshot, rolled_back=True, reason=_stack_failure(delivery, cloud))
    execution = snapshot.execution
    if execution is None or status_of(snapshot) in _OPERATIONS.values():
        return snapshot
    outcome = of_actions(_begun_actions(snapshot), execution, snapshot.deployed, cloud)
    snapshot = replace(snapshot, job=outcome.job, reason=outcome.reason)
    if execution.status in RUNNING:
        return replace(snapshot, reason=_disabled_transition(snapshot))
    return _with_deployed_stacks(snapshot, cloud)


def is_rolled_back(delivery: Stack, cloud: Cloud) -> bool:
    """Whether the update of a pipeline's own stack to its bundle failed: CodePipeline runs what was there before."""
    digest = delivery.parameters.get(BUNDLE_DIGEST)
    if digest is None or delivery.status != "UPDATE_ROLLBACK_COMPLETE":
        return False
    bundle = cloud.bundle(bundle_key(of_delivery_stack(delivery.name)))
    return bundle is not None and bundle.digest != digest


def _with_deployed_stacks(snapshot: PipelineSnapshot, cloud: Cloud) -> PipelineSnapshot:
    """An ended run, with the state of the deployed stacks; the first stage with a missing resource is the reason."""
    for name, stack in zip(stacks_of(snapshot.delivery.name), snapshot.deployed, strict=True):
        if stack is None and snapshot.execution and snapshot.execution.status == SUCCEEDED:
            return replace(snapshot, reason=Reason(STACK_GONE.format(name)))
        if stack and stack.phase is Phase.BLOCKED:
            return replace(snapshot, reason=_stack_failure(stack, cloud))
    looked_up = tuple(
        replace(stack, lost=tuple(cloud.lost(stack))) if stack and stack.phase is Phase.READY else stack
        for stack in snapshot.deployed
    )
    damaged = next((stack for stack in looked_up if stack and stack.lost), None)
    reason = Reason(lost_resources(damaged, snapshot.name)) if damaged else snapshot.reason
    return replace(snapshot, deployed=looked_up, reason=reason)


def document(snapshot: PipelineSnapshot, detailed: bool) -> dict[str, Any]:
    """The response of /pipelinestatus."""
    stages = [_stage(stage, snapshot, detailed) for stage in snapshot.state.get("stageStates", [])]
    reached = [
        stage["stageName"] for stage in snapshot.state.get("stageStates", []) if _is_of_latest_run(stage, snapshot)
    ]
    return {
        **(snapshot.state if detailed else _plain(snapshot.state)),
        "pipeline": {
            "name": snapshot.name,
            "pipeline_id": snapshot.delivery.id,
            "pipeline_type": snapshot.delivery.tags.get(TYPE_TAG, ""),
            "status": status_of(snapshot),
            "stage": reached[-1] if reached else None,
            "reason": visible_reason(snapshot.reason, detailed, snapshot.job, reached[-1] if reached else None),
            "stack": {"name": stack.name, "status": stack.status} if (stack := snapshot.furthest) else None,
            "job": job_document(snapshot.job, detailed),
            "outputs": _outputs(snapshot, detailed),
            "stages": stages,
        },
    }


def status_of(snapshot: PipelineSnapshot) -> str:
    """The status: a stack operation has precedence over an execution, a failure over an earlier success."""
    deployed = [stack for stack in snapshot.deployed if stack]
    for stack in (snapshot.delivery, *deployed):
        if stack.phase in _OPERATIONS:
            return _OPERATIONS[stack.phase]
    if (
        snapshot.rolled_back
        or snapshot.delivery.phase in _BROKEN
        or any(stack.phase is Phase.BLOCKED or stack.lost for stack in deployed)
    ):
        return "Failed"
    if snapshot.execution is None:
        return "Creating"  # CodePipeline has not started the first run yet
    if snapshot.execution.status in RUNNING:
        waiting = any(_waits(_latest(action)) for action in _actions(snapshot))
        return "WaitingForApproval" if waiting else "Running"
    if snapshot.execution.status == SUCCEEDED:
        return "Succeeded" if all(snapshot.deployed) else "Failed"  # the deployed stack was deleted
    return "Failed" if snapshot.execution.status == "Failed" else "Stopped"


def _is_of_latest_run(stage: Document, snapshot: PipelineSnapshot) -> bool:
    latest = (stage.get("latestExecution") or {}).get("pipelineExecutionId")
    return snapshot.execution is not None and latest == snapshot.execution.id


# The keys of GetPipelineState's document that are returned if details are not allowed: no messages, URLs or users.
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


def _outputs(snapshot: PipelineSnapshot, detailed: bool) -> dict[str, str]:
    """The deployed stack's outputs. The one that names its first job names the latest run's."""
    found = dict(snapshot.furthest.outputs) if snapshot.furthest else {}
    if snapshot.job and snapshot.job.name not in found.values():
        for key, value in found.items():
            if key.endswith("JobName") and _renamed(value, snapshot.job.name):
                found[key] = snapshot.job.name
    return {key: value for key, value in found.items() if detailed or not value.startswith("arn:")}


def _renamed(first: str, name: str) -> bool:
    """Whether a job has the name that a run gives it where the first name is taken: cut where it is too long."""
    stem, hyphen = name[:-RUN_ENDING], name[-RUN_ENDING:][:1]
    return bool(stem) and hyphen == "-" and first.startswith(stem)


def _stage(stage: Document, snapshot: PipelineSnapshot, detailed: bool) -> dict[str, Any]:
    """A stage in the latest run; states of earlier runs are omitted."""
    current = _is_of_latest_run(stage, snapshot)
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


def _stack_failure(stack: Stack, cloud: Cloud) -> Reason:
    return Reason(cloud.first_failure(stack, since=0) or stack.reason, from_aws=True)


def _disabled_transition(snapshot: PipelineSnapshot) -> Reason | None:
    """The reason if a disabled transition blocks the run."""
    for stage in snapshot.state.get("stageStates", []):
        if _is_of_latest_run(stage, snapshot):
            if stage["latestExecution"].get("status") != SUCCEEDED:
                return None
        elif not _is_enabled(stage):
            name, pipeline = stage["stageName"], snapshot.state["pipelineName"]
            return Reason(
                f"The transition into the stage {name} is disabled. To enable it: aws codepipeline "
                f"enable-stage-transition --pipeline-name {pipeline} --stage-name {name} --transition-type Inbound"
            )
        else:
            return None
    return None


def _is_enabled(stage: Document) -> bool:
    return bool((stage.get("inboundTransitionState") or {}).get("enabled", True))


def _begun_actions(snapshot: PipelineSnapshot) -> Iterator[Action]:
    """The actions that the latest run has started; others in its stage still have the previous run's state."""
    begun = snapshot.execution.started if snapshot.execution else 0
    for stage in snapshot.state.get("stageStates", []):
        if _is_of_latest_run(stage, snapshot):
            for action in stage.get("actionStates", []):
                latest = _latest(action)
                changed = latest.get("lastStatusChange")
                if not changed or datetime.fromisoformat(changed).timestamp() >= begun:
                    external = str(latest.get("externalExecutionId", ""))
                    status = str(latest.get("status", ""))
                    url = str(latest.get("externalExecutionUrl", ""))
                    yield Action(stage["stageName"], action["actionName"], status, external, _message(latest), url)


def _actions(snapshot: PipelineSnapshot) -> Iterator[Document]:
    """The actions of the stages that the latest run has entered."""
    for stage in snapshot.state.get("stageStates", []):
        if _is_of_latest_run(stage, snapshot):
            yield from stage.get("actionStates", [])


def _latest(action: Document) -> Document:
    return action.get("latestExecution") or {}


def _message(latest: Document) -> str:
    return str((latest.get("errorDetails") or {}).get("message") or latest.get("summary") or "")


def _waits(latest: Document) -> bool:
    return latest.get("status") == "InProgress" and "token" in latest  # only a manual approval has a token
