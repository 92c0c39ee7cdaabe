# SPDX-License-Identifier: Apache-2.0
"""The life of a job, the same for every kind: created, run in a thread, stopped, ended, described and listed.

A kind of job is a class registered by `@job_type`. It says what is checked before a job is created, what the job's
record holds, and what the job does. The rest is here: names, roles and tags, statuses and their times, the reason of a
failure, the events of a change, and the end of a job that a restart of the account cuts off. `chalicelib.job_kinds`
names each kind's operations and members.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from chalicelib.job_kinds import CREATED, FAILURE_REASON, JobKind

from mlops.local.kit import identity
from mlops.local.kit.errors import ApiError, Caller
from mlops.local.services.sagemaker import listing, tags
from mlops.local.services.sagemaker.service import PRINCIPAL, arn, invalid, now, put_event, sagemaker, store
from mlops.local.settings import CUT_OFF, TIMING
from mlops.local.state.store import Record, Table

_LOG = logging.getLogger(__name__)
_GRACE = 10.0  # seconds that a stopped process has to save its work; AWS gives 120
_LONGEST = 86400  # seconds that a job may run if its request does not say
_LONGEST_REASON = 1024


class JobFailed(Exception):
    """Ends the job as Failed; the message is its FailureReason."""


class JobStopped(Exception):
    """Ends the job as Stopped; the message is its secondary status."""


class JobType(Protocol):
    """A kind of job: what is its own."""

    kind: JobKind
    event: str  # as the detail type of its events names it: "Training Job"
    default_order: str  # of its list operation
    messages: Mapping[str, str]  # of its secondary statuses; empty if its description does not list them

    def check(self, request: dict[str, Any], caller: Caller) -> None:
        """Refuse, with an ApiError, what AWS refuses beyond the shapes of the request's members."""
        ...

    def record(self, request: dict[str, Any]) -> Record:
        """The members of a new job's description beside the request's own."""
        ...

    def run(self, run: Run) -> str | None:
        """Do the work, in a thread of its own. JobFailed, JobStopped and the errors of AWS's APIs end the job.

        Returns the secondary status of the completed job, if that is another than Completed.
        """
        ...

    def ended(self, job: Record) -> None:
        """Complete the record of a job that has ended, however it has."""
        ...


class Run:
    """A job while it runs."""

    def __init__(self, job_type: JobType, job: Record, caller: Caller) -> None:
        self.job, self.caller = job, caller
        self.reported: dict[str, list[float]] = {}  # the values of its metrics so far
        self.ended = threading.Event()
        self._type = job_type
        self._stop = threading.Event()
        self._deadline = float("inf")

    @property
    def arn(self) -> str:
        return str(self.job[f"{self._type.kind.key}Arn"])

    @property
    def log_group(self) -> str:
        """The log group of its containers, which is also the namespace of their metrics."""
        return self._type.kind.log_group

    def session(self) -> boto3.Session:
        """A session on this account with the permissions of the job's role."""
        return identity.role_session(_role(self._type.kind, self.job), PRINCIPAL, self.caller, self.arn)

    def starts(self) -> None:
        """The work begins: from now on the time counts that the job may take."""
        self.job[self._type.kind.started] = now()
        longest = self.job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _LONGEST)
        self._deadline = time.monotonic() + longest

    def wait(self, seconds: float) -> None:
        """Let time go by, unless the job is to stop."""
        if self._stop.wait(seconds):
            raise JobStopped("Stopped")

    def enter(self, secondary: str) -> None:
        """The job comes to a step of its kind."""
        if self.job[self._type.kind.status] == "Stopping":
            raise JobStopped("Stopped")
        _transition(self._type, self.job, secondary)
        _tell(self._type, self.job, self.caller)

    def follow(self, process: subprocess.Popen[bytes], look: Callable[[], None]) -> str:
        """Call `look` until a process ends; end it if the job is to stop, or takes too long.

        Returns Completed, Failed, Stopped or MaxRuntimeExceeded.
        """
        ended = ""
        try:
            while process.poll() is None and not ended:
                if self._stop.wait(TIMING.poll):
                    ended = "Stopped"
                elif time.monotonic() > self._deadline:
                    ended = "MaxRuntimeExceeded"
                look()
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE)
            process.kill()
        return ended or ("Completed" if process.wait() == 0 else "Failed")

    @property
    def is_stoppable(self) -> bool:
        """Whether it runs, and nobody has stopped it yet."""
        return self.job[self._type.kind.status] == "InProgress" and not self.ended.is_set()

    def stop(self) -> None:
        kind = self._type.kind
        self.job[kind.status] = "Stopping"
        _transition(self._type, self.job, "Stopping")
        _tell(self._type, self.job, self.caller)
        self._stop.set()

    def work(self) -> None:
        """The job's thread, from its start to its end."""
        final, secondary, reason = "Completed", "Completed", None
        try:
            secondary = self._type.run(self) or "Completed"
        except JobStopped as stopped:
            final, secondary = "Stopped", str(stopped)
            time.sleep(TIMING.stopping)
        except JobFailed as failure:
            final, secondary, reason = "Failed", "Failed", str(failure)
        except (ClientError, BotoCoreError, ApiError) as error:
            final, secondary, reason = "Failed", "Failed", f"ClientError: {error}"
        except Exception as error:
            _LOG.exception("%s %s", self._type.kind.label, self.arn)
            final, secondary, reason = "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}"
        del _running[self.arn]
        _end(self._type, self.job, final, secondary, reason)
        _tell(self._type, self.job, self.caller)
        self.ended.set()


