# SPDX-License-Identifier: Apache-2.0
"""Step Functions and SageMaker: the executions of state machines, and the jobs that they run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from typing import Any

from chalicelib.aws.calls import Calls, code, translate_errors
from chalicelib.aws.observed import BestJob, Job, StateMachineRun
from chalicelib.aws.port import Document
from chalicelib.job_kinds import COMPLETED, JOB_KINDS, JobKind

_LAST_EVENTS = 25  # of an execution: more than a state with all its retries has
_ENDED_BADLY = {"ExecutionFailed": "Failed", "ExecutionAborted": "Aborted", "ExecutionTimedOut": "TimedOut"}


class Jobs(Calls):
    """Calls to Step Functions and SageMaker."""

    @translate_errors
    def state_machine_run(self, execution_arn: str) -> StateMachineRun:
        from botocore.exceptions import ClientError

        try:
            history = self.stepfunctions.get_execution_history(
                executionArn=execution_arn, reverseOrder=True, maxResults=_LAST_EVENTS, includeExecutionData=True
            )
        except ClientError as error:
            if code(error) == "ExecutionDoesNotExist":  # Step Functions forgets after 90 days
                return StateMachineRun()
            raise
        events = history["events"]
        if not events:
            return StateMachineRun()
        return StateMachineRun(
            next(filter(None, map(_job_of, events)), None), _failure(events[0]), _registered(events[0])
        )

    @translate_errors
    def job(self, kind: str, name: str) -> Job | None:
        from botocore.exceptions import ClientError

        how = JOB_KINDS[kind]
        try:
            found = self._sagemaker(how.describe, **{how.name: name})
        except ClientError as error:
            if code(error) in ("ValidationException", "ResourceNotFound"):  # not there yet, or gone
                return None
            raise
        job = described(kind, found)
        if job.best and job.status == COMPLETED and (best := self.job(job.best.kind, job.best.name)):
            return replace(job, artifact=best.artifact)
        return job

    @translate_errors
    def stop_states(self, execution_arn: str) -> None:
        from botocore.exceptions import ClientError

        try:
            self.stepfunctions.stop_execution(executionArn=execution_arn)
        except ClientError as error:
            if code(error) != "ExecutionDoesNotExist":
                raise

    @translate_errors
    def stop_job(self, kind: str, name: str) -> None:
        from botocore.exceptions import ClientError

        how = JOB_KINDS[kind]
        try:
            self._sagemaker(how.stop, **{how.name: name})
        except ClientError as error:
            if code(error) not in ("ValidationException", "ResourceNotFound"):  # not there yet, or ended already
                raise

    def _sagemaker(self, operation: str, **given: str) -> Document:
        """What SageMaker answers to an operation, by the name that its API has."""
        from botocore import xform_name

        answer: Document = getattr(self.sagemaker, xform_name(operation))(**given)
        return answer


def described(kind: str, found: Document) -> Job:
    """A job as SageMaker describes it. What it made counts once it has completed."""
    how = JOB_KINDS[kind]
    status = found[how.status]
    metrics = at(found, how.metrics) or []
    return Job(
        kind,
        found[how.name],
        status,
        progress=str(at(found, how.progress) or _counted(how, at(found, how.counters) or {})),
        started=_seconds(at(found, how.started)),
        ended=_seconds(at(found, how.ended)),
        metrics={one["MetricName"]: one["Value"] for one in (metrics if isinstance(metrics, list) else [metrics])},
        artifact=str(at(found, how.artifact) or "") if status == COMPLETED else "",
        is_model=how.is_model,
        own_containers=bool(how.containers),
        best=_best(how, found),
    )


def _counted(how: JobKind, counters: Mapping[str, int]) -> str:
    """How many of the jobs that a job started have which status: training jobs: 3 completed, 2 in progress."""
    words = {status: re.sub(r"(?<=[a-z])(?=[A-Z])", " ", status).lower() for status in counters}
    counted = ", ".join(f"{count} {words[status]}" for status, count in counters.items() if count)
    return f"{JOB_KINDS[how.logs_as].label.lower()}s: {counted}" if counted else ""


def _best(how: JobKind, found: Document) -> BestJob | None:
    kind, summary = JOB_KINDS.get(how.logs_as), at(found, how.best)
    if not kind or not summary:
        return None
    return BestJob(kind.key, summary[kind.name], summary.get("TunedHyperParameters", {}))


def at(document: Any, path: str) -> Any:
    """What lies at a dotted path; None where there is nothing."""

    def inner(value: Any, key: str) -> Any:
        if isinstance(value, list):
            return value[int(key)] if int(key) < len(value) else None
        return value.get(key) if isinstance(value, Mapping) else None

    return reduce(inner, path.split("."), document) if path else None


def _seconds(time: Any) -> float | None:
    return time.timestamp() if time else None


def _job_of(event: Document) -> tuple[str, str] | None:
    """The job that an event tells of.

    By convention the input of the state that runs it, and the execution's output, say so (docs/adding-a-blueprint.md).
    """
    text = event.get("stateEnteredEventDetails", {}).get("input") or event.get(
        "executionSucceededEventDetails", {}
    ).get("output")
    given = json.loads(text or "null")
    job = given.get("job") if isinstance(given, dict) else None
    if not isinstance(job, dict) or job.get("kind") not in JOB_KINDS or not isinstance(job.get("name"), str):
        return None
    return job["kind"], job["name"]


def _registered(last: Document) -> str:
    """The model package that an execution's output names: states made of RegisterModel tell it."""
    output = json.loads(last.get("executionSucceededEventDetails", {}).get("output") or "null")
    return str(output.get("registered", "")) if isinstance(output, dict) else ""


def _failure(last: Document) -> str:
    kind: str = last["type"]
    if kind not in _ENDED_BADLY:
        return ""
    details = last.get(f"{kind[0].lower()}{kind[1:]}EventDetails", {})
    return str(details.get("cause") or details.get("error") or f"the jobs ended as {_ENDED_BADLY[kind]}")
