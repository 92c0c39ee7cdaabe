# SPDX-License-Identifier: Apache-2.0
"""The actions of an execution -> its result: the job and, if it failed, the reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from chalicelib import names
from chalicelib.aws.observed import SUCCEEDED, Action, Execution, Job, Stack
from chalicelib.aws.port import Cloud
from chalicelib.intake.references import short

RUN_STATUSES = {"InProgress": "Running", "Stopping": "Running", SUCCEEDED: "Succeeded", "Failed": "Failed"}
ENDED_BADLY = ("Failed", "Stopped")  # the API's statuses, not AWS's
ENDED = (SUCCEEDED, *ENDED_BADLY)
CLOCKS = 5  # maximum difference between two services' clocks, in seconds
_FAILED = {"Failed", "Abandoned"}


@dataclass(frozen=True)
class Reason:
    """Why something failed or is waiting; `from_aws` if the text is AWS's own."""

    text: str
    from_aws: bool = False


@dataclass(frozen=True)
class Outcome:
    """The result of an execution."""

    job: Job | None = None
    reason: Reason | None = None


def run_status(status: str) -> str:
    """The API's status of an execution."""
    return RUN_STATUSES.get(status, "Stopped")


def of_actions(
    actions: Iterable[Action], execution: Execution, deployed: Sequence[Stack | None], cloud: Cloud
) -> Outcome:
    """The result of an execution, with the failed resource or job: action -> stack or state machine -> job."""
    job: Job | None = None
    why = ""
    for action in actions:
        failed = action.status in _FAILED
        cause = ""
        if ":states:" in action.external:
            run = cloud.state_machine_run(action.external)
            cause = run.failure
            if run.job and job is None:
                job = _of_this_run(cloud.job(*run.job), execution)
                job = replace(job, registered=run.registered) if job else None
        elif failed and names.is_build(action.external):
            cause = f"{action.message.rstrip('.')}. Log: {action.url}" if action.url else action.message
        elif failed and (stack := _deployed_by(action, deployed)):
            until = None if run_status(execution.status) == "Running" else execution.updated or None
            cause = cloud.first_failure(stack, execution.started, until)
        if failed and not why:
            why = cause or action.message
    ended_badly = run_status(execution.status) in ENDED_BADLY
    if run_status(execution.status) == "Stopped":  # its aborted actions are not the reason
        why = execution.summary or why
    elif ended_badly and not why:
        why = execution.summary
    return Outcome(job, Reason(why, from_aws=True) if ended_badly and why else None)


def _deployed_by(action: Action, deployed: Sequence[Stack | None]) -> Stack | None:
    """The stack that an action deployed, whose ARN is what it started."""
    arns = (stack for stack in deployed if stack and f":stack/{stack.name}/" in action.external)
    return next(arns, None)


def _of_this_run(job: Job | None, execution: Execution) -> Job | None:
    """None if the job started before the run: SageMaker rejected this run's job because of its name."""
    older = job is not None and job.started is not None and job.started < execution.started - CLOCKS
    return None if older else job


def visible_reason(reason: Reason | None, detailed: bool, job: Job | None, stage: str | None) -> str | None:
    """A reason for callers: with AWS's text only if the deployment allows it."""
    if reason is None or not reason.from_aws or detailed:
        return reason.text if reason else None
    what = (
        f"{job.kind} {job.name} has the status {job.status}"
        if job
        else f"the stage {stage} failed"
        if stage
        else "the pipeline failed"
    )
    return f"{what}; for the reason, see the orchestrator's log or the AWS CodePipeline console"


def job_document(job: Job | None, detailed: bool) -> dict[str, Any] | None:
    """A job, for the API's response; with ARNs only if the deployment allows them."""
    if job is None:
        return None
    return {
        "kind": job.kind,
        "name": job.name,
        "status": job.status,
        "progress": job.progress,
        "started": iso(job.started),
        "ended": iso(job.ended),
        "metrics": dict(job.metrics),
        "artifact": job.artifact or None,
        "registered": (job.registered if detailed else short(job.registered)) or None,
        **({"best": asdict(job.best)} if job.best else {}),
    }


def iso(seconds: float | None) -> str | None:
    """A time as ISO 8601, in UTC and whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None