_types: dict[str, JobType] = {}  # by key of the kind
_running: dict[str, Run] = {}  # by ARN
_Class = TypeVar("_Class", bound=Callable[[], Any])


def job_type(cls: _Class) -> _Class:
    """Class decorator: serve the operations of a kind of job."""
    one: JobType = cls()
    kind, jobs = one.kind, store.table(one.kind.key)
    members = _members(kind)
    _types[kind.key] = one

    @sagemaker.operation(kind.create)
    def create(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        run = _create(one, jobs, request, caller)
        return {f"{kind.key}Arn": run.arn}

    @sagemaker.operation(kind.describe)
    def describe(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        found = _found(jobs, request[kind.name])
        return {member: value for member, value in found.items() if member in members}

    @sagemaker.operation(f"List{kind.key}s")
    def list_all(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return listing.page(kind.key, jobs.values(), request, default_order=one.default_order)

    @sagemaker.operation(kind.stop)
    def stop(request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        job = _found(jobs, request[kind.name])
        running = _running.get(job[f"{kind.key}Arn"])
        if job[kind.status] != "InProgress" or running is None:
            raise invalid(f"The request was rejected because the {kind.label.lower()} is in status {job[kind.status]}.")
        running.stop()
        return {}

    @store.on_load
    def fail_what_ran() -> None:
        """After a restart: a job that was running is not any more. Nobody is told."""
        for job in jobs.values():
            if job[kind.status] in ("InProgress", "Stopping"):
                reason = f"InternalServerError: {CUT_OFF} Please retry."
                _end(one, job, "Failed", "Failed", reason)

    return cls


def start(kind: JobKind, request: dict[str, Any], caller: Caller, **members: Any) -> Run:
    """Create a job that another one starts, with further members in its description, as the service itself may.

    An ApiError says what is wrong with the request.
    """
    return _create(_types[kind.key], store.table(kind.key), request, caller, members)


def check(kind: JobKind, request: dict[str, Any], caller: Caller) -> None:
    """Refuse, with an ApiError, what a later `start` would refuse of a request; its name is not looked at."""
    _types[kind.key].check(request, caller)


def _create(
    one: JobType, jobs: Table, request: dict[str, Any], caller: Caller, members: Mapping[str, Any] | None = None
) -> Run:
    kind, name = one.kind, request[one.kind.name]
    arn_member, job_arn = f"{kind.key}Arn", arn(caller, kind.arn, name)
    one.check(request, caller)
    if kind.role:
        identity.check_role(_role(kind, request), PRINCIPAL, caller, job_arn)
    moment = now()
    job: Record = {
        **one.record(request),
        **{member: value for member, value in request.items() if member != "Tags"},
        **(members or {}),
        arn_member: job_arn,
        kind.status: "InProgress",
        CREATED: moment,
        "LastModifiedTime": moment,
    }
    _transition(one, job, "Starting")
    with jobs.lock:
        if any(taken.lower() == name.lower() for taken in jobs):
            raise ApiError(
                "ResourceInUse",
                f"{kind.label} names must be unique within an AWS account and region, "
                f"and a {kind.label.lower()} with this name already exists ({job_arn})",
            )
        tags.attach(job_arn, request, caller)
        run = _running[job_arn] = Run(one, job, caller)
        jobs[name] = job
    _tell(one, job, caller)
    identity.spawn(run.work)
    return run


def _members(kind: JobKind) -> frozenset[str]:
    """The members of a description. A list's summaries have others: the time of a transform job's last change."""
    shape = sagemaker.model.operation_model(kind.describe).output_shape
    assert shape is not None
    return frozenset(shape.members)


def _found(jobs: Table, name: str) -> Record:
    if name not in jobs:
        raise invalid("Requested resource not found.")
    return jobs[name]


def _role(kind: JobKind, record: Mapping[str, Any]) -> str:
    value: Any = record
    for member in kind.role.split("."):
        value = value[member]
    return str(value)


# --- states ------------------------------------------------------------------------------------------------


def _transition(one: JobType, job: Record, secondary: str, message: str | None = None) -> None:
    moment = now()
    job["LastModifiedTime"] = moment
    if one.kind.progress:
        job[one.kind.progress] = secondary
    if not one.messages:
        return
    closed = [{**step, "EndTime": step.get("EndTime", moment)} for step in job.get("SecondaryStatusTransitions", [])]
    step = {"Status": secondary, "StartTime": moment, "StatusMessage": message or one.messages[secondary]}
    if secondary in ("Completed", "Failed", "Stopped", "MaxRuntimeExceeded"):
        step["EndTime"] = moment
    job["SecondaryStatusTransitions"] = [*closed, step]


def _end(one: JobType, job: Record, final: str, secondary: str, reason: str | None) -> None:
    """The record of an end; the status comes last, so that who sees it sees the rest."""
    if reason:
        job[FAILURE_REASON] = reason[:_LONGEST_REASON]
    job[one.kind.ended] = now()
    one.ended(job)
    _transition(one, job, secondary, reason)
    job[one.kind.status] = final


def _tell(one: JobType, job: Record, caller: Caller) -> None:
    job_arn = job[f"{one.kind.key}Arn"]
    put_event(caller, one.event, {**job, "Tags": tags.of(job_arn)}, job_arn)
