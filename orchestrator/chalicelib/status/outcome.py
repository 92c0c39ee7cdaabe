# SPDX-License-Identifier: Apache-2.0
"""The actions of an execution -> what it came to: the job that ran and, where it failed, why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chalicelib.aws.observed import SUCCEEDED, Action, Execution, Job, Stack
from chalicelib.aws.port import Cloud

RUN_STATUSES = {"InProgress": "Running", "Stopping": "Running", SUCCEEDED: "Succeeded", "Failed": "Failed"}
ENDED_BADLY = ("Failed", "Stopped")  # words, not AWS's statuses
ENDED = (SUCCEEDED, *ENDED_BADLY)
CLOCKS = 5  # seconds by which those of two services may differ
_FAILED = {"Failed", "Abandoned"}


@dataclass(frozen=True)
class Reason:
    """Why something failed or waits; `ours` where the words are not AWS's."""

    text: str
    ours: bool = True


@dataclass(frozen=True)
class Outcome:
    """What an execution came to."""

    job: Job | None = None
    reason: Reason | None = None


def run_status(status: str) -> str:
    """An execution's status in the API's words."""
    return RUN_STATUSES.get(status, "Stopped")


def of_actions(
    actions: Iterable[Action], execution: Execution, deployed: Sequence[Stack | None], cloud: Cloud
) -> Outcome:
    """What an execution came to, down to the resource or the job: action -> stack or state machine -> job."""
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
        elif failed and (stack := _deployed_by(action, deployed)):
            until = None if run_status(execution.status) == "Running" else execution.updated or None
            cause = cloud.first_failure(stack, execution.started, until)
        if failed and not why:
            why = cause or action.message
    ended_badly = run_status(execution.status) in ENDED_BADLY
    if run_status(execution.status) == "Stopped":  # its actions were aborted, which is not why
        why = execution.summary or why
    elif ended_badly and not why:
        why = execution.summary
    return Outcome(job, Reason(why, ours=False) if ended_badly and why else None)


def _deployed_by(action: Action, deployed: Sequence[Stack | None]) -> Stack | None:
    """The stack that an action deployed, whose ARN is what it started."""
    arns = (stack for stack in deployed if stack and f":stack/{stack.name}/" in action.external)
    return next(arns, None)


def _of_this_run(job: Job | None, execution: Execution) -> Job | None:
    """A run whose job was refused, since another has its name, has none: the other began before it."""
    older = job is not None and job.started is not None and job.started < execution.started - CLOCKS
    return None if older else job


def visible_reason(reason: Reason | None, detailed: bool, job: Job | None, stage: str | None) -> str | None:
    """A reason as callers hear it: AWS's words only where the deployment allows them."""
    if reason is None or reason.ours or detailed:
        return reason.text if reason else None
    what = (
        f"{job.kind} {job.name} ended as {job.status}" if job else f"the stage {stage} failed" if stage else "it failed"
    )
    return f"{what}; the orchestrator's log and the AWS CodePipeline console say why"


def job_document(job: Job | None) -> dict[str, Any] | None:
    """A job as the API answers it."""
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
    }


def iso(seconds: float | None) -> str | None:
    """A time as ISO 8601, in UTC and whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else None
